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


def up(kind, factor, kernel, padding, dilation):
    """A layer that makes a sequence longer."""
    if kind == "transposed":
        w = ag.tensor(np.ones((1, 1, kernel)), requires_grad=True)
        padding = min(padding, ((kernel - 1) * dilation) // 2)
        return lambda x: ag.conv_transpose1d(x, w, None, factor, padding, 0, 1, dilation)
    return lambda x: ag.interpolate(x, scale_factor=factor, mode=kind)


any_layer = st.one_of(
    windows.map(lambda geometry: layer_of(*geometry)),
    st.builds(up, st.sampled_from(["transposed", "nearest", "linear"]), st.integers(1, 3),
              st.integers(1, 4), st.integers(0, 2), st.integers(1, 2)),
)  # fmt: skip


@given(st.lists(any_layer, min_size=1, max_size=4))
def test_the_field_after_upsampling_is_the_support_of_the_gradient(chosen):
    """In the middle, where no border cuts a window; phases without any tap see nothing."""
    size = 600
    x = ag.tensor(np.ones((1, 1, size)), requires_grad=True)
    y = x
    for layer in chosen:
        y = layer(y)
    if y.is_leaf:  # interpolation to the same size is nothing
        return
    field = ag.graph(y).nodes[-1].receptive_field
    if field is None:  # a stride that meets only the zeros between entries
        assert not ag.gradients(y, x, np.ones(y.shape)).numpy()[0, 0, size // 4 : -size // 4].any()
        return
    middle = y.shape[2] // 2
    for position in range(middle, min(middle + 7, y.shape[2])):
        ((first, last),) = field.box((position,))
        if not size // 4 < first <= last + 1 < 3 * size // 4:
            continue
        seed = np.zeros(y.shape)
        seed[0, 0, position] = 1.0
        found = np.flatnonzero(ag.gradients(y, x, seed).numpy())
        if found.size:
            assert (found[0], found[-1]) == (first, last)
        else:
            assert last < first


def field_after(function, *shape):
    return ag.graph(function, np.ones(shape)).nodes[-1].receptive_field


def test_known_fields_of_upsampling():
    """A pixel of an image enlarged twice sees one pixel; two see the same one."""
    twice = field_after(lambda x: ag.interpolate(x, scale_factor=2), 1, 1, 6, 6)
    assert (twice.size, twice.jump, twice.period) == ((1, 1), (1, 1), (2, 2))
    assert twice.box((4, 5)) == twice.box((5, 4)) == ((2, 2), (2, 2))
    assert str(twice) == "1×1 jump 1/2 start 0"
    smooth = field_after(lambda x: ag.interpolate(x, scale_factor=2, mode="bilinear"), 1, 1, 6, 6)
    assert smooth.box((4, 5)) == ((1, 2), (2, 3))
    filters = np.ones((1, 1, 4, 4))
    dcgan = field_after(lambda x: ag.conv_transpose2d(x, filters, None, 2, 1), 1, 1, 6, 6)
    assert dcgan.size == (2, 2) and dcgan.box((4, 5)) == ((1, 2), (2, 3))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"scale_factor": 2, "mode": "bicubic"}, "5×5 jump 1/2 start −2"),
        ({"scale_factor": 1.5}, "3×3 jump 2/3 start −1"),
        ({"scale_factor": 3, "mode": "nearest-exact"}, "2×2 jump 1/3 start −1"),
        ({"size": (31, 31), "mode": "bilinear", "align_corners": True}, "3×3 jump 1/2 start −1"),
        ({"scale_factor": 0.5, "mode": "bilinear", "antialias": True}, "8×8 jump 2 start −3"),
        ({"size": (8, 8), "mode": "area"}, "6×6 jump 2 start −2"),
        ({"size": (23, 23), "mode": "bilinear"}, "None"),  # 23 to 16: no place comes again
    ],
    ids=str,
)
def test_interpolation_and_a_convolution(options, field):
    x = ag.tensor(np.ones((1, 1, 16, 16)), requires_grad=True)
    y = ag.conv2d(ag.interpolate(x, **options), np.ones((1, 1, 3, 3)), padding=1)
    found = ag.graph(y).nodes[-1].receptive_field
    assert str(found) == field
    for i, j in ((0, 0), (0, 1), (1, 0)) if found else ():
        place = y.shape[2] // 2 + i, y.shape[3] // 2 + j
        seed = np.zeros(y.shape)
        seed[(0, 0, *place)] = 1.0
        rows, columns = np.nonzero(ag.gradients(y, x, seed).numpy()[0, 0])
        box = ((rows.min(), rows.max()), (columns.min(), columns.max()))
        assert found.box(place) == box


def test_down_and_up_again_moves_as_at_the_start():
    def unet(x):
        w = np.ones((1, 1, 2, 2))
        return ag.conv_transpose2d(ag.avg_pool2d(x, 2), w, None, 2) + x

    field = field_after(unet, 1, 1, 8, 8)
    assert field.size == (2, 2) and (field.jump, field.period) == ((2, 2), (2, 2))
    assert field.box((5, 2)) == ((4, 5), (2, 3))


def test_stride_beyond_the_kernel_leaves_entries_that_see_nothing():
    field = field_after(lambda x: ag.conv_transpose1d(x, np.ones((1, 1, 1)), None, 2), 1, 1, 5)
    assert [field.box((i,)) for i in (2, 3)] == [((1, 1),), ((1, 0),)]


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
