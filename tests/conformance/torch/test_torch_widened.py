"""The wider table against PyTorch: scans, orders, linear algebra, windows, resampling, losses."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional
drawn = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 99)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def apart(seed, *shape):
    """Entries that are a tenth apart at least, none within a twentieth of 0."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    return ((rng.permutation(size) - size // 2 + 0.5) * 0.2 + rng.uniform(-0.05, 0.05)).reshape(
        shape
    )


# scans and orders


@drawn
@given(shapes, st.integers(0, 2), seeds)
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_scans(agree, name, shape, axis, seed):
    axis %= len(shape)
    x = normal(seed, *shape)
    agree(lambda x: getattr(ag, name)(x, axis), lambda x: getattr(torch, name)(x, axis), x)


@pytest.mark.parametrize("zeros", [(1,), (0, 3), (2, 3, 4)])
def test_cumulative_products_through_zeros(agree, zeros):
    x = normal(3, 2, 6)
    x[:, zeros] = 0.0
    agree(lambda x: ag.cumprod(x, 1), lambda x: torch.cumprod(x, 1), x)


def _recurrence(x, a):
    y = [x[0]]
    for k in range(1, len(x)):
        y.append(x[k] + a[k] * y[-1])
    return torch.stack(y)


def test_linear_recurrence(agree):
    agree(ag.linear_recurrence, _recurrence, normal(0, 5, 3), normal(1, 5, 3))


@drawn
@given(shapes, st.integers(0, 2), st.booleans(), seeds)
def test_sort(agree, shape, axis, descending, seed):
    axis %= len(shape)
    agree(
        lambda x: (ag.sort(x, axis, descending), ag.argsort(x, axis, descending)),
        lambda x: torch.sort(x, dim=axis, descending=descending, stable=True),
        apart(seed, *shape),
    )


@pytest.mark.parametrize("descending", [False, True])
def test_equal_entries_stay_as_they_stood(descending):
    x = np.random.default_rng(0).integers(0, 3, (4, 9)).astype(np.float64)
    x[1, 4] = np.nan
    expected = torch.argsort(torch.from_numpy(x), dim=1, descending=descending, stable=True)
    found = ag.argsort(ag.tensor(x), 1, descending)
    np.testing.assert_array_equal(found.numpy(), expected.numpy())


@drawn
@given(st.data(), shapes, seeds)
def test_gather_and_scatter_add(agree, data, shape, seed):
    axis = data.draw(st.integers(0, len(shape) - 1))
    part = [data.draw(st.integers(1, n)) for n in shape]
    part[axis] = data.draw(st.integers(1, 4))
    index = np.random.default_rng(seed).integers(0, shape[axis], part)
    source = normal(seed, *part)
    places = torch.from_numpy(index)
    x = normal(seed + 1, *shape)
    agree(lambda x: ag.gather(x, axis, index), lambda x: torch.gather(x, axis, places), x)
    agree(
        lambda x, v: ag.add_along_axis(x, index, v, axis),
        lambda x, v: torch.scatter_add(x, axis, places, v),
        x,
        source,
    )


# matrices


@pytest.mark.parametrize("offset", [-2, 0, 1, 3])
def test_parts_of_matrices(agree, offset):
    x = normal(0, 2, 4, 3)
    theirs = lambda x: torch.diagonal(x, offset, 1, 2)
    agree(lambda x: ag.diagonal(x, offset, 1, 2), theirs, x)
    agree(lambda x: ag.trace(x, offset, 1, 2), lambda x: theirs(x).sum(-1), x)
    agree(lambda x: ag.tril(x, offset), lambda x: torch.tril(x, offset), x)
    agree(lambda x: ag.triu(x, offset), lambda x: torch.triu(x, offset), x)


@pytest.mark.parametrize("first, second", [((2, 3), (3, 2)), ((2,), (2, 3)), ((2, 1, 3), (4,))])
def test_kronecker_product(agree, first, second):
    agree(ag.kron, torch.kron, normal(0, *first), normal(1, *second))


def test_outer_product(agree):
    agree(ag.outer, torch.outer, normal(0, 3), normal(1, 4))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("ord", [1, 2, 3, 2.5, float("inf"), -float("inf")])
def test_vector_norms(agree, ord, axis, keepdims):
    theirs = lambda x: torch.linalg.vector_norm(x, ord, axis, keepdims)
    agree(lambda x: ag.norm(x, ord, axis, keepdims), theirs, apart(1, 3, 4, 2))


@pytest.mark.parametrize("axis", [None, 0, (0, 2), (0, 1, 2)])
def test_norms_without_an_order(agree, axis):
    theirs = lambda x: torch.linalg.vector_norm(x, 2, axis)
    agree(lambda x: ag.norm(x, axis=axis), theirs, apart(1, 3, 4, 2))


@pytest.mark.parametrize("axis", [(1, 2), (2, 0), (-1, -2)])
@pytest.mark.parametrize("ord", ["fro", 1, -1, 2, float("inf"), -float("inf")])
def test_matrix_norms(agree, ord, axis):
    x = apart(2, 3, 4, 2) + normal(3, 3, 4, 2)
    agree(
        lambda x: ag.norm(x, ord, axis, True),
        lambda x: torch.linalg.matrix_norm(x, ord, axis, True),
        x,
        rtol=1e-9,
    )


def test_the_norm_of_zeros_has_the_gradient_zero(agree):
    x = normal(0, 3, 4)
    x[1] = 0.0
    agree(lambda x: ag.norm(x, axis=1), lambda x: torch.linalg.vector_norm(x, 2, 1), x, order=1)


def regular(seed, n, *batch):
    return normal(seed, *batch, n, n) + 3.0 * np.eye(n)


@drawn
@given(st.integers(1, 4), st.sampled_from([(), (2,), (2, 1)]), seeds)
@pytest.mark.parametrize("name", ["inv", "det", "slogdet"])
def test_square_matrices(agree, name, n, batch, seed):
    ours, theirs = getattr(ag, name), getattr(torch.linalg, name)
    x = regular(seed, n, *batch)
    assume(np.linalg.cond(x).max() < 50)
    if name == "slogdet":
        sign, expected = ours(ag.tensor(x))[0], theirs(torch.from_numpy(x))[0]
        np.testing.assert_array_equal(sign.numpy(), expected.numpy())
        agree(lambda x: ours(x).logabsdet, lambda x: theirs(x).logabsdet, x, rtol=1e-10)
    else:
        agree(ours, theirs, x, rtol=1e-10)


def test_determinants_of_singular_matrices(agree):
    x = normal(0, 3, 4, 4)
    x[0, 1] = 2.0 * x[0, 0]
    x[1, :, 2:] = 0.0

    def leibniz(x):
        total = 0.0
        for order in permutations(range(4)):
            sign = np.linalg.det(np.eye(4)[list(order)])
            total = total + sign * torch.stack([x[:, i, j] for i, j in enumerate(order)]).prod(0)
        return total

    agree(ag.det, leibniz, x, order=3)


@pytest.mark.parametrize("batch, other", [((), ()), ((2,), ()), ((2, 1), (3,))])
def test_solve(agree, batch, other):
    a, b = regular(0, 3, *batch), normal(1, *other, 3, 2)
    agree(ag.solve, torch.linalg.solve, a, b, rtol=1e-10)


def test_solve_for_a_vector(agree):
    agree(ag.solve, torch.linalg.solve, regular(0, 4), normal(1, 4), rtol=1e-10)


def symmetric(x):
    return (x + x.mT) / 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 4, 4)])
def test_cholesky(agree, shape):
    x = 0.3 * normal(0, *shape) + 3.0 * np.eye(shape[-1])
    agree(ag.cholesky, lambda x: torch.linalg.cholesky(symmetric(x)), x)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 4, 4)])
def test_eigenvalues_and_eigenvectors(agree, shape):
    x = 0.3 * normal(0, *shape) + np.diag(np.arange(shape[-1]) * 2.0)

    def both(eigh):  # squares, since the sign of an eigenvector is anyone's choice
        def run(x):
            values, vectors = eigh(x)
            return values, vectors * vectors

        return run

    agree(both(ag.eigh), both(lambda x: torch.linalg.eigh(symmetric(x))), x, rtol=1e-10)


# windows


@st.composite
def windows(draw, ndim=2):
    several = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(ndim))
    kernel, stride, dilation, padding = several(1, 3), several(1, 3), several(1, 2), several(0, 2)
    least = [
        max(1, (k - 1) * d + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    size = tuple(n + draw(st.integers(0, 4)) for n in least)
    options = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "padding": padding}
    return options, (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *size)


@drawn
@given(windows(), seeds)
def test_columns_of_windows(agree, geometry, seed):
    options, shape = geometry
    x = normal(seed, *shape)
    agree(lambda x: ag.unfold(x, **options), lambda x: F.unfold(x, **options), x)
    columns = F.unfold(torch.from_numpy(x), **options).numpy()
    size = shape[2:]
    agree(lambda y: ag.fold(y, size, **options), lambda y: F.fold(y, size, **options), columns)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=seeds)
def test_adaptive_maximum(agree, ndim, data, seed):
    size = tuple(data.draw(st.integers(1, 6)) for _ in range(ndim))
    out = tuple(data.draw(st.integers(1, 5)) for _ in range(ndim))
    ours = getattr(ag, f"adaptive_max_pool{ndim}d")
    theirs = getattr(F, f"adaptive_max_pool{ndim}d")
    agree(
        lambda x: ours(x, out, return_indices=True),
        lambda x: theirs(x, out, return_indices=True),
        normal(seed, 2, 2, *size),
    )


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("p", [2, 4.0])
@pytest.mark.parametrize("stride", [None, 1, 2])
def test_lp_pooling(agree, ndim, p, stride):
    ours, theirs = getattr(ag, f"lp_pool{ndim}d"), getattr(F, f"lp_pool{ndim}d")
    x = normal(5, 2, 2, *(5, 4, 4)[:ndim])
    agree(lambda x: ours(x, p, 2, stride), lambda x: theirs(x, p, 2, stride), x)


@pytest.mark.parametrize("ndim", [1, 3])
@pytest.mark.parametrize(
    "options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 3, "padding": 1}]
)
def test_unpooling(agree, ndim, options):
    def both(pool, unpool):
        def run(x):
            return unpool(*pool(x, return_indices=True, **options), **options)

        return run

    agree(
        both(getattr(ag, f"max_pool{ndim}d"), getattr(ag, f"max_unpool{ndim}d")),
        both(getattr(F, f"max_pool{ndim}d"), getattr(F, f"max_unpool{ndim}d")),
        normal(3, 2, 2, *(4, 4, 4)[:ndim]),
    )


def test_unpooling_to_a_given_size(agree):
    def ours(x):
        return ag.max_unpool1d(*ag.max_pool1d(x, 2, return_indices=True), 2, output_size=x.shape)

    def theirs(x):
        return F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2, output_size=x.shape[2:])

    agree(ours, theirs, normal(4, 2, 3, 7))


def test_locally_connected_is_a_convolution_with_weights_for_each_place(agree):
    x, w, b = normal(0, 2, 3, 6, 5), normal(1, 4, 3, 2, 3, 2, 3), normal(2, 4, 3, 2)

    def theirs(x, w, b):
        columns = F.unfold(x, (2, 3), padding=1, stride=(2, 3), dilation=(2, 1))
        y = torch.einsum("nkl,olk->nol", columns, w.reshape(4, 6, 18))
        return y.reshape(2, 4, 3, 2) + b

    options = {"padding": 1, "stride": (2, 3), "dilation": (2, 1)}
    agree(lambda x, w, b: ag.locally_connected2d(x, w, b, **options), theirs, x, w, b)


# padding and resampling


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=seeds)
def test_padding(agree, mode, ndim, data, seed):
    x = normal(seed, 1, 2, *(4, 3, 3)[:ndim])
    pairs = tuple(tuple(data.draw(st.integers(0, 2)) for _ in "ab") for _ in range(ndim))
    backwards = [n for pair in pairs[::-1] for n in pair]
    agree(
        lambda x: ag.pad(x, ((0, 0), (0, 0), *pairs), mode=mode),
        lambda x: F.pad(x, backwards, mode=mode),
        x,
    )


_MODES = {
    1: ("nearest", "linear"),
    2: ("nearest", "bilinear", "bicubic"),
    3: ("nearest", "trilinear"),
}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=seeds)
def test_resampling_to_a_size(agree, ndim, data, seed):
    x = normal(seed, 1, 2, *(data.draw(st.integers(1, 5)) for _ in range(ndim)))
    size = tuple(data.draw(st.integers(1, 7)) for _ in range(ndim))
    mode = data.draw(st.sampled_from(_MODES[ndim]))
    options = {} if mode == "nearest" else {"align_corners": data.draw(st.booleans())}
    agree(
        lambda x: ag.interpolate(x, size, mode=mode, **options),
        lambda x: F.interpolate(x, size, mode=mode, **options),
        x,
    )


@pytest.mark.parametrize("factor", [2, 0.5, 1.5, (3.0, 0.6), 2.3])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_resampling_by_a_factor(agree, mode, factor):
    options = {"scale_factor": factor, "mode": mode}
    agree(
        lambda x: ag.interpolate(x, **options),
        lambda x: F.interpolate(x, **options),
        normal(0, 1, 2, 4, 5),
    )


# activations and losses


@pytest.mark.parametrize("name", ["silu", "mish", "hardswish", "relu6", "hardtanh"])
def test_activations(agree, name):
    agree(getattr(ag, name), getattr(F, name), 3.0 * normal(0, 5, 7))


@pytest.mark.parametrize("name", ["hardswish", "relu6", "hardtanh"])
def test_activations_at_their_kinks(name):
    x = np.array([-3.0, -1.0, 0.0, 1.0, 3.0, 6.0])
    ours = ag.grad(lambda x: ag.sum(getattr(ag, name)(x)))(ag.tensor(x))
    theirs = torch.from_numpy(x).requires_grad_()
    getattr(F, name)(theirs).sum().backward()
    np.testing.assert_allclose(ours.numpy(), theirs.grad.numpy(), rtol=1e-15)


@pytest.mark.parametrize("count", [1, 3])
def test_prelu(agree, count):
    x, w = normal(0, 2, 3, 4), normal(1, count)
    agree(ag.prelu, F.prelu, x, w)
    x[0, 0, 0] = 0.0  # there the second derivative in x and w is anything from 0 to 1
    agree(ag.prelu, F.prelu, x, w, order=1)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("width", [1.0, 0.3])
def test_huber_and_smooth_l1(agree, reduction, width):
    x, y = normal(0, 4, 3), normal(1, 4, 3)
    agree(
        lambda x, y: ag.huber_loss(x, y, reduction, width),
        lambda x, y: F.huber_loss(x, y, reduction=reduction, delta=width),
        x,
        y,
    )
    agree(
        lambda x, y: ag.smooth_l1_loss(x, y, reduction, width),
        lambda x, y: F.smooth_l1_loss(x, y, reduction=reduction, beta=width),
        x,
        y,
    )
    agree(
        lambda x, y: ag.smooth_l1_loss(x, y, reduction, 0.0),
        lambda x, y: F.smooth_l1_loss(x, y, reduction=reduction, beta=0.0),
        x,
        y,
    )


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_divergence(agree, reduction, log_target):
    x, y = normal(0, 4, 3), normal(1, 4, 3)
    y = y if log_target else np.exp(y)
    agree(
        lambda x, y: ag.kl_div(x, y, reduction, log_target),
        lambda x, y: F.kl_div(x, y, reduction=reduction, log_target=log_target),
        x,
        y,
    )


def _multi_margin(x, labels, p, margin, w, reduction):
    """PyTorch's value and first derivative; its second derivative is not implemented."""
    return F.multi_margin_loss(x, torch.from_numpy(labels), p, margin, w, reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_multi_margin(agree, reduction, p, weighted):
    x, labels = normal(0, 5, 4), np.array([0, 3, 1, 1, 2])
    w = np.array([0.5, 1.0, 2.0, 1.5]) if weighted else None
    theirs = None if w is None else torch.from_numpy(w)
    agree(
        lambda x: ag.multi_margin_loss(x, labels, p, 0.7, w, reduction),
        lambda x: _multi_margin(x, labels, p, 0.7, theirs, reduction),
        x,
        order=1,
    )


@pytest.mark.parametrize("axis", [0, 1, None])
def test_weight_norm(agree, axis):
    v, g = normal(0, 3, 2, 2), normal(1, *{0: (3, 1, 1), 1: (1, 2, 1), None: ()}[axis])
    fused = lambda v, g: torch._weight_norm(v, g, -1 if axis is None else axis)
    agree(lambda v, g: ag.weight_norm(v, g, axis), fused, v, g, order=1)
    # its second derivative along axis 0 fails PyTorch's own gradgradcheck in 2.13: taken apart
    others = [i for i in range(3) if i != axis]
    apart = lambda v, g: v * (g / torch.linalg.vector_norm(v, 2, others, keepdim=True))
    agree(lambda v, g: ag.weight_norm(v, g, axis), apart, v, g)


def test_spectral_norm():
    layer = torch.nn.Linear(4, 3, bias=False, dtype=torch.float64)
    w, u = normal(0, 3, 4), normal(1, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(w))
    layer = torch.nn.utils.spectral_norm(layer)
    layer.weight_u = torch.from_numpy(u / np.linalg.norm(u))
    x = normal(2, 1, 4)
    layer(torch.from_numpy(x)).sum().backward()
    ours = ag.tensor(w, requires_grad=True)
    divided, after = ag.spectral_norm(ours, ag.tensor(u))
    ag.sum(ag.linear(ag.tensor(x), divided)).backward()
    np.testing.assert_allclose(after.numpy(), layer.weight_u.numpy(), rtol=1e-12)
    np.testing.assert_allclose(divided.numpy(), layer.weight.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.grad.numpy(), layer.weight_orig.grad.numpy(), atol=1e-12)
