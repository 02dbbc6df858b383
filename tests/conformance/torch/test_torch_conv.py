"""Convolution and its transpose against PyTorch, over drawn geometries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometry import geometries

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional
drawn = settings(max_examples=60, deadline=None, derandomize=True)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), bias=st.booleans(), seed=st.integers(0, 99))
def test_convolution(agree, ndim, data, bias, seed):
    options, x, w = data.draw(geometries(ndim))
    arrays = [normal(seed, *x), normal(seed + 1, *w)] + [normal(seed + 2, w[0])] * bias
    ours, theirs = getattr(ag, f"conv{ndim}d"), getattr(F, f"conv{ndim}d")
    agree(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), *arrays)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), bias=st.booleans(), seed=st.integers(0, 99))
def test_transposed_convolution(agree, ndim, data, bias, seed):
    options, x, w = data.draw(geometries(ndim, transposed=True))
    channels = w[1] * options["groups"]
    arrays = [normal(seed, *x), normal(seed + 1, *w)] + [normal(seed + 2, channels)] * bias
    ours, theirs = getattr(ag, f"conv_transpose{ndim}d"), getattr(F, f"conv_transpose{ndim}d")
    agree(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), *arrays)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("kernel, dilation", [(1, 1), (2, 1), (3, 1), (2, 3), (3, 2), (4, 1)])
def test_padding_by_name(agree, padding, ndim, kernel, dilation):
    arrays = normal(1, 2, 2, *(7,) * ndim), normal(2, 3, 2, *(kernel,) * ndim), normal(3, 3)
    ours, theirs = getattr(ag, f"conv{ndim}d"), getattr(F, f"conv{ndim}d")
    options = {"padding": padding, "dilation": dilation}
    agree(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), *arrays)


@drawn
@given(
    sides=st.tuples(*[st.integers(0, 3)] * 4),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_a_padding_for_each_side_is_padding_first(agree, sides, stride, dilation, seed):
    top, bottom, left, right = sides
    arrays = normal(seed, 2, 2, 5, 6), normal(seed + 1, 3, 2, 3, 2)
    options = {"stride": stride, "dilation": dilation}

    def theirs(x, w):
        return F.conv2d(F.pad(x, (left, right, top, bottom)), w, **options)

    padding = ((top, bottom), (left, right))
    agree(lambda x, w: ag.conv2d(x, w, padding=padding, **options), theirs, *arrays)


@pytest.mark.parametrize(
    "x, w, options",
    [
        ((4, 3, 9, 9), (8, 3, 3, 3), {"padding": 1}),
        ((2, 8, 7, 7), (8, 1, 3, 3), {"groups": 8, "padding": 1}),
        ((2, 16, 6, 6), (4, 16, 1, 1), {}),
        ((2, 3, 11, 11), (4, 3, 5, 5), {"stride": 2, "padding": 2}),
        ((2, 3, 9, 9), (4, 3, 3, 3), {"dilation": 3}),
    ],
)
def test_single_precision_stays_within_its_rounding_bound(agree_single, x, w, options):
    terms = max(np.prod(w[1:]), w[0] * np.prod(w[2:]), x[0] * np.prod(x[2:]))
    agree_single(
        lambda *a: ag.conv2d(*a, **options),
        lambda *a: F.conv2d(*a, **options),
        normal(1, *x), normal(2, *w), terms=int(terms),
    )  # fmt: skip


def test_half_precision_keeps_its_type_and_three_digits():
    x, w = normal(1, 2, 3, 8, 8), normal(2, 4, 3, 3, 3)
    tensors = [ag.tensor(array, dtype=np.float16, requires_grad=True) for array in (x, w)]
    y = ag.conv2d(*tensors, padding=1)
    gradient = ag.gradients(ag.sum(y), tensors[0])
    assert y.dtype == gradient.dtype == np.float16
    exact = F.conv2d(torch.from_numpy(x), torch.from_numpy(w), padding=1)
    # 27 products of unit normals: magnitudes up to about 20, half precision has 2⁻¹¹
    np.testing.assert_allclose(y.numpy().astype(np.float64), exact.numpy(), atol=0.15)


def test_large_sum_in_half_precision_is_accumulated_wider():
    x, w = np.full((1, 64, 8, 8), 0.1, np.float16), np.full((1, 64, 8, 8), 0.1, np.float16)
    y = float(ag.conv2d(ag.tensor(x), ag.tensor(w)))
    wide = float((x.astype(np.float64) * w.astype(np.float64)).sum())
    assert abs(y - wide) <= 2**-10 * wide
