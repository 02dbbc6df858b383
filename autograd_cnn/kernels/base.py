"""The kernels of every operation, written once: arrays in, arrays out, no tape."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .arrays import Array, Axes
from .columns import ColumnKernels
from .elementwise import ElementwiseKernels
from .fused import FusedKernels
from .linalg import LinalgKernels
from .scan import ScanKernels
from .specs import ConvSpec


class Kernels(ElementwiseKernels, FusedKernels, ColumnKernels, ScanKernels, LinalgKernels):
    """Generic kernels over an array module `xp`.

    A provider is a subclass that overrides what it does faster and calls `super()` for the rest.
    """

    name = "generic"

    def __init__(self, xp: ModuleType) -> None:
        self.xp = xp

    def conv_relu(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        """relu(conv(x, w, b)), bit for bit."""
        return self.relu(self.conv(x, w, b, spec=spec))

    def normalize_relu(
        self, x: Array, weight: Any, bias: Any, added: Any = None,
        *, axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """relu(normalize(x) + added), with the mean and 1/√(var + eps)."""
        y, mean, inverse_std = self.normalize(x, weight, bias, axes=axes, shape=shape, eps=eps)
        return self.relu(y if added is None else self.add(y, added)), mean, inverse_std

    def norm_gradients(
        self, g: Array, x: Array, weight: Any, mean: Array, inverse_std: Array, ans: Any = None,
        *, axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array, Array]:  # fmt: skip
        """The gradients in x, weight and bias, and g behind the ReLU whose answer is `ans`."""
        g = g if ans is None else self.multiply(g, self.step(ans))
        run = {"axes": axes, "shape": shape, "eps": eps}
        to_x = self.norm_input_grad(g, x, weight, mean, inverse_std, **run)
        to_weight = self.norm_weight_grad(g, x, mean, inverse_std, **run)
        return to_x, to_weight, self.sum_to(g, shape=shape), g

    def explain(self, kernel: str, *args, **attributes) -> str:
        """Which code would run `kernel` on these arrays, and why."""
        for owner in type(self).__mro__:
            if kernel in vars(owner):
                return f"{kernel}: {owner.__module__.rsplit('.', 1)[-1]}.{owner.__name__}"
        raise AttributeError(f"there is no kernel named {kernel}")
