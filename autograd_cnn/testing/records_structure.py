"""Records of reductions, shapes, indexing and products."""

from __future__ import annotations

import numpy as np

from .. import ops
from .draw import Draw
from .records import Sample, composite, kink, record, sample


def _reduced(draw: Draw, low: int = 0) -> dict:
    """An input with axes to reduce and whether to keep them."""
    shape = draw.shape(low, 3)
    axes = tuple(i for i in range(len(shape)) if draw.integer(0, 1))
    return {"shape": shape, "axes": axes, "keepdims": bool(draw.integer(0, 1))}


def _reduction(draw: Draw) -> Sample:
    where = _reduced(draw)
    return sample(draw.normal(where.pop("shape")), **where)


def _maximum(draw: Draw) -> Sample:
    where = _reduced(draw)
    return sample(draw.apart(where.pop("shape")), **where)


def _argmax(draw: Draw) -> Sample:
    x = draw.apart(draw.shape(1, 3))
    return sample(x, axis=draw.choice([None, *range(x.ndim)]), keepdims=False)


for _name in ("sum", "mean", "logsumexp"):
    record(_name, _reduction)
record(
    "max", _maximum,
    kinks=(
        kink([2.0, 2.0, 1.0], {"x": [0.5, 0.5, 0.0]}, axes=(0,), keepdims=False),
        kink([[3.0, 3.0]] * 2, {"x": [[0.25, 0.25]] * 2}, axes=(0, 1), keepdims=True),
    ),
)  # fmt: skip
record("argmax", _argmax)


def _narrow_and_wide(draw: Draw) -> tuple[tuple, tuple]:
    wide = draw.shape(0, 3)
    kept = wide[draw.integer(0, len(wide)) :]
    return tuple(1 if draw.integer(0, 2) == 0 else n for n in kept), wide


def _sum_to(draw: Draw) -> Sample:
    narrow, wide = _narrow_and_wide(draw)
    return sample(draw.normal(wide), shape=narrow)


def _broadcast_to(draw: Draw) -> Sample:
    narrow, wide = _narrow_and_wide(draw)
    return sample(draw.normal(narrow), shape=wide)


def _reshape(draw: Draw) -> Sample:
    shape = draw.shape(1, 3)
    return sample(draw.normal(shape), shape=draw.choice([shape[::-1], (int(np.prod(shape)), 1)]))


def _transpose(draw: Draw) -> Sample:
    x = draw.normal(draw.shape())
    return sample(x, axes=tuple(int(i) for i in draw.generator().permutation(x.ndim)))


def _flip(draw: Draw) -> Sample:
    x = draw.normal(draw.shape())
    return sample(x, axes=tuple(i for i in range(x.ndim) if draw.integer(0, 1)))


def _pad(draw: Draw) -> Sample:
    x = draw.normal(draw.shape())
    widths = tuple((draw.integer(0, 2), draw.integer(0, 2)) for _ in range(x.ndim))
    return sample(x, widths=widths, value=0.0)


def _concatenate(draw: Draw) -> Sample:
    shape = list(draw.shape(1, 3))
    axis = draw.integer(0, len(shape) - 1)
    pieces = []
    for k in range(draw.integer(1, 3)):
        shape[axis] = draw.integer(0 if k else 1, 3)
        pieces.append(draw.normal(shape))
    return sample(*pieces, axis=axis)


record("sum_to", _sum_to)
record("broadcast_to", _broadcast_to)
record("reshape", _reshape)
record("transpose", _transpose)
record("flip", _flip)
record("pad", _pad)
record("concatenate", _concatenate)

# indexing: basic and advanced, with repeated, reversed and empty selections, on a 4×3×5 array

_INDICES = (
    1, -1, slice(None, None, -2), slice(2, 2), (slice(1, None), 2),
    (Ellipsis, None, slice(0, 4, 3)), np.array([0, 2, 2, -1]),
    (np.array([[0], [3]]), np.array([1, 1, 2])),
    (slice(None), np.array([2, 0]), slice(1, 3)), (1, slice(None), np.array([4, 4, 0])),
    np.arange(60).reshape(4, 3, 5) % 4 == 0, np.array([True, False, True, False]), (),
)  # fmt: skip
_SHAPE = (4, 3, 5)


def _getitem(draw: Draw) -> Sample:
    return sample(draw.normal(_SHAPE), index=draw.choice(_INDICES))


def _scatter_add(draw: Draw) -> Sample:
    index = draw.choice(_INDICES)
    return sample(draw.normal(np.empty(_SHAPE)[index].shape), index=index, shape=_SHAPE)


def _index_set(draw: Draw) -> Sample:
    index = draw.choice(_INDICES)
    shape = np.empty(_SHAPE)[index].shape
    values = draw.choice([shape, (), (1,) * len(shape), shape[1:]])
    return sample(draw.normal(_SHAPE), draw.normal(values), index=index)


def _along(draw: Draw) -> Sample:
    shape = list(draw.shape(1, 3))
    axis = draw.integer(0, len(shape) - 1)
    x = draw.normal(shape)
    n = shape[axis]
    shape[axis] = draw.integer(1, 4)
    return sample(x, draw.generator().integers(0, n, shape), axis=axis)


def _put_along(draw: Draw) -> Sample:
    shape = draw.shape(1, 3)
    axis, size = draw.integer(0, len(shape) - 1), draw.integer(1, 5)
    places = draw.generator().integers(0, size, shape)
    return sample(draw.normal(shape), places, axis=axis, size=size)


record("getitem", _getitem)
record("scatter_add", _scatter_add)
record("index_set", _index_set)
record("take_along_axis", _along)
record("put_along_axis", _put_along)

# products


def _matmul(draw: Draw) -> Sample:
    m, k, n = (draw.integer(1, 3) for _ in range(3))
    left, right = draw.choice([((), ()), ((2,), ()), ((), (3,)), ((2, 1), (3,)), ((2, 1), (1, 3))])
    return sample(draw.normal((*left, m, k)), draw.normal((*right, k, n)))


def _matmul_shapes(draw: Draw) -> Sample:
    first, second = draw.choice([((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3,))])
    return sample(draw.normal(first), draw.normal(second))


def _linear(draw: Draw) -> Sample:
    inputs, outputs = draw.integer(1, 4), draw.integer(1, 4)
    b = draw.normal((outputs,)) if draw.integer(0, 1) else None
    return sample(draw.normal((*draw.shape(0, 2), inputs)), draw.normal((outputs, inputs)), b)


_EQUATIONS = (
    "ij,jk->ik", "ij,jk->", "i,j->ij", "ij->ji", "ij->", "ij->i", "bij,bjk->bik", "ij,j,ik->k",
    "i,i->i", "nchw,xh,yw->ncxy", ",i->i",
)  # fmt: skip


def _einsum(draw: Draw) -> Sample:
    equation = draw.choice(_EQUATIONS)
    lengths = {c: draw.integer(1, 3) for c in "bcijkhnwxy"}
    terms = equation.split("->")[0].split(",")
    return sample(*(draw.normal([lengths[c] for c in t]) for t in terms), subscripts=equation)


record("matmul", _matmul)
record("linear", _linear)
record("einsum", _einsum)


def _spread_out(draw: Draw) -> Sample:
    shape = draw.shape(1, 3)
    return sample(draw.apart((2, *shape)), axis=draw.choice([None, 0, (0, -1)]))


composite(ops.var, _spread_out)
composite(ops.std, _spread_out)
composite(ops.min, _spread_out, kinks=(kink([1.0, 1.0, 2.0], {"x": [0.5, 0.5, 0.0]}),))
composite(ops.matmul, _matmul_shapes, name="matmul of vectors")
composite(
    lambda x, y, axis: ops.stack([x, y], axis),
    lambda draw: sample(draw.normal((2, 3)), draw.normal((2, 3)), axis=draw.integer(-3, 2)),
    name="stack",
)
composite(
    lambda x, sections: ops.split(x, sections, 1),
    lambda draw: sample(draw.normal((2, 6)), sections=draw.choice([2, 3, [1, 4]])),
    name="split",
)
composite(
    lambda x, y, index: ops.index_add(x, index, y),
    lambda draw: sample(
        draw.normal((4, 3)), draw.normal((3,)), index=draw.choice([np.array([1, 1, 3]), 2])
    ),
    name="index_add",
)
composite(
    lambda x, axis: ops.take(x, [2, 0, 2], axis),
    lambda draw: sample(draw.normal((3, 4)), axis=draw.choice([None, 0, 1])),
    name="take",
)
composite(
    lambda x: ops.pad(x, 1, 0.5), lambda draw: sample(draw.normal((2, 3))), name="pad with a value"
)
composite(ops.moveaxis, lambda draw: sample(draw.normal((2, 3, 4)), source=0, destination=-1))
composite(ops.swapaxes, lambda draw: sample(draw.normal((2, 3, 4)), first=0, second=2))
composite(ops.squeeze, lambda draw: sample(draw.normal((1, 3, 1)), axis=draw.choice([None, 0, -1])))
composite(ops.expand_dims, lambda draw: sample(draw.normal((2, 3)), axis=draw.choice([0, 1, -1])))
composite(ops.flatten, lambda draw: sample(draw.normal((2, 3, 2)), start_dim=draw.choice([0, 1])))
