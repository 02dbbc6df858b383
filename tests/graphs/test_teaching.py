"""Teaching pictures show the lecture's numbers, read back from what was drawn."""

import sys

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import MissingDependencyError, ShapeError
from autograd_cnn.graphs.teaching_receptive import path_counts

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
from autograd_cnn.graphs import teaching

DEMO = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
CROSS = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def texts(figure, name):
    return [
        text.get_text() for axes in figure.axes for text in axes.texts if text.get_gid() == name
    ]


def drawn(figure, name, columns):
    """The numbers of one board, row by row."""
    values = [float(text.replace("−", "-")) for text in texts(figure, name)]
    return np.reshape(values, (-1, columns)).tolist()


def test_max_pooling_sends_the_gradient_to_the_maximum():
    x = [[2, 4, 8, 3], [9, 3, 4, 2], [5, 4, 6, 3], [2, 3, 1, 3]]
    figure = teaching.max_pool_backward(x, [[1, 2], [2, 5]])
    assert drawn(figure, "x", 4) == x
    assert drawn(figure, "y", 2) == [[9, 8], [5, 6]]
    expected = [[0, 0, 2, 0], [1, 0, 0, 0], [2, 0, 5, 0], [0, 0, 0, 0]]
    assert drawn(figure, "gradient", 4) == expected


def test_overlapping_windows_add_up():
    figure = teaching.max_pool_backward([[0, 0, 0], [0, 7, 0], [0, 0, 0]], [[1, 2], [3, 4]], 2, 1)
    assert drawn(figure, "gradient", 3) == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


def test_the_table_of_relu_rules():
    x = [[1, -1, 5], [2, -5, -7], [-3, 2, 4]]
    g = [[-2, 3, -1], [6, -3, 1], [2, -1, 3]]
    figure = teaching.relu_rules(x, g)
    assert drawn(figure, "backprop", 3) == [[-2, 0, -1], [6, 0, 0], [0, -1, 3]]
    assert drawn(figure, "deconvnet", 3) == [[0, 3, 0], [6, 0, 1], [2, 0, 3]]
    assert drawn(figure, "guided", 3) == [[0, 0, 0], [6, 0, 0], [0, 0, 3]]


def test_the_window_shows_its_sum():
    figure = teaching.convolution_window(DEMO, CROSS, (1, 1))
    assert drawn(figure, "y", 3) == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]
    assert texts(figure, "taps") == ["×1", "×0", "×1", "×0", "×1", "×0", "×1", "×0", "×1"]
    total = " ".join(line.strip() for line in texts(figure, "sum"))
    assert total == (
        "y[1, 1] = 1·1 + 0·1 + 1·1 + 0·0 + 1·1 + 0·1 + 1·0 + 0·1 + 1·1 = 4"
    )  # fmt: skip


def test_the_window_with_padding_and_holes():
    figure = teaching.convolution_window([[5]], [[1, 2], [3, 4]], (0, 0), padding=1, dilation=2)
    assert drawn(figure, "x", 3) == [[0, 0, 0], [0, 5, 0], [0, 0, 0]]
    assert drawn(figure, "y", 1) == [[0]]  # the holes step over the only pixel


def test_the_matrix_is_4_by_16_and_multiplies_to_the_convolution():
    x, w = np.arange(16.0).reshape(4, 4), np.arange(1.0, 10).reshape(3, 3)
    figure = teaching.convolution_matrix(x, w)
    matrix = np.array(drawn(figure, "C", 16))
    assert matrix.shape == (4, 16) and np.count_nonzero(matrix) == 36
    assert matrix[0].tolist() == [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0]
    assert (matrix @ x.ravel()).tolist() == np.ravel(drawn(figure, "vec y", 1)).tolist()
    assert drawn(figure, "y", 2) == [[303, 348], [483, 528]]


@pytest.mark.parametrize(
    "layers, fields",
    [
        ([(3,)] * 3, [3, 5, 7]),
        ([(3,), (3, 1, 2), (3, 1, 4)], [3, 7, 15]),
        ([(3, 2), (3, 2)], [3, 7]),
        ([(11, 4), (3, 2), (5,), (3, 2)], [11, 19, 51, 67]),
    ],
)
def test_receptive_fields_are_the_known_ones(layers, fields):
    figure = teaching.receptive_field_1d(network=layers)
    assert [int(text.rpartition("= ")[2]) for text in texts(figure, "field")] == fields


def test_circles_that_are_filled_are_the_support_of_the_gradient():
    layers = [(3, 1, 1), (2, 2, 1), (3, 1, 2)]
    figure = teaching.receptive_field_1d(network=layers)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    filled = [d for d in dots if d.get_ydata()[0] == 0 and d.get_markerfacecolor() != "white"]
    x = y = ag.tensor(np.zeros((1, 1, 12)), requires_grad=True)
    for kernel, stride, dilation in layers:
        y = ag.conv1d(y, np.ones((1, 1, kernel)), None, stride, 0, dilation)
    used = ag.gradients(y[0, 0, 0], x).numpy()[0, 0] > 0
    assert len(filled) == used.sum()


def test_equal_dilations_leave_holes():
    figure = teaching.receptive_field_2d(plain=[(3,)] * 3, holes=[(3, 1, 2)] * 3)
    assert texts(figure, "field") == [
        "7×7 field\n49 of 49 pixels used", "13×13 field\n49 of 169 pixels used",
    ]  # fmt: skip
    row = np.array([1, 3, 6, 7, 6, 3, 1])
    assert (path_counts([(3,)] * 3) == np.outer(row, row)).all()


def test_batch_norm_moves_and_stretches():
    x = np.random.default_rng(0).normal(3.0, 2.0, (500, 2))
    figure = teaching.batch_norm_histograms(x, 0.5, -2.0, channel=1)
    facts = texts(figure, "facts")
    assert facts[1:] == ["mean 0, deviation 1", "mean −2, deviation 0.5"]
    heights = [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes]
    assert heights == [500, 500, 500]


def test_delta_is_what_was_said_minus_what_is_right():
    figure = teaching.softmax_cross_entropy(np.log([0.5, 0.25, 0.25]), 1)
    assert texts(figure, "a") == ["0.5", "0.25", "0.25"]
    assert texts(figure, "y") == ["0", "1", "0"]
    assert texts(figure, "δ") == ["0.5", "−0.75", "0.25"]


@pytest.mark.parametrize("x1, x2, derivative", [(1.0, 20.0, "0"), (20.0, 10.0, "10")])
def test_the_dead_and_the_living_neuron(x1, x2, derivative):
    steps = (("· x₂", lambda w: w * x2), ("+ w₁x₁", lambda z: z + 0.1 * x1), ("relu", ag.relu))
    figure = teaching.derivative_chain(-0.1, *steps, name="w₂")
    assert texts(figure, "product")[0].endswith(f"= {derivative}")
    assert texts(figure, "local")[0] == f"× {x2:.0f}"


def test_the_chain_multiplies_local_derivatives():
    figure = teaching.derivative_chain(3.0, ("square", ag.square), ("−", lambda x: -x))
    assert texts(figure, "value") == ["3", "9", "−9"]
    assert texts(figure, "local") == ["× 6", "× −1"]
    assert texts(figure, "product") == ["∂y/∂x = (−1) · 6 = −6"]


def test_no_number_leaves_its_cell():
    x = np.array([[123456.789, -0.000123], [1e-9, -98765.4]])
    figure = teaching.convolution_window(x, [[1.0]])
    renderer = figure.canvas.get_renderer()
    cell = np.diff(figure.axes[0].transData.transform([(0, 0), (1, 0)])[:, 0])[0]
    for text in figure.axes[0].texts:
        if text.get_gid() in ("x", "y"):
            assert text.get_window_extent(renderer).width < cell


def test_nothing_is_drawn_from_what_does_not_fit():
    with pytest.raises(ShapeError, match="plane H×W, got 3"):
        teaching.relu_rules([1, 2, 3], [1, 2, 3])
    with pytest.raises(ShapeError, match="y is 2×2, but g is 1×2"):
        teaching.max_pool_backward(np.ones((4, 4)), [[1, 2]])
    with pytest.raises(ShapeError, match="36×64"):
        teaching.convolution_matrix(np.ones((8, 8)), np.ones((3, 3)))
    with pytest.raises(IndexError, match="y is 3×3"):
        teaching.convolution_window(DEMO, CROSS, (3, 0))
    with pytest.raises(ValueError, match="needs networks"):
        teaching.receptive_field_1d()


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.patches", None)
    with pytest.raises(MissingDependencyError, match=r"autograd-cnn\[plot\]"):
        teaching.relu_rules([[1]], [[1]])
