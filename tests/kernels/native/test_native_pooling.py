"""Native pooling: the numbers and switches of the reference, whatever the geometry and width."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, seeds

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

from autograd_cnn.errors import ShapeError
from autograd_cnn.kernels import provider
from autograd_cnn.kernels.native import machine, pooling, pools
from autograd_cnn.kernels.specs import pool_spec

kernels, plain, reference = map(provider, ("native", "numpy", "reference"))
few = settings(max_examples=40, deadline=None, derandomize=True)  # each compiles code of its own
every_machine = pytest.mark.parametrize("name", machine.runnable())


@pytest.fixture(autouse=True)
def everything_is_native(monkeypatch, threads):
    monkeypatch.setattr(pools, "TINY", 1)
    monkeypatch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
    threads(2)


@st.composite
def geometries(draw):
    """Shapes of sequences and images, with rows of at least four windows."""
    ndim = draw(st.integers(1, 2))
    sizes = st.tuples(*[st.integers(1, 9)] * (ndim - 1), st.integers(4, 70))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *draw(sizes))
    per_axis = lambda low, high: draw(st.tuples(*[st.integers(low, high)] * ndim))
    kernel, stride, dilation = per_axis(1, 4), per_axis(1, 4), per_axis(1, 2)
    if draw(st.booleans()):
        kernel, stride, dilation = (2,) * ndim, (2,) * ndim, (1,) * ndim
    try:
        spec = pool_spec(
            "pool", shape, ndim, kernel, stride, per_axis(0, 1), dilation, draw(st.booleans())
        )
    except ShapeError:
        assume(False)
    assume(not pooling.obstacle(spec, shape[2:]))
    return shape, spec


@few
@given(geometries(), seeds, layouts)
@every_machine
def test_maxima_their_switches_and_the_way_back_are_those_of_the_reference(
    name, drawn, seed, layout
):
    shape, spec = drawn
    x = lay_out(numbers(shape, seed), layout)
    with machine.force(name):
        best, switches = kernels.max_pool(x, spec=spec)
        g = lay_out(numbers(best.shape, seed + 1), layout)
        back = kernels.pool_scatter(g, switches, spec=spec, size=shape[2:])
    expected, where = reference.max_pool(x, spec=spec)
    assert np.array_equal(best, expected) and np.array_equal(switches, where)
    assert switches.dtype == where.dtype == "uint8"
    expected = reference.pool_scatter(g, where, spec=spec, size=shape[2:])
    assert np.array_equal(back, expected)


@few
@given(geometries(), seeds, layouts, st.booleans())
@every_machine
def test_averages_of_whole_numbers_are_those_of_the_reference(
    name, drawn, seed, layout, include_pad
):
    shape, spec = drawn
    x, attributes = lay_out(numbers(shape, seed), layout), {"count_include_pad": include_pad}
    with machine.force(name):
        y = kernels.avg_pool(x, spec=spec, **attributes)
        g = 4 * lay_out(numbers(y.shape, seed + 1), layout)
        back = kernels.avg_pool_grad(g, spec=spec, size=shape[2:], **attributes)
    assert np.array_equal(y, reference.avg_pool(x, spec=spec, **attributes))
    if pooling.is_doubling(spec, shape[2:]):  # a quarter of 4·g needs no rounding
        expected = reference.avg_pool_grad(g, spec=spec, size=shape[2:], **attributes)
        assert np.array_equal(back, expected)


@every_machine
@pytest.mark.parametrize("kernel", [2, 3])
def test_nan_infinities_and_zeros_are_those_of_the_reference(name, kernel):
    """NaN wins, −∞ wins over padding, and of equal entries the first tap is named."""
    generator = np.random.default_rng(1)
    edges = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], "float32")
    x = generator.choice(edges, (2, 3, 9, 41), p=[0.1, 0.1, 0.5, 0.1, 0.1, 0.1])
    spec = pool_spec("max_pool2d", x.shape, 2, kernel, 2, 1)
    with machine.force(name):
        best, switches = kernels.max_pool(x, spec=spec)
    expected, where = reference.max_pool(x, spec=spec)
    assert np.array_equal(best, expected, equal_nan=True) and np.array_equal(switches, where)


@every_machine
@pytest.mark.parametrize("shape", [(1, 1, 8, 40), (3, 5, 7, 33), (2, 4, 16)])
def test_averages_and_their_way_back_stay_within_the_bound_of_any_order(name, shape):
    spec = pool_spec("avg_pool", shape, len(shape) - 2, 2)
    x = numbers(shape, 1, exact=False)
    with machine.force(name):
        y = kernels.avg_pool(x, spec=spec, count_include_pad=True)
    exact = reference.avg_pool(x.astype("float64"), spec=spec, count_include_pad=True)
    size = reference.avg_pool(np.abs(x).astype("float64"), spec=spec, count_include_pad=True)
    assert (np.abs(y - exact) <= (2**spec.ndim + 1) * np.finfo("float32").eps * size).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_share_the_planes(count, threads):
    threads(count)
    x = numbers((2, 5, 12, 40), 1)
    spec = pool_spec("max_pool2d", x.shape, 2, 2)
    best, switches = kernels.max_pool(x, spec=spec)
    expected, where = plain.max_pool(x, spec=spec)
    assert np.array_equal(best, expected) and np.array_equal(switches, where)
    back = kernels.pool_scatter(best, switches, spec=spec, size=(12, 40))
    assert np.array_equal(back, plain.pool_scatter(best, where, spec=spec, size=(12, 40)))


def test_switching_keeps_infinities_to_themselves():
    g = np.array([[[[np.inf, -np.inf, 1, 2]]]], "float32")
    switches = np.array([[[[3, 0, 1, 2]]]], "uint8")
    spec = pool_spec("max_pool2d", (1, 1, 2, 8), 2, 2)
    back = kernels.pool_scatter(g, switches, spec=spec, size=(2, 8))
    assert back.tolist() == [[[[0, 0, -np.inf, 0, 0, 1, 0, 0], [0, np.inf, 0, 0, 0, 0, 2, 0]]]]


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "why"),
    [
        ((1, 1, 4, 6), 2, 2, "rows of 3 windows are shorter than 4"),
        ((1, 1, 4, 4, 8), 2, 2, "3 spatial axes"),
        ((1, 1, 60), 17, 1, "windows of (17,) with stride (1,)"),
        ((1, 1, 17, 60), (17, 16), 1, "windows of (17, 16) with stride (1, 1)"),
        ((1, 1, 60), 2, 5, "windows of (2,) with stride (5,)"),
    ],
)
def test_what_is_left_to_numpy_and_why(shape, kernel, stride, why):
    spec = pool_spec("pool", shape, len(shape) - 2, kernel, stride)
    x = numbers(shape, 1)
    assert kernels.explain("max_pool", x, spec=spec).endswith(f"; not native: {why}")
    best, switches = kernels.max_pool(x, spec=spec)
    expected, where = plain.max_pool(x, spec=spec)
    assert np.array_equal(best, expected) and np.array_equal(switches, where)


def test_explain_says_native_or_why_not(monkeypatch):
    x = numbers((1, 2, 8, 8), 1)
    spec = pool_spec("pool", x.shape, 2, 2)
    expected = "max_pool: pools.NativePools: a plane at a time"
    assert kernels.explain("max_pool", x, spec=spec) == expected
    text = kernels.explain("max_pool", x.astype("float64"), spec=spec)
    assert text == "max_pool: numpy.NumpyKernels; not native: float64 is not float32"
    switches = np.zeros((1, 2, 4, 4), "int32")
    run = {"spec": spec, "size": (8, 8)}
    text = kernels.explain("pool_scatter", x[:, :, ::2, ::2], switches, **run)
    assert text.endswith("not native: switches in int32")
    one = pool_spec("pool", x.shape, 2, 2, 1)
    run = {"spec": one, "size": (8, 8), "count_include_pad": True}
    text = kernels.explain("avg_pool_grad", x[:, :, 1:, 1:], **run)
    assert text.endswith("not native: windows are not 2×2 side by side")
    monkeypatch.setattr(pools, "TINY", 129)
    text = kernels.explain("avg_pool", x, spec=spec, count_include_pad=True)
    assert text.endswith("not native: 128 entries are fewer than 129")


def test_inputs_are_left_alone_and_answers_are_fresh():
    x = numbers((3, 4, 10, 33), 1, exact=False)
    spec, before = pool_spec("pool", x.shape, 2, 3, 2, 1), x.tobytes()
    first, second = (kernels.max_pool(x, spec=spec) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert x.tobytes() == before and not np.shares_memory(first[0], second[0])
