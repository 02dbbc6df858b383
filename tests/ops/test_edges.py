"""Where formulas have corners: powers of zero, ties, ends of intervals, shared places, paddings."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import ShapeError


def tracked(*values):
    return ag.tensor(np.array(values, float), requires_grad=True)


def derivative(f, *values):
    return ag.grad(lambda x: ag.sum(f(x)))(tracked(*values)).numpy().tolist()


@pytest.mark.parametrize("lift", [float, lambda y: ag.tensor(np.array(float(y)))])
@pytest.mark.parametrize("exponent, expected", [(0, [0, 0]), (1, [1, 1]), (2, [0, 4])])
def test_powers_at_zero(exponent, expected, lift):
    assert derivative(lambda x: x ** lift(exponent), 0.0, 2.0) == expected


@pytest.mark.parametrize("lift", [float, lambda y: ag.tensor(np.array(float(y)))])
def test_the_second_derivative_of_a_square_at_zero_is_two(lift):
    second = ag.grad(ag.grad(lambda x: x ** lift(2.0)))
    assert float(second(ag.tensor(np.array(0.0)))) == 2.0


def test_the_mixed_derivative_of_a_power_where_the_exponent_is_zero():
    # ∂xʸ/∂x = y·x^(y−1) vanishes at y = 0, its derivative in y, 1/x, does not
    first = ag.grad(lambda x, y: x**y)
    mixed = ag.grad(lambda y: first(ag.tensor(np.array(4.0)), y))(ag.tensor(np.array(0.0)))
    assert float(mixed) == 0.25
    other = ag.grad(lambda x: ag.grad(lambda y: x**y)(ag.tensor(np.array(0.0))))
    assert float(other(ag.tensor(np.array(4.0)))) == 0.25


def test_zero_to_a_power_has_no_derivative_in_the_power():
    assert derivative(lambda y: ag.tensor(np.zeros(3)) ** y, 0.5, 1.0, 2.0) == [0, 0, 0]


@pytest.mark.parametrize("extremum", [ag.max, ag.min])
def test_tied_extrema_share_the_gradient_evenly(extremum):
    assert derivative(extremum, 3.0, 3.0, 3.0, 3.0) == [0.25] * 4
    x = ag.tensor(np.array([[1.0, 1, 0], [5, 5, 5]]) * (1 if extremum is ag.max else -1))
    x.requires_grad = True
    gradient = ag.gradients(ag.sum(extremum(x, axis=1)), x).numpy()
    np.testing.assert_allclose(gradient, [[0.5, 0.5, 0], [1 / 3] * 3], rtol=1e-15)


def test_extrema_keep_infinities_apart_from_ties():
    assert derivative(ag.max, 1.0, np.inf) == [0, 1]
    assert derivative(ag.max, -np.inf, 2.0) == [0, 1]


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (-1, 1, [0, 1, 1, 1, 0]), (None, 1, [1, 1, 1, 1, 0]), (-1, None, [0, 1, 1, 1, 1]),
        (None, None, [1, 1, 1, 1, 1]), (1, 1, [0, 0, 0, 1, 0]),
    ],
)  # fmt: skip
def test_clip_passes_the_gradient_inside_and_at_the_ends(low, high, expected):
    assert derivative(lambda x: ag.clip(x, low, high), -2.0, -1.0, 0.0, 1.0, 2.0) == expected


def test_clip_of_whole_numbers_at_a_fraction():
    clipped = ag.clip(ag.tensor([0, 1, 2]), 0.5, 1.5)
    assert clipped.tolist() == np.clip([0, 1, 2], 0.5, 1.5).tolist()


def test_clip_keeps_half_precision():
    assert ag.clip(ag.tensor(np.float16([1.0, 3.0])), 0, 2).dtype == np.float16


@pytest.mark.parametrize("value", [5.0, -np.inf, np.inf, 1e300])
def test_padding_with_a_value_leaves_the_inside_exactly_as_it_was(value):
    x = np.array([[0.1, -np.pi], [1e-300, -0.0]])
    padded = ag.pad(ag.tensor(x), ((1, 0), (0, 2)), value=value).numpy()
    assert np.array_equal(padded, np.pad(x, ((1, 0), (0, 2)), constant_values=value))


def test_padding_passes_the_gradient_of_the_inside():
    x = tracked(1.0, 2.0)
    y = ag.pad(x, (2, 1), value=7.0)
    assert y.tolist() == [7, 7, 1, 2, 7]
    assert ag.gradients(y, x, np.arange(5.0)).tolist() == [2, 3]
    assert ag.jvp(lambda x: ag.pad(x, 1, value=7.0), (x,), (x,))[1].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "bool"])
def test_casting_to_whole_numbers_cuts_the_gradient(dtype):
    x = tracked(1.5, 2.5)
    whole = x.astype(dtype)
    assert whole.dtype == dtype
    assert not whole.requires_grad
    assert derivative(lambda x: x.astype(dtype).astype("float64") * x, 1.5, 0.0) == [1, 0]


def test_casting_between_floats_casts_the_gradient_back():
    x = ag.tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    gradient = ag.gradients(ag.sum(x.astype("float64") ** 2), x)
    assert gradient.dtype == np.float32
    assert gradient.tolist() == [2, 4]


@pytest.mark.parametrize("reduction", [ag.sum, ag.mean, ag.max, ag.min, ag.logsumexp])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_of_a_scalar(reduction, keepdims):
    x = ag.tensor(np.array(2.5), requires_grad=True)
    y = reduction(x, keepdims=keepdims)
    assert y.shape == ()
    assert float(y) == 2.5
    assert float(ag.gradients(y, x)) == 1.0
    assert float(ag.sum(3.0)) == 3.0


def test_where_with_numbers():
    condition = np.array([True, False])
    assert ag.where(ag.tensor(condition), 1.0, 2.0).tolist() == [1, 2]
    single = ag.tensor(np.float32([5.0, 6.0]), requires_grad=True)
    y = ag.where(condition, single, 0.0)
    assert y.dtype == np.float32
    assert ag.gradients(ag.sum(y), single).tolist() == [1, 0]
    assert ag.gradients(ag.sum(ag.where(condition, 0.0, single)), single).tolist() == [0, 1]
    scalar = tracked(3.0)
    spread = ag.where(np.ones((4, 1), bool), scalar, 1.0)
    assert ag.gradients(ag.sum(spread), scalar).tolist() == [4]


def test_where_shields_a_branch_only_when_its_input_is_shielded():
    x = tracked(0.0, 4.0)
    safe = ag.where(x.numpy() > 0, x, 1.0)
    y = ag.sum(ag.where(x.numpy() > 0, ag.sqrt(safe), 0.0))
    assert ag.gradients(y, x).tolist() == [0, 0.25]


def test_overlapping_windows_unpool_a_shared_maximum_once():
    x = ag.tensor(np.eye(9)[4].reshape(1, 1, 3, 3), requires_grad=True)
    y, places = ag.max_pool2d(x, 2, stride=1, return_indices=True)
    assert places.tolist() == [[[[4, 4], [4, 4]]]]  # the middle is every window's maximum
    back = ag.max_unpool2d(y, places, 2, stride=1)
    assert np.array_equal(back.numpy(), x.numpy())
    # the value there is the middle itself: its derivative is 1, not one for each window
    assert np.array_equal(ag.gradients(ag.sum(back), x).numpy(), x.numpy())


def test_unpooling_is_the_inverse_of_pooling_at_the_maxima():
    x = ag.tensor(np.random.default_rng(0).standard_normal((2, 3, 6, 6)))
    y, places = ag.max_pool2d(x, 2, return_indices=True)
    back = ag.max_unpool2d(y, places, 2).numpy()
    assert np.count_nonzero(back) == y.size
    assert np.array_equal(back[back != 0], x.numpy()[back != 0])


def test_transposed_convolution_whose_output_padding_exceeds_the_stride():
    # allowed up to the dilation: the last entries are zeros that no input reaches
    x, w = tracked(1.0, 2.0, 3.0).reshape(1, 1, 3), ag.tensor(np.array([[[2.0]]]))
    y = ag.conv_transpose1d(x, w, dilation=3, output_padding=2)
    assert y.tolist() == [[[2, 4, 6, 0, 0]]]
    assert ag.gradients(ag.sum(y * y), x).tolist() == [[[8, 16, 24]]]
    cut = ag.conv_transpose1d(x, w, dilation=3, padding=1, output_padding=2)
    assert cut.tolist() == [[[4, 6, 0]]]
    assert ag.gradients(ag.sum(cut), x).tolist() == [[[0, 2, 2]]]


def test_the_error_function_in_half_precision_does_not_overflow():
    x = np.linspace(-6, 6, 101).astype(np.float16)
    y = ag.erf(ag.tensor(x)).numpy()
    assert y.dtype == np.float16
    from math import erf

    exact = np.array([erf(float(v)) for v in x])
    np.testing.assert_allclose(y, exact, rtol=2**-10, atol=2**-12)
    assert ag.erf(ag.tensor([0, 1])).tolist() == [0.0, pytest.approx(erf(1.0), rel=1e-15)]


def test_a_pooling_window_that_sees_only_padding_is_refused():
    with pytest.raises(ShapeError, match=r"2 taps from -2 in steps of 4 miss 0 … 0"):
        ag.max_pool1d(ag.tensor(np.zeros((1, 1, 1))), 2, dilation=4, padding=2)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64", "bool"])
def test_the_minimum_of_whole_numbers_at_the_end_of_their_range(dtype):
    ends = [False, True] if dtype == "bool" else [np.iinfo(dtype).min, 1, np.iinfo(dtype).max]
    x = np.array([ends, ends[::-1]], dtype)
    np.testing.assert_array_equal(ag.min(ag.tensor(x), 1).numpy(), x.min(1))
    assert ag.min(x).dtype == dtype


@pytest.mark.parametrize("reduction", [ag.max, ag.min, ag.mean, ag.logsumexp])
def test_reductions_of_nothing_say_which(reduction):
    with pytest.raises(ShapeError, match=f"{reduction.__name__} of nothing: 2×0"):
        reduction(ag.tensor(np.zeros((2, 0))), 1)


def test_class_weights_leave_a_cross_entropy_analytic():
    weight, labels = np.array([0.5, 2.0, 1.0]), np.array([0, 2])
    loss = lambda x: ag.cross_entropy(x, labels, weight)
    x = np.array([[1.0, -0.5, 0.25], [0.0, 2.0, -1.0]])
    assert ag.testing.check(loss, x, order=1, laws=[3]).laws[3].comparisons


LOWEST = {"float32": -np.inf, "float64": -np.inf, "int8": -128}


@pytest.mark.parametrize("dtype", LOWEST)
@pytest.mark.parametrize("name", ["numpy", "generic", "reference"])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_padding_never_wins_a_maximum_not_even_against_the_lowest_number(name, dtype, ceil_mode):
    x = np.full((1, 2, 5, 4), LOWEST[dtype], dtype)
    x[0, 1, 4, 3] = 3
    with ag.kernels.use(name):
        y, places = ag.max_pool2d(x, 3, 2, 1, ceil_mode=ceil_mode, return_indices=True)
    starts = np.maximum([-1, 1, 3], 0)[:, None] * 4 + np.maximum([-1, 1, 3], 0)[: y.shape[3]]
    np.testing.assert_array_equal(places[0, 0], starts)
    np.testing.assert_array_equal(np.take(x[0, 1], places[0, 1]), y[0, 1])


def test_the_gradient_of_a_maximum_over_nothing_but_minus_infinity_is_not_lost():
    x = ag.tensor(np.full((1, 1, 4, 4), -np.inf), requires_grad=True)
    ag.sum(ag.max_pool2d(x, 3, 2, 1)).backward()
    np.testing.assert_array_equal(x.grad.numpy()[0, 0].nonzero(), [[0, 0, 1, 1], [0, 1, 0, 1]])


def test_bfloat16_is_a_number_format_with_a_gradient():
    half = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed").bfloat16
    x = ag.tensor(np.array([-1.0, 0.5, 2.0]), requires_grad=True)
    y = x.astype(half)
    for function in (ag.elu, ag.leaky_relu, ag.relu):
        assert function(y).dtype == half
    ag.sum(y.astype("float32") * ag.tensor([1.0, 2.0, 3.0])).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("function", [ag.elu, ag.leaky_relu])
def test_activations_of_whole_numbers_are_fractions(function):
    np.testing.assert_array_equal(function(np.array([-2, 3])), function(np.array([-2.0, 3.0])))
