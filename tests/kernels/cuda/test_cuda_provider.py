"""The CUDA provider with its launches run on the CPU: grids, layouts, what it leaves to others."""

import grid
import numpy as np
import pytest

from autograd_cnn.kernels import provider
from autograd_cnn.kernels.cuda import CudaKernels
from autograd_cnn.kernels.specs import PoolSpec

pytestmark = pytest.mark.skipif(grid.reason() is not None, reason=str(grid.reason()))
reference = provider("reference")
EPS = 1e-3


class OnTheCpu(CudaKernels):
    """Launches run by `grid`; each is noted."""

    def __init__(self, folder):
        super().__init__(np)
        self.folder, self.launched = folder, []

    def launch(self, source, kernel, grid_shape, block, like, *arguments, macros=()):
        for value in arguments:
            if isinstance(value, np.ndarray):
                kept = value.flags.c_contiguous or np.moveaxis(value, 1, -1).flags.c_contiguous
                assert kept, "a kernel reads memory, not views"
        self.launched.append(kernel)
        grid.grid_of(self.folder, source, like.dtype.name, macros)(
            kernel, grid_shape, block, *arguments
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cuda_provider")


@pytest.fixture
def kernels(folder):
    return OnTheCpu(folder)


def whole(shape, seed, dtype="float64"):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def layouts(x):
    """The same values as NCHW, as NHWC and as a view that is neither."""
    yield x
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    yield np.repeat(x, 2, axis=-1)[..., ::2]


BATCH = {"axes": (0, 2, 3), "shape": (1, 3, 1, 1), "eps": EPS}
LAYER = {"axes": (2, 3), "shape": (1, 1, 4, 5), "eps": EPS}


@pytest.mark.parametrize("settings", [BATCH, LAYER], ids=["batch", "layer"])
@pytest.mark.parametrize("affine", [True, False])
def test_norms(kernels, settings, affine):
    values, slope = whole((2, 3, 4, 5), 0), whole((2, 3, 4, 5), 1)
    size = int(np.prod(settings["shape"]))
    weight, bias = (whole(size, 2), whole(size, 3)) if affine else (None, None)
    y, mean, inverse = reference.normalize(values, weight, bias, **settings)
    expected = reference.norm_input_grad(slope, values, weight, mean, inverse, **settings)
    for x, g in zip(layouts(values), layouts(slope), strict=True):
        found = kernels.normalize(x, weight, bias, **settings)
        for ours, theirs in zip(found, (y, mean, inverse), strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        ours = kernels.norm_input_grad(g, x, weight, *found[1:], **settings)
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)
        ours = kernels.norm_weight_grad(g, x, *found[1:], **settings)
        theirs = reference.norm_weight_grad(slope, values, mean, inverse, **settings)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)
    assert {"batch_moments", "layer_norm"} & set(kernels.launched)


def test_other_axes_are_left_to_the_generic_kernels(kernels):
    x, settings = whole((2, 3, 4), 0), {"axes": (0,), "shape": (1, 3, 4), "eps": EPS}
    y = kernels.normalize(x, None, None, **settings)[0]
    np.testing.assert_allclose(
        y, reference.normalize(x, None, None, **settings)[0], rtol=1e-12, atol=1e-12
    )
    assert kernels.launched == []
    halves = whole((2, 5), 0).astype(np.complex128)
    kernels.softmax(halves, axis=1)
    assert kernels.launched == []


def test_norm_relu_and_residual_in_one_pass(kernels):
    x, other, g = whole((2, 3, 4, 5), 0), whole((2, 3, 4, 5), 1), whole((2, 3, 4, 5), 2)
    weight, bias = whole(3, 3), whole(3, 4)
    plain, mean, inverse = kernels.normalize(x, weight, bias, **BATCH)
    y = kernels.batch_apply(x, mean, inverse, weight, bias, other, relu=True)
    np.testing.assert_allclose(y, np.maximum(plain + other, 0), rtol=1e-12, atol=1e-12)
    found = kernels.batch_gradients(g, x, weight, mean, inverse, y)
    masked = g * (y > 0)
    np.testing.assert_allclose(
        found[0], reference.norm_input_grad(masked, x, weight, mean, inverse, **BATCH),
        rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    np.testing.assert_allclose(found[2], masked.sum((0, 2, 3)), rtol=1e-13)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_rows(kernels, name, axis):
    x = whole((3, 300), 0) * 50
    np.testing.assert_allclose(
        getattr(kernels, name)(x, axis=axis), getattr(reference, name)(x, axis=axis),
        rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    assert kernels.launched == ([] if axis == 0 else [name])


@pytest.mark.parametrize("scale", [None, 0.25])
def test_cross_entropy(kernels, scale):
    x, target = whole((6, 10), 0), np.eye(10)[[1, 2, 3, 9, 0, 0]]
    np.testing.assert_allclose(
        kernels.cross_entropy(x, target, axis=1, scale=scale),
        reference.cross_entropy(x, target, axis=1, scale=scale), rtol=1e-13,
    )  # fmt: skip
    assert kernels.launched == ["cross_entropy"]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pooling(kernels, ceil_mode, dtype):
    spec = PoolSpec((3, 2), (2, 2), ((1, 1), (0, 0)), (1, 2), ceil_mode)
    values, size = whole((2, 3, 7, 6), 0, dtype), (7, 6)
    best, switches = reference.max_pool(values, spec=spec)
    mean = {"spec": spec, "count_include_pad": False}
    for x in layouts(values):
        y, ours = kernels.max_pool(x, spec=spec)
        assert y.dtype == best.dtype and ours.dtype == switches.dtype
        np.testing.assert_array_equal(y, best)
        np.testing.assert_array_equal(ours, switches)
        np.testing.assert_allclose(
            kernels.avg_pool(x, **mean), reference.avg_pool(values, **mean), rtol=1e-6
        )
    g = whole(best.shape, 1, dtype)
    np.testing.assert_array_equal(
        kernels.pool_scatter(g, switches, spec=spec, size=size),
        reference.pool_scatter(g, switches, spec=spec, size=size),
    )
    np.testing.assert_allclose(
        kernels.avg_pool_grad(g, size=size, **mean), reference.avg_pool_grad(g, size=size, **mean),
        rtol=1e-6, atol=1e-6,
    )  # fmt: skip


def test_a_large_window_has_wide_switches(kernels):
    spec = PoolSpec((17, 17), (17, 17), ((0, 0), (0, 0)), (1, 1))
    x = whole((1, 1, 17, 17), 0)
    x[0, 0, 16, 16] = 99
    y, switches = kernels.max_pool(x, spec=spec)
    assert (y.item(), switches.item(), switches.dtype) == (99, 288, np.int32)


def test_noise(kernels):
    numbers = kernels.uniform(3, (5, 7))
    np.testing.assert_array_equal(numbers, kernels.uniform(3, (35,)).reshape(5, 7))
    assert not np.array_equal(numbers, kernels.uniform(4, (5, 7)))
    x = whole((5, 7), 0)
    dropped = kernels.dropout(x, seed=3, p=0.5, shape=(5, 7))
    np.testing.assert_array_equal(dropped, np.where(numbers >= 0.5, 2 * x, 0))
    channels = kernels.dropout(x, seed=3, p=0.5, shape=(5, 1))
    np.testing.assert_array_equal(channels, np.where(kernels.uniform(3, (5, 1)) >= 0.5, 2 * x, 0))
    assert kernels.uniform(0, (0, 3)).shape == (0, 3)
