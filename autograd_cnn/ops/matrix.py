"""Parts and products of matrices, and norms."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels import provider_for
from ..primitive import opaque
from ..tensor import Tensor
from .elementwise import abs as abs_
from .elementwise import compare, multiply, power, sign, sqrt, where
from .index import getitem
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
        return g / safe * x
    return g * sign(x) * power(abs_(x) / safe, ord - 1.0)


def _norm_branch(x: Any, ord: float, axes: tuple) -> Any:
    return (x != 0).any(axis=axes) if ord == 2 else x > 0


_norm = opaque(
    "norm", x=_norm_rule, branch=_norm_branch, family="pooling", tex=r"\lVert {x} \rVert"
)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The entries x[…, i, i + offset] of the matrices on two axes; they come last.

    >>> import autograd_cnn as ag
    >>> ag.diagonal(ag.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [1.0, 4.0]

    Raises ShapeError when the two axes are one.
    """
    first, second = one_axis("diagonal", x, axis1), one_axis("diagonal", x, axis2)
    if first == second:
        raise ShapeError(f"diagonal: axes {axis1} and {axis2} of {shape_text(x.shape)} are one")
    rest = [axis for axis in range(x.ndim) if axis not in (first, second)]
    x = transpose(x, (*rest, first, second))
    rows, columns = x.shape[-2:]
    count = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    places = _module(x).arange(count)
    return getitem(x, (Ellipsis, places - min(offset, 0), places + max(offset, 0)))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal; arguments as for `diagonal`."""
    return sum_(diagonal(x, offset, axis1, axis2), -1)


def tril(x: Any, k: int = 0) -> Any:
    """x with zeros above diagonal k of its last two axes.

    >>> import autograd_cnn as ag
    >>> ag.tril(ag.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 0.0], [3.0, 4.0]]

    Raises ShapeError for fewer than two axes.
    """
    return _triangle("tril", x, lambda row, column: column - row <= k)


def triu(x: Any, k: int = 0) -> Any:
    """x with zeros below diagonal k of its last two axes. See `tril`."""
    return _triangle("triu", x, lambda row, column: column - row >= k)


def _triangle(name: str, x: Any, inside: Any) -> Any:
    if x.ndim < 2:
        raise ShapeError(f"{name} needs matrices, got {shape_text(x.shape)}")
    xp = _module(x)
    rows, columns = x.shape[-2:]
    return where(inside(xp.arange(rows)[:, None], xp.arange(columns)), x, 0)


def outer(x: Any, y: Any) -> Any:
    """The matrix x_i·y_j of two arrays, flattened first.

    >>> import autograd_cnn as ag
    >>> ag.outer(ag.tensor([1.0, 2.0]), ag.tensor([3.0, 4.0])).tolist()
    [[3.0, 4.0], [6.0, 8.0]]
    """
    require_arrays("outer", x, y)
    return multiply(reshape(x, (-1, 1)), reshape(y, (1, -1)))


def kron(x: Any, y: Any) -> Any:
    """The Kronecker product: y times each entry of x, laid out in blocks.

    Formula: ans[i·m + k, j·n + l] = x[i, j]·y[k, l] with y m×n, and so on for other numbers of
    axes; the one with fewer gets axes of length one in front.

    >>> import autograd_cnn as ag
    >>> ag.kron(ag.tensor([1.0, 10.0]), ag.tensor([1.0, 2.0])).tolist()
    [1.0, 2.0, 10.0, 20.0]
    """
    require_arrays("kron", x, y)
    ndim = max(x.ndim, y.ndim)
    coarse = (1,) * (ndim - x.ndim) + tuple(x.shape)
    fine = (1,) * (ndim - y.ndim) + tuple(y.shape)
    spread = [n for size in coarse for n in (size, 1)]
    blocks = [n for size in fine for n in (1, size)]
    product = multiply(reshape(x, spread), reshape(y, blocks))
    return reshape(product, tuple(m * n for m, n in zip(coarse, fine, strict=True)))


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


def _module(x: Any) -> Any:
    return provider_for([x._data if isinstance(x, Tensor) else x]).xp
