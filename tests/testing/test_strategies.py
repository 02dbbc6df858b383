"""Strategies and layouts produce what they say."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.testing import strategies
from autograd_cnn.testing.layouts import LAYOUTS, relaid, repeated


@given(strategies.arrays(), st.sampled_from(LAYOUTS))
def test_relaid_keeps_values(x, layout):
    other = relaid(x, layout)
    assert other.shape == x.shape and other.dtype == x.dtype
    np.testing.assert_array_equal(other, x)


def test_each_layout_is_what_it_is_called():
    x = np.arange(12.0).reshape(3, 4)
    assert relaid(x, "C").flags.c_contiguous
    assert relaid(x, "F").flags.f_contiguous and not relaid(x, "F").flags.c_contiguous
    assert relaid(x, "reversed").strides == (-32, -8)
    assert relaid(x, "strided").strides == (128, 16)
    offset = relaid(x, "offset")
    assert offset.ctypes.data - offset.base.ctypes.data == 24
    assert not relaid(x, "read-only").flags.writeable
    assert repeated(x).strides == (0, 8)
    with pytest.raises(ValueError, match="sideways"):
        relaid(x, "sideways")


@pytest.mark.parametrize(
    "wanted",
    [
        lambda t: t.shape == (),
        lambda t: t.size == 0 and t.ndim == 3,
        lambda t: t._data.flags.f_contiguous and not t._data.flags.c_contiguous,
        lambda t: t._data.strides and min(t._data.strides) < 0,
        lambda t: t.size > 1 and 0 in t._data.strides,
        lambda t: not t._data.flags.writeable,
        lambda t: t.size > 1 and t._data.base is not None and t._data.base.size > t.size,
    ],
    ids=["0-d", "empty", "F", "reversed", "zero stride", "read-only", "view"],
)
def test_tensors_come_in_every_layout(wanted):
    options = settings(max_examples=3000, derandomize=True)
    found = find(strategies.tensors(), wanted, settings=options)
    assert isinstance(found, ag.Tensor)


@given(strategies.tensors(shape=(2, 3), dtype=np.float32, requires_grad=True))
def test_tensors_have_the_shape_and_dtype_asked_for(t):
    assert (t.shape, t.dtype, t.requires_grad) == ((2, 3), np.float32, True)


@given(strategies.shapes(min_dims=1, max_dims=2, min_side=2, max_side=3))
def test_shapes_stay_within_bounds(shape):
    assert 1 <= len(shape) <= 2 and set(shape) <= {2, 3}


@given(strategies.broadcastable(3))
def test_broadcastable_shapes_broadcast(shapes):
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_convolution_geometries_have_an_output(ndim):
    @given(strategies.conv_geometry(ndim))
    def convolves(geometry):
        run = getattr(ag, f"conv{ndim}d")
        y = run(np.ones(geometry.x), np.ones(geometry.w), None, geometry.stride, geometry.padding,
                geometry.dilation, geometry.groups)  # fmt: skip
        assert y.shape[:2] == (geometry.x[0], geometry.w[0]) and y.size > 0

    convolves()


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_pooling_geometries_have_an_output(ndim):
    @given(strategies.pool_geometry(ndim))
    def pools(geometry):
        shape, spec = geometry
        run = getattr(ag, f"max_pool{ndim}d")
        padding = tuple(before for before, _ in spec.padding)
        y = run(np.ones(shape), spec.kernel, spec.stride, padding, spec.dilation, spec.ceil_mode)
        assert y.size > 0 and np.isfinite(y).all()

    pools()


def test_geometries_reach_every_feature():
    options = settings(max_examples=3000, derandomize=True)
    conv = lambda wanted: find(strategies.conv_geometry(2), wanted, settings=options)
    assert conv(lambda c: c.groups > 1).groups > 1
    assert max(conv(lambda c: max(c.dilation) > 1).dilation) > 1
    assert conv(lambda c: any(a != b for a, b in c.padding))
    assert conv(lambda c: max(c.stride) > min(c.stride))
    assert find(strategies.pool_geometry(2), lambda p: p[1].ceil_mode, settings=options)


@given(strategies.samples("matmul"))
def test_samples_are_arguments_of_the_primitive(sample):
    ag.TABLE["matmul"](*sample.inputs, **sample.attributes)
