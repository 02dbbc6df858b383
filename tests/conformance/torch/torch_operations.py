"""One record for each convolution, pooling, normalisation, loss and activation: ours and PyTorch's.

A record draws options and arrays from Hypothesis's `data` and gives (ours, theirs, arrays). Where
PyTorch has no such function, or its derivatives are known to be wrong, `theirs` is the definition.
"""

from functools import partial

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch_geometry import geometries, pools

import autograd_cnn as ag

F = torch.nn.functional
REDUCTIONS = st.sampled_from(["mean", "sum", "none"])
EVERY = {}
"""name of our function → its record"""


def record(*names):
    """Add a record under its names, which it is given first."""

    def add(make):
        EVERY.update({name: partial(make, name) for name in names})
        return make

    return add


def normal(data, *shape):
    return np.random.default_rng(data.draw(st.integers(0, 999))).standard_normal(shape)


def apart(data, *shape):
    """Entries in random order, none near another or near 0: no kink is met."""
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    order = rng.permutation(int(np.prod(shape))) - np.prod(shape) // 2
    return ((order + rng.uniform(0.3, 0.7, order.shape)) * 0.1).reshape(shape)


def both(name, **options):
    """Our function and PyTorch's of the same name, with the same options."""
    return partial(getattr(ag, name), **options), partial(getattr(F, name), **options)


def dimensions(name):
    return int(name[-2])


def shapes(data, least=1):
    return tuple(data.draw(st.lists(st.integers(1, 4), min_size=least, max_size=3)))


# convolution


@record("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def convolution(name, data):
    ndim, turned = dimensions(name), "transpose" in name
    options, x, w = data.draw(geometries(ndim, turned))
    bias = w[1] * options["groups"] if turned else w[0]
    return *both(name, **options), [normal(data, *shape) for shape in (x, w, (bias,))]


@record("locally_connected1d", "locally_connected2d")
def locally_connected(name, data):
    ndim = dimensions(name)
    options, x, w = data.draw(geometries(ndim))
    del options["groups"]
    inputs = (x[1], *w[2:])
    wide = (
        (*(1,) * (2 - ndim), *x[2:]),
        {
            key: (*((0,) if key == "padding" else (1,)) * (2 - ndim), *value)
            for key, value in options.items()
        },
    )
    unfold = lambda v: F.unfold(
        v.reshape(*x[:2], *wide[0]), (*(1,) * (2 - ndim), *w[2:]), **wide[1]
    )
    places = unfold(torch.zeros(x)).shape[-1]
    out = getattr(torch, f"conv{ndim}d")(torch.zeros(x), torch.zeros(1, *inputs), **options).shape
    units = (w[0], *out[2:])

    def theirs(x, w, b):
        filters = w.reshape(units[0], places, -1)
        return torch.einsum("nkl,olk->nol", unfold(x), filters).reshape(len(x), *units) + b

    arrays = [normal(data, *shape) for shape in (x, (*units, *inputs), units)]
    return partial(getattr(ag, name), **options), theirs, arrays


@record("unfold", "fold")
def columns(name, data):
    options, x, w = data.draw(geometries(2))
    del options["groups"]
    options["kernel_size"] = w[2:]
    if name == "unfold":
        return *both(name, **options), [normal(data, *x)]
    rows = F.unfold(torch.zeros(x), **options).shape
    return *both(name, output_size=x[2:], **options), [normal(data, *rows)]


@record("convolve")
def turned_filter(name, data):
    ndim = data.draw(st.integers(1, 3))
    x, w = ([data.draw(st.integers(1, 4)) for _ in range(ndim)] for _ in range(2))

    def theirs(x, w):
        padding = tuple(n - 1 for n in w.shape)
        return getattr(F, f"conv{ndim}d")(x[None, None], w.flip(*range(ndim))[None, None],
                                          padding=padding)[0, 0]  # fmt: skip

    return ag.convolve, theirs, [normal(data, *x), normal(data, *w)]


@record("linear")
def fully_connected(name, data):
    *lead, inputs = shapes(data)
    outputs = data.draw(st.integers(1, 4))
    arrays = [(*lead, inputs), (outputs, inputs), (outputs,)]
    return *both(name), [normal(data, *shape) for shape in arrays]


# pooling


@record("max_pool1d", "max_pool2d", "max_pool3d")
def maximum(name, data):
    options, x = data.draw(pools(dimensions(name), dilated=True))
    array = apart(data, *x)
    # where a dilated window has no tap inside, PyTorch's gradient writes outside its memory
    assume(torch.isfinite(getattr(F, name)(torch.from_numpy(array), **options)).all())
    return *both(name, **options), [array]


@record("avg_pool1d", "avg_pool2d", "avg_pool3d")
def average(name, data):
    options, x = data.draw(pools(dimensions(name), dilated=False))
    options["count_include_pad"] = data.draw(st.booleans())
    # PyTorch's gradient in 3-D refuses a kernel larger than the image, padded or not
    fits = all(n >= k for n, k in zip(x[2:], options["kernel_size"], strict=True))
    assume(fits or name != "avg_pool3d")
    return *both(name, **options), [normal(data, *x)]


@record("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
        "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")  # fmt: skip
def adaptive(name, data):
    size, out = ([data.draw(st.integers(1, 6)) for _ in range(dimensions(name))] for _ in range(2))
    return *both(name, output_size=out), [apart(data, 2, 2, *size)]


@record("global_avg_pool")
def global_average(name, data):
    size = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 3)))]
    return ag.global_avg_pool, lambda x: x.flatten(2).mean(2), [normal(data, 2, 2, *size)]


@record("lp_pool1d", "lp_pool2d", "lp_pool3d")
def powers(name, data):
    options, x = data.draw(pools(dimensions(name), dilated=False))
    kernel, stride = options["kernel_size"], options["stride"]
    assume(all(n >= k for n, k in zip(x[2:], kernel, strict=True)))
    if name == "lp_pool1d":  # PyTorch's takes numbers
        kernel, stride = kernel[0], stride and stride[0]
    options = {"kernel_size": kernel, "stride": stride}
    # an odd power loses its sign in PyTorch, which leaves the absolute value out
    return *both(name, norm_type=data.draw(st.sampled_from([2, 4.0])), **options), [apart(data, *x)]


@record("max_unpool1d", "max_unpool2d", "max_unpool3d")
def unpooling(name, data):
    ndim = dimensions(name)
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(ndim))
    size = tuple(k * data.draw(st.integers(1, 2)) for k in kernel)

    def run(library):
        pool = getattr(library, f"max_pool{ndim}d")
        unpool = getattr(library, name)
        return lambda x: unpool(*pool(x, kernel, return_indices=True), kernel)

    return run(ag), run(F), [apart(data, 2, 1, *size)]


@record("interpolate")
def resized(name, data):
    ndim = data.draw(st.integers(1, 3))
    smooth = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}[ndim]
    mode = data.draw(st.sampled_from(["nearest", "nearest-exact", "area", *smooth]))
    options = {}
    if mode in smooth:
        options["align_corners"] = data.draw(st.booleans())
        options["antialias"] = (
            ndim == 2 and not options["align_corners"] and data.draw(st.booleans())
        )
    size, out = (tuple(data.draw(st.integers(1, 6)) for _ in range(ndim)) for _ in range(2))
    # for one column PyTorch's antialiased rows are all the first: 0 2 becomes 0 0 0, not 0 1 2
    assume(not options.get("antialias") or out[1] > 1)
    return *both(name, size=out, mode=mode, **options), [normal(data, 1, 2, *size)]


# normalisation


def parameters(data, *shape):
    return [normal(data, *shape) for _ in range(2)]


def batch(data, least=0):
    """N×C×…, with several values a channel."""
    return 3, 2, *(data.draw(st.integers(2, 3)) for _ in range(data.draw(st.integers(least, 3))))


def spread(data, *shape):
    """Entries of which no two that are normalised together are near: single precision suffices."""
    return 0.5 * normal(data, *shape) + np.resize([4.0, 0.0, -4.0], shape)


@record("batch_norm", "batch_norm in evaluation")
def batch_norm(name, data):
    x = batch(data)
    arrays = [spread(data, *x), *parameters(data, 2)]
    if name == "batch_norm":
        run = lambda function: lambda x, w, b: function(x, None, None, w, b, training=True)
        return run(ag.batch_norm), run(F.batch_norm), arrays
    mean, var = normal(data, 2), np.abs(normal(data, 2)) + 0.5

    def ours(x, w, b):
        return ag.batch_norm(x, mean.astype(x.dtype), var.astype(x.dtype), w, b)

    def theirs(x, w, b):
        return F.batch_norm(x, torch.from_numpy(mean), torch.from_numpy(var), w, b)

    return ours, theirs, arrays


@record("layer_norm", "rms_norm")
def last_axes(name, data):
    shape = data.draw(st.sampled_from([(4,), (3, 2)]))
    arrays = [spread(data, 2, 3, *shape), *parameters(data, *shape)]
    if name == "layer_norm":
        return *(lambda *a, f=f: f(a[0], shape, *a[1:]) for f in both(name)), arrays
    return *(lambda x, w, f=f: f(x, shape, w, 1e-5) for f in both(name)), arrays[:2]


@record("group_norm", "instance_norm")
def groups_of_channels(name, data):
    arrays = [spread(data, *batch(data, 1)), *parameters(data, 2)]
    if name == "group_norm":
        groups = data.draw(st.integers(1, 2))
        return *(lambda x, w, b, f=f: f(x, groups, w, b) for f in both(name)), arrays
    return *(lambda x, w, b, f=f: f(x, weight=w, bias=b) for f in both(name)), arrays


@record("local_response_norm", "channel_window_sum")
def neighbouring_channels(name, data):
    x = [normal(data, 2, data.draw(st.integers(1, 5)), 3)]
    before, after = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))

    def window_sum(x):
        padded = F.pad(x, (0, 0, before, after))
        return padded.unfold(1, before + after + 1, 1).sum(-1)

    if name == "channel_window_sum":
        return lambda x: ag.channel_window_sum(x, before, after), window_sum, x
    size = 2 * before + 1  # PyTorch divides alpha by the size
    ours = lambda x: ag.local_response_norm(x, size, 0.3 / size, 0.75, 2.0)
    return ours, lambda x: F.local_response_norm(x, size, 0.3, 0.75, 2.0), x


@record("weight_norm", "spectral_norm")
def weights(name, data):
    shape = data.draw(st.sampled_from([(3, 2), (3, 2, 2)]))
    v, u = normal(data, *shape), normal(data, 3)
    if name == "weight_norm":  # its fused second derivative fails PyTorch's own gradgradcheck
        length = lambda v: torch.linalg.vector_norm(v.flatten(1), 2, 1)
        scaled = lambda v, g: v * (g / length(v)).reshape(3, *(1,) * (v.ndim - 1))
        return ag.weight_norm, scaled, [v, np.abs(u) + 0.5]

    def theirs(w):  # σ = uᵀWv with u and v held fast
        matrix = w.detach().flatten(1)
        right = F.normalize(matrix.T @ torch.from_numpy(u), dim=0)
        left = F.normalize(matrix @ right, dim=0)
        return w / (left @ w.flatten(1) @ right)

    return lambda w: ag.spectral_norm(w, u.astype(w.dtype))[0], theirs, [v]


# losses


@record("mse_loss", "binary_cross_entropy_with_logits", "huber_loss", "smooth_l1_loss", "kl_div")
def of_two(name, data):
    shape = shapes(data)
    options = {"reduction": data.draw(REDUCTIONS)}
    options |= {"huber_loss": {"delta": 0.7}, "smooth_l1_loss": {"beta": 0.7}}.get(name, {})
    return *both(name, **options), [apart(data, *shape), np.exp(normal(data, *shape) - 3) + 0.01]


def reduced(losses, reduction):
    return losses if reduction == "none" else getattr(losses, reduction)()


@record("hinge_loss")
def hinge(name, data):
    reduction, shape = data.draw(REDUCTIONS), shapes(data)
    theirs = lambda x, y: reduced(torch.clamp(1 - y * x, min=0), reduction)
    arrays = [normal(data, *shape), normal(data, *shape)]
    return lambda x, y: ag.hinge_loss(x, y, reduction), theirs, arrays


@record("cross_entropy", "nll_loss")
def of_labels(name, data):
    shape = data.draw(st.sampled_from([(4, 3), (2, 3, 4), (2, 3, 2, 2)]))
    labels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(
        0, 3, shape[:1] + shape[2:]
    )
    labels.flat[0] = data.draw(st.sampled_from([-100, 1]))
    weight, reduction = np.array([0.5, 1.0, 2.0]), data.draw(REDUCTIONS)
    options = {"label_smoothing": 0.125} if name == "cross_entropy" else {}

    def ours(x):
        return getattr(ag, name)(x, labels, weight.astype(x.dtype), reduction=reduction, **options)

    lifted = torch.from_numpy(labels), torch.from_numpy(weight)
    theirs = lambda x: getattr(F, name)(x, *lifted, reduction=reduction, **options)
    return ours, theirs, [normal(data, *shape)]


@record("multi_margin_loss")
def margins(name, data):
    labels, p = np.array([1, 0, 2]), data.draw(st.sampled_from([1, 2]))
    reduction = data.draw(REDUCTIONS)

    def theirs(x):  # PyTorch's own has no second derivative
        right = x[torch.arange(3), torch.from_numpy(labels)][:, None]
        others = torch.ones(3, 4).double().scatter(1, torch.from_numpy(labels)[:, None], 0.0)
        terms = torch.clamp(0.7 - right + x, min=0) ** p
        return reduced((terms * others).sum(1) / 4, reduction)

    ours = lambda x: ag.multi_margin_loss(x, labels, p, 0.7, reduction=reduction)
    return ours, theirs, [normal(data, 3, 4)]


# activations


@record("relu", "selu", "gelu", "log_sigmoid", "silu", "mish", "hardswish", "relu6")
def activation(name, data):
    theirs = {"log_sigmoid": F.logsigmoid}.get(name) or getattr(F, name)
    return getattr(ag, name), theirs, [3.0 * normal(data, *shapes(data))]


@record("sigmoid", "tanh")
def squashed(name, data):
    return getattr(ag, name), getattr(torch, name), [2.0 * normal(data, *shapes(data))]


@record("leaky_relu", "elu", "hardtanh", "softplus", "softmax", "log_softmax")
def activation_with_options(name, data):
    x = [2.0 * normal(data, *shapes(data))]
    if name == "softplus":  # beyond its threshold PyTorch answers x itself
        return ag.softplus, partial(F.softplus, threshold=1e6), x
    if "softmax" in name:
        axis = data.draw(st.integers(0, x[0].ndim - 1))
        return partial(getattr(ag, name), axis=axis), partial(getattr(F, name), dim=axis), x
    options = {"leaky_relu": {"negative_slope": 0.25}, "elu": {"alpha": 1.5},
               "hardtanh": {"min_val": -0.7, "max_val": 1.3}}[name]  # fmt: skip
    return *both(name, **options), x


@record("prelu")
def learned_slope(name, data):
    return *both(name), [normal(data, 2, 3, 2), normal(data, data.draw(st.sampled_from([1, 3])))]
