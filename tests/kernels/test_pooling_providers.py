"""Pooling against the reference loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, poolings, quick, seeds

from autograd_cnn.kernels import provider
from autograd_cnn.kernels.specs import pool_spec

reference = provider("reference")
providers = pytest.mark.parametrize("name", ["numpy", "generic"])
dtypes = st.sampled_from(["float32", "float64", "float16", "int32", "complex128"])


@providers
@quick
@given(poolings(), seeds, dtypes, layouts)
def test_maxima_switches_and_both_ways_by_switch_are_exact(name, drawn, seed, dtype, layout):
    (shape, spec), kernels = drawn, provider(name)
    x = lay_out(numbers(shape, seed, dtype), layout)
    best, switches = reference.max_pool(x, spec=spec)
    result = kernels.max_pool(x, spec=spec)
    assert [a.dtype for a in result] == [best.dtype, switches.dtype]
    assert np.array_equal(result[0], best) and np.array_equal(result[1], switches)
    other = lay_out(numbers(shape, seed + 1, dtype), layout)
    assert np.array_equal(
        kernels.pool_gather(other, switches, spec=spec),
        reference.pool_gather(other, switches, spec=spec),
    )
    g = lay_out(numbers(best.shape, seed + 2, dtype), layout)
    assert np.array_equal(
        kernels.pool_scatter(g, switches, spec=spec, size=shape[2:]),
        reference.pool_scatter(g, switches, spec=spec, size=shape[2:]),
    )


@providers
@quick
@given(poolings(), seeds, st.booleans(), layouts)
def test_averages_stay_within_one_rounding_of_an_exact_sum(name, drawn, seed, include_pad, layout):
    (shape, spec), kernels = drawn, provider(name)
    x = lay_out(numbers(shape, seed), layout)
    expected = reference.avg_pool(x, spec=spec, count_include_pad=include_pad)
    result = kernels.avg_pool(x, spec=spec, count_include_pad=include_pad)
    assert result.dtype == expected.dtype and np.array_equal(result, expected)
    g = lay_out(numbers(expected.shape, seed + 1), layout)
    attributes = {"spec": spec, "size": shape[2:], "count_include_pad": include_pad}
    expected = reference.avg_pool_grad(g, **attributes)
    windows = reference.avg_pool_grad(np.abs(g), **attributes)
    bound = 2 * (np.prod(spec.kernel) + 1) * np.finfo("float32").eps * windows
    assert (np.abs(kernels.avg_pool_grad(g, **attributes) - expected) <= bound).all()


@pytest.mark.parametrize("name", ["numpy", "generic", "reference"])
def test_a_tie_goes_to_the_first_tap_and_nan_wins(name):
    kernels, spec = provider(name), pool_spec("max_pool1d", (1, 1, 6), 1, 3)
    x = np.array([[[2, 2, 1, 5, np.nan, np.nan]]], "float32")
    best, switches = kernels.max_pool(x, spec=spec)
    assert best[0, 0, 0] == 2 and np.isnan(best[0, 0, 1])
    assert switches.tolist() == [[[0, 1]]]


@pytest.mark.parametrize("name", ["numpy", "generic", "reference"])
def test_switching_keeps_infinities_to_themselves(name):
    """A mask by multiplication would turn ∞·0 into NaN."""
    kernels, spec = provider(name), pool_spec("max_pool1d", (1, 1, 4), 1, 2)
    switches = np.array([[[1, 0]]], "uint8")
    g = np.array([[[np.inf, -np.inf]]], "float32")
    spread = kernels.pool_scatter(g, switches, spec=spec, size=(4,))
    assert spread.tolist() == [[[0, np.inf, -np.inf, 0]]]
    x = np.array([[[np.nan, 1, 2, np.inf]]], "float32")
    assert kernels.pool_gather(x, switches, spec=spec).tolist() == [[[1, 2]]]


@pytest.mark.parametrize("name", ["numpy", "generic"])
def test_more_than_256_taps_need_wider_switches(name):
    x = numbers((1, 2, 17, 17), 3, exact=False)
    spec = pool_spec("max_pool2d", x.shape, 2, 17)
    best, switches = provider(name).max_pool(x, spec=spec)
    assert switches.dtype == np.int32
    assert best.ravel().tolist() == x.max(axis=(2, 3)).ravel().tolist()
    assert switches.ravel().tolist() == x.reshape(2, -1).argmax(axis=1).tolist()
