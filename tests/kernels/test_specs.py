"""Output sizes, padding and the messages of geometries that do not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_strategies import quick

from autograd_cnn.errors import DTypeError, ShapeError
from autograd_cnn.kernels.specs import conv_spec, padded_pairs, pool_spec


@quick
@given(*[st.integers(1, 12)] * 2, st.integers(0, 3), st.integers(0, 3), *[st.integers(1, 4)] * 2)
def test_an_output_size_counts_the_windows_that_fit(n, kernel, before, after, stride, dilation):
    extent = (kernel - 1) * dilation + 1
    fitting = [p for p in range(0, n + before + after, stride) if p + extent <= n + before + after]
    shapes = (1, 1, n), (1, 1, kernel)
    if not fitting:
        with pytest.raises(ShapeError, match="has no output"):
            conv_spec("conv1d", *shapes, stride, [(before, after)], dilation)
        return
    spec = conv_spec("conv1d", *shapes, stride, [(before, after)], dilation)
    assert spec.output_size((n,), (kernel,)) == (len(fitting),)


@quick
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2))
def test_ceil_mode_counts_the_windows_that_start_in_the_image_or_its_left_padding(n, k, s, pad):
    if 2 * pad > k or n + 2 * pad < k:
        return
    whole, partial = (
        pool_spec("pool", (1, 1, n), 1, k, s, pad, ceil_mode=ceil_mode).output_size((n,))[0]
        for ceil_mode in (False, True)
    )
    starts = range(-pad, n, s)
    reaching = [p for p in starts if p + k <= n + pad]
    assert whole == len(reaching)
    rest = [p for p in starts if p not in reaching and p - s + k < n + pad]
    assert partial == len(reaching) + min(1, len(rest))


def test_ceil_mode_pads_the_last_partial_window():
    spec = pool_spec("max_pool2d", (1, 1, 5, 5), 2, 2, ceil_mode=True)
    assert spec.output_size((5, 5)) == (3, 3)
    assert padded_pairs(spec, (5, 5), (2, 2), (3, 3)) == ((0, 1), (0, 1))


@quick
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 3))
def test_same_padding_keeps_the_size_and_puts_the_odd_zero_after(n, kernel, dilation):
    spec = conv_spec("conv1d", (1, 1, n), (1, 1, kernel), padding="same", dilation=dilation)
    assert spec.output_size((n,), (kernel,)) == (n,)
    ((before, after),) = spec.padding
    assert 0 <= after - before <= 1


def test_equal_geometries_are_one_object():
    one = conv_spec("conv2d", (1, 3, 8, 8), (4, 3, 3, 3), 1, [1, 1])
    assert one is conv_spec("conv2d", (1, 3, 8, 8), (4, 3, 3, 3), 1, [1, 1])
    assert one == conv_spec("conv2d", (1, 3, 8, 8), (4, 3, 3, 3), (1, 1), ((1, 1), (1, 1)))


MESSAGES = [
    (
        lambda: conv_spec("conv2d", (1, 3, 8, 8), (4, 3, 11, 11)),
        "conv2d: input 3×8×8 with kernel 11, padding 0, dilation 1 has no output: "
        "(8 − 11)/1 + 1 = −2",
    ),
    (
        lambda: conv_spec("conv1d", (1, 1, 4), (1, 1, 3), 2, [(1, 0)], 3),
        "conv1d: input 1×4 with kernel 3, padding 1+0, dilation 3 has no output: "
        "(4 + 1 + 0 − ((3 − 1)·3 + 1))/2 + 1 = 0",
    ),
    (
        lambda: conv_spec("conv2d", (1, 3, 8, 8), (4, 2, 3, 3)),
        "conv2d: input 1×3×8×8 has 3 channels, 3/1 group(s) = 3, but the filters 4×2×3×3 take 2",
    ),
    (
        lambda: conv_spec("conv2d", (3, 8, 8), (4, 3, 3, 3)),
        "conv2d: input N×C×H×W must have 4 axes like the filters 4×3×3×3, got 3 axes: 3×8×8",
    ),
    (
        lambda: conv_spec("conv2d", (1, 3, 8, 8), (4, 1, 3, 3), groups=2),
        "conv2d: groups=2 must divide the 3 input channels and the 4 filters",
    ),
    (
        lambda: conv_spec("conv1d", (1, 1, 8), (1, 1, 3), 2, "same"),
        'padding="same" needs stride 1, got stride (2,)',
    ),
    (
        lambda: conv_spec("conv1d", (1, 1, 8), (1, 1, 3), padding="full"),
        'padding="full": use an int, a tuple, "same" or "valid"',
    ),
    (
        lambda: conv_spec("conv2d", (1, 1, 8, 8), (1, 1, 3, 3), stride=(1, 1, 1)),
        "stride=(1, 1, 1) has 3 entries for 2 spatial axes",
    ),
    (
        lambda: conv_spec("conv2d", (1, 1, 8, 8), (1, 1, 3, 3), dilation=0),
        "dilation=0 must be at least 1 on every axis",
    ),
    (
        lambda: pool_spec("max_pool2d", (1, 1, 8, 8), 2, 2, padding=2),
        "max_pool2d: padding 2 is more than half the window, 2/2 = 1: "
        "a window could lie wholly in the padding",
    ),
    (
        lambda: pool_spec("max_pool2d", (8, 8), 2, 2),
        "max_pool2d: input must have 4 axes (N, C and 2 spatial), got 2: 8×8",
    ),
]


@pytest.mark.parametrize(("build", "message"), MESSAGES)
def test_a_geometry_that_does_not_fit_shows_the_arithmetic(build, message):
    with pytest.raises(ShapeError) as error:
        build()
    assert str(error.value) == message


@pytest.mark.parametrize("stride", [1.5, (1, 2.0), (True, 1)])
def test_a_stride_that_is_no_whole_number_is_refused(stride):
    with pytest.raises((DTypeError, TypeError)):
        conv_spec("conv2d", (1, 1, 8, 8), (1, 1, 3, 3), stride=stride)


def test_numpy_integers_are_whole_numbers():
    spec = conv_spec("conv2d", (1, 1, 8, 8), (1, 1, 3, 3), stride=(np.int64(2), np.int32(1)))
    assert spec.stride == (2, 1)
