"""Generated batch normalisation against float64, and exactly where the numbers allow it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, quick, seeds

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

from autograd_cnn.kernels import native, provider
from autograd_cnn.kernels.native import launch, machine, normalization

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
    monkeypatch.setattr(native, "TINY", 1)
    monkeypatch.setattr(launch, "SMALL", 0)
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
        patch.setattr(native, "TINY", 1)
        patch.setattr(launch, "SMALL", 0)
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


def test_other_norms_and_types_are_left_to_numpy(kernels, monkeypatch):
    def unexpected(*_):
        raise AssertionError("native")

    for name in ("normalize", "input_grad", "weight_grad"):
        monkeypatch.setattr(normalization, name, unexpected)
    x = numbers((4, 6, 5, 5), 1, exact=False)
    batch, layer = geometry(x.shape), {"axes": (1, 2, 3), "shape": (1, 6, 5, 5), "eps": 1e-3}
    for array, run in ((x.astype("float64"), batch), (x.astype("float16"), batch), (x, layer)):
        _, mean, inverse_std = kernels.normalize(array, None, None, **run)
        kernels.norm_input_grad(array, array, None, mean, inverse_std, **run)
        kernels.norm_weight_grad(array, array, mean, inverse_std, **run)


def test_explain_says_whether_a_norm_is_native(kernels):
    x = numbers((4, 6, 5, 5), 1, exact=False)
    batch = geometry(x.shape)
    text = kernels.explain("normalize", x, None, None, **batch)
    assert text == "normalize: native.NativeKernels: a channel at a time"
    text = kernels.explain("normalize", x.astype("float64"), None, None, **batch)
    assert text == "normalize: numpy.NumpyKernels; not native: not a batch norm in float32"


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
