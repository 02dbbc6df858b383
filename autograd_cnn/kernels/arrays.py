"""Reductions, shapes, indexing and matrix products, written once against `self.xp`."""

from __future__ import annotations

from math import prod
from typing import Any

Array = Any
Axes = tuple[int, ...]


def is_basic_index(index: Any) -> bool:
    """Whether NumPy answers this index with a view: slices, whole numbers, None, Ellipsis."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        item is None
        or item is Ellipsis
        or isinstance(item, slice)
        or (hasattr(item, "__index__") and not isinstance(item, bool) and not hasattr(item, "ndim"))
        for item in items
    )


def is_half(x: Array) -> bool:
    """Whether an array is in half precision, which is summed in single and rounded once."""
    return x.dtype.itemsize == 2 and x.dtype.kind not in "iu"


def widened(x: Array) -> Array:
    """`x` in the precision that its sums are made in."""
    return x.astype("float32") if is_half(x) else x


class ArrayKernels:
    """Operations that move or combine entries; axes come normalised (non-negative, a tuple)."""

    xp: Any

    # reductions

    def sum(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        return x.sum(axis=axes, keepdims=keepdims)

    def mean(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        return x.mean(axis=axes, keepdims=keepdims)

    def sum_to(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        extra = x.ndim - len(shape)
        axes = tuple(range(extra)) + tuple(
            extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1
        )
        return x.sum(axis=axes, keepdims=True).reshape(shape) if axes else x.reshape(shape)

    def max(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        if x.dtype.kind != "c":
            return x.max(axis=axes, keepdims=keepdims)
        kept = tuple(i for i in range(x.ndim) if i not in axes)
        rows = x.transpose(kept + axes).reshape([x.shape[i] for i in kept] + [-1])
        best = self.xp.argmax(rows.real, axis=-1)[..., None]
        values = self.xp.take_along_axis(rows, best, -1)[..., 0]
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        return values.reshape(shape) if keepdims else values

    def argmax(self, x: Array, *, axis: int | None, keepdims: bool) -> Array:
        return self.xp.argmax(x.real, axis=axis, keepdims=keepdims)

    def logsumexp(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        xp = self.xp
        top = x.real.max(axis=axes, keepdims=True)
        top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
        total = xp.log(xp.exp(widened(x - top)).sum(axis=axes, keepdims=True)) + top
        total = total.astype(x.dtype) if is_half(x) else total
        return total if keepdims else xp.squeeze(total, axis=axes)

    def softmax(self, x: Array, *, axis: int) -> Array:
        powers = self.xp.exp(x - x.real.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=axis, keepdims=True)

    def log_softmax(self, x: Array, *, axis: int) -> Array:
        shifted = widened(x - x.real.max(axis=axis, keepdims=True))
        result = shifted - self.xp.log(self.xp.exp(shifted).sum(axis=axis, keepdims=True))
        return result.astype(x.dtype) if is_half(x) else result

    # shapes

    def reshape(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        return x.reshape(shape)

    def broadcast_to(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        return self.xp.broadcast_to(x, shape)

    def transpose(self, x: Array, *, axes: Axes) -> Array:
        return x.transpose(axes)

    def flip(self, x: Array, *, axes: Axes) -> Array:
        return self.xp.flip(x, axes)

    def pad(self, x: Array, *, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        return self.xp.pad(x, widths, constant_values=value) if widths else x

    def concatenate(self, *x: Array, axis: int) -> Array:
        return self.xp.concatenate(x, axis=axis)

    # indexing

    def getitem(self, x: Array, *, index: Any) -> Array:
        return x[index]

    def scatter_add(self, y: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
        if is_basic_index(index):
            out = self.xp.zeros(shape, y.dtype)
            out[index] = y
            return out
        terms = widened(y)
        out = self.xp.zeros(shape, terms.dtype)
        self.xp.add.at(out, index, terms)
        return out.astype(y.dtype, copy=False)

    def index_set(self, x: Array, y: Array | None, *, index: Any) -> Array:
        y = x.dtype.type(0) if y is None else y
        out = x.astype(self.xp.result_type(x, y), copy=True)
        out[index] = y
        return out

    def take_along_axis(self, x: Array, indices: Array, *, axis: int) -> Array:
        return self.xp.take_along_axis(x, indices, axis)

    def put_along_axis(self, y: Array, indices: Array, *, axis: int, size: int) -> Array:
        """Add each entry of `y` at its place along `axis` of an array of zeros."""
        xp = self.xp
        rows, places = xp.moveaxis(widened(y), axis, -1), xp.moveaxis(indices, axis, -1)
        lead = xp.broadcast_shapes(rows.shape, places.shape)
        flat = (prod(lead[:-1]), lead[-1])
        rows = xp.ascontiguousarray(xp.broadcast_to(rows, lead)).reshape(flat)
        places = xp.ascontiguousarray(xp.broadcast_to(places, lead)).reshape(flat)
        out = xp.zeros((rows.shape[0], size), rows.dtype)
        xp.add.at(out, (xp.arange(rows.shape[0])[:, None], places), rows)
        out = out.astype(y.dtype, copy=False)
        return xp.moveaxis(out.reshape(*lead[:-1], size), -1, axis)

    # products

    def matmul(self, x: Array, y: Array) -> Array:
        return self.xp.matmul(x, y)

    def linear(self, x: Array, w: Array, b: Array | None = None) -> Array:
        y = self.matmul(x, w.T)
        if b is None:
            return y
        if y.dtype == self.xp.result_type(y, b):
            y += b
            return y
        return y + b

    def einsum(self, *x: Array, subscripts: str) -> Array:
        if not all(map(is_half, x)):
            return self.xp.einsum(subscripts, *x)
        return self.xp.einsum(subscripts, *map(widened, x)).astype(x[0].dtype)
