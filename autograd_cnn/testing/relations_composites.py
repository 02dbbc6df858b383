"""Relations of the public functions made of primitives, to what a textbook makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops as o
from ..transforms import vjp
from .draw import Draw
from .records import COMPOSITES, Sample, sample
from .relations import relation


def _normal(*shapes: tuple) -> Any:
    return lambda draw: sample(*(draw.normal(shape) for shape in shapes))


def _apart(*shapes: tuple) -> Any:
    return lambda draw: sample(*(draw.apart(shape) for shape in shapes))


def _pulled(function: Any, like: Any, g: Any) -> Any:
    """The vjp at zeros of a linear function, made a function of `g` alone."""
    return vjp(function, 0.0 * like)[1](g)[0]


# activations

relation("selu", "= λ·elu(x, α)", _apart((2, 3)),
         lambda x: (o.selu(x), 1.0507009873554805 * o.elu(x, 1.6732632423543772)))  # fmt: skip
relation("relu6", "= clip(x, 0, 6)", _apart((4, 5)), lambda x: (
    o.relu6(2.1 * x), o.clip(2.1 * x, 0.0, 6.0)))  # fmt: skip
relation("log_sigmoid", "= −softplus(−x)", _normal((2, 3)),
         lambda x: (o.log_sigmoid(x), -o.softplus(-x)))  # fmt: skip
relation("hardswish", "= x·clip(x + 3, 0, 6)/6", _apart((2, 6)),
         lambda x: (o.hardswish(x * 2.0), x * o.clip(x * 2.0 + 3.0, 0.0, 6.0) / 3.0))  # fmt: skip
relation("prelu", "= relu(x) − w·relu(−x)", _apart((2, 3, 2), (1,)),
         lambda x, w: (o.prelu(x, w), o.relu(x) - w * o.relu(-x)), exact=True)  # fmt: skip

# shapes and indices

relation("stack", "= concatenate along a new axis", _normal((2, 3), (2, 3)), lambda x, y: (
    o.stack([x, y], 1), o.concatenate([x[:, None], y[:, None]], 1)), exact=True)  # fmt: skip
relation("split", "the pieces, joined, are the whole", _normal((2, 6)), lambda x: (
    o.concatenate(o.split(x, [1, 4], 1), 1), o.identity(x)), exact=True)  # fmt: skip
relation("moveaxis", "= transpose", _normal((2, 3, 4)), lambda x: (
    o.moveaxis(x, 0, -1), o.transpose(x, (1, 2, 0))), exact=True)  # fmt: skip
relation("swapaxes", "= transpose", _normal((2, 3, 4)), lambda x: (
    o.swapaxes(x, 0, 2), o.transpose(x, (2, 1, 0))), exact=True)  # fmt: skip
relation("squeeze", "= reshape", _normal((1, 3, 1)), lambda x: (
    o.squeeze(x, -1), o.reshape(x, (1, 3))), exact=True)  # fmt: skip
relation("expand_dims", "= reshape", _normal((2, 3)), lambda x: (
    o.expand_dims(x, 1), o.reshape(x, (2, 1, 3))), exact=True)  # fmt: skip
relation("flatten", "= reshape", _normal((2, 3, 2)), lambda x: (
    o.flatten(x, 1), o.reshape(x, (2, 6))), exact=True)  # fmt: skip
relation("take", "= a product with columns of the unit matrix", _normal((3, 4)), lambda x: (
    o.take(x, [2, 0, 2], 1), x @ np.eye(4)[:, [2, 0, 2]]), exact=True)  # fmt: skip
relation("index_add", "= x plus a product with columns of the unit matrix", _normal((4, 3), (3, 3)),
         lambda x, y: (o.index_add(x, np.array([1, 1, 3]), y), x + np.eye(4)[:, [1, 1, 3]] @ y),
         exact=True)  # fmt: skip
relation("diagonal", "= the entries one beside the other", _normal((3, 4, 2)), lambda x: (
    o.diagonal(x, 1, 0, 1), o.stack([x[0, 1], x[1, 2], x[2, 3]], 1)), exact=True)  # fmt: skip
relation("tril", "tril(x) + triu(x, 1) = x", _normal((2, 3, 4)), lambda x: (
    o.tril(x) + o.triu(x, 1), o.identity(x)), exact=True)  # fmt: skip
relation("triu", "triu(xᵀ) = tril(x)ᵀ", _normal((3, 4)), lambda x: (
    o.triu(o.transpose(x), -1), o.transpose(o.tril(x, 1))), exact=True)  # fmt: skip

_ROWS = np.array([[1, 0, 1, 3], [2, 2, 2, 0]])
_ONE_HOT = np.eye(4)[_ROWS]

relation("gather", "= a product with rows of the unit matrix", _normal((2, 4)), lambda x: (
    o.gather(x, 1, _ROWS), o.einsum("ij,ikj->ik", x, _ONE_HOT)), exact=True)  # fmt: skip
relation("add_along_axis", "= x plus the vjp of gather", _normal((2, 4), (2, 4)), lambda x, y: (
    o.add_along_axis(x, _ROWS, y, 1), x + _pulled(lambda z: o.gather(z, 1, _ROWS), x, y)),
    exact=True)  # fmt: skip

# padding and resampling

relation("pad with a value", "pad(x, value) = pad(x − value, 0) + value", _normal((2, 3)),
         lambda x: (o.pad(x, 1, 0.5), o.pad(x - 0.5, 1) + 0.5), exact=True)  # fmt: skip
_BORDERS = {
    "reflect": [2, 1, 0, 1, 2, 3, 2], "replicate": [0, 0, 0, 1, 2, 3, 3],
    "circular": [2, 3, 0, 1, 2, 3, 0],
}  # fmt: skip
for _mode, _places in _BORDERS.items():
    relation("pad modes", f"{_mode} = entries by their index", _normal((3, 4)),
             lambda x, mode=_mode, places=_places: (
                 o.pad(x, ((0, 0), (2, 1)), mode=mode), x[:, np.array(places)]),
             exact=True)  # fmt: skip
relation("interpolate", "nearest, twice as large, repeats", _normal((2, 1, 3, 4)), lambda x: (
    o.interpolate(x, (6, 4)), o.take(x, [0, 0, 1, 1, 2, 2], 2)), exact=True)  # fmt: skip
relation("interpolate", "linear between corners puts means halfway", _normal((1, 1, 3)), lambda x: (
    o.interpolate(x, 5, mode="linear", align_corners=True)[..., 1::2],
    (x[..., 1:] + x[..., :-1]) * 0.5))  # fmt: skip
relation("interpolate", "of x + c = of x, + c", _normal((2, 1, 3, 4)), lambda x: (
    o.interpolate(x + 3.0, (5, 2), mode="bicubic"),
    o.interpolate(x, (5, 2), mode="bicubic") + 3.0))  # fmt: skip
relation("interpolate", "one axis after the other", _normal((2, 1, 3, 4)), lambda x: (
    o.interpolate(x, (5, 6), mode="bilinear"),
    o.interpolate(o.interpolate(x, (5, 4), mode="bilinear"), (3 + 2, 6), mode="bilinear"),
    ))  # fmt: skip

# convolution and pooling


def _as_pulled(x: Any, w: Any, b: Any) -> tuple[Any, Any]:
    run = lambda z: o.conv2d(z, w, None, 2, 1, 1, 2)
    like = np.zeros((2, 2, 5, 5))
    return o.conv_transpose2d(x, w, b, 2, 1, (1, 0), 2), (
        vjp(run, like + 0.0 * o.sum(x))[1](x)[0] + o.reshape(b, (2, 1, 1)))  # fmt: skip


def _shared(x: Any, w: Any, b: Any) -> tuple[Any, Any]:
    everywhere = o.broadcast_to(o.reshape(w, (3, 1, 1, 2, 2, 3)), (3, 4, 2, 2, 2, 3))
    bias = o.broadcast_to(o.reshape(b, (3, 1, 1)), (3, 4, 2))
    return o.locally_connected2d(x, everywhere, bias), o.conv2d(x, w, b)


relation("conv_transpose2d", "= the vjp of conv2d, + the bias",
         _normal((2, 4, 3, 3), (4, 1, 2, 3), (2,)), _as_pulled, exact=True)  # fmt: skip
relation("locally_connected2d", "with one set of filters = conv2d",
         _normal((2, 2, 5, 4), (3, 2, 2, 3), (3,)), _shared, exact=True)  # fmt: skip
relation("adaptive_avg_pool2d", "shares of equal size are windows", _normal((2, 1, 6, 4)),
         lambda x: (o.adaptive_avg_pool2d(x, (3, 2)), o.avg_pool2d(x, 2)))  # fmt: skip
relation("lp_pool2d", "of order 2 = √(4·the mean of squares)", _apart((1, 2, 4, 4)), lambda x: (
    o.lp_pool2d(x, 2, 2), o.sqrt(4.0 * o.avg_pool2d(x * x, 2))))  # fmt: skip
relation("lp_pool2d", "of order 1 = 4·the mean of sizes", _apart((1, 2, 4, 4)), lambda x: (
    o.lp_pool2d(x, 1, 2), 4.0 * o.avg_pool2d(o.abs(x), 2)))  # fmt: skip


def _unpooled(ndim: int) -> tuple[Any, Any]:
    """Where pooling found the maxima, and unpooling as the vjp of taking the entries there."""
    pool, unpool = getattr(o, f"max_pool{ndim}d"), getattr(o, f"max_unpool{ndim}d")
    size = (4,) * ndim

    def make(draw: Draw) -> Sample:
        places = pool(draw.apart((1, 2, *size)), 2, return_indices=True)[1]
        return sample(draw.normal(places.shape), places)

    def both(y: Any, places: Any) -> tuple[Any, Any]:
        flat = places.reshape(1, 2, -1)
        taken = lambda z: o.take_along_axis(o.reshape(z, (1, 2, -1)), flat, 2)
        like = np.zeros((1, 2, *size)) + 0.0 * o.sum(y)
        return unpool(y, places, 2), vjp(taken, like)[1](o.reshape(y, flat.shape))[0]

    return make, both


for _ndim in (1, 2, 3):
    _make, _both = _unpooled(_ndim)
    relation(f"max_unpool{_ndim}d", "= the vjp of taking the entries there", _make, _both,
             exact=True)  # fmt: skip

# normalisation and weights

relation("batch_norm in training", "= layer norm of each channel over the batch",
         _normal((4, 2, 3)), lambda x: (
             o.batch_norm(x, training=True),
             o.transpose(o.layer_norm(o.transpose(x, (1, 0, 2)), (4, 3)), (1, 0, 2))))  # fmt: skip
relation("weight_norm", "the slices are as long as g says", _apart((3, 4), (3,)), lambda v, g: (
    o.sum(o.square(o.weight_norm(v, g)), 1) + 0.0 * v[:, 0], g * g + 0.0 * v[:, 0]))  # fmt: skip
relation("weight_norm", "of 2v = of v", _apart((3, 4), (3,)), lambda v, g: (
    o.weight_norm(2.0 * v, g), o.weight_norm(v, g)))  # fmt: skip

# products and matrices

relation("matmul of vectors", "= Σ of products", _normal((3,), (3,)), lambda x, y: (
    x @ y, o.sum(x * y)), exact=True)  # fmt: skip
relation("matmul of vectors", "= a matrix of one column", _normal((2, 3), (3,)), lambda x, y: (
    x @ y, (x @ y[:, None])[:, 0]), exact=True)  # fmt: skip
relation("outer", "= a column times a row", _normal((3,), (2, 2)), lambda x, y: (
    o.outer(x, y), o.reshape(x, (3, 1)) @ o.reshape(y, (1, 4))), exact=True)  # fmt: skip


def _by_first_row(x: Any) -> tuple[Any, Any]:
    (a, b, c), (d, e, f), (g, h, i) = ([x[r, k] for k in range(3)] for r in range(3))
    return o.det(x), a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _singular(draw: Draw) -> Sample:
    x = draw.normal((3, 3))
    x[0] = 2.0 * x[1]
    return sample(x)


def _stretched(x: Any) -> tuple[Any, Any]:
    symmetric = (x + o.swapaxes(x, -1, -2)) * 0.5
    values, vectors = o.eigh(x)
    return o.matmul(symmetric, vectors), vectors * o.expand_dims(values, -2)


def _regular(draw: Draw) -> Sample:
    return sample(2.0 * np.eye(3) + 0.3 * draw.normal((3, 3)), draw.normal((3,)))


relation("det of singular matrices", "= the expansion along the first row", _singular,
         _by_first_row)  # fmt: skip
relation("solve for a vector", "a·solve(a, b) = b", _regular, lambda a, b: (
    a @ o.solve(a, b), b + 0.0 * a[0]))  # fmt: skip
relation("eigh, both", "x·V = V·diag(w)", lambda draw: COMPOSITES["eigh, both"].make(draw),
         _stretched)  # fmt: skip
relation("norm of matrices", "‖x‖₁ = ‖xᵀ‖∞", _apart((3, 4)), lambda x: (
    o.norm(x, 1, (0, 1)), o.norm(o.transpose(x), float("inf"), (0, 1))))  # fmt: skip
relation("norm of matrices", "‖x‖₂² = the largest eigenvalue of x·xᵀ", _normal((3, 4)), lambda x: (
    o.norm(x, 2, (0, 1)) ** 2, o.eigh(x @ o.transpose(x))[0][-1]))  # fmt: skip
relation("norm of matrices", "‖x‖² = Σx²", _apart((3, 4)), lambda x: (
    o.norm(x, "fro", (0, 1)) ** 2, o.sum(x * x)))  # fmt: skip
relation("norm of vectors", "‖x‖₁ = Σ|x|", _apart((3, 2)), lambda x: (
    o.norm(x, 1, 1), o.sum(o.abs(x), 1)))  # fmt: skip
relation("norm of vectors", "‖x‖∞ = max |x|", _apart((3, 2)), lambda x: (
    o.norm(x, float("inf"), 1), o.max(o.abs(x), 1)))  # fmt: skip

# losses


def _labelled(x: Any) -> tuple[Any, Any]:
    """The second sample is ignored; the others cost what their class weighs."""
    logs, labels = o.log_softmax(x, 1), np.array([1, -100, 0])
    found = o.cross_entropy(x, labels, np.array([0.5, 1.0, 2.0]), reduction="none")
    return found, o.stack([-logs[0, 1], 0.0 * o.sum(x[1]), -0.5 * logs[2, 0]], 0)


def _smoothed(x: Any) -> tuple[Any, Any]:
    labels, logs = np.array([1, 2, 0]), o.log_softmax(x, 1)
    sharp = o.cross_entropy(x, labels, reduction="sum")
    return (o.cross_entropy(x, labels, reduction="sum", label_smoothing=0.1),
            0.9 * sharp - 0.1 * o.sum(o.mean(logs, 1)))  # fmt: skip


def _margins(x: Any) -> tuple[Any, Any]:
    found = o.multi_margin_loss(x, np.array([1, 0]), 2, 0.7, reduction="sum")
    rows = [(0, 1, 0), (0, 1, 2), (1, 0, 1), (1, 0, 2)]
    each = [o.relu(0.7 - x[n, label] + x[n, other]) ** 2 for n, label, other in rows]
    return found, (each[0] + each[1] + each[2] + each[3]) / 3.0


relation("cross_entropy of labels", "= −weight·log p of the label", _normal((3, 3)), _labelled)
relation("cross_entropy of labels", "smoothing mixes in the mean over classes", _normal((3, 3)),
         _smoothed)  # fmt: skip
relation("smooth_l1_loss", "= huber_loss/β", _apart((3, 4)), lambda x: (
    o.smooth_l1_loss(x, 0.1 * x, "sum", 0.8), o.huber_loss(x, 0.1 * x, "sum", 0.8) / 0.8,
    ))  # fmt: skip
relation("hinge_loss", "= relu(1 − y·x)", _apart((3, 4), (3, 4)), lambda x, y: (
    o.hinge_loss(x, y + 0.05, "none"), o.relu(1.0 - (y + 0.05) * x)))  # fmt: skip
relation("kl_div", "= Σ y·(ln y − x)", lambda draw: sample(
    draw.normal((3, 4)), draw.uniform((3, 4), 0.1, 1.0)), lambda x, y: (
        o.kl_div(x, y, "batchmean"), o.sum(y * (o.log(y) - x)) / 3.0))  # fmt: skip
relation("multi_margin_loss", "= Σ of squared margins that are not kept", _apart((2, 3)), _margins)

# products, extrema and places along an axis

_TWICE = np.array([2, 0, 2])


def _repeatedly(function: Any, step: Any) -> Any:
    """What an index combines is combined one place after another."""

    def both(x: Any, y: Any) -> tuple[Any, Any]:
        one, other = step(step(x[2], y[0]), y[2]), step(x[0], y[1])
        return function(x, _TWICE, y), o.stack([other, x[1], one], 0)

    return both


relation("index_multiply", "one place after another", _normal((3, 2), (3, 2)),
         _repeatedly(o.index_multiply, o.multiply), exact=True)  # fmt: skip
relation("index_max", "one place after another", _apart((3, 2), (3, 2)),
         _repeatedly(lambda x, index, y: o.index_max(x, index, y + 0.1),
                     lambda x, y: o.maximum(x, y + 0.1)))  # fmt: skip
relation("index_min", "= −index_max(−x)", _apart((3, 2), (3, 2)), lambda x, y: (
    o.index_min(x, _TWICE, y + 0.1), -o.index_max(-x, _TWICE, -y - 0.1)))  # fmt: skip
relation("prod", "one axis after another", _normal((2, 3)), lambda x: (
    o.prod(x), o.prod(o.prod(x, 1), 0)), exact=True)  # fmt: skip
relation("einsum with a diagonal", "= the diagonal, multiplied and added up",
         _normal((2, 3, 3), (2, 4)), lambda x, y: (
             o.einsum("...ii,j...->j...", x, o.transpose(y)),
             o.transpose(y) * o.sum(o.diagonal(x, 0, 1, 2), 1)), exact=True)  # fmt: skip
relation("resample", "of a straight line it is the line", _normal((1, 2)), lambda x: (
    o.resample(np.arange(5.0)[:, None] * x, [0.25, 1.5, 3.75], 0),
    np.array([[0.25], [1.5], [3.75]]) * x))  # fmt: skip
relation("resample", "at the entries themselves it is x", _normal((5, 2)), lambda x: (
    o.resample(x, [4, 0, 2], 0, "cubic"), x[np.array([4, 0, 2])]))  # fmt: skip
