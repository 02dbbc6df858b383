"""Indexing: reading entries, and writing them into copies."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, shape_text
from ..kernels import provider_for
from ..primitive import linear, multilinear
from ..tensor import Tensor
from .reduce import broadcast_to, one_axis, reshape, sum_to

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
    return reshape(sum_to(read, y_shape[max(0, len(y_shape) - read.ndim) :]), y_shape)


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
    """x with the entries at an index replaced by `value`; of repeated ones the last stays.

    Raises ShapeError when the value does not broadcast to the entries.
    """
    index = _plain(index)
    return _index_set(x, _value_for("index_set", x, index, value)[0], index=index)


def index_add(x: Any, index: Any, value: Any) -> Any:
    """x with `value` added at an index; a repeated index adds each time.

    Raises ShapeError when the value does not broadcast to the entries.
    """
    index = _plain(index)
    value, shape = _value_for("index_add", x, index, value)
    value = reshape(value, value.shape[max(0, value.ndim - len(shape)) :])
    return x + scatter_add(broadcast_to(value, shape), index, x.shape)


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


def _value_for(name: str, x: Any, index: Any, value: Any) -> tuple[Any, tuple[int, ...]]:
    """What is written at an index, as an array or a tensor, and the shape of the entries there."""
    data = x._data if isinstance(x, Tensor) else x
    xp, shape = provider_for([data]).xp, data[index].shape
    if not hasattr(value, "dtype"):
        value = xp.asarray(value)
        value = value.astype(xp.result_type(data, value.flat[0].item()) if value.size else x.dtype)
    surplus = max(0, len(value.shape) - len(shape))
    pairs = zip(value.shape[surplus:][::-1], shape[::-1], strict=False)
    if any(n != 1 for n in value.shape[:surplus]) or any(n not in (1, m) for n, m in pairs):
        raise ShapeError(
            f"{name}: a value of {shape_text(value.shape)} does not broadcast to the "
            f"{shape_text(shape)} entries at the index of {shape_text(x.shape)}"
        )
    return value, shape


def _plain(index: Any) -> Any:
    """An index with its tensors as arrays; what could still be written to is copied."""
    if isinstance(index, tuple):
        return tuple(_plain(item) for item in index)
    if isinstance(index, Tensor):
        return index._data
    if isinstance(index, list):
        return [_plain(item) for item in index]
    return index.copy() if getattr(index, "ndim", 0) else index
