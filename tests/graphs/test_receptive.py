"""Receptive fields: numbers of the literature, and the support of the true gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.graphs import ReceptiveField


def conv(x, kernel, stride=1, padding=0, dilation=1):
    w = ag.tensor(np.ones((1, 1, kernel), np.float64), requires_grad=True)
    return ag.conv1d(x, w, stride=stride, padding=padding, dilation=dilation)


def field_of(layers, size=400):
    x = ag.tensor(np.ones((1, 1, size)), requires_grad=True)
    y = x
    for layer in layers:
        y = layer(y)
    return ag.graph(y).nodes[-1].receptive_field


def c(*geometry):
    return lambda x: conv(x, *geometry)


def p(kernel, stride, padding=0):
    return lambda x: ag.max_pool1d(x, kernel, stride, padding)


ALEXNET = [c(11, 4), p(3, 2), c(5, 1, 2), p(3, 2), *[c(3, 1, 1)] * 3, p(3, 2)]
VGG16 = [c(3, 1, 1)] * 2 + [p(2, 2)] + [c(3, 1, 1)] * 2 + [p(2, 2)]
VGG16 += ([c(3, 1, 1)] * 3 + [p(2, 2)]) * 3


@pytest.mark.parametrize(
    ("layers", "size", "jump"),
    [
        ([c(3)], 3, 1), ([c(3)] * 2, 5, 1), ([c(3)] * 3, 7, 1), (ALEXNET, 195, 32),
        (VGG16, 212, 32), ([c(3, 1, 0, 1), c(3, 1, 0, 2), c(3, 1, 0, 4)], 15, 1),
    ],
)  # fmt: skip
def test_known_fields(layers, size, jump):
    field = field_of(layers)
    assert field.size == (size,) and field.jump == (jump,)


def test_a_field_prints_what_matters():
    assert str(ReceptiveField((7, 7), (2, 2), (-3, -3))) == "7×7 jump 2 start −3"
    assert str(ReceptiveField((5, 3), (1, 2), (0, -1))) == "5×3 jump 1×2 start 0×−1"


windows = st.tuples(
    st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3), st.booleans()
)


def layer_of(kernel, stride, padding, dilation, pooled):
    if pooled:
        return lambda x: ag.avg_pool1d(x, kernel, stride, min(padding, kernel // 2))
    return c(kernel, stride, padding, dilation)


def support(y, x, position):
    seed = np.zeros(y.shape)
    seed[0, 0, position] = 1.0
    (found,) = np.nonzero(ag.gradients(y, x, seed).numpy()[0, 0])
    return found[0], found[-1]


def check_support(y, x, limit):
    """Exact for boxes inside the image: in padding there is no pixel, and no gradient."""
    field = ag.graph(y).nodes[-1].receptive_field
    checked = 0
    for position in range(0, y.shape[2], 1 + y.shape[2] // 8):
        ((first, last),) = field.box((position,))
        if first >= 0 and last < limit:
            assert support(y, x, position) == (first, last)
            checked += 1
    return checked


@given(st.lists(windows, min_size=1, max_size=4))
def test_the_field_is_the_support_of_the_gradient(layers):
    """Weights are positive, so nothing cancels."""
    size = 300
    x = ag.tensor(np.ones((1, 1, size)), requires_grad=True)
    y = x
    for layer in layers:
        y = layer_of(*layer)(y)
    assert check_support(y, x, size) > 0


@given(st.lists(st.tuples(windows, windows), min_size=1, max_size=3))
def test_the_field_of_branches_is_the_box_around_theirs(pairs):
    """Two branches with the same stride meet in an addition; the longer one is cut at its end."""
    size = 600
    x = ag.tensor(np.ones((1, 1, size)), requires_grad=True)
    y = x
    for (k1, s, p1, d1, a), (k2, _, p2, d2, b) in pairs:
        left, right = layer_of(k1, s, p1, d1, a)(y), layer_of(k2, s, p2, d2, b)(y)
        n = min(left.shape[2], right.shape[2])
        y = ag.relu(left[:, :, :n] + right[:, :, :n])
    assert check_support(y, x, size // 2) > 0  # far from the cut


def test_every_second_pixel_and_zeros_around():
    x = ag.tensor(np.ones((1, 1, 30)), requires_grad=True)
    y = conv(ag.pad(x, ((0, 0), (0, 0), (3, 1)))[:, :, 1::2], 3)
    field = ag.graph(y).nodes[-1].receptive_field
    assert (field.size, field.jump, field.start) == ((5,), (2,), (-2,))
    assert check_support(y, x, 30) > 1


def last_field(function, *shape):
    return ag.graph(function, np.ones(shape)).nodes[-1].receptive_field


def test_what_sees_everything_says_so():
    for function in (
        ag.global_avg_pool,
        lambda x: ag.flatten(x, 1),
        lambda x: ag.sigmoid(ag.mean(x, (2, 3), True)) * x,  # a gate from the whole image
        lambda x: ag.flatten(x, 1) @ ag.tensor(np.ones((50, 2))),
    ):
        field = last_field(function, 1, 2, 5, 5)
        assert field.whole and field.size == (5, 5)


def test_what_is_not_an_even_box_is_not_guessed():
    def uneven(x):
        return ag.mean(x, 2)

    def two_strides(x):
        return ag.max_pool2d(x, 1, 2)[:, :, :2, :2] + x[:, :, :2, :2]

    for function in (uneven, two_strides, lambda x: ag.flip(x, 2), lambda x: ag.cumsum(x, 3)):
        assert last_field(function, 1, 2, 6, 6) is None


def test_a_network_without_an_image_has_none():
    assert last_field(lambda x: ag.exp(x), 3, 4) is None
