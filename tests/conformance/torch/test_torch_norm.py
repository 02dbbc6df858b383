"""Normalisation against PyTorch; third derivatives against its decomposition."""

import numpy as np
import pytest

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional
SHAPES = [(5, 3), (4, 3, 7), (3, 4, 5, 2), (2, 2, 3, 2, 3)]


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape) * 1.5 + 0.5


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_training(agree, shape, affine, eps):
    arrays = [normal(1, *shape)] + [normal(2, shape[1]), normal(3, shape[1])] * affine

    def ours(x, w=None, b=None):
        return ag.batch_norm(x, None, None, w, b, training=True, eps=eps)

    def theirs(x, w=None, b=None):
        return F.batch_norm(x, None, None, w, b, training=True, eps=eps)

    agree(ours, theirs, *arrays, rtol=1e-10)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_in_evaluation(agree, shape, affine):
    mean, var = normal(4, shape[1]), np.abs(normal(5, shape[1])) + 0.5
    arrays = [normal(1, *shape)] + [normal(2, shape[1]), normal(3, shape[1])] * affine

    def ours(x, w=None, b=None):
        return ag.batch_norm(x, ag.tensor(mean), ag.tensor(var), w, b)

    def theirs(x, w=None, b=None):
        return F.batch_norm(x, torch.from_numpy(mean), torch.from_numpy(var), w, b)

    agree(ours, theirs, *arrays)


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_in_evaluation_is_differentiable_in_its_statistics(agree, affine):
    def decomposition(x, mean, var, *parameters):
        mean, var, *parameters = (p.reshape(-1, 1) for p in (mean, var, *parameters))
        unit = (x - mean) / torch.sqrt(var + 1e-5)
        return unit * parameters[0] + parameters[1] if parameters else unit

    arrays = [normal(1, 4, 3, 5), normal(2, 3), np.abs(normal(3, 3)) + 0.5]
    arrays += [normal(4, 3), normal(5, 3)] * affine
    agree(ag.batch_norm, decomposition, *arrays, order=3, rtol=1e-10)


@pytest.mark.parametrize("momentum", [0.1, 0.7, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_running_statistics(shape, momentum):
    ours = [ag.tensor(np.zeros(shape[1])), ag.tensor(np.ones(shape[1]))]
    theirs = [torch.zeros(shape[1]).double(), torch.ones(shape[1]).double()]
    for step in range(3):
        x = normal(step, *shape)
        ag.batch_norm(ag.tensor(x), *ours, training=True, momentum=momentum)
        F.batch_norm(torch.from_numpy(x), *theirs, training=True, momentum=momentum)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape, axes", [((4, 6), 1), ((2, 3, 5), 1), ((2, 3, 5), 2), ((3, 4), 2)])
def test_layer_norm(agree, shape, axes, affine):
    wanted = shape[-axes:]
    arrays = [normal(1, *shape)] + [normal(2, *wanted), normal(3, *wanted)] * affine
    agree(
        lambda x, *p: ag.layer_norm(x, wanted, *p),
        lambda x, *p: F.layer_norm(x, wanted, *p),
        *arrays, rtol=1e-10,
    )  # fmt: skip


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm(agree, groups, affine):
    arrays = [normal(1, 2, 6, 3, 4)] + [normal(2, 6), normal(3, 6)] * affine
    agree(
        lambda x, *p: ag.group_norm(x, groups, *p),
        lambda x, *p: F.group_norm(x, groups, *p),
        *arrays, rtol=1e-10,
    )  # fmt: skip


def test_instance_norm(agree):
    agree(
        lambda x, w, b: ag.instance_norm(x, w, b),
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        normal(1, 2, 3, 4, 4), normal(2, 3), normal(3, 3), rtol=1e-10,
    )  # fmt: skip


@pytest.mark.parametrize("wanted", [(6,), (3, 6)])
def test_rms_norm(agree, wanted):
    agree(
        lambda x, w: ag.rms_norm(x, wanted, w),
        lambda x, w: F.rms_norm(x, wanted, w, 1e-5),
        normal(1, 2, 3, 6), normal(2, *wanted),
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 7, 3), (2, 7, 2, 3)])
def test_local_response_norm(agree, shape, size):
    alpha, beta, k = 0.3, 0.75, 2.0  # PyTorch divides α by the size
    agree(
        lambda x: ag.local_response_norm(x, size, alpha / size, beta, k),
        lambda x: F.local_response_norm(x, size, alpha, beta, k),
        normal(1, *shape),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["batch_norm", "layer_norm"])
def test_third_derivative_is_that_of_the_decomposition(kind):
    axes = (0, 2) if kind == "batch_norm" else (2,)
    shape = (3, 2, 4)
    x, w, b = normal(1, *shape), normal(2, shape[1]), normal(3, shape[1])
    if kind == "layer_norm":
        w, b = normal(2, shape[2]), normal(3, shape[2])

    def ours(x, w, b):
        if kind == "batch_norm":
            return ag.batch_norm(x, None, None, w, b, training=True)
        return ag.layer_norm(x, shape[-1], w, b)

    def theirs(x, w, b):
        view = (1, -1, 1) if kind == "batch_norm" else (1, 1, -1)
        centred = x - x.mean(axes, keepdim=True)
        variance = (centred * centred).mean(axes, keepdim=True)
        return centred / torch.sqrt(variance + 1e-5) * w.reshape(view) + b.reshape(view)

    mine = [ag.tensor(a, requires_grad=True) for a in (x, w, b)]
    other = [torch.from_numpy(a).requires_grad_() for a in (x, w, b)]
    # a cube, so that no derivative of the scalar is constant
    value, expected = (ours(*mine) ** 3).sum(), (theirs(*other) ** 3).sum()
    for order in range(3):
        found = ag.gradients(value, mine, create_graph=True)
        wanted = torch.autograd.grad(expected, other, create_graph=True)
        value, expected = 0.0, 0.0
        for place, (a, e) in enumerate(zip(found, wanted, strict=True)):
            scale = float(e.detach().abs().max())
            np.testing.assert_allclose(
                a.numpy(), e.detach().numpy(), rtol=0, atol=1e-11 * max(scale, 1.0),
                err_msg=f"order {order + 1}, input {place}",
            )  # fmt: skip
            direction = normal(10 * order + place, *a.shape)
            value = value + (a * direction).sum()
            expected = expected + (e * torch.from_numpy(direction)).sum()


@pytest.mark.parametrize("kind", ["batch_norm", "layer_norm"])
def test_single_precision_survives_a_large_mean(kind):
    x = (np.random.default_rng(0).standard_normal((64, 8)) + 1000.0).astype(np.float32)
    exact = torch.from_numpy(x.astype(np.float64))
    if kind == "batch_norm":
        y, expected = ag.batch_norm(ag.tensor(x), training=True), F.batch_norm(
            exact, None, None, training=True)  # fmt: skip
    else:
        y, expected = ag.layer_norm(ag.tensor(x), 8), F.layer_norm(exact, (8,))
    # x − mean is off by a few ulps of 1000, which is 6e-5; one-pass sums of x² would be off by 1
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), expected.numpy(), atol=1e-3)


@pytest.mark.parametrize("kind", ["batch_norm", "layer_norm"])
def test_half_precision_sums_in_single(kind):
    x = (normal(1, 512, 16) * 30).astype(np.float16)
    exact = torch.from_numpy(x.astype(np.float64))
    if kind == "batch_norm":
        y = ag.batch_norm(ag.tensor(x), training=True)
        expected = F.batch_norm(exact, None, None, training=True)
    else:
        y, expected = ag.layer_norm(ag.tensor(x), 16), F.layer_norm(exact, (16,))
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=2**-10, atol=2**-11)
