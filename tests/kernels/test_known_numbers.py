"""Numbers worked out by hand in lectures and papers."""

import numpy as np
import pytest

from autograd_cnn.kernels import provider
from autograd_cnn.kernels.specs import conv_spec, pool_spec

every_provider = pytest.mark.parametrize("name", ["numpy", "generic", "reference"])


def image(rows):
    return np.array(rows, "float32")[None, None]


@every_provider
def test_a_cross_filter_slides_over_a_5x5_image(name):
    x = image([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
    w = image([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    y = provider(name).conv(x, w, spec=conv_spec("conv2d", x.shape, w.shape))
    assert y[0, 0].tolist() == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


@every_provider
def test_a_3x3_kernel_on_a_4x4_image_is_a_4x16_matrix_and_backward_its_transpose(name):
    kernels = provider(name)
    w = np.arange(1, 10, dtype="float32").reshape(1, 1, 3, 3)
    spec = conv_spec("conv2d", (1, 1, 4, 4), w.shape)
    pixels = np.eye(16, dtype="float32").reshape(16, 1, 4, 4)
    matrix = kernels.conv(pixels, w, spec=spec).reshape(16, 4).T
    assert matrix.tolist() == [
        [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0],
        [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0],
        [0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9],
    ]
    outputs = np.eye(4, dtype="float32").reshape(4, 1, 2, 2)
    back = kernels.conv_input_grad(outputs, w, spec=spec, size=(4, 4)).reshape(4, 16)
    assert np.array_equal(back, matrix)


@every_provider
def test_the_input_gradient_is_a_full_convolution_with_the_filter_turned_by_180_degrees(name):
    w = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    spec = conv_spec("conv2d", (1, 1, 3, 3), w.shape)
    back = provider(name).conv_input_grad(image([[1]]), w, spec=spec, size=(3, 3))
    assert np.array_equal(back, w)
    full = conv_spec("conv2d", (1, 1, 1, 1), w.shape, padding=2)
    turned = provider(name).conv(image([[1]]), w, spec=full)
    assert turned[0, 0].tolist() == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]


@every_provider
def test_the_max_pooling_exercise_forward_and_backward(name):
    kernels = provider(name)
    x = image([[2, 4, 8, 3], [9, 3, 4, 2], [5, 4, 6, 3], [2, 3, 1, 3]])
    spec = pool_spec("max_pool2d", x.shape, 2, 2)
    y, switches = kernels.max_pool(x, spec=spec)
    assert y[0, 0].tolist() == [[9, 8], [5, 6]]
    assert switches[0, 0].tolist() == [[2, 0], [0, 0]]
    back = kernels.pool_scatter(image([[1, 2], [2, 5]]), switches, spec=spec, size=(4, 4))
    assert back[0, 0].tolist() == [[0, 0, 2, 0], [1, 0, 0, 0], [2, 0, 5, 0], [0, 0, 0, 0]]


@every_provider
def test_average_pooling_spreads_the_gradient_evenly(name):
    spec = pool_spec("avg_pool2d", (1, 1, 4, 4), 2, 2)
    back = provider(name).avg_pool_grad(
        image([[4, 8], [12, 16]]), spec=spec, size=(4, 4), count_include_pad=True
    )
    assert np.array_equal(back[0, 0], np.kron([[1, 2], [3, 4]], np.ones((2, 2))))


@every_provider
def test_moving_averages_are_convolutions(name):
    x = np.array([[[3, 6, 9, 12, 15]]], "float32")
    w = np.full((1, 1, 3), 1 / 3)
    mean = provider(name).conv(x, w, spec=conv_spec("conv1d", x.shape, w.shape))
    np.testing.assert_allclose(mean, [[[6, 9, 12]]], rtol=1e-15)
    # y_t = (1 − α)·y_{t−1} + α·x_t for α = 1/2 has the kernel α·(1 − α)^τ, latest weight last
    w = (0.5 ** np.arange(5, 0, -1))[None, None]
    smooth = provider(name).conv(x, w, spec=conv_spec("conv1d", x.shape, w.shape, padding=[(4, 0)]))
    state, expected = 0.0, []
    for value in x.ravel():
        state = state / 2 + value / 2
        expected.append(state)
    assert smooth.ravel().tolist() == expected


def test_alexnet_conv1_has_55x55x96_units():
    spec = conv_spec("conv2d", (1, 3, 227, 227), (96, 3, 11, 11), stride=4)
    height, width = spec.output_size((227, 227), (11, 11))
    assert (height, width, height * width * 96) == (55, 55, 290_400)
    filter_size = 3 * 11 * 11 + 1
    assert (filter_size, 96 * filter_size) == (364, 34_944)
    assert height * width * 96 * filter_size == 105_705_600
    pool = pool_spec("max_pool2d", (1, 96, 55, 55), 2, 3, 2)
    assert pool.output_size((55, 55)) == (27, 27)


@pytest.mark.parametrize("name", ["numpy", "generic"])
def test_alexnet_conv1_runs(name):
    x, w = np.ones((1, 3, 227, 227), "float32"), np.ones((96, 3, 11, 11), "float32")
    y = provider(name).conv(x, w, spec=conv_spec("conv2d", x.shape, w.shape, 4))
    assert y.shape == (1, 96, 55, 55) and (y == 363).all()


def test_the_tail_of_the_sigmoid_is_not_lost():
    """e⁻²⁰ to seven digits in single precision; nothing overflows far out."""
    x = np.float32([-20.0, -100.0, 100.0, -np.inf, np.inf])
    y = provider("generic").sigmoid(x)
    np.testing.assert_allclose(y[0], 2.0611536e-09, rtol=3e-7)
    assert y[2:].tolist() == [1.0, 0.0, 1.0] and 0 < y[1] < 1e-43
