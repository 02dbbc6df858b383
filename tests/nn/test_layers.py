"""Layers: the exact numbers of the lectures, and the laws that layers keep."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import ShapeError
from autograd_cnn.models import LeNet5, resnet20


def count(model, buffers=False):
    total = sum(parameter.size for parameter in model.parameters())
    running = [b for name, b in model.named_buffers() if "running" in name]
    return total + (sum(b.size for b in running) if buffers else 0)


def test_parameter_counts_of_the_lectures():
    dense = nn.Sequential(nn.Flatten(), nn.Linear(96 * 96, 100), nn.ReLU(), nn.Linear(100, 10))
    assert count(dense) == 922_710
    one_layer = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding="same"), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 28 * 28, 10)
    )
    assert count(one_layer) == 251_210
    valid = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 100), nn.Linear(100, 10),
    )  # fmt: skip
    assert count(valid) == 42_050
    normalised = [
        layer
        for n_in, n_out, pool in ((1, 8, 0), (8, 8, 1), (8, 16, 0), (16, 16, 1))
        for layer in (
            nn.Conv2d(n_in, n_out, 3, padding="same"), nn.BatchNorm2d(n_out), nn.ReLU(),
            *([nn.MaxPool2d(2)] * pool),
        )
    ]  # fmt: skip
    model = nn.Sequential(
        *normalised, nn.Flatten(), nn.Linear(784, 40), nn.BatchNorm1d(40), nn.Linear(40, 10)
    )
    assert count(model, buffers=True) == 36_314
    assert model(ag.tensor(np.random.default_rng(0).random((2, 1, 28, 28)))).shape == (2, 10)


def test_parameter_counts_of_the_networks():
    assert count(LeNet5()) == 61_706  # 156 + 2,416 + 48,120 + 10,164 + 850
    assert count(resnet20()) == 269_722
    weighted = [m for m in resnet20().modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == 20


def test_alexnets_first_layer():
    layer = nn.Conv2d(3, 96, 11, stride=4)
    assert count(layer) == 34_944 and layer.weight[0].size + 1 == 364
    assert layer(ag.tensor(np.zeros((1, 3, 227, 227), np.float32))).size == 290_400


def test_a_residual_block_of_zero_weights_is_the_identity_and_passes_the_gradient():
    body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1))
    body.apply(lambda m: [nn.init.zeros(p) for p in vars(m).values() if isinstance(p, ag.Tensor)])
    rng = np.random.default_rng(0)
    x = ag.tensor(rng.standard_normal((2, 3, 5, 5)), requires_grad=True)
    y = nn.Residual(body)(x)
    np.testing.assert_array_equal(y, x)
    g = rng.standard_normal(x.shape)
    y.backward(g)
    np.testing.assert_array_equal(x.grad, g)


def test_a_residual_with_a_shortcut_adds_it():
    double = nn.Residual(nn.Identity(), nn.Identity())
    assert double(ag.tensor([3.0])).tolist() == [6.0]


def test_batch_norm_with_gamma_std_and_beta_mean_is_the_identity():
    x = np.random.default_rng(0).standard_normal((8, 3, 4, 4)) * 5 + 2
    layer = nn.BatchNorm2d(3, eps=0.0).to("float64")
    layer.weight.assign(x.std((0, 2, 3)))
    layer.bias.assign(x.mean((0, 2, 3)))
    np.testing.assert_allclose(layer(ag.tensor(x)), x, rtol=0, atol=1e-13)


def test_batch_norm_divides_by_the_root_of_variance_plus_eps():
    """Not by std + eps: with variance 1 and eps 3 the divisor is 2, not 4."""
    x = np.array([[-1.0], [1.0]])
    y = nn.BatchNorm1d(1, eps=3.0).to("float64")(ag.tensor(x))
    np.testing.assert_allclose(y, x / 2)


def test_batch_norms_running_statistics():
    x = np.array([[1.0], [3.0]], np.float32)  # mean 2, unbiased variance 2
    layer = nn.BatchNorm1d(1, momentum=0.5)
    layer(ag.tensor(x))
    assert float(layer.running_mean) == 1.0 and float(layer.running_var) == pytest.approx(1.5, 1e-5)
    cumulative = nn.BatchNorm1d(1, momentum=None)
    for shift in (0.0, 1.0, 5.0):
        cumulative(ag.tensor(x + np.float32(shift)))
    assert float(cumulative.running_mean) == pytest.approx(4.0)
    assert int(cumulative.num_batches_tracked) == 3
    cumulative.eval()(ag.tensor(x))
    assert int(cumulative.num_batches_tracked) == 3


def test_layer_norm_is_the_same_in_training_and_evaluation():
    x = ag.tensor(np.random.default_rng(0).standard_normal((4, 6)))
    layer = nn.LayerNorm(6)
    np.testing.assert_array_equal(layer(x), layer.eval()(x))
    np.testing.assert_allclose(layer(x).numpy().mean(1), 0, atol=1e-7)


def test_the_mean_over_all_dropout_masks():
    """p = .5, y = w0·x + w1·y over the four masks: half the sum, before scaling by 1/(1 − p)."""
    layer, terms = nn.Dropout(0.5, rng=0), np.array([0.3, -0.7])
    masks = set()
    total = np.zeros(2)
    while len(masks) < 4:
        mask = tuple(layer(ag.tensor(np.ones(2))).numpy() > 0)
        if mask not in masks:
            masks.add(mask)
            total += mask * terms
    assert total.sum() / 4 == pytest.approx(0.5 * terms.sum(), abs=1e-15)


def test_dropout_keeps_the_mean_and_does_nothing_in_evaluation():
    layer, x = nn.Dropout(0.3, rng=0), ag.tensor(np.ones(40_000, np.float32))
    y = layer(x).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / np.float32(0.7))}
    # five standard deviations of the mean of 40,000 entries
    assert abs(y.mean() - 1.0) < 5 * np.sqrt(0.3 / 0.7 / 40_000)
    assert layer.eval()(x) is x


def test_dropout2d_drops_whole_channels():
    y = nn.Dropout2d(0.5, rng=0)(ag.tensor(np.ones((8, 8, 3, 3)))).numpy()
    assert (y == y[:, :, :1, :1]).all() and set(np.unique(y)) == {0.0, 2.0}


def test_a_seeded_dropout_repeats_its_sequence_but_not_its_mask():
    x = ag.tensor(np.ones(100))
    first, second = nn.Dropout(rng=7), nn.Dropout(rng=7)
    a, b = first(x).numpy(), first(x).numpy()
    assert (a != b).any()
    np.testing.assert_array_equal(second(x), a)
    np.testing.assert_array_equal(second(x), b)


def test_unpooling_puts_the_maxima_back():
    x = ag.tensor([[[[2.0, 4, 8, 3], [9, 3, 4, 2], [5, 4, 6, 3], [2, 3, 1, 3]]]])
    y, places = nn.MaxPool2d(2, return_indices=True)(x)
    assert nn.MaxUnpool2d(2)(y, places).tolist() == [
        [[[0, 0, 8, 0], [9, 0, 0, 0], [5, 0, 6, 0], [0, 0, 0, 0]]]
    ]


def test_self_normalising_layers_keep_mean_and_variance():
    rng = np.random.default_rng(0)
    x = ag.tensor(rng.standard_normal((500, 200), dtype=np.float32))
    for _ in range(8):
        layer = nn.Linear(200, 200, bias=False)
        nn.init.lecun_normal(layer.weight, rng)
        x = nn.SELU()(layer(x))
    assert abs(x.numpy().mean()) < 0.1 and abs(x.numpy().var() - 1) < 0.2


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: nn.Conv2d(3, 8, 3, groups=2), ShapeError, "groups=2 must divide in_channels=3"),
        (lambda: nn.Conv2d(3, 8, 3, padding_mode="wrap"), ValueError, '"wrap"'),
        (lambda: nn.Conv2d(3, 8, (3, 3, 3)), ShapeError, "3 entries"),
        (lambda: nn.GroupNorm(3, 8), ShapeError, "3 groups do not divide 8"),
        (lambda: nn.Dropout(1.5), ValueError, "p = 1.5"),
        (lambda: nn.MSELoss("max"), ValueError, '"max"'),
        (lambda: nn.GELU("tanh"), ValueError, '"tanh"'),
        (lambda: nn.BatchNorm2d(3)(ag.tensor(np.ones((2, 3)))), ShapeError, "4 axes, got 2×3"),
        (lambda: nn.Linear(3, 2)(ag.tensor(np.ones((2, 4)))), ShapeError, "ends in 4"),
    ],
)
def test_errors_show_the_numbers(build, error, message):
    with pytest.raises(error, match=message):
        build()
