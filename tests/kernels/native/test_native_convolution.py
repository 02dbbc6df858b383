"""Law 12 for generated direct convolutions: whole numbers exact, others within the bound."""

from contextlib import contextmanager
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_strategies import convolutions, lay_out, layouts, numbers, quick, seeds, terms

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

from autograd_cnn.errors import ShapeError
from autograd_cnn.kernels import native, provider, set_num_threads
from autograd_cnn.kernels.native import conv, filterwise, filterwise_weights, machine, plan
from autograd_cnn.kernels.precision import float32_matmul_precision
from autograd_cnn.kernels.specs import conv_spec

reference = provider("reference")
every_machine = pytest.mark.parametrize("name", machine.runnable())


@contextmanager
def conditions(name, workers=2, unit_pixels=0, along_filters=False):
    """All native and direct, on one width, in so many threads, in units of at most some pixels."""
    exact = float32_matmul_precision("highest")
    with pytest.MonkeyPatch.context() as patch, machine.force(name), exact:
        patch.setattr(native, "TINY", 1)
        patch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
        if unit_pixels:
            patch.setattr(plan, "LONGEST", unit_pixels)
            patch.setattr(conv, "WEIGHT_PIXELS", unit_pixels)
            patch.setattr(filterwise, "STRIP_FLOATS", 100 * unit_pixels)
        if along_filters:
            patch.setattr(filterwise_weights, "FEWEST", 1)
        set_num_threads(workers)
        forget()
        yield provider("native")
    set_num_threads(2)
    forget()


def forget():
    conv._prepare.cache_clear()
    plan.forward.cache_clear()
    plan.transposed.cache_clear()


def passes(kernels, x, w, b, g, spec):
    return (
        kernels.conv(x, w, b, spec=spec),
        kernels.conv_input_grad(g, w, spec=spec, size=x.shape[2:]),
        kernels.conv_weight_grad(x, g, spec=spec, size=w.shape[2:]),
    )


def operands(x_shape, w_shape, spec, seed, exact=True):
    y = (x_shape[0], w_shape[0], *spec.output_size(x_shape[2:], w_shape[2:]))
    shapes = (x_shape, w_shape, w_shape[:1], y)
    return [numbers(shape, seed + i, exact=exact) for i, shape in enumerate(shapes)]


@every_machine
@quick
@given(
    convolutions(), seeds, layouts, layouts,
    st.sampled_from([1, 2, 3]), st.sampled_from([0, 1, 20]),
)  # fmt: skip
def test_whole_numbers_are_exact_in_any_layout_strip_and_thread(
    name, shapes, seed, first, second, workers, unit_pixels
):
    x, w, b, g = operands(*shapes, seed)
    x, w, g = lay_out(x, first), lay_out(w, second), lay_out(g, first)
    expected = passes(reference, x, w, b, g, shapes[2])
    with conditions(name, workers, unit_pixels) as kernels:
        results = passes(kernels, x, w, b, g, shapes[2])
    for ours, theirs in zip(results, expected, strict=True):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


@every_machine
@pytest.mark.parametrize(
    ("x", "w", "geometry"),
    [
        ((3, 20, 9, 9), (20, 20, 3, 3), {"padding": 1}),
        ((5, 33, 7, 7), (37, 33, 3, 3), {"padding": 1}),
        ((2, 3, 23, 23), (9, 3, 7, 7), {"padding": 3, "stride": 2}),
        ((2, 16, 12, 12), (24, 16, 1, 1), {}),
        ((1, 9, 40, 17), (6, 9, 5, 2), {}),
        ((2, 8, 13, 13), (8, 8, 1, 1), {"stride": 2}),
        ((2, 24, 11, 11), (48, 1, 3, 3), {"groups": 24, "padding": 1}),
        ((2, 24, 11, 11), (36, 12, 3, 3), {"groups": 2, "stride": 3, "dilation": 2}),
        ((3, 5, 300), (7, 5, 9), {"padding": 4, "dilation": 3}),
        ((2, 4, 6, 7, 8), (10, 4, 3, 3, 3), {"padding": 1, "stride": (1, 2, 1)}),
        ((2, 4, 17, 17), (4, 4, 3, 3), {"stride": 6, "padding": 1}),
        ((3, 17, 13, 11), (21, 17, 3, 3), {"stride": 2, "padding": 1}),
        (
            (2, 16, 20, 17),
            (33, 16, 4, 3),
            {"stride": (3, 2), "padding": (2, 1), "dilation": (2, 1)},
        ),
        ((2, 32, 9, 9), (32, 32, 1, 1), {"stride": 3}),
        ((2, 18, 6, 21), (16, 18, 5, 7), {"padding": (5, 4)}),
    ],
)
@pytest.mark.parametrize("unit_pixels", [0, 40])
def test_larger_shapes_are_exact(name, x, w, geometry, unit_pixels):
    spec = conv_spec("conv", x, w, **geometry)
    arrays = operands(x, w, spec, 3)
    expected = passes(provider("numpy"), *arrays, spec)
    with conditions(name, 2, unit_pixels) as kernels:
        for ours, theirs in zip(passes(kernels, *arrays, spec), expected, strict=True):
            assert np.array_equal(ours, theirs)


@st.composite
def filterwise_convolutions(draw):
    """Shapes with enough filters and channels to fill a vector on every machine."""

    def pair(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    x = (draw(st.integers(1, 3)), draw(st.integers(16, 19)), *pair(5, 13))
    w = (draw(st.sampled_from([16, 23, 33])), x[1], *pair(1, 4))
    padding = tuple(pair(0, 4) for _ in range(2))
    try:
        spec = conv_spec("conv", x, w, pair(1, 3), padding, pair(1, 2))
    except ShapeError:
        assume(False)
    return x, w, spec


@every_machine
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    filterwise_convolutions(), seeds, layouts, layouts,
    st.sampled_from([1, 2, 3]), st.sampled_from([0, 1, 20]),
)  # fmt: skip
def test_whole_numbers_are_exact_with_vectors_along_filters(
    name, shapes, seed, first, second, workers, unit_pixels
):
    x, w, b, g = operands(*shapes, seed)
    x, w, g = lay_out(x, first), lay_out(w, second), lay_out(g, first)
    expected = passes(provider("numpy"), x, w, b, g, shapes[2])
    with conditions(name, workers, unit_pixels, along_filters=True) as kernels:
        results = passes(kernels, x, w, b, g, shapes[2])
    assert all(map(np.array_equal, results, expected))


@every_machine
@quick
@given(convolutions(), seeds)
def test_gaussian_numbers_stay_within_the_bound_of_two_summation_orders(name, shapes, seed):
    """|Δ| ≤ 2·(n + 1)·u·Σ|x|·|w| for n terms, u half the spacing at 1 (Higham 2002, §3.1)."""
    x_shape, w_shape, spec = shapes
    x, w, b, g = operands(*shapes, seed, exact=False)
    expected = passes(reference, x, w, b, g, spec)
    scales = passes(reference, *map(np.abs, (x, w, b, g)), spec)
    counts = (terms(w_shape) + 1, terms(w_shape) * w_shape[0], x_shape[0] * prod(g.shape[2:]))
    with conditions(name) as kernels:
        results = passes(kernels, x, w, b, g, spec)
    for ours, theirs, scale, count in zip(results, expected, scales, counts, strict=True):
        bound = 2 * (count + 1) * (np.finfo("float32").eps / 2) * scale
        assert (np.abs(ours - theirs) <= bound).all()


@every_machine
def test_threads_share_the_rows_of_a_large_weight_gradient(name):
    spec = conv_spec("conv2d", (3, 10, 6, 6), (19, 10, 3, 3), padding=1)
    arrays = operands((3, 10, 6, 6), (19, 10, 3, 3), spec, 5)
    with conditions(name, 2) as kernels, pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "SPLIT_FLOATS", 0)
        ours = passes(kernels, *arrays, spec)[2]
    assert np.array_equal(ours, passes(reference, *arrays, spec)[2])


@every_machine
def test_what_lies_outside_a_window_does_not_reach_it(name):
    """An infinity or a NaN in one pixel shows in its windows and in no other output."""
    x_shape, w_shape = (2, 3, 9, 9), (4, 3, 3, 3)
    spec = conv_spec("conv2d", x_shape, w_shape, padding=1)
    x, w, b, _ = operands(x_shape, w_shape, spec, 1)
    w[...] = 1
    x[0, 1, 0, 8] = np.nan
    with conditions(name) as kernels:
        y = kernels.conv(x, w, b, spec=spec)
    touched = np.isnan(y)
    assert touched[0, :, :2, 7:].all() and touched.sum() == 4 * 4
