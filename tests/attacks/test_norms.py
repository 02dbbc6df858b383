"""The balls: projections are the nearest points, starts are inside, steps are the steepest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.attacks import L0, L1, L2, Linf

BALLS = {"linf": (Linf(), np.inf), "l2": (L2(), 2), "l1": (L1(), 1)}
every_ball = pytest.mark.parametrize("name", BALLS)


def projected(norm, change, radius):
    x = ag.tensor(np.zeros_like(change))
    radii = ag.tensor(np.full((len(change), 1), radius))
    return norm.onto_ball(ag.tensor(change), x, radii).numpy()


values = st.floats(-3, 3, allow_subnormal=False).map(lambda v: round(v, 2))


@every_ball
@given(st.lists(values, min_size=1, max_size=9), st.floats(0.01, 4))
def test_a_projection_is_the_nearest_point_of_the_ball(name, change, radius):
    # p is the projection of v exactly when (v − p)·(z − p) ≤ 0 for all z of the ball, and the most
    # that (v − p)·z reaches there is the radius times the dual norm of v − p
    norm, order = BALLS[name]
    dual = {np.inf: 1, 2: 2, 1: np.inf}[order]
    v = np.array([change])
    p = projected(norm, v, radius)[0]
    assert np.linalg.norm(p, order) <= radius * (1 + 1e-12)
    beyond = v[0] - p
    assert radius * np.linalg.norm(beyond, dual) - beyond @ p <= 1e-9


@given(st.integers(0, 1000))
def test_the_projection_onto_the_l1_ball_agrees_with_a_search_for_theta(seed):
    draw = np.random.default_rng(seed)
    change, radius = draw.normal(size=(1, 12)), draw.uniform(0.1, 5)
    low, high = 0.0, np.abs(change).max()
    for _ in range(80):
        theta = (low + high) / 2
        over = np.maximum(np.abs(change) - theta, 0).sum() > radius
        low, high = (theta, high) if over else (low, theta)
    expected = np.sign(change) * np.maximum(np.abs(change) - high, 0)
    np.testing.assert_allclose(projected(L1(), change, radius), expected, atol=1e-12)


@every_ball
def test_radius_zero_leaves_nothing(name):
    change = np.random.default_rng(0).normal(size=(4, 6))
    assert (projected(BALLS[name][0], change, 0.0) == 0).all()


@every_ball
def test_starts_are_spread_over_the_ball(name):
    norm, order = BALLS[name]
    draw = np.random.default_rng(0)
    x, radius = ag.tensor(np.zeros((1, 3))), ag.tensor(np.array([[2.0]]))
    points = np.concatenate([norm.start(x, radius, draw).numpy() for _ in range(4000)])
    lengths = np.linalg.norm(points, order, axis=1)
    assert lengths.max() <= 2.0
    # uniform in a ball of three dimensions: the part within half the radius is 1/8
    assert abs((lengths < 1.0).mean() - 1 / 8) < 0.02
    assert np.abs(points.mean(axis=0)).max() < 0.05


@every_ball
def test_no_step_of_length_one_rises_faster(name):
    norm, order = BALLS[name]
    gradient = np.random.default_rng(1).normal(size=(5, 7))
    direction = norm.normalise(ag.tensor(gradient), None).numpy()
    np.testing.assert_allclose(np.linalg.norm(direction, order, axis=1), 1.0, rtol=1e-12)
    rise = (gradient * direction).sum(axis=1)
    np.testing.assert_allclose(rise, norm.dual(ag.tensor(gradient)), rtol=1e-12)


def test_a_share_of_the_pixels_shares_the_l1_step():
    gradient = ag.tensor([[5.0, -4.0, 3.0, 0.0, 1.0, 0.5, 0.1, 0.2]])
    step = L1(share=0.25).normalise(gradient, None)
    assert step.tolist() == [[0.5, -0.5, 0, 0, 0, 0, 0, 0]]
    assert L1().normalise(gradient * 0, None).tolist() == [[0.0] * 8]


def test_a_pixel_counts_once_however_many_channels_changed():
    x = ag.tensor(np.zeros((1, 3, 2, 2)))
    moved = np.zeros((1, 3, 2, 2))
    moved[0, :, 0, 0], moved[0, 1, 1, 1], moved[0, 2, 0, 1] = 0.1, 0.5, 0.2
    assert L0().distance(ag.tensor(moved), x).tolist() == [3.0]
    kept = L0().onto_ball(ag.tensor(moved), x, ag.tensor(np.full((1, 1, 1, 1), 2.9))).numpy()
    moved[0, 2, 0, 1] = 0.0  # Σ|δ| = 0.3, 0.5 and 0.2: the two largest stay
    assert np.array_equal(kept, moved)


def test_a_share_out_of_range_is_named():
    with pytest.raises(ValueError, match="got 0"):
        L1(share=0)
