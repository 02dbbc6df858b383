"""Law 12 for Winograd's algorithm: within its derived bound, and only where it may be used."""

from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
import winograd_bound
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, seeds

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

import autograd_cnn as ag
from autograd_cnn.kernels import native, provider, set_num_threads
from autograd_cnn.kernels.native import conv, machine, winograd
from autograd_cnn.kernels.precision import float32_matmul_precision
from autograd_cnn.kernels.specs import conv_spec

every_machine = pytest.mark.parametrize("name", machine.runnable())
PASSES = ("conv", "conv_input_grad", "conv_weight_grad")


@contextmanager
def conditions(name, workers=2, unit_tiles=0):
    """Winograd wherever it is possible, on one width, in so many threads, in small units."""
    with pytest.MonkeyPatch.context() as patch, machine.force(name):
        patch.setattr(native, "TINY", 1)
        patch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
        patch.setattr(winograd, "PATCH_COST", 0)
        patch.setattr(winograd, "FILTER_COST", -(10**9))
        if unit_tiles:
            patch.setattr(winograd, "MOST", unit_tiles)
        set_num_threads(workers)
        conv._prepare.cache_clear()
        yield provider("native")
    set_num_threads(2)
    conv._prepare.cache_clear()


def passes(kernels, x, w, b, g, spec):
    return (
        kernels.conv(x, w, b, spec=spec),
        kernels.conv_input_grad(g, w, spec=spec, size=x.shape[2:]),
        kernels.conv_weight_grad(x, g, spec=spec, size=w.shape[2:]),
    )


def explained(kernels, x, w, b, g, spec):
    return (
        kernels.explain("conv", x, w, b, spec=spec),
        kernels.explain("conv_input_grad", g, w, spec=spec, size=x.shape[2:]),
        kernels.explain("conv_weight_grad", x, g, spec=spec, size=w.shape[2:]),
    )


def operands(x_shape, filters, spec, seed, exact):
    w_shape = (filters, x_shape[1], 3, 3)
    y_shape = (x_shape[0], filters, *spec.output_size(x_shape[2:], (3, 3)))
    shapes = (x_shape, w_shape, (filters,), y_shape)
    return [numbers(shape, seed + i, exact=exact) for i, shape in enumerate(shapes)]


def geometry(x_shape, filters, padding):
    return conv_spec("conv2d", x_shape, (filters, x_shape[1], 3, 3), padding=padding)


def bounds(x, w, b, g, spec, workers):
    before = [before for before, _ in spec.padding]
    other = [2 - each for each in before]
    turned = w[:, :, ::-1, ::-1].swapaxes(0, 1)
    return (
        winograd_bound.of_outputs(x, w, b, before, g.shape[2:]),
        winograd_bound.of_outputs(g, turned, np.zeros(x.shape[1]), other, x.shape[2:]),
        winograd_bound.of_weights(x, g, before, workers),
    )


def assert_within_the_bound(results, oracle, arrays, spec, workers):
    expected = passes(oracle, *(array.astype("float64") for array in arrays), spec)
    within = bounds(*arrays, spec, workers)
    for ours, theirs, bound in zip(results, expected, within, strict=True):
        assert ours.dtype == np.float32 and ours.shape == theirs.shape
        assert (np.abs(ours - theirs) <= bound).all()


@st.composite
def shapes(draw):
    """Images, filters and padding that fit Winograd's algorithm on every machine."""
    size = draw(st.tuples(st.integers(6, 14), st.integers(6, 14)))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 4))) for _ in range(2))
    x = (draw(st.integers(1, 3)), draw(st.integers(16, 20)), *size)
    return x, draw(st.sampled_from([16, 17, 24, 33])), padding


@every_machine
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    shapes(), seeds, layouts, layouts, st.booleans(),
    st.sampled_from([1, 2, 3]), st.sampled_from([0, 1, 5]),
)  # fmt: skip
def test_all_passes_stay_within_the_bound_in_any_layout_strip_and_thread(
    name, drawn, seed, first, second, exact, workers, unit_tiles
):
    x_shape, filters, padding = drawn
    spec = geometry(x_shape, filters, padding)
    arrays = operands(x_shape, filters, spec, seed, exact)
    x, w, b, g = arrays
    arrays = lay_out(x, first), lay_out(w, second), b, lay_out(g, first)
    with conditions(name, workers, unit_tiles) as kernels:
        assert all("Winograd F(4,3): " in text for text in explained(kernels, *arrays, spec))
        results = passes(kernels, *arrays, spec)
    assert_within_the_bound(results, provider("numpy"), arrays, spec, workers)


@every_machine
@pytest.mark.parametrize("exact", [True, False])
def test_against_the_reference(name, exact):
    spec = geometry((1, 16, 7, 6), 17, 1)
    arrays = operands((1, 16, 7, 6), 17, spec, 3, exact)
    with conditions(name) as kernels:
        results = passes(kernels, *arrays, spec)
    assert_within_the_bound(results, provider("reference"), arrays, spec, 2)


def test_the_bound_is_for_the_matrices_that_compute_a_correlation():
    """Σ over k of Aᵀ[i, k]·G[k, j]·Bᵀ[k, l] is 1 where l = i + j and 0 elsewhere, exactly."""
    a, b, g = (
        [[Fraction(float(entry)).limit_denominator(24) for entry in row] for row in matrix]
        for matrix in (winograd_bound.A, winograd_bound.B, winograd_bound.G)
    )
    for i in range(4):
        for j in range(3):
            for k in range(6):
                total = sum(a[p][i] * g[p][j] * b[k][p] for p in range(6))
                assert total == (k == i + j)


@every_machine
def test_it_is_off_at_the_highest_precision(name):
    spec = geometry((2, 16, 9, 9), 16, 1)
    arrays = operands((2, 16, 9, 9), 16, spec, 1, True)
    expected = passes(provider("numpy"), *arrays, spec)
    with conditions(name) as kernels, float32_matmul_precision("highest"):
        results = passes(kernels, *arrays, spec)
        texts = explained(kernels, *arrays, spec)
    assert all(map(np.array_equal, results, expected))
    end = 'not Winograd: float32_matmul_precision is "highest"'
    assert all(text.endswith(end) for text in texts)


def test_the_precision_is_one_of_three_words_and_high_at_first():
    assert ag.get_float32_matmul_precision() == "high"
    with float32_matmul_precision("medium"):
        assert ag.get_float32_matmul_precision() == "medium"
    with pytest.raises(ValueError, match=r"\('low'\): use one of 'highest', 'high', 'medium'"):
        ag.set_float32_matmul_precision("low")
    assert ag.get_float32_matmul_precision() == "high"


@pytest.mark.parametrize(
    ("x", "w", "options", "reason"),
    [
        ((4, 16, 9, 9), (16, 16, 3, 3), {"stride": 2}, "for 3×3 filters with stride 1"),
        ((4, 16, 9, 9), (16, 8, 3, 3), {"groups": 2}, "one group"),
        ((4, 16, 9, 9), (16, 16, 5, 5), {}, "for 3×3 filters"),
        ((4, 16, 9, 9), (16, 16, 3, 3), {"padding": 3}, "padding is beyond 2"),
        ((8, 16, 5, 9), (16, 16, 3, 3), {}, "images are smaller than a tile"),
        ((64, 3, 32, 32), (16, 3, 3, 3), {"padding": 1}, "3 channels do not fill a vector of "),
        ((1, 512, 6, 6), (512, 512, 3, 3), {}, "multiplications for each channel of a filter"),
    ],
)
def test_explain_says_why_not(x, w, options, reason):
    kernels, spec = provider("native"), conv_spec("conv2d", x, w, **options)
    text = kernels.explain("conv", np.zeros(x, "float32"), np.zeros(w, "float32"), spec=spec)
    assert " tiles of " in text and reason in text.partition("; not Winograd: ")[2]


def test_a_gradient_whose_sums_would_fill_the_memory_is_left_to_the_direct_way(threads):
    threads(64)
    x, y = np.zeros((64, 256, 16, 16), "float32"), np.zeros((64, 256, 16, 16), "float32")
    spec = conv_spec("conv2d", x.shape, (256, 256, 3, 3), padding=1)
    text = provider("native").explain("conv_weight_grad", x, y, spec=spec, size=(3, 3))
    assert text.endswith("64 × 36 × 256 × 256 numbers at the points are too many")


def test_wide_layers_use_it_in_all_passes():
    spec = geometry((8, 64, 16, 16), 64, 1)
    arrays = operands((8, 64, 16, 16), 64, spec, 1, False)
    texts = explained(provider("native"), *arrays, spec)
    assert all(": native.NativeKernels: Winograd F(4,3): " in text for text in texts)


@every_machine
def test_two_runs_are_equal_and_inputs_untouched(name):
    spec = geometry((3, 16, 10, 11), 20, 1)
    arrays = operands((3, 16, 10, 11), 20, spec, 1, False)
    before = [array.tobytes() for array in arrays]
    with conditions(name, 2, 5) as kernels:
        first, second = (passes(kernels, *arrays, spec) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes() and one.flags.c_contiguous and one.flags.writeable
        assert not any(np.shares_memory(one, array) for array in (other, *arrays))
    assert [array.tobytes() for array in arrays] == before


@every_machine
@pytest.mark.parametrize("precision", ["high", "highest"])
def test_outputs_and_input_gradients_have_the_same_bits_in_any_strips_and_threads(name, precision):
    spec = geometry((3, 16, 19, 18), 20, 1)
    arrays = operands((3, 16, 19, 18), 20, spec, 1, False)
    found = set()
    for workers, unit_tiles in ((1, 0), (2, 0), (3, 1), (2, 7)):
        with conditions(name, workers, unit_tiles) as kernels, float32_matmul_precision(precision):
            y, x_gradient, _ = passes(kernels, *arrays, spec)
        found.add(y.tobytes() + x_gradient.tobytes())
    assert len(found) == 1


@every_machine
def test_a_nan_reaches_its_windows_and_stays_within_their_tiles(name):
    spec = geometry((2, 16, 12, 12), 16, 1)
    x, w, b, _ = operands((2, 16, 12, 12), 16, spec, 1, True)
    w[...] = 1
    x[0, 5, 0, 11] = np.nan
    with conditions(name) as kernels:
        touched = np.isnan(kernels.conv(x, w, b, spec=spec))
    assert touched[0, :, :2, 10:].all()
    assert not touched[1].any() and not touched[0, :, 4:].any() and not touched[0, :, :, :8].any()
