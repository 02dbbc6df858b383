"""Which norms are native: float32 batch norms and norms over the last axes, when large enough."""

from __future__ import annotations

from functools import cache
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from .. import numpy_norm
from ..arrays import Array, Axes
from .machine import unusable
from .pools import NativePools

TINY = 20_000
"""Entries below which a native call does not pay."""


class NativeNorms(NativePools):
    """Batch, layer, group and instance norm in native threads; the rest to `super()`."""

    def normalize(
        self, x: Array, weight: Array | None, bias: Array | None, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        run: dict[str, Any] = {"axes": axes, "shape": shape, "eps": eps}
        if obstacle("normalize", x, weight, bias, **run):
            return super().normalize(x, weight, bias, **run)
        kept = _kept(x, axes)
        if _layout(x, axes, shape) == "channel":
            y, *statistics = _batch().normalize(_planes(x), *_contiguous(weight, bias), eps)
        else:
            y, *statistics = _rows().normalize(_lines(x, axes), *_contiguous(weight, bias), eps)
        mean, inverse_std = (each.reshape(kept) for each in statistics)
        return y.reshape(x.shape), mean, inverse_std

    def normalize_relu(
        self, x: Array, weight: Array | None, bias: Array | None, added: Array | None = None, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        run: dict[str, Any] = {"axes": axes, "shape": shape, "eps": eps}
        if obstacle("normalize_relu", x, weight, bias, added, **run):
            return super().normalize_relu(x, weight, bias, added, **run)
        y, mean, inverse_std = _batch().normalize(
            _planes(x), *_contiguous(weight, bias), eps, _planes(added), relu=True
        )
        return y.reshape(x.shape), mean.reshape(shape), inverse_std.reshape(shape)

    def norm_input_grad(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        run: dict[str, Any] = {"axes": axes, "shape": shape, "eps": eps}
        if obstacle("norm_input_grad", g, x, weight, mean, inverse_std, **run):
            return super().norm_input_grad(g, x, weight, mean, inverse_std, **run)
        parameters = _contiguous(weight, mean, inverse_std)
        if _layout(x, axes, shape) == "channel":
            return _batch().input_grad(_planes(g), _planes(x), *parameters).reshape(x.shape)
        lines = _lines(g, axes), _lines(x, axes)
        return _rows().input_grad(*lines, *parameters).reshape(x.shape)

    def norm_weight_grad(
        self, g: Array, x: Array, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        run: dict[str, Any] = {"axes": axes, "shape": shape, "eps": eps}
        if obstacle("norm_weight_grad", g, x, mean, inverse_std, **run):
            return super().norm_weight_grad(g, x, mean, inverse_std, **run)
        parameters = _contiguous(mean, inverse_std)
        return _batch().weight_grad(_planes(g), _planes(x), *parameters).reshape(shape)

    def norm_gradients(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array,
        ans: Array | None = None, *, axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array, Array]:  # fmt: skip
        run: dict[str, Any] = {"axes": axes, "shape": shape, "eps": eps}
        if obstacle("norm_gradients", g, x, weight, mean, inverse_std, ans, **run):
            return super().norm_gradients(g, x, weight, mean, inverse_std, ans, **run)
        parameters = _contiguous(weight, mean, inverse_std)
        to_x, to_weight, to_bias, masked = _batch().gradients(
            _planes(g), _planes(x), *parameters, _planes(ans)
        )
        masked = g if ans is None else masked.reshape(x.shape)
        return to_x.reshape(x.shape), to_weight.reshape(shape), to_bias.reshape(shape), masked

    def sum_to(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        per_channel = len(shape) == x.ndim > 2 and prod(shape) == shape[1] == x.shape[1]
        axes = (0, *range(2, x.ndim))
        if not per_channel or obstacle("normalize", x, axes=axes, shape=shape):
            return super().sum_to(x, shape=shape)
        return _batch().sums(_planes(x)).reshape(shape)


NATIVE = ("normalize", "normalize_relu", "norm_input_grad", "norm_weight_grad", "norm_gradients")
_ROWS_TOO = ("normalize", "norm_input_grad")


def obstacle(kernel: str, *arrays: Array | None, axes: Axes, shape: tuple, eps: float = 0) -> str:
    """Why the native code does not take a norm; empty if it does."""
    given = [array for array in arrays if array is not None]
    strange = [array.dtype for array in given if array.dtype != np.float32]
    if strange:
        return f"{strange[0]} is not float32"
    x = given[0]
    if x.size < TINY:
        return f"{x.size:,} entries are fewer than {TINY:,}"
    layout = _layout(x, axes, shape)
    if layout is None or (layout == "trailing" and kernel not in _ROWS_TOO):
        return f"{kernel} over axes {tuple(axes)}"
    return unusable()


def describe(*arrays: Array | None, axes: Axes, shape: tuple, eps: float) -> str:
    """How a norm that is native runs."""
    layout = _layout(arrays[0], axes, shape)
    return "a channel at a time" if layout == "channel" else "a row at a time"


def _layout(x: Array, axes: Axes, shape: tuple) -> str | None:
    """Which layout a norm has, with parameters along the rows where there are rows."""
    layout = numpy_norm.layout(x.ndim, tuple(axes), tuple(shape))
    row = x.shape[-len(axes) :]
    if layout == "trailing" and (tuple(shape[-len(axes) :]) != row or prod(shape) != prod(row)):
        return None
    return layout


def _kept(x: Array, axes: Axes) -> tuple[int, ...]:
    return tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))


def _planes(x: Array | None) -> Array | None:
    return None if x is None else np.ascontiguousarray(x).reshape(*x.shape[:2], -1)


def _lines(x: Array, axes: Axes) -> Array:
    return np.ascontiguousarray(x).reshape(prod(x.shape[: axes[0]]), -1)


def _contiguous(*arrays: Array | None) -> list[Array | None]:
    return [None if array is None else np.ascontiguousarray(array) for array in arrays]


@cache
def _batch() -> ModuleType:
    from . import normalization

    return normalization


@cache
def _rows() -> ModuleType:
    from . import row_norm

    return row_norm
