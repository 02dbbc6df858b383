"""Entries combined at an index, products, einsum's diagonals, and reading at fractional places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.errors import ShapeError

AT = {"index_multiply": np.multiply, "index_max": np.maximum, "index_min": np.minimum}
seeds = st.integers(0, 2**32 - 1)


def gradient(f, *arrays):
    """The gradient of Σf in its first argument."""
    return ag.grad(lambda *a: ag.sum(f(*a)))(*map(ag.tensor, arrays)).numpy()


@pytest.mark.parametrize("name", AT)
@given(seed=seeds, dtype=st.sampled_from(["int64", "uint8", "float32", "float64"]))
def test_a_repeated_index_combines_every_value(name, seed, dtype):
    rng = np.random.default_rng(seed)
    x, values = rng.integers(0, 9, (4, 3)).astype(dtype), rng.integers(0, 9, (7, 3)).astype(dtype)
    places = rng.integers(-4, 4, 7)
    expected = x.copy()
    AT[name].at(expected, places, values)
    found = getattr(ag, name)(x, places, values)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == dtype
    np.testing.assert_array_equal(getattr(ag, name)(x, places[:0], values[:0]), x)


def test_a_value_that_is_tied_shares_the_gradient_evenly():
    x, values, places = np.array([1.0, 5.0]), np.array([1.0, 1.0, 4.0]), np.array([0, 0, 1])
    combine = lambda values, x: ag.index_max(x, places, values)
    np.testing.assert_allclose(gradient(combine, values, x), [1 / 3, 1 / 3, 0.0], rtol=1e-15)
    other = lambda x, values: ag.index_max(x, places, values)
    np.testing.assert_allclose(gradient(other, x, values), [1 / 3, 1.0], rtol=1e-15)


def test_a_product_with_zeros_has_its_gradient():
    combine = lambda values: ag.index_multiply(np.array([2.0]), [0, 0, 0], values)
    np.testing.assert_array_equal(gradient(combine, [3.0, 0.0, 5.0]), [0, 30, 0])


def test_values_that_do_not_fit_where_they_are_combined():
    with pytest.raises(ShapeError, match="index_max: a value of 3 does not broadcast to the 2"):
        ag.index_max(np.ones(4), [0, 1], np.ones(3))


@pytest.mark.parametrize("axis", [None, 0, (0, 2), -1, ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_products_are_those_of_numpy(axis, keepdims):
    x = np.random.default_rng(0).integers(-3, 4, (2, 3, 2))
    np.testing.assert_array_equal(ag.prod(x, axis, keepdims), np.prod(x, axis, keepdims=keepdims))
    assert ag.prod(np.ones((3, 0)), 1).tolist() == [1.0] * 3
    tensor = ag.tensor(x.astype(float), requires_grad=True)
    assert np.prod(tensor, axis=0).requires_grad and np.multiply.reduce(tensor).requires_grad


@pytest.mark.parametrize(
    "subscripts, shapes",
    [
        ("...ii->...i", [(3, 4, 4)]), ("ii", [(3, 3)]), ("iii->i", [(2, 2, 2)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]), ("...i,...i", [(2, 3), (3,)]),
        ("i...,i...->...", [(3, 2), (3, 2)]), ("ij...,jk...->ik...", [(2, 3, 4), (3, 5, 1)]),
        ("a...b->b...", [(2, 3, 4)]), ("...,...", [(1, 3), (0, 1)]), ("i,...->...i", [(3,), ()]),
        ("iji,kk->jk", [(2, 3, 2), (3, 3)]),
    ],
)  # fmt: skip
def test_repeated_indices_and_ellipses_are_those_of_numpy(subscripts, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-3, 4, shape).astype(float) for shape in shapes]
    expected = np.einsum(subscripts, *arrays)
    np.testing.assert_array_equal(ag.einsum(subscripts, *arrays), expected)


# reading at fractional places


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@given(seed=seeds)
def test_reading_keeps_lines_and_whole_places(mode, seed):
    rng = np.random.default_rng(seed)
    places = rng.uniform(1.0, 6.0, 5)  # two entries on either side, as a cubic needs
    line = 3.0 - 0.5 * np.arange(8.0)
    cubic = {"cubic": -0.5}  # the parameter for which the cubic keeps lines: Keys 1981
    found = ag.resample(line, places, mode=mode, **cubic)
    np.testing.assert_allclose(found, 3.0 - 0.5 * places, rtol=0, atol=1e-14)
    x = rng.standard_normal((8, 2))
    np.testing.assert_array_equal(ag.resample(x, [3.0, 0.0, 7.0], 0, mode), x[[3, 0, 7]])


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("border", ["repeat", "exclude"])
@given(seed=seeds, width=st.floats(1.0, 5.0))
def test_a_constant_stays(mode, border, seed, width):
    places = np.random.default_rng(seed).uniform(-0.5, 5.5, 9)
    found = ag.resample(np.full(6, 2.0), places, mode=mode, width=width, border=border)
    np.testing.assert_allclose(found, 2.0, rtol=1e-13)


def test_far_out_stands_the_border_entry_or_nothing():
    x = np.array([1.0, 2.0, 4.0])
    for mode in ("linear", "cubic"):
        np.testing.assert_array_equal(ag.resample(x, [-1e9, 50.0], mode=mode), [1.0, 4.0])
        with pytest.raises(ShapeError, match="of 3 entries none is within"):
            ag.resample(x, [0.0, 50.0], mode=mode, border="exclude")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"mode": "quintic"}, '"quintic" of linear and cubic'),
        ({"border": "mirror"}, '"mirror" of repeat and exclude'),
        ({"width": 0.5}, "width 0.5"),
    ],
)
def test_readings_that_do_not_exist(options, words):
    with pytest.raises(ValueError, match=words):
        ag.resample(np.ones(3), [0.0], **options)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"mode": "area", "align_corners": True}, 'nothing to mode "area"'),
        ({"mode": "nearest", "antialias": True}, 'not with mode "nearest"'),
        ({"mode": "bilinear", "antialias": True, "align_corners": True}, "align_corners=True"),
    ],
)
def test_options_that_a_mode_of_interpolation_does_not_have(options, words):
    with pytest.raises(ValueError, match=words):
        ag.interpolate(np.ones((1, 1, 2, 2)), 3, **options)


def test_at_offers_all_of_them():
    x = ag.tensor([1.0, 2.0, 3.0])
    place = x.at[[0, 0, 2]]
    values = np.float32([2.0, 5.0, 1.0])
    assert place.multiply(values).tolist() == [10.0, 2.0, 3.0]
    assert place.max(values).tolist() == [5.0, 2.0, 3.0]
    assert place.min(values).tolist() == [1.0, 2.0, 1.0]
