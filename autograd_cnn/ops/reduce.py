"""Reductions: sums, means, extrema, logsumexp."""

from __future__ import annotations

import builtins
from math import prod
from typing import Any

from ..errors import DTypeError, ShapeError, shape_text
from ..primitive import linear, opaque
from .elementwise import compare, divide, exp, negative, sqrt, square, subtract


def _spread(g: Any, x_shape: tuple, axes: tuple, keepdims: bool) -> Any:
    """g at every entry that was summed."""
    return broadcast_to(_with_axes(g, x_shape, axes, keepdims), x_shape)


def _with_axes(g: Any, x_shape: tuple, axes: tuple, keepdims: bool) -> Any:
    """g with the reduced axes back, of length one."""
    if keepdims:
        return g
    return reshape(g, tuple(1 if i in axes else n for i, n in enumerate(x_shape)))


_sum = linear("sum", x=_spread, family="pooling", tex=r"\sum {x}")
_mean = linear(
    "mean",
    x=lambda g, x_shape, axes, keepdims: divide(
        _spread(g, x_shape, axes, keepdims), float(prod(x_shape[axis] for axis in axes))
    ),
    family="pooling",
)
_sum_to = linear("sum_to", x=lambda g, x_shape: broadcast_to(g, x_shape), family="shape")
_broadcast_to = linear("broadcast_to", x=lambda g, x_shape: sum_to(g, x_shape), family="shape")
_reshape = linear("reshape", x=lambda g, x_shape: reshape(g, x_shape), family="shape")


def _max_rule(g: Any, ans: Any, x: Any, axes: tuple, keepdims: bool) -> Any:
    """g shared evenly among the entries equal to the maximum."""
    best = compare("equal", x, _with_axes(ans, x.shape, axes, keepdims)) * 1.0
    share = best / sum(best, axes, True)
    return _with_axes(g, x.shape, axes, keepdims) * astype_like(share, x)


def _max_branch(x: Any, axes: tuple, keepdims: bool) -> Any:
    return x == x.max(axis=axes, keepdims=True)


_max = opaque("max", x=_max_rule, branch=_max_branch, family="pooling", tex=r"\max {x}")


def _logsumexp_rule(g: Any, ans: Any, x: Any, axes: tuple, keepdims: bool) -> Any:
    """g·softmax(x)."""
    shifted = x - _with_axes(ans, x.shape, axes, keepdims)
    return _with_axes(g, x.shape, axes, keepdims) * exp(shifted)


_logsumexp = opaque("logsumexp", x=_logsumexp_rule, family="pooling")
_argmax = opaque("argmax", x=None, family="pooling")


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Σx over an axis, several, or all.

    >>> import autograd_cnn as ag
    >>> ag.sum(ag.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).numpy().tolist()
    [4.0, 6.0]
    """
    return _sum.call(x, axes=all_axes("sum", x, axis), keepdims=keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean over an axis, several, or all."""
    axes = all_axes("mean", x, axis)
    _count("mean", x, axes)
    return _mean.call(x, axes=axes, keepdims=keepdims)


def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """Σ(x − mean)²/(n − ddof) over an axis, several, or all, in two passes.

    Raises ShapeError when n − ddof is not positive.
    """
    axes = all_axes("var", x, axis)
    divisor = _count("var", x, axes) - ddof
    if divisor <= 0:
        raise ShapeError(f"var: n − ddof = {divisor + ddof} − {ddof} = {divisor} is not positive")
    centred = subtract(x, mean(x, axes, True))
    return divide(_sum(square(centred), axes=axes, keepdims=keepdims), float(divisor))


def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """√var; its derivative is infinite where the variance is 0."""
    return sqrt(var(x, axis, ddof, keepdims))


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The maximum over an axis, several, or all; a tie shares the gradient evenly."""
    axes = all_axes("max", x, axis)
    _count("max", x, axes)
    return _max.call(x, axes=axes, keepdims=keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The minimum over an axis, several, or all; a tie shares the gradient evenly."""
    axes = all_axes("min", x, axis)
    _count("min", x, axes)
    if hasattr(x, "dtype") and x.dtype.kind in "iub":
        # −x can leave the range of whole numbers, ~x turns them round within it
        return compare("invert", max(compare("invert", x), axes, keepdims))
    return negative(max(negative(x), axes, keepdims))


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the (first) maximum; has no gradient."""
    return _argmax(x, axis=None if axis is None else one_axis("argmax", x, axis), keepdims=keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """ln Σeˣ over an axis, several, or all, without overflow."""
    axes = all_axes("logsumexp", x, axis)
    _count("logsumexp", x, axes)
    return _logsumexp(x, axes=axes, keepdims=keepdims)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """x repeated to `shape`, as in NumPy.

    Raises ShapeError when an axis of x is neither 1 nor the length asked for.
    """
    shape, have = tuple(shape), x.shape
    if len(have) > len(shape) or builtins.any(
        n not in (1, m) for n, m in zip(have[::-1], shape[::-1], strict=False)
    ):
        raise ShapeError(f"broadcast_to: {shape_text(have)} does not broadcast to "
                         f"{shape_text(shape)}")  # fmt: skip
    return x if have == shape else _broadcast_to(x, shape=shape)


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """x summed over the axes that broadcasting from `shape` repeated."""
    return x if x.shape == tuple(shape) else _sum_to(x, shape=tuple(shape))


def reshape(x: Any, shape: Any) -> Any:
    """The same entries in another shape; one length may be −1.

    Raises ShapeError with both counts when they differ.
    """
    if not hasattr(x, "shape"):
        raise DTypeError(f"reshape needs an array or a tensor, not {type(x).__name__}")
    shape = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    total, known, unknown = x.size, 1, 0
    for n in shape:
        known, unknown = (known, unknown + 1) if n == -1 else (known * n, unknown)
    fits = total == known if not unknown else unknown == 1 and known and total % known == 0
    if not fits:
        raise ShapeError(f"reshape: {shape_text(x.shape)} has {total} entries, "
                         f"{shape_text(shape)} does not")  # fmt: skip
    if unknown:
        shape = tuple(total // known if n == -1 else n for n in shape)
    return x if x.shape == shape else _reshape(x, shape=shape)


def astype_like(x: Any, like: Any) -> Any:
    """x with the dtype of `like`."""
    return x if x.dtype == like.dtype else x.astype(like.dtype)


def all_axes(name: str, x: Any, axis: Any) -> tuple[int, ...]:
    """An axis, several, or None for all, sorted in a tuple; ShapeError where one is not there."""
    if axis is None:
        return tuple(range(_ndim(name, x)))
    axes = (axis,) if hasattr(axis, "__index__") else tuple(axis)
    result = tuple(sorted(one_axis(name, x, a) for a in axes))
    if len(set(result)) != len(result):
        raise ShapeError(f"{name}: axis {axis} names an axis twice")
    return result


def one_axis(name: str, x: Any, axis: int) -> int:
    """An axis as a non-negative number; ShapeError for one that is not there."""
    ndim = _ndim(name, x)
    if not -ndim <= axis < ndim:
        raise ShapeError(f"{name}: axis {axis} of a tensor with {ndim} axes")
    return axis % ndim


def _ndim(name: str, x: Any) -> int:
    if isinstance(x, (list, tuple)):  # it may hold tensors, whose tape would be lost
        raise DTypeError(f"{name} needs an array or a tensor, not a {type(x).__name__}")
    return x.ndim if hasattr(x, "ndim") else 0


def _count(name: str, x: Any, axes: tuple[int, ...]) -> int:
    count = prod(x.shape[axis] for axis in axes) if axes else 1
    if count == 0:
        raise ShapeError(f"{name} of nothing: {shape_text(x.shape)} over axes {axes}")
    return count
