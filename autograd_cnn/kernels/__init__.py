"""Kernels: arrays in, arrays out. This page picks the provider that fits the arrays.

Providers: `native` (generated machine code, the default on the CPU where llvmlite is installed),
`numpy` (the default elsewhere), `generic` (the shared code on NumPy), `reference` (plain loops, the
oracle of the tests), `cuda` (our CUDA kernels and cuDNN, the default on the GPU) and `cupy` (the
shared code on CuPy arrays). Nothing imports CuPy until asked, nor llvmlite until the first
convolution that is large enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import DeviceError, require
from .base import Kernels
from .devices import device_of, is_cupy
from .native.memory import release_memory
from .native.threads import get_num_threads, set_num_threads

__all__ = [
    "Kernels",
    "cpu_provider",
    "explain",
    "get_num_threads",
    "provider",
    "provider_for",
    "release_memory",
    "set_num_threads",
    "use",
]


ON_THE_GPU = ("cuda", "cupy")


@cache
def provider(name: str) -> Kernels:
    """The provider called `name`: native, numpy, generic, reference, cuda or cupy."""
    if name == "numpy":
        from .numpy import NumpyKernels

        return NumpyKernels(np)
    if name == "native":
        if find_spec("llvmlite") is None:
            require("llvmlite", "fast")
        from .native import NativeKernels

        return NativeKernels(np)
    if name == "generic":
        return Kernels(np)
    if name == "reference":
        from .reference import ReferenceKernels

        return ReferenceKernels(np)
    if name in ON_THE_GPU:
        from .cuda import CudaKernels
        from .cupy import CupyKernels, cupy_module

        return (CudaKernels if name == "cuda" else CupyKernels)(cupy_module())
    names = "native, numpy, generic, reference, cuda or cupy"
    raise ValueError(f"no kernel provider {name!r}: use {names}")


_DEFAULT = provider("native" if find_spec("llvmlite") else "numpy")
_cpu: ContextVar[Kernels] = ContextVar("cpu_kernels", default=_DEFAULT)
_gpu: ContextVar[str] = ContextVar("gpu_kernels", default="cuda")
cpu_provider = _cpu.get
_ON_THE_CPU = {np.ndarray, np.float32, np.float64, int, float, bool, type(None)}


@contextmanager
def use(name: str) -> Iterator[Kernels]:
    """Run operations inside the block with the provider `name`, on the CPU or the GPU as it is.

    >>> import autograd_cnn as ag
    >>> with ag.kernels.use("reference"):
    ...     float(ag.sum(ag.tensor([1.0, 2.0])))
    3.0
    """
    chosen = provider(name)
    place: ContextVar[Any] = _gpu if name in ON_THE_GPU else _cpu
    token = place.set(name if place is _gpu else chosen)
    try:
        yield chosen
    finally:
        place.reset(token)


def provider_for(arrays: Iterable[Any]) -> Kernels:
    """The provider that fits the arrays; DeviceError where they live on different devices."""
    for array in arrays:
        if type(array) not in _ON_THE_CPU and is_cupy(array):
            _require_one_device(arrays)
            return provider(_gpu.get())
    return _cpu.get()


def _require_one_device(arrays: Iterable[Any]) -> None:
    devices = [device_of(array) for array in arrays if getattr(array, "ndim", 0)]
    if len(set(devices)) > 1:
        raise DeviceError(
            f"operands on different devices: {', '.join(devices)}; move them with .to(device)"
        )


def explain(kernel: str, *arrays: Any, **attributes: Any) -> str:
    """Say which code would run `kernel` on these arrays, and why.

    >>> import numpy as np, autograd_cnn as ag
    >>> ag.kernels.explain("exp", np.ones(3))
    'exp: elementwise.ElementwiseKernels'
    """
    return provider_for(arrays).explain(kernel, *arrays, **attributes)
