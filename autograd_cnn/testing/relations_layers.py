"""Relations of convolution, pooling, normalisation, products, indexing and linear algebra."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops as o
from ..kernels.specs import ConvSpec, PoolSpec
from ..primitive import TABLE
from ..transforms import vjp
from .draw import Draw
from .geometry import draw_conv
from .records import RECORDS, Sample, sample
from .relations import relation

# convolution

_conv, _input_grad = TABLE["conv"], TABLE["conv_input_grad"]
_weight_grad = TABLE["conv_weight_grad"]


def _geometry(draw: Draw, bias: bool = False) -> Sample:
    found = draw_conv(draw, draw.integer(1, 3))
    extra = (draw.normal((found.w[0],)),) if bias else ()
    return sample(draw.normal(found.x), draw.normal(found.w), *extra, spec=found.spec)


def _pulled(draw: Draw) -> Sample:
    """Input, filters, and a cotangent of their convolution."""
    found = _geometry(draw)
    x, w = found.inputs
    spec = found.attributes["spec"]
    y = (x.shape[0], w.shape[0], *spec.output_size(x.shape[2:], w.shape[2:]))
    return sample(x, w, draw.normal(y), spec=spec)


def _by_groups(x: Any, w: Any, b: Any, spec: ConvSpec) -> tuple[Any, Any]:
    alone = ConvSpec(spec.stride, spec.padding, spec.dilation, 1)
    pieces = zip(*(o.split(v, spec.groups, axis) for v, axis in ((x, 1), (w, 0), (b, 0))),
                 strict=True)  # fmt: skip
    return _conv(x, w, b, spec=spec), o.concatenate(
        [_conv(*piece, spec=alone) for piece in pieces], 1
    )


def _by_holes(x: Any, w: Any, spec: ConvSpec) -> tuple[Any, Any]:
    """A kernel with zeros between its taps, and no dilation."""
    wide = tuple((k - 1) * d + 1 for k, d in zip(w.shape[2:], spec.dilation, strict=True))
    index = (slice(None), slice(None), *(slice(None, None, d) for d in spec.dilation))
    holed = o.scatter_add(w, index, (*w.shape[:2], *wide))
    plain = ConvSpec(spec.stride, spec.padding, (1,) * spec.ndim, spec.groups)
    return _conv(x, w, None, spec=spec), _conv(x, holed, None, spec=plain)


def _shifted(x: Any, w: Any, spec: ConvSpec) -> tuple[Any, Any]:
    """Zeros before the image move the output along; steps of a stride are whole entries."""
    ndim = spec.ndim
    moved = ((0, 0), (0, 0), *((s, 0) for s in spec.stride))
    y = _conv(o.pad(x, moved), w, None, spec=spec)
    return y[(..., *(slice(1, None),) * ndim)], _conv(x, w, None, spec=spec)


def _as_columns(x: Any, w: Any, spec: ConvSpec) -> tuple[Any, Any]:
    """One matrix product over the windows laid out as columns."""
    kernel = tuple(w.shape[2:])
    columns = TABLE["unfold"](x, spec=_ungrouped(spec), kernel=kernel)
    n, rows, windows = columns.shape
    grouped = o.reshape(columns, (n, spec.groups, rows // spec.groups, windows))
    filters = o.reshape(w, (spec.groups, w.shape[0] // spec.groups, -1))
    y = o.einsum("gok,ngkp->ngop", filters, grouped)
    out = _conv(x, w, None, spec=spec)
    return out, o.reshape(y, out.shape)


def _ungrouped(spec: ConvSpec) -> ConvSpec:
    return ConvSpec(spec.stride, spec.padding, spec.dilation, 1)


def _transposed(x: Any, w: Any, y: Any, spec: ConvSpec) -> tuple[Any, Any]:
    pulled = vjp(lambda x: _conv(x, w, None, spec=spec), 0.0 * x)[1](y)[0]
    return _input_grad(y, w, spec=spec, size=tuple(x.shape[2:])) + 0.0 * x, pulled + 0.0 * x


def _as_transposed_layer(x: Any, w: Any, y: Any, spec: ConvSpec) -> tuple[Any, Any]:
    """What no window reaches has no gradient: `conv_transpose` does not make it."""
    plain = ConvSpec(spec.stride, ((0, 0),) * spec.ndim, spec.dilation, spec.groups)
    run = getattr(o, f"conv_transpose{spec.ndim}d")
    made = run(y, w, None, spec.stride, 0, 0, spec.groups, spec.dilation)
    size = tuple(made.shape[2:])
    return made, _input_grad(y, w, spec=plain, size=size)


def _filters_pulled(x: Any, w: Any, y: Any, spec: ConvSpec) -> tuple[Any, Any]:
    pulled = vjp(lambda w: _conv(x, w, None, spec=spec), 0.0 * w)[1](y)[0]
    return _weight_grad(x, y, spec=spec, size=tuple(w.shape[2:])) + 0.0 * w, pulled + 0.0 * w


def _exchanged(x: Any, w: Any, y: Any, spec: ConvSpec) -> tuple[Any, Any]:
    """Without groups, the filters' gradient is a convolution over the batch, steps for holes."""
    spec = _ungrouped(spec)
    y = o.concatenate([y, y], 1)[:, :1]
    size = tuple(w.shape[2:])
    turned = ConvSpec(spec.dilation, spec.padding, spec.stride, 1)
    y_turned, x_turned = o.swapaxes(y, 0, 1), o.swapaxes(x, 0, 1)
    found = o.swapaxes(_conv(x_turned, y_turned, None, spec=turned), 0, 1)
    cut = (..., *(slice(0, k) for k in size))
    return _weight_grad(x, y, spec=spec, size=size) + 0.0 * w[:1, :1], found[cut] + 0.0 * w[:1, :1]


_grouped = "groups = split + convolve + concatenate"
relation("conv", _grouped, lambda draw: _geometry(draw, bias=True), _by_groups, exact=True)
relation("conv", "dilation = a kernel with holes", _geometry, _by_holes, exact=True)
relation("conv", "a translation of the input is one of the output", _geometry, _shifted, exact=True)
relation("conv", "convolution = a matrix product over columns", _geometry, _as_columns, exact=True)
relation("conv_input_grad", "= the vjp of conv", _pulled, _transposed, exact=True)
relation("conv_input_grad", "= conv_transpose", _pulled, _as_transposed_layer, exact=True)
relation("conv_weight_grad", "= the vjp of conv", _pulled, _filters_pulled, exact=True)
relation("conv_weight_grad", "= a convolution over the batch", _pulled, _exchanged, exact=True)


def _columns(draw: Draw) -> Sample:
    found = draw_conv(draw, draw.integer(1, 3))
    return sample(draw.normal(found.x), spec=_ungrouped(found.spec), kernel=found.w[2:])


def _one_hot(x: Any, spec: ConvSpec, kernel: tuple) -> tuple[Any, Any]:
    """Columns are a convolution with filters of a single 1."""
    taps, channels = prod(kernel), x.shape[1]
    filters = np.tile(np.eye(taps).reshape(taps, 1, *kernel), (channels, *(1,) * (x.ndim - 1)))
    grouped = ConvSpec(spec.stride, spec.padding, spec.dilation, channels)
    y = _conv(x, filters, None, spec=grouped)
    columns = TABLE["unfold"](x, spec=spec, kernel=kernel)
    return columns, o.reshape(y, columns.shape)


def _folded(x: Any, spec: ConvSpec, kernel: tuple) -> tuple[Any, Any]:
    run = lambda x: TABLE["unfold"](x, spec=spec, kernel=kernel)
    columns = run(x)
    size = tuple(x.shape[2:])
    return TABLE["fold"](columns, spec=spec, kernel=kernel, size=size), vjp(run, x)[1](columns)[0]


relation("unfold", "= convolution with filters of a single 1", _columns, _one_hot, exact=True)
relation("fold", "= the vjp of unfold", _columns, _folded, exact=True)

# pooling


def _windows(draw: Draw) -> Sample:
    found = RECORDS["max_pool"].make(draw)
    return sample(*found.inputs, spec=found.attributes["spec"])


def _means(draw: Draw) -> Sample:
    found = RECORDS["avg_pool"].make(draw)
    spec = found.attributes["spec"]
    plain = PoolSpec(spec.kernel, spec.stride, spec.padding, spec.dilation)
    return sample(*found.inputs, spec=plain)


def _constant_kernel(x: Any, spec: PoolSpec) -> tuple[Any, Any]:
    channels, taps = x.shape[1], prod(spec.kernel)
    w = np.full((channels, 1, *spec.kernel), 1.0 / taps)
    same = ConvSpec(spec.stride, spec.padding, spec.dilation, channels)
    return TABLE["avg_pool"](x, spec=spec, count_include_pad=True), _conv(x, w, None, spec=same)


def _mean_pulled(x: Any, spec: PoolSpec) -> tuple[Any, Any]:
    run = lambda x: TABLE["avg_pool"](x, spec=spec, count_include_pad=False)
    y = run(x)
    found = TABLE["avg_pool_grad"](y, spec=spec, size=tuple(x.shape[2:]), count_include_pad=False)
    return found, vjp(run, x)[1](y)[0]


def _raised(x: Any, spec: PoolSpec) -> tuple[Any, Any]:
    return TABLE["max_pool"](x + 2.0, spec=spec), TABLE["max_pool"](x, spec=spec) + 2.0


def _by_channels(x: Any, spec: PoolSpec) -> tuple[Any, Any]:
    whole = TABLE["max_pool"](x, spec=spec)
    return whole, o.flip(TABLE["max_pool"](o.flip(x, (0, 1)), spec=spec), (0, 1))


def _gathered(x: Any, spec: PoolSpec) -> tuple[Any, Any]:
    y, (switches,) = TABLE["max_pool"].apply((x,), {"spec": spec})
    return TABLE["pool_gather"](x, switches, spec=spec), y


def _scattered(x: Any, spec: PoolSpec) -> tuple[Any, Any]:
    y, (switches,) = TABLE["max_pool"].apply((x,), {"spec": spec})
    size = tuple(x.shape[2:])
    return TABLE["pool_scatter"](y, switches, spec=spec, size=size), vjp(
        lambda x: TABLE["pool_gather"](x, switches, spec=spec), x)[1](y)[0]  # fmt: skip


relation("max_pool", "maxima of x + c are maxima of x, + c", _windows, _raised)
relation("max_pool", "samples and channels do not meet", _windows, _by_channels)
relation("pool_gather", "the entries that max_pool chose are its maxima", _windows, _gathered)
relation("pool_scatter", "= the vjp of pool_gather", _windows, _scattered)
relation("avg_pool", "= convolution with a constant kernel", _means, _constant_kernel)
relation("avg_pool_grad", "= the vjp of avg_pool", _means, _mean_pulled)
relation("adaptive_max_pool", "shares of equal size are windows", lambda draw: sample(
    draw.apart((2, 1, 6, 4))),
    lambda x: (o.adaptive_max_pool2d(x, (3, 2)), o.max_pool2d(x, 2)))  # fmt: skip
relation("global_avg_pool", "= the mean over space", lambda draw: sample(draw.normal((2, 3, 2, 4))),
         lambda x: (o.global_avg_pool(x), o.mean(x, (2, 3))))  # fmt: skip

# normalisation

_images = lambda draw: sample(draw.normal((4, 2, 3)), draw.normal((4, 2, 3)))
_weighted = lambda draw: sample(draw.normal((3, 4)), draw.normal((4,)), draw.normal((4,)))


def _no_drift(function: Any, axes: tuple) -> Any:
    """A mean is taken off, so no gradient adds up to anything along what was normalised."""

    def both(x: Any, g: Any) -> tuple[Any, Any]:
        total = o.sum(vjp(function, x)[1](g)[0], axes)
        return total, 0.0 * o.sum(x * g, axes)

    return both


def _batch(x: Any, weight: Any = None) -> Any:
    return o.batch_norm(x, None, None, weight, training=True)


relation("batch_norm", "Σ of the input's gradient = 0 in every channel", _images,
         _no_drift(_batch, (0, 2)))  # fmt: skip
relation("batch_norm", "norm(x + c) = norm(x)", _images,
         lambda x, g: (_batch(x + 2.0) + g, _batch(x) + g))  # fmt: skip
relation("batch_norm", "the order of the samples does not matter", _images,
         lambda x, g: (o.flip(_batch(o.flip(x, 0)), 0) + g, _batch(x) + g))  # fmt: skip
relation("layer_norm", "Σ of the input's gradient = 0 in every sample", _images,
         _no_drift(lambda x: o.layer_norm(x, (2, 3)), (1, 2)))  # fmt: skip
relation("layer_norm", "weight and bias act on the plain norm", _weighted,
         lambda x, w, b: (o.layer_norm(x, 4, w, b), o.layer_norm(x, 4) * w + b))  # fmt: skip
relation("batch_norm_inference", "with the batch's statistics = batch_norm", _images,
         lambda x, g: (_with_own_statistics(x) + g, _batch(x) + g))  # fmt: skip
relation("group_norm", "one group = layer norm of the sample", _images,
         lambda x, g: (o.group_norm(x, 1) + g, o.layer_norm(x, (2, 3)) + g))  # fmt: skip
relation("instance_norm", "= layer norm of every channel", _images,
         lambda x, g: (o.instance_norm(x) + g, o.layer_norm(x, 3) + g))  # fmt: skip
relation("channel_window_sum", "the whole window is a sum over channels", _images,
         lambda x, g: (o.channel_window_sum(x, 1, 1) * g,
                       o.sum(x, 1, True) * g), exact=True)  # fmt: skip
relation("local_response_norm", "with α = 0 it is x/k^β", _images,
         lambda x, g: (o.local_response_norm(x * g, 3, 0.0, 0.75, 2.0),
                       x * g / 2.0**0.75))  # fmt: skip
relation("rms_norm", "of centred values = layer norm", lambda draw: sample(draw.normal((3, 4))),
         lambda x: (o.rms_norm(x - o.mean(x, 1, True), 4), o.layer_norm(x, 4)))  # fmt: skip


def _with_own_statistics(x: Any) -> Any:
    mean, var = o.mean(x, (0, 2)), o.var(x, (0, 2))
    return TABLE["batch_norm_inference"](x, mean, var, None, None, shape=(1, 2, 1), eps=1e-5)


relation("dropout", "dropout(x) = x·dropout(1), from one seed", lambda draw: sample(
    draw.normal((3, 4)), seed=draw.integer(0, 99), p=0.5, shape=(3, 4)),
    lambda x, **options: (TABLE["dropout"](x, **options), x * TABLE["dropout"](
        np.ones((3, 4)), **options)), exact=True)  # fmt: skip

# shapes and indices

_matrix = lambda draw: sample(draw.normal((3, 4)))
_cube = lambda draw: sample(draw.normal((2, 3, 4)))
_same = lambda x: o.identity(x)
relation("reshape", "there and back", _cube, lambda x: (o.reshape(o.reshape(x, (4, 6)), x.shape),
                                                        _same(x)), exact=True)  # fmt: skip
relation("transpose", "an order and its inverse", _cube, lambda x: (
    o.transpose(o.transpose(x, (2, 0, 1)), (1, 2, 0)), _same(x)), exact=True)  # fmt: skip
relation("flip", "twice is nothing", _cube, lambda x: (o.flip(o.flip(x, (0, 2)), (0, 2)), _same(x)),
         exact=True)  # fmt: skip
relation("pad", "what was put around can be cut off", _matrix, lambda x: (
    o.pad(x, ((1, 2), (0, 3)))[1:4, :4], _same(x)), exact=True)  # fmt: skip
relation("concatenate", "what was joined can be split", _matrix, lambda x: (
    o.concatenate([*o.split(o.concatenate([x, 2.0 * x], 1), 2, 1)], 0),
    o.concatenate([x, x * 2.0], 0)), exact=True)  # fmt: skip
relation("getitem", "= the entries taken one by one", _matrix, lambda x: (
    x[np.array([2, 0, 2])], o.stack([x[2], x[0], x[2]], 0)), exact=True)  # fmt: skip
relation("scatter_add", "= the vjp of getitem", _matrix, lambda x: _scattered_back(x), exact=True)
relation("index_set", "read back, it is there", lambda draw: sample(
    draw.normal((4, 3)), draw.normal((2, 3))),
    lambda x, y: (o.index_set(x, np.array([3, 1]), y),
                  o.stack([x[0], y[1], x[2], y[0]], 0)), exact=True)  # fmt: skip
relation("take_along_axis", "= a product with rows of the unit matrix", _matrix,
         lambda x: _by_unit_rows(x), exact=True)  # fmt: skip
relation("put_along_axis", "= the vjp of take_along_axis", _matrix, lambda x: _put_back(x),
         exact=True)  # fmt: skip

_PLACES = np.array([[1, 0, 1, 3], [2, 2, 2, 0], [3, 1, 0, 2]])


def _scattered_back(x: Any) -> tuple[Any, Any]:
    index = np.array([2, 0, 2])
    return o.scatter_add(x, index, (4, 4)), vjp(
        lambda z: z[index], np.zeros((4, 4)) + 0.0 * o.sum(x))[1](x)[0]  # fmt: skip


def _by_unit_rows(x: Any) -> tuple[Any, Any]:
    return o.take_along_axis(x, _PLACES, 1), o.einsum("ij,ikj->ik", x, np.eye(4)[_PLACES])


def _put_back(x: Any) -> tuple[Any, Any]:
    return o.put_along_axis(x, _PLACES, 1, 4), vjp(
        lambda z: o.take_along_axis(z, _PLACES, 1), 0.0 * x)[1](x)[0]  # fmt: skip


# products and linear algebra

_product = lambda draw: sample(draw.normal((2, 3)), draw.normal((3, 4)))
relation("matmul", "(xy)ᵀ = yᵀxᵀ", _product,
         lambda x, y: (o.transpose(x @ y), o.transpose(y) @ o.transpose(x)),
         exact=True)  # fmt: skip
relation("matmul", "= a sum of outer products", _product, lambda x, y: (
    x @ y, o.outer(x[:, 0], y[0]) + o.outer(x[:, 1], y[1]) + o.outer(x[:, 2], y[2])),
    exact=True)  # fmt: skip
relation("linear", "= x·wᵀ + b", lambda draw: sample(draw.normal((2, 3)), draw.normal((4, 3)),
                                                     draw.normal((4,))),
         lambda x, w, b: (o.linear(x, w, b), x @ o.transpose(w) + b), exact=True)  # fmt: skip
relation("einsum", "ij,jk->ik is matmul", _product,
         lambda x, y: (o.einsum("ij,jk->ik", x, y), x @ y), exact=True)  # fmt: skip


def _regular(draw: Draw) -> Sample:
    return sample(*(0.3 * draw.normal((3, 3)) + c * np.eye(3) for c in (2.0, 1.0)))


def _gram(x: Any) -> Any:
    return o.matmul(x, o.swapaxes(x, -1, -2))


relation("solve", "a·solve(a, b) = b", _regular,
         lambda a, b: (a @ o.solve(a, b), b + 0.0 * a))  # fmt: skip
relation("inv", "(ab)⁻¹ = b⁻¹a⁻¹", _regular, lambda a, b: (o.inv(a @ b), o.inv(b) @ o.inv(a)))
relation("det", "det ab = det a·det b", _regular, lambda a, b: (o.det(a @ b), o.det(a) * o.det(b)))
relation("slogdet", "= ln|det|", _regular, lambda a, b: (o.slogdet(a @ b)[1],
                                                         o.log(o.abs(o.det(a @ b)))))  # fmt: skip
relation("cholesky", "L·Lᵀ is the matrix", _regular,
         lambda a, b: (_gram(o.cholesky(_gram(a))) + b, _gram(a) + b))  # fmt: skip
relation("eigh", "V·diag(w)·Vᵀ is the matrix", lambda draw: RECORDS["eigh"].make(draw),
         lambda x, tolerance: _rebuilt(x))  # fmt: skip
relation("norm", "‖x‖₂² = Σx²", _matrix, lambda x: (o.norm(x, 2, 1) ** 2, o.sum(x * x, 1)))
relation("norm", "‖cx‖ = |c|·‖x‖", _matrix, lambda x: (o.norm(-2.0 * x, 3, 1),
                                                       2.0 * o.norm(x, 3, 1)))  # fmt: skip
relation("trace", "= the sum of the diagonal", _matrix,
         lambda x: (o.trace(x), o.sum(x * np.eye(3, 4))), exact=True)  # fmt: skip
relation("kron", "of rows = their outer product", lambda draw: sample(
    draw.normal((3,)), draw.normal((2,))),
    lambda x, y: (o.kron(x, y), o.reshape(o.outer(x, y), (-1,))), exact=True)  # fmt: skip
relation("convolve", "with the filter turned it is conv2d", lambda draw: sample(
    draw.normal((4, 5)), draw.normal((2, 3))),
    lambda x, w: (o.convolve(x, w, "valid"), o.conv2d(
        o.reshape(x, (1, 1, 4, 5)), o.reshape(o.flip(w), (1, 1, 2, 3)))[0, 0]),
    exact=True)  # fmt: skip


def _rebuilt(x: Any) -> tuple[Any, Any]:
    symmetric = (x + o.swapaxes(x, -1, -2)) * 0.5
    values, vectors = o.eigh(symmetric)
    spread = vectors * o.expand_dims(values, -2)
    return o.matmul(spread, o.swapaxes(vectors, -1, -2)), symmetric
