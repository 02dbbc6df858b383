"""Norms of vectors and matrices."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, shape_text
from ..primitive import opaque
from .elementwise import abs as abs_
from .elementwise import compare, power, sign, sqrt, where
from .linalg import eigh
from .matmul import matmul
from .reduce import all_axes, one_axis, reshape
from .reduce import max as max_
from .reduce import min as min_
from .reduce import sum as sum_
from .shape import swapaxes, transpose


def _norm_rule(g: Any, ans: Any, x: Any, ord: float, axes: tuple, keepdims: bool) -> Any:
    """g·sgn(x)·(|x|/norm)^(ord − 1), and 0 where the norm is 0."""
    if not keepdims:
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        g, ans = reshape(g, shape), reshape(ans, shape)
    zero = compare("equal", ans, 0)
    safe = where(zero, 1.0, ans)
    g = where(zero, 0.0, g)
    if ord == 2:
        return g * (x / safe)
    ratio = where(zero, 1.0, abs_(x) / safe)
    return g * sign(x) * power(ratio, ord - 1.0)


def _norm_branch(x: Any, ord: float, axes: tuple) -> Any:
    return (x != 0).any(axis=axes) if ord == 2 else x > 0


_norm = opaque(
    "norm", x=_norm_rule, branch=_norm_branch, family="pooling", tex=r"\lVert {x} \rVert"
)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors (one axis) or matrices (two axes), as in numpy.linalg.norm.

    Formula: (Σ|x|^ord)^(1/ord) for a vector, ord > 0, 2 unless given; inf and −inf are the largest
    and the smallest |x|. For a matrix None or "fro" is √Σx², 1 and −1 the largest and the smallest
    column of Σ|x|, inf and −inf the row, 2 the largest singular value. Without `ord` and `axis` it
    is √Σx² over everything. No power overflows.

    Where the norm is 0 so is its gradient (the mean of the one-sided ones), to any order; a tie of
    a largest entry shares the gradient evenly.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([3.0, 4.0])
    >>> float(ag.norm(x)), ag.grad(ag.norm)(x * 0).tolist()
    (5.0, [0.0, 0.0])

    Raises ShapeError for more than two axes with an `ord`, ValueError for an `ord` not listed.
    """
    axes = all_axes("norm", x, axis)
    if ord is None:
        return _norm(x, ord=2, axes=axes, keepdims=keepdims)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ShapeError(f"norm: ord {ord} is for one or two axes of {shape_text(x.shape)}, "
                         f"not {len(axes)}")  # fmt: skip
    # the order of the two axes matters: (row, column)
    row, column = axes if axis is None else (one_axis("norm", x, a) for a in axis)
    return _matrix_norm(x, ord, row, column, keepdims)


def _vector_norm(x: Any, ord: Any, axes: tuple, keepdims: bool) -> Any:
    infinity = float("inf")
    if ord in (infinity, -infinity):
        return (max_ if ord > 0 else min_)(abs_(x), axes, keepdims)
    if ord == 1:
        return sum_(abs_(x), axes, keepdims)
    if isinstance(ord, str) or ord <= 0:
        raise ValueError(f"norm: ord {ord!r} of a vector is none of inf, −inf and numbers above 0")
    return _norm(x, ord=ord, axes=axes, keepdims=keepdims)


def _matrix_norm(x: Any, ord: Any, row: int, column: int, keepdims: bool) -> Any:
    both = tuple(sorted((row, column)))
    if ord == "fro":
        return _norm(x, ord=2, axes=both, keepdims=keepdims)
    infinity = float("inf")
    if ord in (1, -1, infinity, -infinity):
        summed, chosen = (row, column) if abs(ord) == 1 else (column, row)
        sums = sum_(abs_(x), summed, True)
        found = (max_ if ord > 0 else min_)(sums, chosen, True)
    elif ord == 2:
        rest = tuple(axis for axis in range(x.ndim) if axis not in both)
        found = _largest_singular_value(transpose(x, (*rest, row, column)))
    else:
        raise ValueError(f'norm: ord {ord!r} of a matrix is none of "fro", 1, −1, 2, inf and −inf')
    kept = tuple(1 if i in both else n for i, n in enumerate(x.shape))
    dropped = tuple(n for i, n in enumerate(x.shape) if i not in both)
    return reshape(found, kept if keepdims else dropped)


def _largest_singular_value(x: Any) -> Any:
    """√(the largest eigenvalue of the smaller of xᵀx and xxᵀ)."""
    turned = swapaxes(x, -1, -2)
    gram = matmul(turned, x) if x.shape[-1] <= x.shape[-2] else matmul(x, turned)
    largest = eigh(gram).eigenvalues[..., -1]
    zero = compare("less_equal", largest, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, largest)))
