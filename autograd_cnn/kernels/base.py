"""The kernels of every operation, written once: arrays in, arrays out, no tape."""

from __future__ import annotations

from types import ModuleType

from .columns import ColumnKernels
from .elementwise import ElementwiseKernels
from .fused import FusedKernels
from .linalg import LinalgKernels
from .scan import ScanKernels


class Kernels(ElementwiseKernels, FusedKernels, ColumnKernels, ScanKernels, LinalgKernels):
    """Generic kernels over an array module `xp`.

    A provider is a subclass that overrides what it does faster and calls `super()` for the rest.
    """

    name = "generic"

    def __init__(self, xp: ModuleType) -> None:
        self.xp = xp

    def explain(self, kernel: str, *args, **attributes) -> str:
        """Which code would run `kernel` on these arrays, and why."""
        for owner in type(self).__mro__:
            if kernel in vars(owner):
                return f"{kernel}: {owner.__module__.rsplit('.', 1)[-1]}.{owner.__name__}"
        raise AttributeError(f"there is no kernel named {kernel}")
