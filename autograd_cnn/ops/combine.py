"""Entries multiplied or compared at an index into a copy; a repeated index takes every value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..kernels import provider_for
from ..tensor import Tensor
from .index import _plain, _value_for, getitem, index_set
from .reduce import astype_like, broadcast_to, reshape
from .reduce import max as max_
from .reduce import min as min_
from .scan import prod
from .shape import concatenate


def index_multiply(x: Any, index: Any, value: Any) -> Any:
    """x with the entries at an index multiplied by `value`; a repeated index multiplies each time.

    >>> import autograd_cnn as ag
    >>> ag.index_multiply(ag.tensor([1.0, 2.0]), [1, 1], ag.tensor([3.0, 4.0])).tolist()
    [1.0, 24.0]

    Raises ShapeError when the value does not broadcast to the entries.
    """
    return _combined("index_multiply", x, index, value, prod)


def index_max(x: Any, index: Any, value: Any) -> Any:
    """x with the maximum of itself and `value` at an index, of every value at a repeated one.

    A tie shares the gradient evenly.

    >>> import autograd_cnn as ag
    >>> ag.index_max(ag.tensor([1.0, 2.0]), [0, 0], ag.tensor([5.0, 3.0])).tolist()
    [5.0, 2.0]

    Raises ShapeError when the value does not broadcast to the entries.
    """
    return _combined("index_max", x, index, value, max_)


def index_min(x: Any, index: Any, value: Any) -> Any:
    """x with the minimum of itself and `value` at an index. See `index_max`."""
    return _combined("index_min", x, index, value, min_)


def _combined(name: str, x: Any, index: Any, value: Any, reduce: Callable) -> Any:
    """Each place that is named is a row of its entry and its values, to be reduced.

    Rows of one length make one table, so none has to be filled up.
    """
    index = _plain(index)
    value, shape = _value_for(name, x, index, value)
    value = broadcast_to(reshape(value, value.shape[max(0, value.ndim - len(shape)) :]), shape)
    xp, count = provider_for([x._data if isinstance(x, Tensor) else x]).xp, value.size
    named = xp.arange(x.size).reshape(x.shape)[index].ravel()
    order = xp.argsort(named, kind="stable")
    places, starts, lengths = xp.unique(named[order], return_index=True, return_counts=True)
    flat, value = reshape(x, (x.size,)), reshape(value, (count,))
    for length in xp.unique(lengths).tolist():
        chosen = lengths == length
        rows = order[starts[chosen][:, None] + xp.arange(length)]
        own = reshape(getitem(flat, places[chosen]), (-1, 1))
        table = concatenate([own, getitem(value, rows)], 1)
        found = astype_like(reduce(table, 1), table)  # NumPy multiplies bytes in long numbers
        flat = index_set(flat, places[chosen], found)
    return reshape(flat, x.shape)
