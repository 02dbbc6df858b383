"""The CUDA kernels, run on the CPU, against the reference loops."""

import grid
import numpy as np
import pytest

from autograd_cnn.kernels import provider
from autograd_cnn.kernels.specs import PoolSpec

pytestmark = pytest.mark.skipif(grid.reason() is not None, reason=str(grid.reason()))
reference = provider("reference")
EPS = 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cuda_on_the_cpu")


def whole(shape, seed, low=-4, high=5):
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.float64)


def stored(x, together):
    """N×C×positions as it lies in memory: NCHW, or NHWC where channels are together."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1) if together else x)


def restored(x, together):
    return np.moveaxis(x, -1, 1) if together else x


LAYOUTS = pytest.mark.parametrize("together", [False, True], ids=["NCHW", "NHWC"])
SHAPES = pytest.mark.parametrize("shape", [(3, 5, 7), (2, 33, 4), (1, 1, 1), (4, 2, 1)])


def channels_grid(channels, slices, together):
    return ((-(-channels // 32), slices), (32, 4)) if together else ((channels, slices), (16, 2))


def moments(kernels, x, together, slices):
    n, channels, positions = x.shape
    items, flat = n * positions, stored(x, together)
    means, squares = np.zeros((2, slices, channels))
    mean, inverse = np.zeros((2, channels))
    kernels("batch_moments", *channels_grid(channels, slices, together), flat, means, squares,
            channels, positions, items, together)  # fmt: skip
    kernels("batch_statistics", (1, 1), (8, 1), means, squares, mean, inverse, channels, slices,
            items, EPS)  # fmt: skip
    return flat, mean, inverse


@LAYOUTS
@SHAPES
@pytest.mark.parametrize("slices", [1, 3])
def test_batch_norm(folder, shape, together, slices):
    kernels, x = grid.grid_of(folder, "batch_norm"), whole(shape, 0) + 100
    _, channels, positions = shape
    weight, bias = whole(channels, 1), whole(channels, 2)
    settings = {"axes": (0, 2), "shape": (1, channels, 1), "eps": EPS}
    y, mean, inverse = reference.normalize(x, weight, bias, **settings)
    flat, our_mean, our_inverse = moments(kernels, x, together, slices)
    np.testing.assert_allclose(our_mean, mean.ravel(), rtol=1e-14)
    np.testing.assert_allclose(our_inverse, inverse.ravel(), rtol=1e-13)
    for relu in (0, 1):
        result = np.full_like(flat, np.nan)
        kernels("batch_apply", (2, 1), (8, 1), flat, our_mean, our_inverse, weight, bias, None,
                result, channels, positions, x.size, together, relu)  # fmt: skip
        expected = np.maximum(y, 0) if relu else y
        np.testing.assert_allclose(restored(result, together), expected, rtol=1e-12, atol=1e-12)
    other = stored(whole(shape, 3), together)
    kernels("batch_apply", (2, 1), (8, 1), flat, our_mean, our_inverse, None, None, other, result,
            channels, positions, x.size, together, 0)  # fmt: skip
    plain = reference.normalize(x, None, None, **settings)[0] + restored(other, together)
    np.testing.assert_allclose(restored(result, together), plain, rtol=1e-12, atol=1e-12)


@LAYOUTS
@SHAPES
@pytest.mark.parametrize("relu", [False, True])
def test_batch_norm_backward(folder, shape, together, relu):
    kernels, x, g = grid.grid_of(folder, "batch_norm"), whole(shape, 0), whole(shape, 1)
    n, channels, positions = shape
    items, slices, weight = n * positions, 2, whole(channels, 2)
    settings = {"axes": (0, 2), "shape": (1, channels, 1), "eps": EPS}
    y, mean, inverse = reference.normalize(x, weight, None, **settings)
    slope = g * (y > 0) if relu else g
    expected = reference.norm_input_grad(slope, x, weight, mean, inverse, **settings)
    flat, gradient = stored(x, together), stored(g, together)
    answer = stored(y, together) if relu else None
    our_mean, our_inverse = mean.ravel().copy(), inverse.ravel().copy()
    sums, products = np.zeros((2, slices, channels))
    weight_gradient, bias_gradient, along, across = np.zeros((4, channels))
    kernels("batch_gradient_sums", *channels_grid(channels, slices, together), gradient, flat,
            answer, our_mean, sums, products, channels, positions, items, together)  # fmt: skip
    kernels("batch_gradient_means", (1, 1), (4, 1), sums, products, our_inverse, weight_gradient,
            bias_gradient, along, across, channels, slices, items)  # fmt: skip
    result = np.full_like(flat, np.nan)
    kernels("batch_input_gradient", (1, 1), (8, 1), gradient, flat, answer, our_mean, our_inverse,
            weight, along, across, result, channels, positions, x.size, together)  # fmt: skip
    np.testing.assert_allclose(restored(result, together), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(bias_gradient, slope.sum((0, 2)), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(
        weight_gradient,
        reference.norm_weight_grad(slope, x, mean, inverse, **settings).ravel(),
        rtol=1e-11, atol=1e-11,
    )  # fmt: skip


def test_a_large_mean_costs_a_variance_nothing(folder):
    """In single precision: Σx² − n·mean² would lose all of it at a mean of 8192."""
    kernels = grid.grid_of(folder, "batch_norm", "float32")
    x = (np.tile(np.float32([1, -1]), 32).reshape(4, 1, 16) + np.float32(8192)).copy()
    means, squares = np.zeros((2, 3, 1))
    mean, inverse = np.zeros((2, 1), np.float32)
    kernels("batch_moments", (1, 3), (8, 1), x, means, squares, 1, 16, 64, 0)
    kernels("batch_statistics", (1, 1), (1, 1), means, squares, mean, inverse, 1, 3, 64, 0.0)
    assert mean[0] == 8192 and abs(inverse[0] - 1) < 1e-6


ROWS = pytest.mark.parametrize("shape", [(5, 7), (1, 1), (3, 40), (2, 16)])


@ROWS
def test_layer_norm_and_its_gradient(folder, shape):
    kernels, x, g = grid.grid_of(folder, "rows"), whole(shape, 0), whole(shape, 1)
    weight, bias = whole(shape[1], 2), whole(shape[1], 3)
    settings = {"axes": (1,), "shape": (1, shape[1]), "eps": EPS}
    y, mean, inverse = reference.normalize(x, weight, bias, **settings)
    ours, our_mean, our_inverse = np.zeros(shape), *np.zeros((2, shape[0]))
    rows = (shape[0], 1), (16, 1)
    kernels("layer_norm", *rows, x, weight, bias, ours, our_mean, our_inverse, shape[1], EPS)
    np.testing.assert_allclose(ours, y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(our_mean, mean.ravel(), rtol=1e-14, atol=1e-14)
    kernels("layer_norm_input_gradient", *rows, g, x, weight, our_mean, our_inverse, ours, shape[1])
    expected = reference.norm_input_grad(g, x, weight, mean, inverse, **settings)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


@ROWS
def test_softmax_and_cross_entropy(folder, shape):
    kernels, x = grid.grid_of(folder, "rows"), whole(shape, 0) * 100
    target = np.abs(whole(shape, 1))
    target[:, 0] = 0
    rows, y, losses = ((shape[0], 1), (8, 1)), np.zeros(shape), np.zeros(shape[0])
    kernels("softmax", *rows, x, y, shape[1])
    np.testing.assert_allclose(y, reference.softmax(x, axis=1), rtol=1e-13)
    kernels("log_softmax", *rows, x, y, shape[1])
    np.testing.assert_allclose(y, reference.log_softmax(x, axis=1), rtol=1e-13, atol=1e-13)
    kernels("cross_entropy", *rows, x, target, losses, shape[1])
    expected = reference.cross_entropy(x, target, axis=1, scale=None)
    np.testing.assert_allclose(losses, expected, rtol=1e-12, atol=1e-12)


def test_nan_and_infinity_in_a_row(folder):
    kernels, y = grid.grid_of(folder, "rows"), np.zeros((2, 3))
    x = np.array([[0.0, np.nan, 1.0], [-np.inf, 0.0, 0.0]])
    kernels("softmax", (2, 1), (4, 1), x, y, 3)
    assert np.isnan(y[0]).all()
    assert y[1].tolist() == [0.0, 0.5, 0.5]


def window_macros(spec, padded=0):
    """What the pooling source is told of a window; a missing axis has one place."""
    missing = 3 - spec.ndim
    kernel, stride, dilation = (
        (1,) * missing + sizes for sizes in (spec.kernel, spec.stride, spec.dilation)
    )
    pairs = ((0, 0),) * missing + spec.padding
    before, after = [p[0] for p in pairs], [p[1] for p in pairs]
    named = {"K": kernel, "S": stride, "D": dilation, "P": before, "Q": after}
    macros = [(f"{letter}{axis}", value) for letter, values in named.items()
              for axis, value in zip("DHW", values, strict=True)]  # fmt: skip
    return (*macros, ("PADDED", padded), ("SWITCH", "Byte"))


POOLS = pytest.mark.parametrize(
    ("size", "spec"),
    [
        ((6, 5), PoolSpec((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))),
        ((7, 6), PoolSpec((3, 2), (2, 1), ((1, 1), (0, 1)), (1, 2))),
        ((5,), PoolSpec((3,), (2,), ((1, 1),), (1,), ceil_mode=True)),
        ((4, 3, 5), PoolSpec((2, 1, 3), (1, 2, 2), ((0, 1), (0, 0), (1, 1)), (2, 1, 1))),
    ],
    ids=["plain", "overlap", "1-D", "3-D"],
)


def planes(size, out):
    return [1] * (3 - len(size)) + list(size) + [1] * (3 - len(out)) + list(out)


@POOLS
def test_max_pooling_and_its_gradient(folder, size, spec):
    kernels = grid.grid_of(folder, "pool", macros=window_macros(spec))
    x, out = whole((2, 3, *size), 0), spec.output_size(size)
    expected, switches = reference.max_pool(x, spec=spec)
    y, ours = np.zeros(expected.shape), np.zeros(expected.shape, np.uint8)
    kernels("max_pool", (2, 1), (8, 1), x, y, ours, *planes(size, out), y.size)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(ours, switches)
    g, result = whole(y.shape, 1), np.zeros(x.shape)
    kernels("max_pool_gradient", (2, 1), (8, 1), g, ours, result, *planes(size, out), x.size)
    np.testing.assert_array_equal(result, reference.pool_scatter(g, switches, spec=spec, size=size))


@POOLS
@pytest.mark.parametrize("padded", [0, 1])
def test_average_pooling_and_its_gradient(folder, size, spec, padded):
    kernels = grid.grid_of(folder, "pool", macros=window_macros(spec, padded))
    x, out = whole((2, 3, *size), 0), spec.output_size(size)
    settings = {"spec": spec, "count_include_pad": bool(padded)}
    expected = reference.avg_pool(x, **settings)
    y = np.zeros(expected.shape)
    kernels("average_pool", (2, 1), (8, 1), x, y, *planes(size, out), y.size)
    np.testing.assert_allclose(y, expected, rtol=1e-14)
    g, result = whole(y.shape, 1), np.zeros(x.shape)
    kernels("average_pool_gradient", (2, 1), (8, 1), g, result, *planes(size, out), x.size)
    spread = reference.avg_pool_grad(g, size=size, **settings)
    np.testing.assert_allclose(result, spread, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    ("counter", "high", "key", "words"),
    [
        (0, 0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (2**64 - 1, 2**64 - 1, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (0x85A308D3243F6A88, 0x0370734413198A2E, 0x299F31D0A4093822,
         (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)  # fmt: skip
def test_philox_gives_its_authors_numbers(folder, counter, high, key, words):
    """The known answers of Random123 (Salmon et al. 2011) for Philox 4×32-10."""
    found = np.zeros(4, np.uint32)
    grid.grid_of(folder, "noise")("philox_words", (1, 1), (1, 1), found, counter, high, key)
    assert tuple(found.tolist()) == words


@pytest.mark.parametrize("size", [1, 4, 1001])
def test_noise_does_not_depend_on_the_grid(folder, size):
    kernels, draws = grid.grid_of(folder, "noise"), []
    for shape in ((1, 1), (3, 1)), ((2, 1), (16, 1)):
        numbers = np.full(size, np.nan, np.float32)
        kernels("uniform", *shape, numbers, 7, size)
        draws.append(numbers)
    np.testing.assert_array_equal(*draws)
    assert (0 <= draws[0]).all() and (draws[0] < 1).all()
    x, y = whole(size, 0, 1, 9), np.full(size, np.nan)
    kernels("dropout", (2, 1), (8, 1), x, y, 7, 0.25, 1 / 0.75, size)
    np.testing.assert_array_equal(y, np.where(draws[0] >= 0.25, x * (1 / 0.75), 0.0))


PIECE = np.dtype([(name, np.uint64) for name in
                  ("weights", "gradients", "first", "second", "shadow", "length")])  # fmt: skip


def pieces(*arrays):
    """The table of an optimizer's launch: one piece a parameter."""
    table = np.zeros(len(arrays), PIECE)
    for row, (values, shadow) in zip(table, arrays, strict=True):
        for name, array in zip(("weights", "gradients", "first", "second"), values, strict=True):
            row[name] = 0 if array is None else array.ctypes.data
        row["shadow"], row["length"] = 0 if shadow is None else shadow.ctypes.data, len(values[0])
    return table


@pytest.mark.parametrize("nesterov", [0, 1])
def test_sgd_takes_the_steps_of_our_optimizer(folder, nesterov):
    import autograd_cnn as ag

    kernels = grid.grid_of(folder, "optimizers")
    tensors = [ag.tensor(whole(n, n), requires_grad=True) for n in (5, 33)]
    settings = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.25, "nesterov": bool(nesterov)}
    optimizer = ag.optim.SGD(tensors, **settings)
    state = [([t.numpy().copy(), np.zeros(t.size), np.zeros(t.size), None], np.zeros(t.size))
             for t in tensors]  # fmt: skip
    for step in range(3):
        for (values, _), tensor in zip(state, tensors, strict=True):
            values[1][:] = whole(tensor.size, 10 * step)
            tensor.grad = ag.tensor(values[1] / 4)
        rates = np.array([0.1, 0.5, 0.0, 0.25, nesterov, step == 0, 4.0])
        kernels("sgd", (2, 1), (8, 1), pieces(*state), rates)
        optimizer.step()
        for (values, shadow), tensor in zip(state, tensors, strict=True):
            np.testing.assert_allclose(values[0], tensor.numpy(), rtol=1e-14, atol=1e-14)
            np.testing.assert_array_equal(shadow, values[0])


@pytest.mark.parametrize("decoupled", [0, 1])
def test_adam_takes_the_steps_of_our_optimizer(folder, decoupled):
    import autograd_cnn as ag

    kernels, tensor = grid.grid_of(folder, "optimizers"), ag.tensor(whole(9, 0), requires_grad=True)
    kind = ag.optim.AdamW if decoupled else ag.optim.Adam
    optimizer = kind([tensor], lr=0.1, betas=(0.5, 0.75), eps=1e-3, weight_decay=0.25)
    values = [tensor.numpy().copy(), *np.zeros((3, 9))]
    for step in range(1, 4):
        values[1][:] = whole(9, 10 * step)
        tensor.grad = ag.tensor(values[1])
        rates = np.array([0.1, 0.5, 0.75, 1e-3, 0.25, decoupled, step, 1.0])
        kernels("adam", (1, 1), (4, 1), pieces((values, None)), rates)
        optimizer.step()
        np.testing.assert_allclose(values[0], tensor.numpy(), rtol=1e-13, atol=1e-13)
