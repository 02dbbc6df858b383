"""Scans along an axis: running sums and products, and the recurrence that differentiates them."""

from __future__ import annotations

from math import prod as product
from typing import Any

from ..errors import ShapeError, shape_text
from ..primitive import linear, opaque
from .padding import pad
from .reduce import all_axes, broadcast_to, one_axis, reshape
from .shape import flip, transpose


def _cumsum_rule(g: Any, axis: int) -> Any:
    """The sum of g from each entry on."""
    return flip(_cumsum(flip(g, axis), axis=axis), axis)


def _cumprod_rule(g: Any, ans: Any, x: Any, axis: int) -> Any:
    """x₀⋯x_{i−1}·S_i with S_i = g_i + x_{i+1}·S_{i+1}: nothing is divided, so zeros are no case."""
    return _delayed(ans, axis, 1.0) * _recurrence_backwards(g, x, axis)


def _recurrence_backwards(g: Any, a: Any, axis: int) -> Any:
    """The recurrence from the last entry to the first: λ_i = g_i + a_{i+1}·λ_{i+1}."""
    factors = _delayed(flip(a, axis), axis, 0.0)
    return flip(_linear_recurrence(flip(g, axis), factors, axis=axis), axis)


def _delayed(x: Any, axis: int, first: float) -> Any:
    """x moved one entry on along an axis, with `first` put in front."""
    if not x.shape[axis]:
        return x
    widths = tuple((int(i == axis), 0) for i in range(x.ndim))
    return pad(x[(slice(None),) * axis + (slice(0, -1),)], widths, first)


_cumsum = linear("cumsum", x=_cumsum_rule, family="pooling")
_cumprod = opaque("cumprod", x=_cumprod_rule, family="pooling")
_linear_recurrence = opaque(
    "linear_recurrence",
    x=lambda g, a, axis: _recurrence_backwards(g, a, axis),
    a=lambda g, ans, a, axis: _recurrence_backwards(g, a, axis) * _delayed(ans, axis, 0.0),
    family="pooling",
)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """y_k = x₀ + … + x_k along an axis; of the flat x when None.

    >>> import autograd_cnn as ag
    >>> ag.cumsum(ag.tensor([1.0, 2.0, 3.0])).tolist()
    [1.0, 3.0, 6.0]

    Raises ShapeError for an axis that is not there.
    """
    return _along(_cumsum, x, axis)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """y_k = x₀ · … · x_k along an axis (of the flat x when None).

    The gradient is right where entries are 0.

    >>> import autograd_cnn as ag
    >>> ag.grad(lambda x: ag.sum(ag.cumprod(x)))(ag.tensor([2.0, 0.0, 3.0])).tolist()
    [1.0, 8.0, 0.0]

    Raises ShapeError for an axis that is not there.
    """
    return _along(_cumprod, x, axis)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Πx over an axis, several, or all: the last of the running products; 1 of nothing.

    The gradient is right where entries are 0.

    >>> import autograd_cnn as ag
    >>> ag.grad(ag.prod)(ag.tensor([2.0, 0.0, 3.0])).tolist()
    [0.0, 6.0, 0.0]

    Raises ShapeError for an axis that is not there.
    """
    axes = all_axes("prod", x, axis)
    kept = [i for i in range(len(x.shape)) if i not in axes]
    shape = tuple(x.shape[i] for i in kept)
    count = product(x.shape[i] for i in axes)
    rows = reshape(transpose(x, (*kept, *axes)), (*shape, count))
    rows = rows if count else pad(rows, ((0, 0),) * len(shape) + ((1, 0),), 1.0)
    found = _cumprod(rows, axis=len(shape))[..., -1]
    full = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return reshape(found, full) if keepdims else found


def linear_recurrence(x: Any, a: Any, axis: int = 0) -> Any:
    """y_k = x_k + a_k·y_{k−1} along an axis, from y₀ = x₀; a₀ is not used.

    `a` broadcasts to the shape of x. With a = 1 it is `cumsum`; αx with a = 1 − α is the
    exponential moving average.

    >>> import autograd_cnn as ag
    >>> ag.linear_recurrence(ag.tensor([1.0, 0.0, 0.0]), ag.tensor([0.5])).tolist()
    [1.0, 0.5, 0.25]

    Raises ShapeError when `a` does not broadcast to x.
    """
    axis = one_axis("linear_recurrence", x, axis)
    fits = len(a.shape) <= x.ndim and all(
        n in (1, m) for n, m in zip(a.shape[::-1], x.shape[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"linear_recurrence: factors {shape_text(a.shape)} for terms {shape_text(x.shape)}"
        )
    return _linear_recurrence(x, broadcast_to(a, x.shape), axis=axis)


def _along(scan: Any, x: Any, axis: int | None) -> Any:
    if axis is None:
        return scan(reshape(x, (x.size,)), axis=0)
    return scan(x, axis=one_axis(scan.name, x, axis))
