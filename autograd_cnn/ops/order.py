"""Entries in order, and entries gathered and added along an axis."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, shape_text
from ..primitive import opaque
from ..tensor import Tensor
from .index import put_along_axis, take_along_axis
from .padding import pad
from .reduce import one_axis

_argsort = opaque(
    "argsort",
    x=None,
    branch=lambda x, axis, descending: _order(x, axis, descending),
    family="shape",
)


def _order(x: Any, axis: int, descending: bool) -> Any:
    return _argsort(x, axis=axis, descending=descending)


def argsort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """The places of the entries in ascending (or descending) order; has no gradient.

    Equal entries stay as they stood. NaN counts as the largest.
    """
    return _argsort(x, axis=one_axis("argsort", x, axis), descending=bool(descending))


def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """The entries in ascending (or descending) order along an axis.

    The gradient goes back to the place an entry came from; of equal entries the first one that
    stood in x is first, and takes the gradient of the first place.

    >>> import autograd_cnn as ag
    >>> ag.grad(lambda x: ag.sort(x)[0])(ag.tensor([3.0, 1.0, 2.0])).tolist()
    [0.0, 1.0, 0.0]
    """
    axis = one_axis("sort", x, axis)
    return take_along_axis(x, argsort(x, axis, descending), axis)


def gather(x: Any, axis: int, indices: Any) -> Any:
    """y[i, j, …] = x[indices[i, j, …], j, …] for axis 0, and so on for others (torch.gather).

    `indices` may be shorter than x on the other axes: only that corner of x is read.

    >>> import autograd_cnn as ag
    >>> ag.gather(ag.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, ag.tensor([[1], [0]])).tolist()
    [[2.0], [3.0]]

    Raises ShapeError when `indices` is longer than x on another axis.
    """
    axis, places = one_axis("gather", x, axis), _array(indices)
    _check_corner("gather", x.shape, places.shape, axis)
    corner = tuple(slice(None if i == axis else n) for i, n in enumerate(places.shape))
    return take_along_axis(x[corner], places, axis)


def add_along_axis(x: Any, indices: Any, values: Any, axis: int) -> Any:
    """x with values[i, j, …] added at [indices[i, j, …], j, …] for axis 0, and so on.

    A repeated place adds each time. It is PyTorch's `x.scatter_add(axis, indices, values)`, and
    the transpose of `gather`; `indices` may be shorter than x and than `values`.

    >>> import autograd_cnn as ag
    >>> x, places = ag.tensor([0.0, 0.0]), ag.tensor([1, 1])
    >>> ag.add_along_axis(x, places, ag.tensor([2.0, 3.0]), 0).tolist()
    [0.0, 5.0]

    Raises ShapeError when `indices` is longer than x on another axis or than `values` on any.
    """
    axis, places = one_axis("add_along_axis", x, axis), _array(indices)
    _check_corner("add_along_axis", x.shape, places.shape, axis)
    _check_corner("add_along_axis", values.shape, places.shape, None)
    used = values[tuple(slice(n) for n in places.shape)]
    added = put_along_axis(used, places, axis, x.shape[axis])
    widths = tuple((0, n - m) for n, m in zip(x.shape, added.shape, strict=True))
    return x + pad(added, widths)


def _check_corner(name: str, whole: tuple, part: tuple, axis: int | None) -> None:
    fits = len(whole) == len(part) and all(
        i == axis or m <= n for i, (n, m) in enumerate(zip(whole, part, strict=True))
    )
    if not fits:
        raise ShapeError(f"{name}: indices {shape_text(part)} do not fit in {shape_text(whole)}")


def _array(indices: Any) -> Any:
    return indices._data if isinstance(indices, Tensor) else indices
