"""Shapes: axes moved, added and dropped, arrays joined, split and padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels import provider_for
from ..primitive import declare, linear
from ..tensor import Tensor
from .reduce import all_axes, one_axis, reshape


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


_transpose = linear("transpose", x=lambda g, axes: transpose(g, _inverse(axes)), family="shape")
_flip = linear("flip", x=lambda g, axes: flip(g, axes), family="shape")


def _crop(g: Any, x_shape: tuple, widths: tuple) -> Any:
    """The entries of g that were not padding."""
    return g[tuple(slice(before, before + n)
                   for n, (before, _) in zip(x_shape, widths, strict=True))]  # fmt: skip


_pad = linear("pad", x=_crop, family="shape")


def _piece(g: Any, x_shapes: tuple, position: int, axis: int) -> Any:
    """The part of g that came from the input at a position."""
    start = sum(shape[axis] for shape in x_shapes[:position])
    stop = start + x_shapes[position][axis]
    return g[(slice(None),) * axis + (slice(start, stop),)]


_concatenate = declare("concatenate", kind="linear", x=_piece, family="elementwise")


def transpose(x: Any, axes: Any = None) -> Any:
    """x with its axes in another order (reversed when `axes` is None), as in NumPy."""
    ndim = x.ndim
    if axes is None:
        order = tuple(range(ndim))[::-1]
    else:
        order = tuple(one_axis("transpose", x, axis) for axis in axes)
    if sorted(order) != list(range(ndim)):
        raise ShapeError(f"transpose: axes {tuple(axes)} are not an order of {ndim} axes")
    return _transpose.call(x, axes=order)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """x with one axis moved to another place."""
    start, end = one_axis("moveaxis", x, source), one_axis("moveaxis", x, destination)
    order = [axis for axis in range(x.ndim) if axis != start]
    order.insert(end, start)
    return _transpose.call(x, axes=tuple(order))


def swapaxes(x: Any, first: int, second: int) -> Any:
    """x with two axes exchanged."""
    order = list(range(x.ndim))
    i, j = one_axis("swapaxes", x, first), one_axis("swapaxes", x, second)
    order[i], order[j] = order[j], order[i]
    return _transpose.call(x, axes=tuple(order))


def flip(x: Any, axis: Any = None) -> Any:
    """x read backwards along an axis, several, or all.

    >>> import autograd_cnn as ag
    >>> ag.flip(ag.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])).numpy().tolist()
    [[9, 8, 7], [6, 5, 4], [3, 2, 1]]
    """
    return _flip.call(x, axes=all_axes("flip", x, axis))


def pad(x: Any, widths: Any, value: float = 0.0) -> Any:
    """x with `value` put around it; `widths` holds (before, after) for each axis, or for all.

    Raises ShapeError for a wrong number of pairs or a negative width.
    """
    pairs = width_pairs(x, widths)
    padded = _pad(x, widths=pairs, value=0.0)
    return padded if value == 0 else padded + _border(x, pairs, value)


def width_pairs(x: Any, widths: Any) -> tuple[tuple[int, int], ...]:
    """`widths` as one (before, after) for each axis of x; ShapeError where they do not fit."""
    if hasattr(widths, "__index__"):
        widths = ((widths, widths),) * x.ndim
    elif len(widths) == 2 and all(hasattr(width, "__index__") for width in widths):
        widths = (tuple(widths),) * x.ndim
    pairs = tuple((int(before), int(after)) for before, after in widths)
    if len(pairs) != x.ndim or min((min(pair) for pair in pairs), default=0) < 0:
        raise ShapeError(
            f"pad: {shape_text(x.shape)} needs {x.ndim} pairs of widths ≥ 0, got {widths}"
        )
    return pairs


def _border(x: Any, pairs: tuple, value: float) -> Any:
    """`value` on the padding, 0 inside: added, it changes no entry of x, not even by rounding."""
    data = x._data if isinstance(x, Tensor) else x
    xp = provider_for([data]).xp
    return xp.pad(xp.zeros(data.shape, data.dtype), pairs, constant_values=value)


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Any:
    """Tensors joined along an axis.

    Raises ShapeError when there is none or another axis differs.
    """
    tensors = list(tensors)
    require_arrays("concatenate", *tensors)
    if not tensors:
        raise ShapeError("concatenate needs at least one tensor")
    axis = one_axis("concatenate", tensors[0], axis)
    first = tensors[0].shape
    for tensor in tensors[1:]:
        same = len(tensor.shape) == len(first) and all(
            i == axis or n == m for i, (n, m) in enumerate(zip(tensor.shape, first, strict=True))
        )
        if not same:
            raise ShapeError(
                f"concatenate along axis {axis}: {shape_text(tensor.shape)} does not fit "
                f"{shape_text(first)}"
            )
    return _concatenate(*tensors, axis=axis)


def stack(tensors: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape joined along a new axis."""
    tensors = list(tensors)
    require_arrays("stack", *tensors)
    shapes = {tensor.shape for tensor in tensors}
    if len(shapes) != 1:
        raise ShapeError(f"stack needs tensors of one shape, got {sorted(shapes)}")
    return concatenate([expand_dims(tensor, axis) for tensor in tensors], axis)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along an axis: into equal sections, or at the given places.

    Raises ShapeError when the sections do not divide the axis.
    """
    axis = one_axis("split", x, axis)
    length = x.shape[axis]
    if isinstance(sections, int):
        if sections < 1 or length % sections:
            raise ShapeError(
                f"split: {length} entries along axis {axis} do not divide into {sections}: "
                f"{length}/{sections} = {length / max(sections, 1):g}"
            )
        places = [length // sections * k for k in range(1, sections)]
    else:
        places = list(sections)
    bounds = zip([0, *places], [*places, length], strict=True)
    return [x[(slice(None),) * axis + (slice(start, stop),)] for start, stop in bounds]


def squeeze(x: Any, axis: Any = None) -> Any:
    """x without axes of length one: the given ones, or all of them.

    Raises ShapeError for an axis of another length.
    """
    axes = all_axes("squeeze", x, axis)
    if axis is None:
        axes = tuple(i for i in axes if x.shape[i] == 1)
    longer = [i for i in axes if x.shape[i] != 1]
    if longer:
        raise ShapeError(f"squeeze: axis {longer[0]} of {shape_text(x.shape)} is not 1")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def expand_dims(x: Any, axis: int) -> Any:
    """x with an axis of length one put in at a place."""
    ndim = x.ndim + 1
    if not -ndim <= axis < ndim:
        raise ShapeError(f"expand_dims: axis {axis} of a tensor that will have {ndim} axes")
    shape = list(x.shape)
    shape.insert(axis % ndim, 1)
    return reshape(x, tuple(shape))


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """x with the axes from start_dim to end_dim made one."""
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = one_axis("flatten", x, start_dim), one_axis("flatten", x, end_dim)
    middle = 1
    for n in x.shape[start : end + 1]:
        middle *= n
    return reshape(x, (*x.shape[:start], middle, *x.shape[end + 1 :]))
