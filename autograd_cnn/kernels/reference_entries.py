"""Plain loops, entry by entry: piecewise and special functions, sums, picking and placing."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod
from typing import Any

from .arrays import Array, Axes
from .base import Kernels
from .reference_loops import every, groups_of, is_nan


class EntryLoops(Kernels):
    """Real numbers through Python's own `math`; complex ones take the shared formulas."""

    # one entry at a time

    def sign(self, x: Array) -> Array:
        return self._each(lambda v: (v > 0) - (v < 0) if not is_nan(v) else v, x)

    def step(self, x: Array) -> Array:
        return self._each(lambda v: v > 0, x)

    def abs(self, x: Array) -> Array:
        return super().abs(x) if x.dtype.kind == "c" else self._each(math.fabs, x)

    def relu(self, x: Array) -> Array:
        if x.dtype.kind == "c":
            return super().relu(x)
        return self._each(lambda v: v if v > 0 or is_nan(v) else 0, x)

    def leaky_relu(self, x: Array, *, negative_slope: float) -> Array:
        if x.dtype.kind != "f":
            return super().leaky_relu(x, negative_slope=negative_slope)
        return self._each(lambda v: v if v > 0 else negative_slope * v, x)

    def elu(self, x: Array, *, alpha: float) -> Array:
        if x.dtype.kind != "f":
            return super().elu(x, alpha=alpha)
        return self._each(lambda v: v if v > 0 else alpha * math.expm1(v), x)

    def clip(self, x: Array, *, low: float | None, high: float | None) -> Array:
        if x.dtype.kind != "f":
            return super().clip(x, low=low, high=high)

        def clipped(v: float) -> float:
            v = low if low is not None and v < low else v
            return high if high is not None and v > high else v

        return self._each(clipped, x)

    def sigmoid(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return super().sigmoid(x)
        return self._each(
            lambda v: 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v)), x
        )

    def softplus(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return super().softplus(x)
        return self._each(
            lambda v: v + math.log1p(math.exp(-v)) if v > 0 else math.log1p(math.exp(v)), x
        )

    def erf(self, x: Array) -> Array:
        return super().erf(x) if x.dtype.kind != "f" else self._each(math.erf, x)

    def gelu(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return super().gelu(x)
        return self._each(lambda v: v * math.erfc(-v / math.sqrt(2)) / 2, x)

    # groups of entries

    def sum(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        return self._one_of_each(x, axes, keepdims, lambda values: sum(values[1:], values[0]))

    def mean(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        if x.dtype.kind not in "fc" or not x.size:
            return super().mean(x, axes=axes, keepdims=keepdims)
        return self._one_of_each(x, axes, keepdims, lambda values: sum(values) / len(values))

    def max(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        return self._one_of_each(x, axes, keepdims, lambda values: values[_first_best(values)])

    def argmax(self, x: Array, *, axis: int | None, keepdims: bool) -> Array:
        if not x.size:
            return super().argmax(x, axis=axis, keepdims=keepdims)
        axes = tuple(range(x.ndim)) if axis is None else (axis % x.ndim,)
        return self._one_of_each(x, axes, keepdims, _first_best, self.xp.int64)

    def sum_to(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        total = self.xp.zeros(shape, x.dtype)
        for place in every(x.shape):
            own = place[x.ndim - len(shape) :]
            total[tuple(0 if n == 1 else i for i, n in zip(own, shape, strict=True))] += x[place]
        return total

    # moving, picking and placing: numbers on the entries say where each one came from

    def flip(self, x: Array, *, axes: Axes) -> Array:
        y = self.xp.zeros(x.shape, x.dtype)
        for place in every(x.shape):
            source = (n - 1 - i if axis in axes else i
                      for axis, (i, n) in enumerate(zip(place, x.shape, strict=True)))  # fmt: skip
            y[place] = x[tuple(source)]
        return y

    def pad(self, x: Array, *, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        shape = tuple(b + n + a for n, (b, a) in zip(x.shape, widths, strict=True))
        y = self.xp.full(shape, value, x.dtype)
        for place in every(x.shape):
            y[tuple(i + before for i, (before, _) in zip(place, widths, strict=True))] = x[place]
        return y

    def scatter_add(self, y: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
        out = self.xp.zeros(prod(shape), y.dtype)
        places = self.xp.arange(prod(shape)).reshape(shape)[index]
        for place, value in zip(places.reshape(-1), self.xp.ravel(y), strict=True):
            out[place] += value
        return out.reshape(shape)

    def index_set(self, x: Array, y: Array | None, *, index: Any) -> Array:
        places = self.xp.arange(x.size).reshape(x.shape)[index]
        y = self.xp.zeros((), x.dtype) if y is None else self.xp.asarray(y)
        out = x.astype(self.xp.result_type(x, y)).reshape(-1)
        values = self.xp.broadcast_to(y, places.shape)
        for place, value in zip(places.reshape(-1), values.reshape(-1), strict=True):
            out[place] = value
        return out.reshape(x.shape)

    def take_along_axis(self, x: Array, indices: Array, *, axis: int) -> Array:
        axis, lead = axis % x.ndim, list(x.shape)
        lead[axis] = 1
        shape = self.xp.broadcast_shapes(tuple(lead), indices.shape)
        x = self.xp.broadcast_to(x, (*shape[:axis], x.shape[axis], *shape[axis + 1 :]))
        indices, y = self.xp.broadcast_to(indices, shape), self.xp.zeros(shape, x.dtype)
        for place in every(shape):
            y[place] = x[(*place[:axis], indices[place], *place[axis + 1 :])]
        return y

    def put_along_axis(self, y: Array, indices: Array, *, axis: int, size: int) -> Array:
        shape = self.xp.broadcast_shapes(y.shape, indices.shape)
        axis, y = axis % len(shape), self.xp.broadcast_to(y, shape)
        indices = self.xp.broadcast_to(indices, shape)
        out = self.xp.zeros((*shape[:axis], size, *shape[axis + 1 :]), y.dtype)
        for place in every(shape):
            out[(*place[:axis], indices[place], *place[axis + 1 :])] += y[place]
        return out

    def einsum(self, *x: Array, subscripts: str) -> Array:
        """Σ over every index that the output does not have of the product of all operands."""
        terms, output = subscripts.split("->")[0].split(","), subscripts.split("->")[1]
        lengths = {c: n for t, array in zip(terms, x, strict=True)
                   for c, n in zip(t, array.shape, strict=True)}  # fmt: skip
        y = self.xp.zeros(tuple(lengths[c] for c in output), self.xp.result_type(*x))
        for place in every(tuple(lengths.values())):
            at = dict(zip(lengths, place, strict=True))
            factors = (a[tuple(at[c] for c in t)] for t, a in zip(terms, x, strict=True))
            y[tuple(at[c] for c in output)] += prod(factors, start=y.dtype.type(1))
        return y

    # helpers

    def _each(self, function: Callable[..., Any], x: Array) -> Array:
        """The function of every entry, in double precision; of a complex one's real part."""
        y = self.xp.zeros(x.shape, x.dtype)
        for place in every(x.shape):
            y[place] = function(x.real[place].item())
        return y

    def _one_of_each(
        self, x: Array, axes: Axes, keepdims: bool, function: Callable, dtype: Any = None
    ) -> Array:
        """The function of each group of entries that differ along `axes` only."""
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        y = self.xp.zeros(kept, dtype or x.dtype)
        for place, group in zip(every(kept), groups_of(x.shape, axes), strict=True):
            values = list(x[group].reshape(-1))
            y[place] = function(values or [x.dtype.type(0)])
        return y if keepdims else y.squeeze(axes)


def _first_best(values: list) -> int:
    """Where the largest real part stands first; a NaN is larger than any number."""
    best = 0
    for k, value in enumerate(values):
        if value.real > values[best].real or is_nan(value) > is_nan(values[best]):
            best = k
    return best
