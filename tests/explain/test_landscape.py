import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.explain.landscape import filter_directions


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def linear():
    return nn.Linear(3, 2, rng=0).to("float64").eval()


def squared(outputs, labels):
    return ag.mean(outputs * outputs)


def test_a_quadratic_loss_is_a_parabola_whose_middle_is_the_loss_itself():
    model, x = linear(), draw(5, 3)
    found = explain.loss_landscape(model, x, np.zeros(5, int), loss=squared, points=7)
    with ag.no_grad():
        assert found.losses[3] == pytest.approx(
            float(squared(model(ag.tensor(x)), None)), rel=1e-12
        )
    thirds = np.diff(found.losses, 3)
    np.testing.assert_allclose(thirds, 0.0, atol=1e-12 * found.losses.max())
    assert np.diff(found.losses, 2).min() > 0


def test_filters_of_a_direction_have_the_norms_of_the_weights():
    weights = {"conv": draw(4, 2, 3, 3) * np.arange(4.0).reshape(4, 1, 1, 1), "bias": draw(4)}
    found = filter_directions(weights, np.random.default_rng(1))
    norms = [np.linalg.norm(found["conv"][n]) for n in range(4)]
    expected = [np.linalg.norm(weights["conv"][n]) for n in range(4)]
    np.testing.assert_allclose(norms, expected, rtol=1e-12)
    assert not found["bias"].any()


def test_two_directions_meet_in_the_network_that_stays_as_it_was():
    model, x, labels = linear(), draw(5, 3), [0, 1, 0, 1, 1]
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    found = explain.loss_landscape(model, x, labels, 2, points=5, seed=3)
    pieces = explain.loss_landscape(model, x, labels, 2, points=5, seed=3, max_bytes=1)
    assert found.losses.shape == (5, 5)
    with ag.no_grad():
        loss = float(ag.cross_entropy(model(ag.tensor(x)), ag.tensor(labels)))
    assert found.losses[2, 2] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(pieces.losses, found.losses, rtol=1e-12)
    one = explain.loss_landscape(model, x, labels, points=5, seed=3)
    np.testing.assert_allclose(found.losses[:, 2], one.losses, rtol=1e-12)
    assert all(np.array_equal(before[n], v.numpy()) for n, v in model.state_dict().items())


def test_the_picture_has_a_curve_or_contours():
    model, x, labels = linear(), draw(5, 3), [0, 1, 0, 1, 1]
    curve = explain.loss_landscape(model, x, labels, points=5).show()
    assert curve.lines[0].get_xdata().tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    contours = explain.loss_landscape(model, x, labels, 2, points=5).show()
    assert contours.lines[0].get_xydata().tolist() == [[0.0, 0.0]] and contours.collections


@pytest.mark.parametrize("options", [{"points": 4}, {"directions": 3}, {"reach": 0.0}])
def test_settings_out_of_range_are_named(options):
    with pytest.raises(ValueError, match="1 or 2 directions, an odd number of points"):
        explain.loss_landscape(linear(), draw(2, 3), [0, 1], **options)
