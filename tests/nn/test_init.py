"""Initial weights: their variance, by a statistical test, and their seeds."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import ShapeError
from autograd_cnn.nn import init

SHAPE = (120, 50, 3, 5)  # n_in = 750, n_out = 1800
VARIANCE = {
    init.xavier_uniform: 2 / (750 + 1800),
    init.xavier_normal: 2 / (750 + 1800),
    init.he_uniform: 2 / 750,
    init.he_normal: 2 / 750,
    init.lecun_uniform: 1 / 750,
    init.lecun_normal: 1 / 750,
}


@pytest.mark.parametrize("method", VARIANCE, ids=lambda method: method.__name__)
def test_the_variance_is_the_published_one(method):
    """Within five standard deviations of the sample variance and of the sample mean."""
    values = method(SHAPE, rng=0).numpy().astype(np.float64).reshape(-1)
    variance, n = VARIANCE[method], values.size
    kurtosis = 1.8 if "uniform" in method.__name__ else 3.0
    assert abs(values.var() / variance - 1) < 5 * np.sqrt((kurtosis - 1) / n)
    assert abs(values.mean()) < 5 * np.sqrt(variance / n)
    bound = np.sqrt(3 * variance)
    largest = abs(values).max()
    assert largest <= bound * (1 + 1e-6) if kurtosis == 1.8 else largest > 1.5 * bound


def test_layers_start_uniform_on_one_over_the_root_of_n_in():
    layer = nn.Conv2d(8, 64, 5, groups=2, rng=0)
    bound = 1 / np.sqrt(4 * 25)
    assert 0.99 * bound < abs(layer.weight.numpy()).max() <= bound * (1 + 1e-6)
    assert abs(layer.bias.numpy()).max() <= bound * (1 + 1e-6)


def test_weight_and_bias_are_not_the_same_numbers():
    layer = nn.Linear(10, 10, rng=0)
    assert not np.isin(layer.bias.numpy(), layer.weight.numpy()).any()


def test_seeds():
    same = [init.he_normal((4, 4), rng=3).tolist() for _ in range(2)]
    assert same[0] == same[1] != init.he_normal((4, 4), rng=4).tolist()
    ag.seed(5)
    first = nn.Linear(3, 3).weight.tolist(), nn.Linear(3, 3).weight.tolist()
    ag.seed(5)
    second = nn.Linear(3, 3).weight.tolist(), nn.Linear(3, 3).weight.tolist()
    assert first == second and first[0] != first[1]
    rng = np.random.default_rng(0)
    assert nn.Linear(3, 3, rng=rng).weight.tolist() != nn.Linear(3, 3, rng=rng).weight.tolist()


def test_writing_into_a_parameter():
    parameter = nn.Parameter(np.ones((2, 3), np.float64))
    assert init.constant(parameter, 0.25) is parameter
    assert parameter.tolist() == [[0.25] * 3] * 2 and parameter.dtype == np.float64
    assert init.zeros((2,)).tolist() == [0, 0] and init.ones(2).tolist() == [1, 1]
    with pytest.raises(ShapeError, match="two axes"):
        init.he_normal((3,))
