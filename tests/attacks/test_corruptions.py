"""Damage by its formula, at published severities, and the mean corruption error."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.attacks.corruptions import SEVERITIES
from autograd_cnn.attacks.filters import blurred, fog_layer, pixelated
from autograd_cnn.errors import DTypeError, ShapeError

GREY = np.full((2, 3, 64, 64), 0.5)


def photo(n=2, size=32, channels=3):
    return np.random.default_rng(0).uniform(size=(n, channels, size, size))


@pytest.mark.parametrize("table", SEVERITIES)
@pytest.mark.parametrize("kind", attacks.CORRUPTIONS)
def test_damage_grows_with_severity_and_stays_an_image(kind, table):
    x = photo()
    sizes = []
    for severity in range(1, 6):
        damaged = attacks.corrupt(x, kind, severity, table).numpy()
        assert damaged.shape == x.shape
        assert damaged.min() >= 0
        assert damaged.max() <= 1
        assert np.array_equal(damaged, attacks.corrupt(x, kind, severity, table).numpy())
        sizes.append(np.sqrt(((damaged - x) ** 2).mean()))
    assert sizes[0] > 0
    assert sizes[4] > sizes[0]
    assert np.diff(sizes).min() > -0.02


# on an even grey the four kinds of noise have a known standard deviation
NOISE = {
    "noise": 0.08,
    "speckle": 0.5 * 0.15,
    "shot": (0.5 / 60) ** 0.5,
    "impulse": (0.03 * 0.25) ** 0.5,
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_as_strong_as_published(kind):
    damaged = attacks.corrupt(GREY, kind, 1).numpy()
    assert damaged.mean() == pytest.approx(0.5, abs=0.005)
    assert damaged.std() == pytest.approx(NOISE[kind], rel=0.05)
    if kind == "impulse":
        assert set(np.unique(damaged)) == {0.0, 0.5, 1.0}


def test_another_seed_draws_another_noise():
    assert not np.array_equal(
        attacks.corrupt(GREY, "noise", seed=0).numpy(),
        attacks.corrupt(GREY, "noise", seed=1).numpy(),
    )


def test_brightness_raises_the_largest_channel_and_keeps_the_hue():
    x = np.array([0.2, 0.4, 0.1]).reshape(1, 3, 1, 1)
    raised = attacks.corrupt(x, "brightness", 2).numpy().ravel()
    np.testing.assert_allclose(raised, np.array([0.2, 0.4, 0.1]) * 0.6 / 0.4, rtol=1e-12)
    black = attacks.corrupt(x * 0, "brightness", 2).numpy().ravel()
    np.testing.assert_allclose(black, 0.2, rtol=1e-12)


def test_the_blur_of_a_point_is_a_gaussian():
    x = np.zeros((1, 1, 41, 41))
    x[0, 0, 20, 20] = 1.0
    spread = blurred(x, 2.0)[0, 0]
    assert spread.sum() == pytest.approx(1.0, rel=1e-12)
    places = np.arange(41) - 20
    assert (spread.sum(axis=0) * places**2).sum() == pytest.approx(4.0, rel=0.01)  # σ²
    np.testing.assert_allclose(spread, spread.T, atol=1e-15)
    np.testing.assert_allclose(spread, np.outer(spread.sum(1), spread.sum(0)), atol=1e-15)


def test_a_constant_image_survives_blur_and_pixelation():
    for damaged in (blurred(GREY, 3.0), pixelated(GREY, 0.3)):
        np.testing.assert_allclose(damaged, 0.5, rtol=1e-12)


def test_pixelation_by_a_half_averages_blocks_of_four():
    x = np.random.default_rng(1).normal(size=(1, 1, 4, 6))
    blocks = x.reshape(1, 1, 2, 2, 3, 2).mean(axis=(3, 5))
    expected = blocks.repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_allclose(pixelated(x, 0.5), expected, rtol=1e-12)


def test_fog_is_smoother_with_more_decay_and_lies_over_the_whole_range():
    smooth, rough = (fog_layer((64, 64), decay, np.random.default_rng(0)) for decay in (3.0, 1.4))
    for layer in (smooth, rough):
        assert layer.shape == (64, 64)
        assert layer.min() == 0
        assert layer.max() == 1
    step = lambda layer: np.abs(np.diff(layer, axis=0)).mean()
    assert step(smooth) < 0.5 * step(rough)
    assert fog_layer((5, 9), 2.0, np.random.default_rng(0)).shape == (5, 9)


def test_the_mean_corruption_error_is_its_formula():
    errors = {"noise": np.array([0.1, 0.2, 0.3, 0.4, 0.5]), "fog": np.full(5, 0.2)}
    assert attacks.mean_corruption_error(errors) == pytest.approx((0.3 + 0.2) / 2)
    reference = {"noise": np.full(5, 0.6), "fog": np.full(5, 0.1)}
    # (Σ 1.5/Σ 3.0 + Σ 1.0/Σ 0.5)/2
    assert attacks.mean_corruption_error(errors, reference) == pytest.approx((0.5 + 2.0) / 2)
    assert attacks.mean_corruption_error(errors, errors) == pytest.approx(1.0)


def test_errors_of_a_model_that_counts_bright_pixels():
    model = lambda x: ag.stack([ag.mean(x, (1, 2, 3)), ag.mean(x, (1, 2, 3)) * 0 + 0.55], 1)
    x, labels = GREY[:2].astype(np.float32), np.array([1, 1])  # 0.5 < 0.55: dark
    errors = attacks.corruption_errors(model, x, labels, ["brightness", "contrast"])
    assert errors["brightness"].tolist() == [1.0] * 5  # at least 0.6
    assert errors["contrast"].tolist() == [0.0] * 5  # the mean stays


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: attacks.corrupt(GREY, "rain"), ValueError, "rain"),
        (lambda: attacks.corrupt(GREY, "fog", table="mnist"), ValueError, "mnist"),
        (lambda: attacks.corrupt(GREY, "fog", 0), ValueError, "got 0"),
        (lambda: attacks.corrupt(2 * GREY + 1, "fog"), ValueError, "2 … 2"),
        (lambda: attacks.corrupt(GREY[0], "fog"), ShapeError, "3×64×64"),
        (lambda: attacks.corrupt(GREY.astype(int), "fog"), DTypeError, "int64"),
        (lambda: attacks.mean_corruption_error({}), ValueError, "no errors"),
        (lambda: attacks.mean_corruption_error({"fog": 1}, {"noise": 1}), ValueError, "noise"),
        (lambda: attacks.mean_corruption_error({"fog": 1}, {"fog": 0}), ValueError, "nothing"),
    ],
)
def test_mistakes_are_named(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()
