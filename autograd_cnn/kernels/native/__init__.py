"""Native CPU kernels: machine code generated at run time for the processor that is there.

What they take (float32 convolutions and batch norms with enough work) is computed natively, the
rest by the NumPy kernels. Needs llvmlite, imported by the first such call:
pip install "autograd-cnn[fast]".
"""

from __future__ import annotations

import sys
from functools import cache
from math import prod
from types import ModuleType

import numpy as np

from .. import numpy_norm
from ..arrays import Array, Axes
from ..base import Kernels
from ..numpy import NumpyKernels
from ..specs import ConvSpec, Sizes

__all__ = ["NativeKernels"]

OLDEST = (0, 45)
"""The first llvmlite with the pointers and the passes that the generator uses."""
TINY = 20_000
"""Multiplications, or entries of a batch norm, below which a native call does not pay."""


class NativeKernels(NumpyKernels):
    """The NumPy kernels, with float32 convolution and batch norm done by generated code."""

    name = "native"

    def conv(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        if _obstacle("conv", x, w, b, spec=spec):
            return super().conv(x, w, b, spec=spec)
        return _native().forward(*_contiguous(x, w, b), spec)

    def conv_input_grad(self, y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        if _obstacle("conv_input_grad", y, w, spec=spec, size=size):
            return super().conv_input_grad(y, w, spec=spec, size=size)
        return _native().input_grad(*_contiguous(y, w), spec, size)

    def conv_weight_grad(self, x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        if _obstacle("conv_weight_grad", x, y, spec=spec, size=size):
            return super().conv_weight_grad(x, y, spec=spec, size=size)
        return _native().weight_grad(*_contiguous(x, y), spec, size)

    # batch normalisation

    def normalize(
        self, x: Array, weight: Array | None, bias: Array | None, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        if not _is_batch_norm(axes, shape, x, weight, bias):
            return super().normalize(x, weight, bias, axes=axes, shape=shape, eps=eps)
        parameters = _contiguous(weight, bias)
        y, mean, inverse_std = _norm().normalize(_planes(x), *parameters, eps)
        return y.reshape(x.shape), mean.reshape(shape), inverse_std.reshape(shape)

    def norm_input_grad(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        if not _is_batch_norm(axes, shape, x, g, weight, mean, inverse_std):
            return super().norm_input_grad(
                g, x, weight, mean, inverse_std, axes=axes, shape=shape, eps=eps
            )
        parameters = _contiguous(weight, mean, inverse_std)
        return _norm().input_grad(_planes(g), _planes(x), *parameters).reshape(x.shape)

    def norm_weight_grad(
        self, g: Array, x: Array, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        if not _is_batch_norm(axes, shape, x, g, mean, inverse_std):
            return super().norm_weight_grad(
                g, x, mean, inverse_std, axes=axes, shape=shape, eps=eps
            )
        parameters = _contiguous(mean, inverse_std)
        return _norm().weight_grad(_planes(g), _planes(x), *parameters).reshape(shape)

    def explain(self, kernel: str, *args: Array, **attributes) -> str:
        """Which code would run and why; for what can be native, whether it is."""
        if kernel in _MULTIPLICATIONS:
            obstacle = _obstacle(kernel, *args, **attributes)
        elif kernel in ("normalize", "norm_input_grad", "norm_weight_grad"):
            layout = attributes["axes"], attributes["shape"]
            obstacle = "" if _is_batch_norm(*layout, *args) else "not a batch norm in float32"
        else:
            return super().explain(kernel, *args, **attributes)
        if obstacle:
            without = NumpyKernels(self.xp).explain(kernel, *args, **attributes)
            return f"{without}; not native: {obstacle}"
        how = "a channel at a time"
        if kernel in _MULTIPLICATIONS:
            how = _native().describe(kernel, *args, **attributes)
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


_MULTIPLICATIONS = {
    "conv": lambda x, w, b=None, *, spec: (
        x.shape[0] * w.size * prod(spec.output_size(x.shape[2:], w.shape[2:]))
    ),
    "conv_input_grad": lambda y, w, *, spec, size: y.size * prod(w.shape[1:]),
    "conv_weight_grad": lambda x, y, *, spec, size: (
        y.size * (x.shape[1] // spec.groups) * prod(size)
    ),
}


def _is_batch_norm(axes: Axes, shape: tuple, x: Array, *others: Array | None) -> bool:
    """Whether a norm is one over batch and positions, in float32, and large enough."""
    arrays = [array for array in (x, *others) if array is not None]
    return (
        x.size >= TINY
        and all(array.dtype == np.float32 for array in arrays)
        and numpy_norm.layout(x.ndim, tuple(axes), tuple(shape)) == "channel"
        and not _unusable()
    )


def _planes(x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(*x.shape[:2], -1)


def _contiguous(*arrays: Array | None) -> list[Array | None]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


@cache
def _unusable() -> str:
    """Why no native code can run here; empty if it can."""
    import llvmlite

    if tuple(map(int, llvmlite.__version__.split(".")[:2])) < OLDEST:
        return f"llvmlite {llvmlite.__version__} is older than {'.'.join(map(str, OLDEST))}"
    return "" if sys.maxsize > 2**32 else "the processor's addresses have 32 bits"


@cache
def _norm() -> ModuleType:
    from . import normalization

    return normalization


@cache
def _native() -> ModuleType:
    """The generated convolutions; the first call imports llvmlite."""
    from . import conv

    return conv
