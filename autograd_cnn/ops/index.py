"""Indexing: reading entries, and writing them into copies."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError
from ..kernels import provider_for
from ..primitive import linear, multilinear
from ..tensor import Tensor
from .reduce import one_axis, reshape

_getitem = linear(
    "getitem", x=lambda g, x_shape, index: scatter_add(g, index, x_shape), family="shape"
)
_scatter_add = linear("scatter_add", y=lambda g, index: getitem(g, index), family="shape")


def _overwritten(g: Any, y_shape: tuple, index: Any) -> Any:
    """g without the entries that were replaced."""
    xp = provider_for([g._data if isinstance(g, Tensor) else g]).xp
    keep = xp.ones(g.shape, bool)
    keep[index] = False
    return g * keep


def _written(g: Any, y_shape: tuple, index: Any) -> Any:
    """The entries of g that were written; with a repeated index only the last one counts."""
    xp = provider_for([g._data if isinstance(g, Tensor) else g]).xp
    places = xp.zeros(g.shape, "int64")
    slots = places[index]
    order = xp.arange(1, slots.size + 1).reshape(slots.shape)
    places[index] = order
    read = getitem(g, index) * (places[index] == order)
    extra = read.ndim - len(y_shape)
    if extra < 0:
        return reshape(read, y_shape)
    axes = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(y_shape) if n == 1 and read.shape[extra + i] != 1
    )
    return reshape(read.sum(axis=axes, keepdims=True) if axes else read, y_shape)


_index_set = multilinear("index_set", x=_overwritten, y=_written, family="shape")
_take_along_axis = linear(
    "take_along_axis",
    x=lambda g, indices, x_shape, axis: put_along_axis(g, indices, axis, x_shape[axis]),
    family="shape",
)
_put_along_axis = linear(
    "put_along_axis",
    y=lambda g, indices, axis: take_along_axis(g, indices, axis),
    family="shape",
)


def getitem(x: Any, index: Any) -> Any:
    """x[index], basic or advanced, as in NumPy."""
    return _getitem(x, index=_plain(index))


def scatter_add(y: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with y added at an index; a repeated index adds each time."""
    return _scatter_add(y, index=_plain(index), shape=shape)


def index_set(x: Any, index: Any, value: Any) -> Any:
    """x with the entries at an index replaced by `value`; of repeated ones the last stays."""
    return _index_set(x, value, index=_plain(index))


def index_add(x: Any, index: Any, value: Any) -> Any:
    """x with `value` added at an index; a repeated index adds each time."""
    index = _plain(index)
    data = x._data if isinstance(x, Tensor) else x
    xp = provider_for([data]).xp
    shape = data[index].shape if hasattr(data[index], "shape") else ()
    if not isinstance(value, Tensor):
        value = xp.asarray(value, data.dtype)
    if value.shape != shape:
        from .reduce import broadcast_to

        value = broadcast_to(value, shape)
    return x + scatter_add(value, index, x.shape)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries of x at whole-number indices along an axis (of the flat x when None)."""
    if axis is None:
        return getitem(reshape(x, (prod(x.shape),)), indices)
    axis = one_axis("take", x, axis)
    return getitem(x, (slice(None),) * axis + (indices,))


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """For each row along an axis, its entries at that row's indices."""
    indices = _plain(indices)
    if indices.ndim != x.ndim:
        raise ShapeError(f"take_along_axis: {x.ndim} axes but indices have {indices.ndim}")
    return _take_along_axis(x, indices, axis=one_axis("take_along_axis", x, axis))


def put_along_axis(y: Any, indices: Any, axis: int, size: int) -> Any:
    """Zeros, `size` long on an axis, with y added at each row's indices."""
    indices = _plain(indices)
    return _put_along_axis(y, indices, axis=one_axis("put_along_axis", y, axis), size=size)


def _plain(index: Any) -> Any:
    """An index with its tensors as arrays and its lists as they are."""
    if isinstance(index, tuple):
        return tuple(_plain(item) for item in index)
    return index._data if isinstance(index, Tensor) else index
