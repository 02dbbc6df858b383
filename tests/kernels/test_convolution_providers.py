"""Convolution, in its three passes and every way to do it, against the reference loops."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_strategies import convolutions, lay_out, layouts, numbers, quick, seeds, terms

from autograd_cnn.kernels import numpy_conv, numpy_unroll, provider

reference = provider("reference")
providers = pytest.mark.parametrize("name", ["numpy", "generic"])


@providers
@quick
@given(
    convolutions(), seeds, st.sampled_from(["float32", "float64", "complex128"]), layouts, layouts
)
def test_whole_numbers_are_exact_in_any_layout(name, shapes, seed, dtype, first, second):
    (x_shape, w_shape, spec), kernels = shapes, provider(name)
    x = lay_out(numbers(x_shape, seed, dtype), first)
    w = lay_out(numbers(w_shape, seed + 5, dtype), second)
    b = numbers(w_shape[:1], seed + 9, dtype)
    expected = reference.conv(x, w, b, spec=spec)
    y = kernels.conv(x, w, b, spec=spec)
    assert y.dtype == expected.dtype and np.array_equal(y, expected)
    g = lay_out(numbers(y.shape, seed + 11, dtype), first)
    for kernel, arrays, size in (
        ("conv_input_grad", (g, w), x_shape[2:]),
        ("conv_weight_grad", (x, g), w_shape[2:]),
    ):
        expected = getattr(reference, kernel)(*arrays, spec=spec, size=size)
        result = getattr(kernels, kernel)(*arrays, spec=spec, size=size)
        assert result.dtype == expected.dtype and np.array_equal(result, expected)


@providers
@quick
@given(convolutions(), seeds)
def test_gaussian_numbers_stay_within_the_bound_of_two_summation_orders(name, shapes, seed):
    """|Δ| ≤ 2·(n + 1)·u·Σ|x|·|w| for n terms, u half the spacing at 1 (Higham 2002, §3.1)."""
    (x_shape, w_shape, spec), kernels = shapes, provider(name)
    x, w = numbers(x_shape, seed, exact=False), numbers(w_shape, seed + 1, exact=False)
    y = reference.conv(x, w, spec=spec)
    g = numbers(y.shape, seed + 2, exact=False)
    size, kernel = x_shape[2:], w_shape[2:]
    for name, arrays, attributes, count in (
        ("conv", (x, w), {}, terms(w_shape)),
        ("conv_input_grad", (g, w), {"size": size}, terms(w_shape) * w_shape[0]),
        ("conv_weight_grad", (x, g), {"size": kernel}, x_shape[0] * prod(y.shape[2:])),
    ):
        expected = getattr(reference, name)(*arrays, spec=spec, **attributes)
        result = getattr(kernels, name)(*arrays, spec=spec, **attributes)
        scale = getattr(reference, name)(*map(np.abs, arrays), spec=spec, **attributes)
        bound = 2 * (count + 1) * (np.finfo("float32").eps / 2) * scale
        assert (np.abs(result - expected) <= bound).all()


@quick
@given(convolutions(), seeds, st.sampled_from([64, 1000, numpy_unroll.BLOCK_BYTES]))
def test_every_way_gives_the_same_whole_numbers_in_blocks_of_any_size(shapes, seed, block_bytes):
    x_shape, w_shape, spec = shapes
    if not x_shape[0]:
        return
    out = spec.output_size(x_shape[2:], w_shape[2:])
    x, w, b = (numbers(s, seed + i) for i, s in enumerate((x_shape, w_shape, w_shape[:1])))
    g = numbers((x_shape[0], w_shape[0], *out), seed + 7)
    forward = reference.conv(x, w, b, spec=spec)
    to_input = reference.conv_input_grad(g, w, spec=spec, size=x_shape[2:])
    to_weight = reference.conv_weight_grad(x, g, spec=spec, size=w_shape[2:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_unroll, "BLOCK_BYTES", block_bytes)
        for way, run in numpy_conv._WAYS.items():
            if can_do(way, w_shape, spec):
                assert np.array_equal(run(x, w, b, spec, out), forward), way
        assert np.array_equal(numpy_conv._spread(g, w, spec, x_shape[2:]), to_input)
        for way, run in numpy_conv._WEIGHT_WAYS.items():
            if way != "rows" or spec.groups == 1:
                assert np.array_equal(run(x, g, spec, w_shape[2:]), to_weight), way


def can_do(way, w_shape, spec):
    return {
        "pointwise": numpy_unroll.is_pointwise(w_shape, spec),
        "columns": True,
        "rows": spec.groups == 1,
        "spread": max(spec.stride) == 1,
    }[way]


@quick
@given(convolutions(), seeds)
def test_the_three_passes_are_each_others_transposes(shapes, seed):
    x_shape, w_shape, spec = shapes
    kernels = provider("numpy")
    x, w = numbers(x_shape, seed), numbers(w_shape, seed + 1)
    y = kernels.conv(x, w, spec=spec)
    g = numbers(y.shape, seed + 2)
    through = (y * g).sum()
    assert through == (kernels.conv_input_grad(g, w, spec=spec, size=x_shape[2:]) * x).sum()
    assert through == (kernels.conv_weight_grad(x, g, spec=spec, size=w_shape[2:]) * w).sum()


@providers
@quick
@given(convolutions(dims=(1, 2)), seeds)
def test_groups_are_separate_convolutions_side_by_side(name, shapes, seed):
    x_shape, w_shape, spec = shapes
    kernels = provider(name)
    x, w = numbers(x_shape, seed), numbers(w_shape, seed + 1)
    alone = type(spec)(spec.stride, spec.padding, spec.dilation, 1)
    parts = [
        kernels.conv(part, filters, spec=alone)
        for part, filters in zip(
            np.split(x, spec.groups, 1), np.split(w, spec.groups, 0), strict=True
        )
    ]
    assert np.array_equal(kernels.conv(x, w, spec=spec), np.concatenate(parts, axis=1))


@providers
@quick
@given(convolutions(), seeds)
def test_a_dilated_kernel_is_a_kernel_with_holes(name, shapes, seed):
    x_shape, w_shape, spec = shapes
    kernels = provider(name)
    x, w = numbers(x_shape, seed), numbers(w_shape, seed + 1)
    wide = [(k - 1) * d + 1 for k, d in zip(w_shape[2:], spec.dilation, strict=True)]
    holed = np.zeros((*w_shape[:2], *wide), w.dtype)
    holed[(..., *(slice(None, None, d) for d in spec.dilation))] = w
    dense = type(spec)(spec.stride, spec.padding, (1,) * spec.ndim, spec.groups)
    assert np.array_equal(kernels.conv(x, w, spec=spec), kernels.conv(x, holed, spec=dense))
