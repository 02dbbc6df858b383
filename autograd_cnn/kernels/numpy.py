"""Fast CPU kernels on NumPy and BLAS: what the fast code takes, and the rest to `super()`."""

from __future__ import annotations

from math import prod

import numpy as np

from . import numpy_conv, numpy_costs, numpy_norm, numpy_pool
from .arrays import Array, Axes
from .base import Kernels
from .specs import ConvSpec, PoolSpec, Sizes


class NumpyKernels(Kernels):
    """The generic kernels, with convolution, pooling, normalisation and sums made fast.

    Half precision is computed in single and rounded once at the end.
    """

    name = "numpy"

    # convolution

    def conv(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        dtype = np.result_type(x, w) if b is None else np.result_type(x, w, b)
        if not _is_inexact(dtype):
            return super().conv(x, w, b, spec=spec)
        out = spec.output_size(x.shape[2:], w.shape[2:])
        if 0 in x.shape or 0 in w.shape:
            y = np.zeros((x.shape[0], w.shape[0], *out), dtype)
            return y if b is None else y + b.reshape(-1, *(1,) * spec.ndim)
        x, w, b = (_working(array, dtype) for array in (x, w, b))
        return numpy_conv.correlate(x, w, b, spec, out).astype(dtype, copy=False)

    def conv_input_grad(self, y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        dtype = np.result_type(y, w)
        if not _is_inexact(dtype):
            return super().conv_input_grad(y, w, spec=spec, size=size)
        if 0 in y.shape or 0 in w.shape:
            return np.zeros((y.shape[0], w.shape[1] * spec.groups, *size), dtype)
        y, w = _working(y, dtype), _working(w, dtype)
        return numpy_conv.input_grad(y, w, spec, tuple(size)).astype(dtype, copy=False)

    def conv_weight_grad(self, x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        dtype = np.result_type(x, y)
        if not _is_inexact(dtype):
            return super().conv_weight_grad(x, y, spec=spec, size=size)
        if 0 in x.shape or 0 in y.shape:
            return np.zeros((y.shape[1], x.shape[1] // spec.groups, *size), dtype)
        x, y = _working(x, dtype), _working(y, dtype)
        return numpy_conv.weight_grad(x, y, spec, tuple(size)).astype(dtype, copy=False)

    # pooling

    def max_pool(self, x: Array, *, spec: PoolSpec) -> tuple[Array, Array]:
        if x.dtype.kind != "f" or not x.size:
            return super().max_pool(x, spec=spec)
        out = spec.output_size(x.shape[2:])
        best, switches = numpy_pool.max_pool(_images(x), spec, out, self.switch_dtype(spec))
        lowest = best.min()  # NaN where there is one; −∞ ties with what the fast code pads with
        if lowest != lowest or (lowest == -np.inf and any(map(any, spec.padding))):
            return super().max_pool(x, spec=spec)
        return best.reshape(*x.shape[:2], *out), switches.reshape(*x.shape[:2], *out)

    def pool_gather(self, x: Array, switches: Array, *, spec: PoolSpec) -> Array:
        if x.dtype.itemsize > 8 or not x.size:
            return super().pool_gather(x, switches, spec=spec)
        y = numpy_pool.gather(np.ascontiguousarray(_images(x)), _images(switches), spec)
        return y.reshape(switches.shape)

    def pool_scatter(self, y: Array, switches: Array, *, spec: PoolSpec, size: Sizes) -> Array:
        if y.dtype.itemsize > 8 or not y.size:
            return super().pool_scatter(y, switches, spec=spec, size=size)
        flat = np.ascontiguousarray(_images(y))
        result = numpy_pool.scatter(flat, _images(switches), spec, tuple(size))
        return result.reshape(*y.shape[:2], *size)

    def avg_pool(self, x: Array, *, spec: PoolSpec, count_include_pad: bool) -> Array:
        if not _is_inexact(x.dtype) or not x.size:
            return super().avg_pool(x, spec=spec, count_include_pad=count_include_pad)
        size, out = x.shape[2:], spec.output_size(x.shape[2:])
        y: Array = numpy_pool.sum_pool(_images(_working(x, x.dtype)), spec, out)
        y /= self.window_counts(spec, size, count_include_pad, y.real.dtype)
        return y.reshape(*x.shape[:2], *out).astype(x.dtype, copy=False)

    def avg_pool_grad(
        self, y: Array, *, spec: PoolSpec, size: Sizes, count_include_pad: bool
    ) -> Array:
        if not _is_inexact(y.dtype) or not y.size:
            return super().avg_pool_grad(
                y, spec=spec, size=size, count_include_pad=count_include_pad
            )
        share: Array = _images(_working(y, y.dtype))
        share = share / self.window_counts(spec, size, count_include_pad, share.real.dtype)
        result = numpy_pool.spread_pool(share, spec, tuple(size))
        return result.reshape(*y.shape[:2], *size).astype(y.dtype, copy=False)

    # normalisation

    def normalize(
        self, x: Array, weight: Array | None, bias: Array | None, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        layout = _norm_layout(axes, shape, x, weight, bias)
        if layout == "channel":
            rows = x.reshape(*x.shape[:2], -1)
            y, mean, inverse_std = numpy_norm.normalize_channels(rows, weight, bias, eps)
            return y.reshape(x.shape), mean.reshape(shape), inverse_std.reshape(shape)
        if layout == "trailing":
            rows, kept = _rows(x, axes), _kept(x, axes)
            y, mean, inverse_std = numpy_norm.normalize_rows(rows, eps)
            y = y.reshape(x.shape)
            if weight is not None:
                y *= weight.reshape(shape)
            if bias is not None:
                y += bias.reshape(shape)
            return y, mean.reshape(kept), inverse_std.reshape(kept)
        return super().normalize(x, weight, bias, axes=axes, shape=shape, eps=eps)

    def norm_input_grad(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        layout = _norm_layout(axes, shape, x, g, weight, mean, inverse_std)
        if layout == "channel":
            lines = (*x.shape[:2], -1)
            result = numpy_norm.channels_input_grad(
                g.reshape(lines), x.reshape(lines), weight, mean.ravel(), inverse_std.ravel()
            )
            return result.reshape(x.shape)
        if layout == "trailing":
            g = g if weight is None else (g * weight.reshape(shape)).astype(x.dtype, copy=False)
            result = numpy_norm.rows_input_grad(
                _rows(g, axes), _rows(x, axes), mean.reshape(-1, 1), inverse_std.reshape(-1, 1)
            )
            return result.reshape(x.shape)
        return super().norm_input_grad(
            g, x, weight, mean, inverse_std, axes=axes, shape=shape, eps=eps
        )

    def norm_weight_grad(
        self, g: Array, x: Array, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        layout = _norm_layout(axes, shape, x, g, mean, inverse_std)
        if layout == "channel":
            lines = (*x.shape[:2], -1)
            total = numpy_norm.centred_products(g.reshape(lines), x.reshape(lines), mean.ravel())
            return (total * inverse_std.ravel()).astype(x.dtype).reshape(shape)
        if layout == "trailing" and prod(shape) == prod(shape[axes[0] :]):
            if shape[axes[0] :] == x.shape[axes[0] :]:
                total = numpy_norm.rows_weight_grad(
                    _rows(g, axes), _rows(x, axes), mean.reshape(-1, 1), inverse_std.reshape(-1, 1)
                )
                return total.reshape(shape)
        return super().norm_weight_grad(g, x, mean, inverse_std, axes=axes, shape=shape, eps=eps)

    # sums and products

    def sum(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        if x.dtype != np.float16:
            return super().sum(x, axes=axes, keepdims=keepdims)
        return x.sum(axis=axes, keepdims=keepdims, dtype=np.float32).astype(x.dtype)

    def sum_to(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        if x.dtype == np.float16:
            return super().sum_to(x.astype(np.float32), shape=shape).astype(x.dtype)
        per_channel = x.ndim > 2 and len(shape) == x.ndim and prod(shape) == shape[1] == x.shape[1]
        if not per_channel or not x.flags.c_contiguous or x.dtype.kind != "f" or not x.size:
            return super().sum_to(x, shape=shape)
        lines = x.reshape(*x.shape[:2], -1).sum(axis=2)
        return lines.sum(axis=0, dtype=np.result_type(x, np.float64)).astype(x.dtype).reshape(shape)

    def softmax(self, x: Array, *, axis: int) -> Array:
        if x.dtype.kind != "f":
            return super().softmax(x, axis=axis)
        y = np.subtract(x, x.max(axis=axis, keepdims=True), dtype=_working_type(x.dtype))
        np.exp(y, out=y)
        y /= y.sum(axis=axis, keepdims=True)
        return y.astype(x.dtype, copy=False)

    def matmul(self, x: Array, y: Array) -> Array:
        dtype = np.result_type(x, y)
        if dtype != np.float16:
            return super().matmul(x, y)
        return super().matmul(_working(x, dtype), _working(y, dtype)).astype(dtype)

    def linear(self, x: Array, w: Array, b: Array | None = None) -> Array:
        dtype = np.result_type(x, w) if b is None else np.result_type(x, w, b)
        if dtype == np.float16:
            x, w, b = (_working(array, dtype) for array in (x, w, b))
        if x.ndim <= 2:
            return super().linear(x, w, b).astype(dtype, copy=False)
        y = super().linear(x.reshape(prod(x.shape[:-1]), x.shape[-1]), w, b)
        return y.reshape(*x.shape[:-1], w.shape[0]).astype(dtype, copy=False)

    # noise

    def uniform(self, seed: int, shape: tuple) -> Array:
        return np.random.Generator(np.random.SFC64(seed)).random(shape, dtype=np.float32)

    def dropout(self, x: Array, *, seed: int, p: float, shape: tuple) -> Array:
        y = x * (self.uniform(seed, shape) >= p)
        y *= x.dtype.type(1.0 / (1.0 - p))
        return y

    def explain(self, kernel: str, *args: Array, **attributes) -> str:
        """Which code would run; for a convolution, the estimated time of each way to do it."""
        where = super().explain(kernel, *args, **attributes)
        try:
            ways = _WAYS[kernel](*args, **attributes)
        except KeyError:
            return where
        if not all(array.size and _is_inexact(array.dtype) for array in args[:2]):
            return f"{where}: the generic code, for whole numbers and empty arrays"
        best = min(ways, key=ways.__getitem__)
        rest = ", ".join(f"{way} {time:.3g}" for way, time in ways.items() if way != best)
        return f"{where}: {best}, estimated {ways[best]:.3g} ms" + (f" ({rest})" if rest else "")


def _conv_ways(x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> dict:
    return numpy_costs.costs(x.shape, w.shape, spec, spec.output_size(x.shape[2:], w.shape[2:]))


def _input_grad_ways(y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> dict:
    return numpy_costs.input_grad_costs(y.shape, w.shape, spec, tuple(size))


def _weight_grad_ways(x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> dict:
    shape = (y.shape[1], x.shape[1] // spec.groups, *size)
    return numpy_costs.weight_costs(x.shape, shape, spec, y.shape[2:])


_WAYS = {
    "conv": _conv_ways,
    "conv_input_grad": _input_grad_ways,
    "conv_weight_grad": _weight_grad_ways,
}


def _is_inexact(dtype: np.dtype) -> bool:
    return dtype.kind in "fc"


def _working(x: Array | None, dtype: np.dtype) -> Array | None:
    return None if x is None else x.astype(_working_type(dtype), copy=False)


def _working_type(dtype: np.dtype) -> np.dtype:
    """What to compute a result of this type in: single for half precision."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _images(x: Array) -> Array:
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _norm_layout(axes: Axes, shape: tuple, x: Array, *others: Array | None) -> str | None:
    """How to see `x`, where the fast code can: everything real, of one type, single or wider."""
    same = all(array is None or array.dtype == x.dtype for array in others)
    if not same or x.dtype.kind != "f" or x.dtype.itemsize < 4 or not x.size:
        return None
    return numpy_norm.layout(x.ndim, tuple(axes), tuple(shape))


def _rows(x: Array, axes: Axes) -> Array:
    return x.reshape(prod(x.shape[: axes[0]]), -1)


def _kept(x: Array, axes: Axes) -> tuple[int, ...]:
    return tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
