"""Indexing is NumPy's, its gradient adds up what was read, and updates are made in copies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autograd_cnn as ag

drawn = settings(max_examples=80, deadline=None, derandomize=True)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
FILLED = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


def places(shape):
    """An array whose entries name their own place."""
    return np.arange(float(np.prod(shape))).reshape(shape)


@st.composite
def basic(draw):
    """A shape and an index of slices (any step), whole numbers, None and an ellipsis."""
    shape = draw(SHAPES)
    return shape, draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))


@st.composite
def advanced(draw):
    """A shape and arrays of whole numbers (repeated, negative) for its first axes, or mixed."""
    shape = draw(FILLED)
    count = draw(st.integers(1, len(shape)))
    result = hnp.broadcastable_shapes((2, 3), max_dims=2, min_side=1, max_side=3)
    index = []
    for n in shape[:count]:
        if draw(st.integers(0, 3)) == 0 and index:
            index.append(draw(st.sampled_from([slice(None), slice(None, None, -1), 0, slice(1)])))
        else:
            index.append(draw(hnp.arrays(np.int64, draw(result), elements=st.integers(-n, n - 1))))
    return shape, tuple(index)


@st.composite
def truth(draw):
    """A shape and an array of truth values over its first axes."""
    shape = draw(SHAPES)
    count = draw(st.integers(1, len(shape)))
    return shape, draw(hnp.arrays(np.bool_, shape[:count]))


KINDS = pytest.mark.parametrize("kind", [basic, advanced, truth], ids=lambda kind: kind.__name__)


@KINDS
@drawn
@given(data=st.data())
def test_reading(kind, data):
    shape, index = data.draw(kind())
    x = places(shape)
    tensor = ag.tensor(x, requires_grad=True)
    y = tensor[index]
    assert np.array_equal(y.numpy(), x[index])
    # each entry read adds its gradient to the place that its value names
    g = np.random.default_rng(0).integers(1, 9, y.shape).astype(float)
    expected = np.bincount(x[index].ravel().astype(int), g.ravel(), minlength=x.size)
    gradient = ag.gradients(y, tensor, g, create_graph=True)
    assert np.array_equal(gradient.numpy(), expected.reshape(shape))


@KINDS
@drawn
@given(data=st.data())
def test_adding(kind, data):
    shape, index = data.draw(kind())
    x = ag.tensor(places(shape), requires_grad=True)
    value = ag.tensor(places(x.numpy()[index].shape) + 1, requires_grad=True)
    y = x.at[index].add(value)
    expected = places(shape)
    np.add.at(expected, index, value.numpy())
    assert np.array_equal(y.numpy(), expected)
    g = np.random.default_rng(0).integers(1, 9, shape).astype(float)
    to_x, to_value = ag.gradients(y, [x, value], g)
    assert np.array_equal(to_x.numpy(), g)
    assert np.array_equal(to_value.numpy(), g[index])
    assert np.array_equal(x.numpy(), places(shape))  # the original is as it was


@KINDS
@drawn
@given(data=st.data())
def test_setting(kind, data):
    shape, index = data.draw(kind())
    x = ag.tensor(places(shape), requires_grad=True)
    value = ag.tensor(-1 - places(x.numpy()[index].shape), requires_grad=True)
    y = x.at[index].set(value)
    expected = places(shape)
    expected[index] = value.numpy()
    assert np.array_equal(y.numpy(), expected)
    # each entry of y is an entry of x (≥ 0) or of value (< 0): its gradient goes there
    g = np.random.default_rng(0).integers(1, 9, shape).astype(float)
    to_x, to_value = ag.gradients(y, [x, value], g)
    assert np.array_equal(to_x.numpy(), np.where(expected >= 0, g, 0))
    found = np.zeros(value.size)
    written = expected < 0
    found[(-1 - expected[written]).astype(int)] = g[written]
    assert np.array_equal(to_value.numpy().ravel(), found)


@drawn
@given(data=st.data())
def test_a_written_value_broadcasts(data):
    shape, index = data.draw(basic())
    entries = places(shape)[index].shape
    ones = data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries)))
    small = tuple(1 if one else n for one, n in zip(ones, entries, strict=True))
    small = small[data.draw(st.integers(0, len(small))) :]
    value = ag.tensor(places(small) + 1, requires_grad=True)
    x = ag.tensor(places(shape), requires_grad=True)
    repeats = np.prod(entries) / max(1, np.prod(small)) * np.ones(small)
    for y in (x.at[index].set(value), x.at[index].add(value)):
        assert np.array_equal(ag.gradients(y, value, np.ones(shape)).numpy(), repeats)
    expected = places(shape)
    expected[index] = value.numpy()
    assert np.array_equal(x.at[index].set(value).numpy(), expected)


@pytest.mark.parametrize("mode", ["set", "add"])
def test_leading_axes_of_length_one_are_dropped_from_a_value(mode):
    x = ag.tensor(np.zeros((2, 3)), requires_grad=True)
    value = ag.tensor(np.ones((1, 1, 1)), requires_grad=True)
    y = getattr(x.at[1], mode)(value)
    assert y.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert ag.gradients(ag.sum(y), value).tolist() == [[[3]]]


def test_repeated_indices():
    x, value = ag.tensor(np.zeros(3)), ag.tensor([1.0, 2.0, 4.0], requires_grad=True)
    added = x.at[[0, 0, 2]].add(value)
    assert added.tolist() == [3, 0, 4]
    assert ag.gradients(added, value, np.array([10.0, 20, 30])).tolist() == [10, 10, 30]
    replaced = x.at[[0, 0, 2]].set(value)
    assert replaced.tolist() == [2, 0, 4]
    assert ag.gradients(replaced, value, np.array([10.0, 20, 30])).tolist() == [0, 10, 30]


def test_updates_take_numbers_and_lists():
    x = ag.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert x.at[0].set(5).tolist() == [5, 2, 3]
    assert x.at[1:].set([7, 8]).tolist() == [1, 7, 8]
    assert x.at[1:].add([7, 8]).tolist() == [1, 9, 11]
    assert x.at[x.numpy() > 1].set(0.0).tolist() == [1, 0, 0]
    for y in (x.at[0].set(5), x.at[0].add(5.5), x.at[:2].set([1, 2.5])):
        assert y.dtype == np.float32
        assert y.requires_grad


def test_a_fraction_written_among_whole_numbers_is_not_cut():
    x = ag.tensor([1, 2])
    assert x.at[0].set(5.5).tolist() == [5.5, 2]
    assert x.at[0].add(1.5).tolist() == [2.5, 2]
    assert x.at[0].add(1).dtype == np.int64


def test_forward_mode_of_updates():
    x, v = ag.tensor(places((2, 3))), ag.tensor(np.full(3, 7.0))
    dx, dv = places((2, 3)) + 1, np.array([10.0, 20, 30])
    _, tangent = ag.jvp(lambda x: x.at[0].set(5.0), (x,), (dx,))
    assert tangent.tolist() == [[0, 0, 0], [4, 5, 6]]
    _, tangent = ag.jvp(lambda x, v: x.at[0].set(v), (x, v), (dx, dv))
    assert tangent.tolist() == [[10, 20, 30], [4, 5, 6]]
    _, tangent = ag.jvp(lambda x, v: x.at[0].add(v), (x, v), (dx, dv))
    assert tangent.tolist() == [[11, 22, 33], [4, 5, 6]]


def test_an_index_may_be_a_tensor():
    x = ag.tensor(places((4, 2)), requires_grad=True)
    index = ag.tensor([3, 0, 3])
    assert np.array_equal(x[index].numpy(), places((4, 2))[[3, 0, 3]])
    assert np.array_equal(x[index, ag.tensor([0, 1, 1])].tolist(), [6, 1, 7])
    assert x[x > 5].tolist() == [6, 7]
    assert ag.gradients(ag.sum(x[index]), x).numpy()[:, 0].tolist() == [1, 0, 0, 2]


def test_an_index_that_changes_afterwards_does_not_change_the_gradient():
    x, value = (ag.tensor([1.0, 2.0, 3.0][:n], requires_grad=True) for n in (3, 2))
    for index in (np.array([0, 1]), [0, 1]):
        y = [ag.sum(x[index]), ag.sum(x.at[index].set(value)), ag.sum(x.at[index].add(value))]
        y += [ag.sum(ag.take(x, index, 0)), ag.sum(ag.take_along_axis(x, np.array(index), 0))]
        index[0] = index[1] = 2
        found = [ag.gradients(z, x).tolist() for z in y]
        assert found == [[1, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0], [1, 1, 0]]


def test_an_empty_list_is_an_index():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    assert x[[]].shape == (0,)
    assert ag.gradients(x[[]], x, np.zeros(0)).tolist() == [0, 0]


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take(axis):
    x = places((3, 4))
    indices = np.array([[0, 2], [2, -1]])
    tensor = ag.tensor(x, requires_grad=True)
    y = ag.take(tensor, indices, axis)
    assert np.array_equal(y.numpy(), np.take(x, indices, axis))
    expected = np.bincount(np.take(x, indices, axis).ravel().astype(int), minlength=12)
    assert np.array_equal(ag.gradients(ag.sum(y), tensor).numpy().ravel(), expected)
