"""Convolution as a matrix, with the filter turned, and with weights that are not shared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.errors import ShapeError
from autograd_cnn.kernels.specs import ConvSpec
from autograd_cnn.testing import strategies

sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed: pip install scipy")
drawn = settings(max_examples=40, deadline=None, derandomize=True)
PLAIN = ConvSpec((1, 1), ((0, 0), (0, 0)), (1, 1))


def whole(seed, *shape):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float64)


# as a matrix


def test_three_by_three_on_four_by_four_is_a_4_by_16_matrix():
    w = np.arange(1, 10)
    found = ag.conv_matrix(PLAIN, (1, 4, 4), w.reshape(1, 1, 3, 3)).toarray()
    a, b, c = w.reshape(3, 3)
    first = np.concatenate([a, [0], b, [0], c, [0], [0, 0, 0, 0]])
    expected = [np.roll(first, shift) for shift in (0, 1, 4, 5)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=st.integers(0, 99))
def test_the_matrix_is_the_convolution_and_its_transpose_the_backward_pass(ndim, data, seed):
    geometry = data.draw(strategies.conv_geometry(ndim))
    spec = geometry.spec
    x, w = whole(seed, *geometry.x), whole(seed + 1, *geometry.w)
    matrix = ag.conv_matrix(spec, geometry.x, w)
    tensor = ag.tensor(x, requires_grad=True)
    y = ag.TABLE["conv"](tensor, ag.tensor(w), None, spec=spec)
    np.testing.assert_array_equal(matrix @ x.ravel(), y.numpy().ravel())
    g = whole(seed + 2, *y.shape)
    np.testing.assert_array_equal(matrix.T @ g.ravel(), ag.gradients(y, tensor, g).numpy().ravel())
    one = ag.conv_matrix(spec, geometry.x[1:], w)
    np.testing.assert_array_equal(one @ x[0].ravel(), y.numpy()[0].ravel())


def test_the_matrix_is_sparse_and_keeps_the_dtype():
    w = np.ones((2, 1, 3, 3), np.float32)
    matrix = ag.conv_matrix(PLAIN, (1, 20, 20), w)
    assert isinstance(matrix, sparse.csr_array) and matrix.dtype == np.float32
    assert matrix.nnz == 2 * 18 * 18 * 9


@pytest.mark.parametrize(
    "shape, filters, words",
    [
        ((2, 4, 4), (1, 1, 3, 3), "2 channels"),
        ((4, 4), (1, 1, 3, 3), "spatial axes"),
        ((1, 2, 4), (1, 1, 3, 3), "no output: 0×2"),
    ],
)
def test_shapes_that_do_not_fit(shape, filters, words):
    with pytest.raises(ShapeError, match=words):
        ag.conv_matrix(PLAIN, shape, np.ones(filters))


def test_the_picture_has_a_cell_for_each_weight():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    w = np.arange(1, 10).reshape(1, 1, 3, 3)
    (axes,) = ag.conv_matrix_picture(PLAIN, (1, 4, 4), w).axes
    assert len(axes.texts) == 36
    assert [text.get_text() for text in axes.texts[:9]] == list("123456789")
    image = axes.images[0].get_array()
    coloured = (np.asarray(image) < 1.0).any(axis=-1)
    np.testing.assert_array_equal(coloured, ag.conv_matrix(PLAIN, (1, 4, 4), w).toarray() != 0)


def test_the_picture_of_a_large_batch_has_no_numbers():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    (axes,) = ag.conv_matrix_picture(PLAIN, (2, 1, 8, 8), np.ones((1, 1, 3, 3))).axes
    assert not axes.texts and axes.get_ylabel() == "entry of y, 2×1×6×6"


# with the filter turned

ROTATED = [[9, 8, 7], [6, 5, 4], [3, 2, 1]]


def test_a_unit_impulse_gives_the_filter_and_correlation_the_filter_turned_by_180_degrees():
    impulse = np.zeros((5, 5))
    impulse[2, 2] = 1.0
    w = np.arange(1.0, 10).reshape(3, 3)
    turned = ag.conv2d(impulse[None, None], w[None, None])[0, 0]
    np.testing.assert_array_equal(turned, ROTATED)
    np.testing.assert_array_equal(ag.convolve(impulse, w, "valid"), w)
    np.testing.assert_array_equal(ag.convolve(impulse, w, "same")[1:4, 1:4], w)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_sequences_are_convolved_as_in_numpy(mode, length):
    x, w = whole(0, 7), whole(1, length)
    np.testing.assert_array_equal(ag.convolve(x, w, mode), np.convolve(x, w, mode))


@pytest.mark.parametrize("shapes", [((4,), (6,)), ((3, 4), (2, 2)), ((2, 3, 4), (3, 1, 2))])
def test_convolution_commutes(shapes):
    x, w = (whole(seed, *shape) for seed, shape in enumerate(shapes))
    np.testing.assert_array_equal(ag.convolve(x, w), ag.convolve(w, x))


def test_convolution_is_associative():
    x, v, w = whole(0, 4, 5), whole(1, 2, 3), whole(2, 3, 2)
    np.testing.assert_array_equal(
        ag.convolve(ag.convolve(x, v), w), ag.convolve(x, ag.convolve(v, w))
    )


def test_polynomials_are_multiplied():
    np.testing.assert_array_equal(
        ag.convolve(np.array([1.0, 1.0]), np.array([1.0, -1.0])), [1, 0, -1]
    )


def test_moving_averages_are_convolutions():
    """★ g = 1/K, and g = α(1 − α)^τ, which is also a linear recurrence."""
    x = np.random.default_rng(0).standard_normal(30)
    uniform = ag.convolve(x, np.full(5, 0.2), "valid")
    np.testing.assert_allclose(uniform[7], x[7:12].mean(), rtol=1e-13)
    alpha = 0.25
    decaying = ag.convolve(x, alpha * (1 - alpha) ** np.arange(30.0))[:30]
    found = ag.linear_recurrence(alpha * x, np.array([1 - alpha]))
    np.testing.assert_allclose(found, decaying, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "x, w, mode, error, words",
    [
        ((4,), (2, 2), "full", ShapeError, "4 and 2×2"),
        ((2,), (3,), "valid", ShapeError, "nowhere"),
        ((4,), (2,), "circular", ValueError, '"circular"'),
    ],
)
def test_what_cannot_be_convolved(x, w, mode, error, words):
    with pytest.raises(error, match=words):
        ag.convolve(np.ones(x), np.ones(w), mode)


# with weights for each place


def test_the_first_layer_of_alexnet_not_shared_has_105705600_parameters():
    """★ 55·55·96 units with 11·11·3 weights and a bias each, against 34,944 shared ones."""
    units, inputs = (96, 55, 55), (3, 11, 11)
    w, b = np.broadcast_to(np.float32(0), units + inputs), np.ones(units, np.float32)
    y = ag.locally_connected2d(np.zeros((1, 3, 227, 227), np.float32), w, b, stride=4)
    assert w.size + b.size == 105_705_600
    assert y.shape == (1, *units) and y.size == 290_400
    np.testing.assert_array_equal(y[0], b)


@pytest.mark.parametrize("ndim", [1, 2])
def test_equal_weights_at_every_place_are_a_convolution(ndim):
    x, w = whole(0, 2, 3, *(7, 6)[:ndim]), whole(1, 4, 3, *(3, 2)[:ndim])
    b = whole(2, 4)
    options = {"stride": 2, "padding": 1, "dilation": 2}
    y = getattr(ag, f"conv{ndim}d")(x, w, b, **options)
    places = y.shape[2:]
    spread = np.broadcast_to(w.reshape(4, *(1,) * ndim, *w.shape[1:]), (4, *places, *w.shape[1:]))
    biases = np.broadcast_to(b.reshape(4, *(1,) * ndim), (4, *places))
    local = getattr(ag, f"locally_connected{ndim}d")
    np.testing.assert_array_equal(local(x, spread, biases, **options), y)


def test_weights_of_another_number_of_places_are_refused():
    with pytest.raises(ShapeError, match=r"3×3 places.*weights are 1×3×3×1×2×2"):
        ag.locally_connected2d(np.ones((1, 1, 4, 4)), np.ones((1, 4, 4, 1, 2, 2)))


# columns


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=st.integers(0, 99))
def test_a_convolution_is_a_product_with_columns(ndim, data, seed):
    geometry = data.draw(strategies.conv_geometry(ndim))
    spec = ConvSpec(geometry.stride, geometry.padding, geometry.dilation)
    x, w = whole(seed, *geometry.x), whole(seed + 1, 2, geometry.x[1], *geometry.w[2:])
    options = {"dilation": spec.dilation, "padding": spec.padding, "stride": spec.stride}
    columns = ag.unfold(x, geometry.w[2:], **options)
    y = ag.TABLE["conv"](x, w, None, spec=spec)
    np.testing.assert_array_equal(w.reshape(2, -1) @ columns, y.reshape(*y.shape[:2], -1))


def test_folding_counts_how_many_windows_see_an_entry():
    ones = ag.unfold(np.ones((1, 1, 4, 4)), 3)
    expected = np.outer([1, 2, 2, 1], [1, 2, 2, 1])
    np.testing.assert_array_equal(ag.fold(ones, 4, 3)[0, 0], expected)


@pytest.mark.parametrize(
    "shape, size, words", [((1, 8, 9), 4, "columns must be"), ((1, 9, 5), 4, "2×2 = 4 windows")]
)
def test_columns_that_do_not_fit(shape, size, words):
    with pytest.raises(ShapeError, match=words):
        ag.fold(np.ones(shape), size, 3)
