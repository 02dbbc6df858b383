"""Scans along an axis (sums, products, recurrences) and orders, written once against `self.xp`."""

from __future__ import annotations

from typing import Any

Array = Any


class ScanKernels:
    """Operations whose every entry depends on those before it along one axis."""

    xp: Any

    def cumsum(self, x: Array, *, axis: int) -> Array:
        """Half precision is summed in single and rounded once."""
        wide = x.astype("float32") if _is_half(x) else x
        return _like(self.xp.cumsum(wide, axis=axis), x)

    def cumprod(self, x: Array, *, axis: int) -> Array:
        wide = x.astype("float32") if _is_half(x) else x
        return _like(self.xp.cumprod(wide, axis=axis), x)

    def linear_recurrence(self, x: Array, a: Array, *, axis: int) -> Array:
        """y[k] = x[k] + a[k]·y[k − 1], from y[0] = x[0]; x and a have one shape."""
        xp = self.xp
        terms, factors = xp.moveaxis(x, axis, 0), xp.moveaxis(a, axis, 0)
        y = xp.empty(terms.shape, xp.result_type(x, a))
        for k in range(len(terms)):
            y[k] = terms[k] + factors[k] * y[k - 1] if k else terms[k]
        return xp.moveaxis(y, 0, axis)

    def argsort(self, x: Array, *, axis: int, descending: bool) -> Array:
        """The order of the entries along an axis, equal ones as they stood; NaN is the largest."""
        xp, values = self.xp, x.real
        if not descending:
            return xp.argsort(values, axis=axis, kind="stable")
        order = xp.argsort(xp.flip(values, axis), axis=axis, kind="stable")
        return xp.flip(x.shape[axis] - 1 - order, axis)


def _is_half(x: Array) -> bool:
    return x.dtype.itemsize == 2 and x.dtype.kind == "f"


def _like(y: Array, x: Array) -> Array:
    return y.astype(x.dtype, copy=False) if x.dtype.kind in "fc" else y
