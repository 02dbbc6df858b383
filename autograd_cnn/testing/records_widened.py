"""Records of scans, orders, linear algebra, columns, pooling and the functions made of them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..kernels.specs import ConvSpec
from .draw import Draw
from .geometry import draw_conv
from .records import Sample, composite, kink, record, sample

# scans and orders


def _along(draw: Draw, low: int = 1) -> tuple[np.ndarray, int]:
    x = draw.normal(draw.shape(low, 3))
    return x, draw.integer(0, x.ndim - 1)


def _scan(draw: Draw) -> Sample:
    x, axis = _along(draw)
    return sample(x, axis=axis)


def _with_zeros(draw: Draw) -> Sample:
    x, axis = _along(draw)
    return sample(x * (draw.uniform(x.shape, 0.0, 1.0) > draw.choice([0.0, 0.3])), axis=axis)


def _recurrence(draw: Draw) -> Sample:
    x, axis = _along(draw)
    return sample(x, draw.normal(x.shape), axis=axis)


def _ordered(draw: Draw) -> Sample:
    x = draw.apart(draw.shape(1, 3))
    return sample(x, axis=draw.integer(0, x.ndim - 1), descending=bool(draw.integer(0, 1)))


record("cumsum", _scan)
record("cumprod", _with_zeros)
record("linear_recurrence", _recurrence)
record("argsort", _ordered, why_not={11: "whole numbers have no derivative"})
composite(ops.sort, _ordered)


def _gathered(draw: Draw) -> Sample:
    x, axis = _along(draw)
    shape = [draw.integer(1, n) for n in x.shape]
    shape[axis] = draw.integer(1, 4)
    return sample(x, axis, draw.generator().integers(0, x.shape[axis], shape))


def _added(draw: Draw) -> Sample:
    x, axis = _along(draw)
    places = draw.generator().integers(0, x.shape[axis], x.shape)
    return sample(x, places, draw.normal(x.shape), axis)


composite(ops.gather, _gathered)
composite(ops.add_along_axis, _added)

# matrices


def _batch(draw: Draw) -> tuple:
    return draw.choice([(), (2,), (2, 1)])


def _regular(draw: Draw, n: int, batch: tuple) -> np.ndarray:
    """Matrices with singular values from 0.5 to 2."""
    left, right = (np.linalg.qr(draw.normal((*batch, n, n)))[0] for _ in range(2))
    return np.matmul(left * draw.uniform((*batch, 1, n), 0.5, 2.0), right)


def _spread(draw: Draw, low: float) -> np.ndarray:
    """Symmetric matrices whose eigenvalues, from `low` up, are at least 0.5 apart."""
    n, batch = draw.integer(1, 4), _batch(draw)
    vectors = np.linalg.qr(draw.normal((*batch, n, n)))[0]
    values = low + np.arange(n) * 0.8 + draw.uniform((*batch, n), 0.0, 0.3)
    return np.matmul(vectors * values[..., None, :], np.swapaxes(vectors, -1, -2))


def _system(draw: Draw) -> Sample:
    n, batch = draw.integer(1, 4), _batch(draw)
    columns = draw.normal((*draw.choice([batch, ()]), n, draw.integer(1, 3)))
    return sample(_regular(draw, n, batch), columns)


def _square(draw: Draw) -> Sample:
    return sample(_regular(draw, draw.integer(1, 4), _batch(draw)))


def _with_singular(draw: Draw) -> Sample:
    n = draw.integer(2, 3)
    x = draw.normal((2, n, n))
    x[0, 0] = x[0, 1] * 2.0
    return sample(x)


def _normed(draw: Draw) -> Sample:
    x = draw.apart((2, *draw.shape(0, 2)))
    axes = tuple(sorted({0, draw.integer(0, x.ndim - 1)}))
    keepdims = bool(draw.integer(0, 1))
    return sample(x, ord=draw.choice([2, 2, 3, 1.5]), axes=axes, keepdims=keepdims)


_repeated = "equal rows, as a stride of 0 makes them, are those of a singular matrix"
_fractions = {1: "not affine in a matrix, and its answer for one of whole numbers is of fractions"}
record("solve", _system, not_repeated=_repeated)
record("inv", _square, why_not=_fractions, not_repeated=_repeated)
record("det", _square)
record("slogdet", _square, not_repeated=_repeated)
record("cholesky", lambda draw: sample(_spread(draw, 0.5)), why_not=_fractions,
       not_repeated=_repeated)  # fmt: skip
record("eigh", lambda draw: sample(_spread(draw, -1.0), tolerance=1e-15))
record(
    "norm",
    _normed,
    kinks=(
        kink(
            [[0.0, 0.0], [3.0, 4.0]],
            {"x": [[0.0, 0.0], [0.6, 0.8]]},
            ord=2,
            axes=(1,),
            keepdims=False,
        ),
        kink([0.0, 2.0], {"x": [0.0, 1.0]}, ord=3, axes=(0,), keepdims=True),
    ),
)

_singular = "singular: the complex step would have to invert; the laws of real numbers apply"
composite(ops.det, _with_singular, name="det of singular matrices", why_not={3: _singular})
composite(
    lambda a, b: ops.solve(a, b),
    lambda draw: sample(_regular(draw, 3, ()), draw.normal((3,))),
    name="solve for a vector",
    why_not=_fractions,
    not_repeated=_repeated,
)
composite(lambda x: list(ops.eigh(x)), lambda draw: sample(_spread(draw, -1.0)), name="eigh, both")


def _two_axes(draw: Draw) -> dict[str, Any]:
    first, second = draw.choice([(0, 1), (1, 0), (-1, 0), (1, 2)])
    return {"offset": draw.integer(-2, 2), "axis1": first, "axis2": second}


composite(ops.diagonal, lambda draw: sample(draw.normal((3, 4, 2)), **_two_axes(draw)))
composite(ops.trace, lambda draw: sample(draw.normal((3, 4, 2)), **_two_axes(draw)))
composite(ops.tril, lambda draw: sample(draw.normal((2, 3, 4)), k=draw.integer(-2, 2)))
composite(ops.triu, lambda draw: sample(draw.normal((2, 3, 4)), k=draw.integer(-2, 2)))
composite(ops.outer, lambda draw: sample(draw.normal((3,)), draw.normal((2, 2))))
composite(
    ops.kron,
    lambda draw: sample(
        *(draw.normal(shape) for shape in draw.choice([((2, 3), (3, 2)), ((2,), (2, 1, 2))]))
    ),
)


def _matrix_norm(draw: Draw) -> Sample:
    ord = draw.choice([None, "fro", 1, -1, 2, float("inf"), -float("inf")])
    return sample(draw.apart((2, 3, 4)) + 1.0, ord=ord, axis=draw.choice([(1, 2), (2, 0), (-1, 1)]))


composite(ops.norm, _matrix_norm, name="norm of matrices")
composite(
    ops.norm,
    lambda draw: sample(
        draw.apart((3, 2)),
        ord=draw.choice([1, float("inf"), -float("inf")]),
        axis=draw.integer(0, 1),
    ),
    name="norm of vectors",
    kinks=(
        kink([1.0, -1.0, 0.5], {"x": [0.5, -0.5, 0.0]}, ord=float("inf"), axis=0),
        kink([1.0, 0.0, 0.5], {"x": [1.0, 0.0, 1.0]}, ord=1, axis=0),
    ),
)

# windows


def _columns(draw: Draw) -> tuple[tuple, ConvSpec, tuple]:
    found = draw_conv(draw, draw.integer(1, 3))
    spec = ConvSpec(found.stride, found.padding, found.dilation)
    return found.x, spec, found.w[2:]


def _unfold(draw: Draw) -> Sample:
    x, spec, kernel = _columns(draw)
    return sample(draw.normal(x), spec=spec, kernel=kernel)


def _fold(draw: Draw) -> Sample:
    x, spec, kernel = _columns(draw)
    windows = prod(spec.output_size(x[2:], kernel))
    y = draw.normal((x[0], x[1] * prod(kernel), windows))
    return sample(y, spec=spec, kernel=kernel, size=x[2:])


def _adaptive(draw: Draw) -> Sample:
    size = tuple(draw.integer(1, 5) for _ in range(draw.integer(1, 3)))
    return sample(draw.apart((2, 2, *size)), out=tuple(draw.integer(1, 4) for _ in size))


record("unfold", _unfold)
record("fold", _fold)
record(
    "adaptive_max_pool",
    _adaptive,
    kinks=(
        kink([[[1.0, 1.0, 0.0]]], {"x": [[[1.0, 1.0, 0.0]]]}, out=(2,)),
        kink([[[2.0, 2.0]]], {"x": [[[1.0, 0.0]]]}, out=(1,)),
    ),
)


def _local(draw: Draw) -> Sample:
    stride, dilation = draw.integer(1, 2), draw.integer(1, 2)
    out = (5 + 2 - dilation - 1) // stride + 1, (4 + 2 - 2 * dilation - 1) // stride + 1
    return sample(
        draw.normal((2, 2, 5, 4)),
        draw.normal((3, *out, 2, 2, 3)),
        draw.normal((3, *out)),
        stride=stride,
        padding=1,
        dilation=dilation,
    )


def _pooled(x: Any, p: float, kernel: Any, stride: Any, ceil_mode: bool) -> Any:
    return ops.lp_pool2d(x, p, kernel, stride, ceil_mode)


composite(ops.locally_connected2d, _local)
composite(
    _pooled,
    lambda draw: sample(
        draw.apart((1, 2, 5, 4)),
        draw.choice([1, 2, 3]),
        draw.choice([2, (3, 2)]),
        draw.choice([None, 1]),
        bool(draw.integer(0, 1)),
    ),
    name="lp_pool2d",
)


def _places(pool: Any, shape: tuple, draw: Draw) -> np.ndarray:
    return pool(draw.apart(shape), 2, return_indices=True)[1]


composite(
    lambda x, places: ops.max_unpool1d(x, places, 2),
    lambda draw: sample(draw.normal((2, 2, 3)), _places(ops.max_pool1d, (2, 2, 6), draw)),
    name="max_unpool1d",
)
composite(
    lambda x, places: ops.max_unpool3d(x, places, 2),
    lambda draw: sample(
        draw.normal((1, 2, 2, 1, 2)), _places(ops.max_pool3d, (1, 2, 4, 2, 4), draw)
    ),
    name="max_unpool3d",
)

# padding, resampling, convolution with the filter turned


def _padded(draw: Draw) -> Sample:
    widths = tuple((draw.integer(0, 2), draw.integer(0, 2)) for _ in range(2))
    return sample(
        draw.normal((3, 4)), widths, 0.0, draw.choice(["reflect", "replicate", "circular"])
    )


def _resampled(draw: Draw) -> Sample:
    mode = draw.choice(["nearest", "bilinear", "bicubic"])
    corners = mode != "nearest" and bool(draw.integer(0, 1))
    size = draw.choice([(5, 2), (6, 8), (1, 4)])
    return sample(draw.normal((2, 1, 3, 4)), size, None, mode, corners)


def _turned(draw: Draw) -> Sample:
    return sample(draw.normal((4, 5)), draw.normal((2, 3)), draw.choice(["full", "same", "valid"]))


composite(ops.pad, _padded, name="pad modes")
composite(ops.interpolate, _resampled)
composite(ops.convolve, _turned)

# activations, losses, weights written through others

record(
    "hardtanh",
    lambda draw: sample(draw.apart(draw.shape()), low=-0.5, high=draw.choice([0.5, 2.0])),
    kinks=(kink([-1.0, 0.0, 1.0], {"x": [0.0, 1.0, 0.0]}, low=-1.0, high=1.0),),
)


def _anywhere(draw: Draw) -> Sample:
    return sample(draw.normal(draw.shape()))


def _apart(draw: Draw) -> Sample:
    return sample(draw.apart(draw.shape()))


def _matched(draw: Draw) -> Sample:
    shape = draw.shape(1, 3)
    return sample(
        draw.apart(shape, 0.31), 0.1 * draw.normal(shape), draw.choice(["mean", "sum", "none"])
    )


composite(ops.silu, _anywhere)
composite(ops.mish, _anywhere)
composite(ops.hardswish, _apart, kinks=(kink([-3.0, 3.0, 0.0], {"x": [0.0, 1.0, 0.5]}),))
composite(
    ops.prelu,
    lambda draw: sample(draw.apart((2, 3, 2)), draw.normal(draw.choice([(1,), (3,), ()]))),
    kinks=(kink(([0.0, 1.0, -1.0], [0.25]), {"x": [0.25, 1.0, 0.25]}),),
)
composite(ops.huber_loss, _matched)
composite(ops.smooth_l1_loss, _matched)
composite(
    ops.hinge_loss, _matched,
    kinks=(kink(([1.0, -1.0], [1.0, 1.0]), {"x": [0.0, -1.0]}, reduction="sum"),),
)  # fmt: skip


def _divergence(draw: Draw) -> Sample:
    shape = draw.shape(1, 3)
    how = draw.choice(["mean", "sum", "none", "batchmean"])
    return sample(draw.normal(shape), draw.uniform(shape, 0.1, 1.0), how, bool(draw.integer(0, 1)))


composite(ops.kl_div, _divergence)
composite(
    lambda x, p, how: ops.multi_margin_loss(x, np.array([1, 0, 2]), p, 0.7, reduction=how),
    lambda draw: sample(draw.apart((3, 3)), draw.choice([1, 2]), draw.choice(["mean", "none"])),
    name="multi_margin_loss",
)
composite(ops.weight_norm, lambda draw: sample(draw.normal((3, 2, 2)), draw.normal((3,))))


def _combined(draw: Draw) -> Sample:
    x, axis = draw.apart(draw.shape(1, 2)), 0
    places = draw.generator().integers(0, x.shape[axis], draw.integer(1, 4))
    return sample(x, places, draw.apart((len(places), *x.shape[1:])) + 0.1)


_tie = (kink(([1.0, 2.0], np.array([0]), [1.0]), {"x": [0.5, 1.0], "value": [0.5]}),)
composite(ops.index_multiply, _combined)
composite(ops.index_max, _combined, kinks=_tie)
composite(ops.index_min, _combined, kinks=_tie)
composite(ops.prod, lambda draw: sample(*_with_zeros(draw).inputs))
composite(
    lambda x, y: ops.einsum("...ii,j...->j...", x, y),
    lambda draw: sample(draw.normal((2, 1, 3, 3)), draw.normal((2, *draw.choice([(4,), (2, 4)])))),
    name="einsum with a diagonal",
)


def _read(draw: Draw) -> Sample:
    border, width = draw.choice([("repeat", 1.0), ("repeat", 1.7), ("exclude", 2.0)])
    places = tuple(draw.uniform((3,), -1.5, 5.5).tolist())
    return sample(draw.normal((5, 2)), places, 0, draw.choice(["linear", "cubic"]), width, border)


composite(ops.resample, _read)
