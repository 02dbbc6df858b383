"""Generated batch normalisation against float64, and exactly where the numbers allow it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, quick, seeds

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

from autograd_cnn.kernels import Kernels, provider
from autograd_cnn.kernels.native import machine, normalization, norms, row_norm
from autograd_cnn.kernels.native import threads as pools

reference = provider("reference")
every_machine = pytest.mark.parametrize("name", machine.runnable())
shapes = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 150)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), *[st.integers(1, 12)] * 2),
)
UNIT = np.finfo("float32").eps / 2


@pytest.fixture(params=machine.runnable())
def kernels(request, monkeypatch):
    """The native provider, taking everything, on one width, in two threads."""
    monkeypatch.setattr(norms, "TINY", 1)
    monkeypatch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
    with machine.force(request.param):
        yield provider("native")


def geometry(shape):
    ndim = len(shape)
    return {"axes": (0, *range(2, ndim)), "shape": (1, shape[1], *[1] * (ndim - 2)), "eps": 1e-3}


def doubles(*arrays):
    return [array.astype("float64") for array in arrays]


def test_two_values_as_often_as_each_other_normalise_to_one_and_minus_one(kernels):
    """x = 3 ± 2 has mean 3 and variance 4, without rounding; so have y, its gradients and sums."""
    signs = np.tile(np.array([1, -1], "float32"), 3 * 2 * 37).reshape(3, 2, 74)
    signs[:, 1] *= -1
    w, b = np.array([2, 3], "float32"), np.array([5, 7], "float32")
    run = geometry(signs.shape) | {"eps": 0.0}
    y, mean, inverse_std = kernels.normalize(3 + 2 * signs, w, b, **run)
    assert mean.ravel().tolist() == [3, 3] and inverse_std.ravel().tolist() == [0.5, 0.5]
    assert np.array_equal(y, signs * w[:, None] + b[:, None])
    total = kernels.norm_weight_grad(signs, 3 + 2 * signs, mean, inverse_std, **run)
    assert total.ravel().tolist() == [222, 222]
    g = kernels.norm_input_grad(signs, 3 + 2 * signs, w, mean, inverse_std, **run)
    assert not g.any()  # the gradient has no part along x̂ and none along a constant


@quick
@given(shapes, seeds, layouts, st.booleans())
@every_machine
def test_within_the_bound_of_any_order_of_summation(name, shape, seed, layout, affine):
    """Sums of n terms are within n·u·Σ|term| of the exact ones; a few roundings follow them."""
    x, g = (lay_out(numbers(shape, seed + i, exact=False), layout) for i in range(2))
    w, b = (numbers(shape[1:2], seed + 2 + i, exact=False) for i in range(2))
    run, count = geometry(shape), x.size // shape[1]
    over = {"axis": run["axes"], "keepdims": True}
    with pytest.MonkeyPatch.context() as patch, machine.force(name):
        patch.setattr(norms, "TINY", 1)
        patch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
        kernels = provider("native")
        y, mean, inverse_std = kernels.normalize(x, w if affine else None, b, **run)
        to_x = kernels.norm_input_grad(g, x, w if affine else None, mean, inverse_std, **run)
        to_w = kernels.norm_weight_grad(g, x, mean, inverse_std, **run)
    scale = np.abs(w).reshape(run["shape"]) if affine else 1
    x, g, w, b, mean_, inverse_ = doubles(x, g, w, b, mean, inverse_std)
    w = w if affine else None
    y_, exact_mean, exact_inverse = reference.normalize(x, w, b, **run)
    rounding, size = (2 * count + 20) * UNIT, np.abs(x) + np.abs(x).mean(**over)
    assert (np.abs(mean - exact_mean) <= rounding * np.abs(x).mean(**over)).all()
    spread = size.max(**over)  # an error of the mean moves every difference from it
    assert (np.abs(inverse_std / exact_inverse - 1) <= rounding * (1 + spread)).all()
    bound = rounding * (scale * size * exact_inverse * (1 + spread) + np.abs(b).max())
    assert (np.abs(y - y_) <= bound).all()
    expected = reference.norm_input_grad(g, x, w, mean_, inverse_, **run)
    products = np.abs(g * (x - mean_)).mean(**over) * inverse_**2
    terms = np.abs(g) + np.abs(g).mean(**over) + np.abs(x - mean_) * products
    cancelled = np.abs(x) + np.abs(mean_)  # what one rounding of x − mean may be
    terms = terms + cancelled * products
    assert (np.abs(to_x - expected) <= rounding * scale * inverse_ * terms).all()
    expected = reference.norm_weight_grad(g, x, mean_, inverse_, **run)
    terms = (np.abs(g) * cancelled).sum(**over) * inverse_
    assert (np.abs(to_w - expected) <= rounding * terms).all()


def test_whole_numbers_are_those_of_the_reference(kernels):
    """x = 3 ± 2 again: its ReLU, what is added before it, and all gradients need no rounding."""
    signs = np.tile(np.array([1, -1], "float32"), 3 * 2 * 37).reshape(3, 2, 74)
    x, added, g = 3 + 2 * signs, numbers(signs.shape, 1), numbers(signs.shape, 2)
    w, b = np.array([2, 3], "float32"), np.array([5, -7], "float32")
    run = geometry(x.shape) | {"eps": 0.0}
    y, mean, inverse_std = kernels.normalize_relu(x, w, b, added, **run)
    assert np.array_equal(y, np.maximum(signs * w[:, None] + b[:, None] + added, 0))
    found = kernels.norm_gradients(g, x, w, mean, inverse_std, y, **run)
    passed = g * (y > 0)
    assert np.array_equal(found[3], passed)
    assert found[1].ravel().tolist() == (passed * signs).sum(axis=(0, 2)).tolist()
    assert found[2].ravel().tolist() == passed.sum(axis=(0, 2)).tolist()
    assert np.array_equal(kernels.sum_to(g, shape=run["shape"]),
                          reference.sum_to(g, shape=run["shape"]))  # fmt: skip


@quick
@given(shapes, seeds, layouts, st.booleans(), st.booleans(), st.integers(1, 3))
@every_machine
def test_what_is_fused_has_the_bits_of_the_single_kernels(
    name, shape, seed, layout, affine, joined, count
):
    x, g, added = (lay_out(numbers(shape, seed + i, exact=False), layout) for i in range(3))
    w, b = (numbers(shape[1:2], seed + 3 + i, exact=False) if affine else None for i in range(2))
    run = geometry(shape)
    with pytest.MonkeyPatch.context() as patch, machine.force(name):
        patch.setattr(norms, "TINY", 1)
        patch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
        patch.setattr(pools, "_size", count)
        patch.setattr(pools, "_pool", None)
        kernels = provider("native")
        added = added if joined else None
        y, mean, inverse_std = kernels.normalize_relu(x, w, b, added, **run)
        ans = y if joined else None
        found = kernels.norm_gradients(g, x, w, mean, inverse_std, ans, **run)
        single = Kernels.normalize_relu(kernels, x, w, b, added, **run)
        singles = Kernels.norm_gradients(kernels, g, x, w, mean, inverse_std, ans, **run)
        with pools.pool() as pool:
            pool.close()
    for one, other in zip((y, mean, inverse_std, *found), (*single, *singles), strict=True):
        assert one.shape == other.shape and np.array_equal(one, other)


def test_rows_of_two_values_normalise_to_one_and_minus_one(kernels):
    """As for a batch norm: rows of 3 ± 2, weight and bias along the row."""
    signs = np.tile(np.array([1, -1], "float32"), 5 * 37).reshape(5, 74)
    w, b, g = numbers((74,), 1), numbers((74,), 2), numbers((5, 74), 3)
    run = {"axes": (1,), "shape": (1, 74), "eps": 0.0}
    y, mean, inverse_std = kernels.normalize(3 + 2 * signs, w, b, **run)
    assert mean.tolist() == [[3]] * 5 and inverse_std.tolist() == [[0.5]] * 5
    assert np.array_equal(y, signs * w + b)
    to_x = kernels.norm_input_grad(74 * g, 3 + 2 * signs, w, mean, inverse_std, **run)
    scaled = g * w  # its means are whole numbers when there are 74 of it
    along, across = (part.sum(axis=1, keepdims=True) for part in (scaled, scaled * signs))
    assert np.array_equal(to_x, (74 * scaled - along - signs * across) / 2)


@quick
@given(shapes, seeds, layouts, st.booleans(), st.booleans())
@every_machine
def test_rows_stay_within_the_bound_of_any_order(name, shape, seed, layout, weighted, biased):
    x, g = (lay_out(numbers(shape, seed + i, exact=False), layout) for i in range(2))
    w, b = (numbers(shape[1:], seed + 2 + i, exact=False) for i in range(2))
    w, b = w if weighted else None, b if biased else None
    run = {"axes": tuple(range(1, x.ndim)), "shape": (1, *shape[1:]), "eps": 1e-2}
    with pytest.MonkeyPatch.context() as patch, machine.force(name):
        patch.setattr(norms, "TINY", 1)
        patch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
        y, mean, inverse_std = provider("native").normalize(x, w, b, **run)
        to_x = provider("native").norm_input_grad(g, x, w, mean, inverse_std, **run)
    x, g, mean_, inverse_ = doubles(x, g, mean, inverse_std)
    w, b = (None if each is None else each.astype("float64") for each in (w, b))
    over = {"axis": run["axes"], "keepdims": True}
    count, scale = x[0].size, 1 if w is None else np.abs(w)
    exact, exact_mean, exact_inverse = reference.normalize(x, w, b, **run)
    rounding, size = (2 * count + 20) * UNIT, np.abs(x) + np.abs(x).mean(**over)
    spread = 1 + size.max(**over)
    assert (np.abs(mean - exact_mean) <= rounding * np.abs(x).mean(**over)).all()
    assert (np.abs(inverse_std / exact_inverse - 1) <= rounding * spread * exact_inverse).all()
    bound = rounding * (scale * size * exact_inverse**2 * spread + (0 if b is None else np.abs(b)))
    assert (np.abs(y - exact) <= bound).all()
    expected = reference.norm_input_grad(g, x, w, mean_, inverse_, **run)
    slope = np.abs(g) * scale
    products = (slope * (np.abs(x) + np.abs(mean_))).mean(**over) * inverse_**2
    terms = slope + slope.mean(**over) + (np.abs(x) + np.abs(mean_)) * products
    assert (np.abs(to_x - expected) <= rounding * inverse_ * terms).all()


def test_other_norms_and_types_are_left_to_numpy(kernels, monkeypatch):
    def unexpected(*_):
        raise AssertionError("native")

    for name in ("normalize", "gradients", "input_grad", "weight_grad"):
        monkeypatch.setattr(normalization, name, unexpected)
    monkeypatch.setattr(normalization, "sums", lambda g: g.sum(axis=(0, 2)))
    for name in ("normalize", "input_grad"):
        monkeypatch.setattr(row_norm, name, unexpected)
    x = numbers((4, 6, 5, 5), 1, exact=False)
    batch, layer = geometry(x.shape), {"axes": (1, 2, 3), "shape": (1, 6, 5, 5), "eps": 1e-3}
    images = {"axes": (0, 1), "shape": (4, 6, 1, 1), "eps": 1e-3}
    for array, run in (
        (x.astype("float64"), batch), (x.astype("float16"), batch), (x, images),
        (x.astype("float64"), layer),
    ):  # fmt: skip
        _, mean, inverse_std = kernels.normalize(array, None, None, **run)
        kernels.norm_input_grad(array, array, None, mean, inverse_std, **run)
        kernels.norm_weight_grad(array, array, mean, inverse_std, **run)
        _, mean, inverse_std = kernels.normalize_relu(array, None, None, array, **run)
        kernels.norm_gradients(array, array, None, mean, inverse_std, array, **run)


def test_explain_says_whether_a_norm_is_native(kernels):
    x = numbers((4, 6, 5, 5), 1, exact=False)
    batch = geometry(x.shape)
    text = kernels.explain("normalize", x, None, None, **batch)
    assert text == "normalize: norms.NativeNorms: a channel at a time"
    layer = {"axes": (1, 2, 3), "shape": (1, 6, 5, 5), "eps": 1e-3}
    text = kernels.explain("normalize", x, None, None, **layer)
    assert text == "normalize: norms.NativeNorms: a row at a time"
    text = kernels.explain("normalize", x.astype("float64"), None, None, **batch)
    assert text == "normalize: numpy.NumpyKernels; not native: float64 is not float32"
    text = kernels.explain("norm_weight_grad", x, x, x[:, :1], x[:, :1], **layer)
    assert text.endswith("not native: norm_weight_grad over axes (1, 2, 3)")


def test_results_are_fresh_inputs_untouched_and_two_runs_equal(kernels):
    x, g = (numbers((4, 3, 37), seed, exact=False) for seed in range(2))
    run, before = geometry(x.shape), (x.tobytes(), g.tobytes())
    _, mean, inverse_std = kernels.normalize(x, None, None, **run)
    for compute in (
        lambda: kernels.normalize(x, None, None, **run)[0],
        lambda: kernels.norm_input_grad(g, x, None, mean, inverse_std, **run),
        lambda: kernels.norm_weight_grad(g, x, mean, inverse_std, **run),
    ):
        first, second = compute(), compute()
        assert first.tobytes() == second.tobytes() and first.flags.writeable
        assert not any(np.shares_memory(first, other) for other in (second, x, g, mean))
    assert (x.tobytes(), g.tobytes()) == before
