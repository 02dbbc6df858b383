"""Native CPU kernels: machine code generated at run time for the processor that is there.

What they take (in float32, with enough work: convolutions, norms, pooling, elementwise arithmetic)
is computed natively, the rest by the NumPy kernels. Needs llvmlite, imported by the first such
call: pip install "autograd-cnn[fast]".
"""

from __future__ import annotations

from functools import cache
from math import prod
from types import ModuleType

import numpy as np

from ..arrays import Array
from ..base import Kernels
from ..numpy import NumpyKernels
from ..specs import ConvSpec, Sizes
from . import elementwise, norms, pools, products
from .machine import unusable as _unusable

__all__ = ["NativeKernels"]

TINY = 20_000
"""Multiplications below which a native call does not pay."""


class NativeKernels(norms.NativeNorms):
    """The NumPy kernels, with float32 work that is large enough done by generated code."""

    name = "native"

    def conv(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        if _obstacle("conv", x, w, b, spec=spec):
            return super().conv(x, w, b, spec=spec)
        return _native().forward(*_contiguous(x, w, b), spec)

    def conv_relu(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        if _obstacle("conv_relu", x, w, b, spec=spec):
            return super().conv_relu(x, w, b, spec=spec)
        return _native().forward(*_contiguous(x, w, b), spec, relu=True)

    def conv_input_grad(self, y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        if _obstacle("conv_input_grad", y, w, spec=spec, size=size):
            return super().conv_input_grad(y, w, spec=spec, size=size)
        return _native().input_grad(*_contiguous(y, w), spec, size)

    def conv_weight_grad(self, x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        if _obstacle("conv_weight_grad", x, y, spec=spec, size=size):
            return super().conv_weight_grad(x, y, spec=spec, size=size)
        return _native().weight_grad(*_contiguous(x, y), spec, size)

    def matmul(self, x: Array, y: Array) -> Array:
        return products.matmul(x, y) if products.shared(x, y) else super().matmul(x, y)

    def explain(self, kernel: str, *args: Array, **attributes) -> str:
        """Which code would run and why; for what can be native, whether it is."""
        if kernel in _MULTIPLICATIONS:
            obstacle = _obstacle(kernel, *args, **attributes)
        elif kernel in norms.NATIVE:
            obstacle = norms.obstacle(kernel, *args, **attributes)
        elif kernel in self.large:
            obstacle = elementwise.obstacle(kernel, *args)
        elif kernel in pools.NATIVE:
            obstacle = pools.obstacle(kernel, *args, **attributes)
        else:
            return super().explain(kernel, *args, **attributes)
        if obstacle:
            without = NumpyKernels(self.xp).explain(kernel, *args, **attributes)
            return f"{without}; not native: {obstacle}"
        if kernel in _MULTIPLICATIONS:
            how = _native().describe(kernel, *args, **attributes)
        elif kernel in norms.NATIVE:
            how = norms.describe(*args, **attributes)
        else:
            how = "one pass" if kernel in self.large else "a plane at a time"
        return f"{Kernels.explain(self, kernel)}: {how}"


def _obstacle(kernel: str, *arrays: Array | None, **attributes) -> str:
    """Why the native code does not take a convolution; empty if it does."""
    for array in arrays:
        if array is not None and array.dtype != np.float32:
            return f"{array.dtype} is not float32"
    count = _MULTIPLICATIONS[kernel](*arrays, **attributes)
    if count < TINY:
        return f"{count:,} multiplications are fewer than {TINY:,}"
    return _unusable()


def _products(x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> int:
    return x.shape[0] * w.size * prod(spec.output_size(x.shape[2:], w.shape[2:]))


_MULTIPLICATIONS = {
    "conv": _products,
    "conv_relu": _products,
    "conv_input_grad": lambda y, w, *, spec, size: y.size * prod(w.shape[1:]),
    "conv_weight_grad": lambda x, y, *, spec, size: (
        y.size * (x.shape[1] // spec.groups) * prod(size)
    ),
}


def _contiguous(*arrays: Array | None) -> list[Array | None]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


@cache
def _native() -> ModuleType:
    """The generated convolutions; the first call imports llvmlite."""
    from . import conv

    return conv
