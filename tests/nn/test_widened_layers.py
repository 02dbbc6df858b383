"""Layers of the wider table: what they compute, what they learn, what they keep."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import ShapeError


def normal(seed, *shape):
    return ag.tensor(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize(
    "layer, function, shape",
    [
        (nn.SiLU(), ag.silu, (3,)),
        (nn.Mish(), ag.mish, (3,)),
        (nn.Hardswish(), ag.hardswish, (3,)),
        (nn.Hardtanh(-0.5, 2.0), lambda x: ag.clip(x, -0.5, 2.0), (3,)),
        (nn.ReLU6(), lambda x: ag.clip(x, 0, 6), (3,)),
        (nn.PReLU(2), lambda x: ag.leaky_relu(x, 0.25), (1, 2, 3)),
        (nn.Upsample(scale_factor=2), lambda x: ag.interpolate(x, (4, 6)), (1, 1, 2, 3)),
        (nn.Unfold(2, stride=2), lambda x: ag.unfold(x, 2, 1, 0, 2), (1, 2, 4, 4)),
        (nn.Fold(4, 2, stride=2), lambda x: ag.fold(x, 4, 2, 1, 0, 2), (1, 8, 4)),
        (nn.LPPool2d(2, 2), lambda x: ag.lp_pool2d(x, 2, 2), (1, 1, 4, 4)),
        (nn.AdaptiveMaxPool3d(1), lambda x: ag.max(x, (2, 3, 4), True), (1, 2, 2, 3, 2)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers_compute_their_function(layer, function, shape):
    x = normal(0, *shape) * 4.0
    np.testing.assert_array_equal(layer(x).numpy(), function(x).numpy())
    assert repr(layer).startswith(type(layer).__name__)


@pytest.mark.parametrize("ndim", [1, 3])
def test_unpooling_layers_put_maxima_back(ndim):
    x = normal(1, 1, 2, *(4,) * ndim)
    y, places = getattr(nn, f"MaxPool{ndim}d")(2, return_indices=True)(x)
    back = getattr(nn, f"MaxUnpool{ndim}d")(2)(y, places).numpy()
    np.testing.assert_array_equal(back, np.where(back == 0, 0, x.numpy()))
    assert (back != 0).sum() == y.size


def test_sides_of_a_padding_are_left_right_top_bottom():
    x = ag.tensor(np.arange(1.0, 5.0).reshape(1, 1, 2, 2))
    padded = nn.ZeroPad2d((1, 0, 0, 2))(x).numpy()[0, 0]
    np.testing.assert_array_equal(padded, [[0, 1, 2], [0, 3, 4], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(nn.CircularPad2d((1, 0, 0, 0))(x).numpy()[0, 0, :, 0], [2, 4])
    np.testing.assert_array_equal(nn.ReflectionPad2d((1, 0, 0, 0))(x).numpy()[0, 0, :, 0], [2, 4])
    np.testing.assert_array_equal(nn.ReplicationPad2d((1, 0, 0, 0))(x).numpy()[0, 0, :, 0], [1, 3])
    np.testing.assert_array_equal(nn.ConstantPad2d((0, 0, 1, 0), 7.0)(x).numpy()[0, 0, 0], [7, 7])
    with pytest.raises(ShapeError, match="left, right, top, bottom"):
        nn.ZeroPad2d((1, 2))


@pytest.mark.parametrize(
    "loss, function",
    [
        (nn.HuberLoss("sum", 0.5), lambda x, y: ag.huber_loss(x, y, "sum", 0.5)),
        (nn.SmoothL1Loss("none", 0.5), lambda x, y: ag.smooth_l1_loss(x, y, "none", 0.5)),
        (nn.KLDivLoss("batchmean", True), lambda x, y: ag.kl_div(x, y, "batchmean", True)),
        (nn.HingeLoss(), ag.hinge_loss),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_losses_compute_their_function(loss, function):
    x, y = normal(0, 3, 2), normal(1, 3, 2)
    np.testing.assert_array_equal(loss(x, y).numpy(), function(x, y).numpy())


def test_a_margin_loss_keeps_its_weights_with_its_state():
    loss = nn.MultiMarginLoss(weight=[1.0, 2.0])
    assert list(loss.state_dict()) == ["weight"]
    assert float(loss(ag.tensor([[0.0, 0.5]]), [1])) == 0.5


def test_locally_connected_layers_learn_a_filter_for_every_unit():
    layer = nn.LocallyConnected2d(3, 4, (7, 5), 3, stride=2, padding=1, rng=0)
    units = 4 * 4 * 3
    assert sum(p.size for p in layer.parameters()) == units * (3 * 9 + 1)
    layer(ag.tensor(np.ones((2, 3, 7, 5), np.float32))).sum().backward()
    assert layer.weight.grad.shape == (4, 4, 3, 3, 3, 3)
    np.testing.assert_array_equal(layer.bias.grad.numpy(), np.full((4, 4, 3), 2.0))
    with pytest.raises(ShapeError, match="7×7"):
        layer(ag.tensor(np.ones((1, 3, 7, 7), np.float32)))


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(3, 2, rng=0), lambda: nn.Conv2d(3, 2, 2, rng=0)]
)
def test_a_layer_written_by_length_and_direction_computes_what_it_did(make):
    x = normal(0, 2, 3) if isinstance(make(), nn.Linear) else normal(0, 2, 3, 4, 4)
    layer = nn.WeightNorm(make())
    np.testing.assert_allclose(layer(x).numpy(), make()(x).numpy(), rtol=0, atol=1e-6)
    assert list(layer.state_dict()) == ["g", "v", "layer.bias"]
    layer(x).sum().backward()
    along = (layer.v.grad * layer.v).numpy().reshape(2, -1).sum(axis=1)
    np.testing.assert_allclose(along, 0.0, atol=1e-5)
    assert layer.g.grad.numpy().all() and layer.layer.bias.grad is not None
    with pytest.raises(AttributeError, match="kernel"):
        nn.WeightNorm(make(), "kernel")


def test_a_layer_divided_by_its_spectral_norm_comes_nearer_with_each_call_in_training():
    layer = nn.SpectralNorm(nn.Linear(6, 5, rng=0), rng=1)
    x = normal(0, 1, 6)
    norms = []
    for _ in range(30):
        layer(x)
        layer.eval()
        before = layer.u.numpy().copy()
        norms.append(np.linalg.norm(layer.weight().numpy(), 2))
        np.testing.assert_array_equal(layer.u.numpy(), before)
        layer.train()
    assert abs(norms[-1] - 1.0) < 1e-3 < abs(norms[0] - 1.0)
    layer(x).sum().backward()
    assert layer.original.grad is not None and list(layer.state_dict()) == [
        "original",
        "u",
        "layer.bias",
    ]


def test_channels_of_one_sample_are_normalised_apart():
    layer = nn.InstanceNorm2d(3, affine=True)
    assert [p.shape for p in layer.parameters()] == [(3,), (3,)]
    y = layer(normal(0, 2, 3, 4, 5) * 7.0 + 3.0).numpy()
    np.testing.assert_allclose(y.mean((2, 3)), 0.0, atol=1e-12)
    np.testing.assert_allclose(y.var((2, 3)), 1.0, rtol=1e-5)
    with pytest.raises(ShapeError, match="4 axes and 3 channels, got 2×3×4"):
        layer(normal(0, 2, 3, 4))
    with pytest.raises(ValueError, match="running statistics"):
        nn.InstanceNorm1d(3, track_running_stats=True)


def test_the_mean_square_after_rms_norm_is_one():
    y = nn.RMSNorm((3, 4))(normal(1, 5, 3, 4) * 9.0).numpy()
    np.testing.assert_allclose((y**2).mean((1, 2)), 1.0, rtol=1e-12)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_convolution_that_goes_round_commutes_with_rolling(ndim):
    layer = getattr(nn, f"Conv{ndim}d")(2, 3, 3, padding="same", padding_mode="circular", rng=0)
    x = normal(2, 1, 2, *(5, 4, 3)[:ndim])
    rolled = ag.tensor(np.roll(x.numpy(), 2, 2))
    found, wanted = layer(rolled).numpy(), np.roll(layer(x).numpy(), 2, 2)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
