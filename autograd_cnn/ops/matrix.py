"""Parts and products of matrices."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels import provider_for
from ..tensor import Tensor
from .elementwise import multiply, where
from .index import getitem
from .reduce import one_axis, reshape
from .reduce import sum as sum_
from .shape import transpose


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
    require_arrays(name, x)
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


def _module(x: Any) -> Any:
    return provider_for([x._data if isinstance(x, Tensor) else x]).xp
