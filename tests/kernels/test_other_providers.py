"""Normalisation, products and losses against the reference loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, quick, seeds

from autograd_cnn.kernels import provider

reference = provider("reference")
providers = pytest.mark.parametrize("name", ["numpy", "generic"])
EPS = 1e-3


@st.composite
def norms(draw):
    """An input shape, the axes of the mean and how the parameters are laid out."""
    lead = draw(st.tuples(st.integers(2, 4), st.integers(1, 4)))
    shape = lead + draw(st.lists(st.integers(1, 4), max_size=2).map(tuple))
    last = range(len(shape))
    kind = draw(st.sampled_from(["batch", "layer", "instance"]))
    if kind == "batch":
        return shape, (0, *last[2:]), tuple(n if i == 1 else 1 for i, n in enumerate(shape))
    if kind == "layer":
        return shape, tuple(last[1:]), (1, *shape[1:])
    return (
        (*shape, 3),
        (*last[2:], len(shape)),
        tuple(n if i == 1 else 1 for i, n in enumerate((*shape, 3))),
    )


@providers
@quick
@given(norms(), seeds, layouts, layouts, st.booleans())
def test_norms_and_their_gradients_agree_in_double(name, drawn, seed, first, second, affine):
    """Sums have fewer than 50 terms and 1/std is at most 1/√ε = 32: 1e-11 leaves room for both."""
    (shape, axes, parameters), kernels = drawn, provider(name)
    x = lay_out(3 + numbers(shape, seed, "float64", exact=False), first)
    g = lay_out(numbers(shape, seed + 1, "float64", exact=False), second)
    size = int(np.prod(parameters))
    w = numbers(size, seed + 2, "float64", exact=False) if affine else None
    b = numbers(size, seed + 3, "float64", exact=False) if affine else None
    attributes = {"axes": axes, "shape": parameters, "eps": EPS}
    expected = reference.normalize(x, w, b, **attributes)
    for ours, theirs in zip(kernels.normalize(x, w, b, **attributes), expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11)
    _, mean, inverse_std = expected
    np.testing.assert_allclose(
        kernels.norm_input_grad(g, x, w, mean, inverse_std, **attributes),
        reference.norm_input_grad(g, x, w, mean, inverse_std, **attributes),
        rtol=1e-11, atol=1e-10,
    )  # fmt: skip
    weight_grad = kernels.norm_weight_grad(g, x, mean, inverse_std, **attributes)
    assert weight_grad.shape == parameters
    np.testing.assert_allclose(
        weight_grad,
        reference.norm_weight_grad(g, x, mean, inverse_std, **attributes),
        rtol=1e-11, atol=1e-10,
    )  # fmt: skip


@providers
def test_the_variance_survives_a_large_mean(name):
    """One pass over squares would lose it: the mean squared is 2²⁶ and float32 holds 24 bits."""
    signs = np.tile(np.float32([1, -1]), 32).reshape(4, 1, 4, 4)
    _, mean, inverse_std = provider(name).normalize(
        signs + 8192, None, None, axes=(0, 2, 3), shape=(1, 1, 1, 1), eps=0.0
    )
    assert mean.item() == 8192 and inverse_std.item() == 1


@providers
def test_half_precision_norms_are_summed_in_single(name):
    """60,000 thirds add up to 20,000: in half, sums stop at 2,048 times the term."""
    x = np.tile(np.float16([1, 3]), 30_000).reshape(1, 60_000)
    attributes = {"axes": (1,), "shape": (1, 60_000), "eps": 0.0}
    y, mean, inverse_std = provider(name).normalize(x, None, None, **attributes)
    assert y.dtype == np.float16 and mean.item() == 2 and inverse_std.item() == 1
    assert np.array_equal(y, x - 2)


@providers
def test_a_gradient_or_an_input_may_be_complex_alone(name):
    """The complex step perturbs one operand and leaves the others real."""
    kernels, attributes = provider(name), {"axes": (0, 2), "shape": (1, 3, 1), "eps": EPS}
    x, g = (numbers((2, 3, 4), seed, "float64", exact=False) for seed in (1, 2))
    _, mean, inverse_std = kernels.normalize(x, None, None, **attributes)
    step = 1e-30j * numbers((2, 3, 4), 3, "float64", exact=False)
    result = kernels.norm_input_grad(g + step, x, None, mean, inverse_std, **attributes)
    along = reference.norm_input_grad(step.imag * 1e30, x, None, mean, inverse_std, **attributes)
    np.testing.assert_allclose(result.imag * 1e30, along, rtol=1e-11, atol=1e-11)


@quick
@given(st.lists(st.integers(1, 4), min_size=3, max_size=4), seeds, layouts)
def test_sum_to_channels_is_exact(shape, seed, layout):
    x = lay_out(numbers(tuple(shape), seed), layout)
    target = tuple(n if axis == 1 else 1 for axis, n in enumerate(shape))
    total = provider("numpy").sum_to(x, shape=target)
    axes = (0, *range(2, len(shape)))
    assert total.dtype == x.dtype and np.array_equal(total, x.sum(axes, keepdims=True))


@providers
@quick
@given(
    st.integers(0, 4), st.integers(0, 4), st.integers(1, 4),
    st.lists(st.integers(1, 2), max_size=2),
    seeds, layouts, layouts, st.sampled_from(["float32", "float16", "complex64"]),
)  # fmt: skip
def test_products_are_exact(name, rows, inner, columns, lead, seed, first, second, dtype):
    kernels = provider(name)
    x = lay_out(numbers((*lead, rows, inner), seed, dtype), first)
    y = lay_out(numbers((inner, columns), seed + 1, dtype), second)
    expected = reference.matmul(x, y)
    assert kernels.matmul(x, y).dtype == expected.dtype
    assert np.array_equal(kernels.matmul(x, y), expected)
    b = numbers((columns,), seed + 2, dtype)
    assert np.array_equal(kernels.linear(x, y.T, b), reference.linear(x, y.T, b))
    assert np.array_equal(kernels.linear(x, y.T), expected)


@providers
@quick
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data(), seeds, layouts,
    st.sampled_from(["float64", "complex128"]),
)  # fmt: skip
def test_softmax_and_its_logarithms_agree_in_double(name, shape, data, seed, layout, dtype):
    kernels = provider(name)
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = lay_out(numbers(tuple(shape), seed, dtype, exact=False), layout)
    if np.dtype(dtype).kind == "c":
        x = x.real + 1e-3j * x.imag
    for kernel, attributes in (
        ("softmax", {"axis": axis}),
        ("log_softmax", {"axis": axis}),
        ("logsumexp", {"axes": (axis,), "keepdims": True}),
    ):
        ours = getattr(kernels, kernel)(x, **attributes)
        theirs = getattr(reference, kernel)(x, **attributes)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["numpy", "generic", "reference"])
def test_softmax_of_huge_scores_and_cross_entropy_of_impossible_classes(name):
    kernels = provider(name)
    x = np.array([[1e30, 1e30, -np.inf]], "float32")
    assert kernels.softmax(x, axis=1).tolist() == [[0.5, 0.5, 0.0]]
    loss = kernels.cross_entropy(x, np.float32([[0, 1, 0]]), axis=1, scale=None)
    assert loss.item() == np.float32(np.log(np.float32(2)))


@providers
@settings(quick)
@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3), seeds)
def test_sums_over_neighbouring_channels_are_exact(name, channels, before, after, seed):
    x = numbers((2, channels, 3), seed)
    assert np.array_equal(
        provider(name).channel_window_sum(x, before=before, after=after),
        reference.channel_window_sum(x, before=before, after=after),
    )
