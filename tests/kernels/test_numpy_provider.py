"""What the fast provider promises beyond right numbers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kernel_strategies import numbers

from autograd_cnn.kernels import numpy_costs, provider
from autograd_cnn.kernels.specs import conv_spec, pool_spec

kernels = provider("numpy")
explain = kernels.explain
X, W = numbers((3, 4, 6, 6), 1, exact=False), numbers((2, 4, 3, 3), 2, exact=False)
SPEC = conv_spec("conv2d", X.shape, W.shape, padding=1)


def test_explain_names_the_way_and_the_time_of_each():
    text = explain("conv", X, W, None, spec=SPEC)
    ways = numpy_costs.costs(X.shape, W.shape, SPEC, (6, 6))
    assert text.startswith(f"conv: numpy.NumpyKernels: {numpy_costs.cheapest(ways)}, estimated ")
    assert set(ways) == {"columns", "rows", "spread"} and all(way in text for way in ways)
    assert explain("exp", X) == "exp: elementwise.ElementwiseKernels"
    with pytest.raises(AttributeError, match="no kernel named nonsense"):
        explain("nonsense", X)


def test_explain_covers_every_pass_and_only_the_way_of_a_1x1_kernel():
    y = kernels.conv(X, W, spec=SPEC)
    assert "ms" in explain("conv_input_grad", y, W, spec=SPEC, size=(6, 6))
    assert "ms" in explain("conv_weight_grad", X, y, spec=SPEC, size=(3, 3))
    point = conv_spec("conv2d", X.shape, (2, 4, 1, 1), stride=2)
    w = W[..., :1, :1]
    assert ": pointwise, estimated" in explain("conv", X, w, None, spec=point)
    y = kernels.conv(X, w, spec=point)
    assert ": pointwise, estimated" in explain("conv_input_grad", y, w, spec=point, size=(6, 6))


@pytest.mark.parametrize(
    ("x", "w", "stride", "way"),
    [
        ((128, 16, 32, 32), (16, 16, 3, 3), 1, "columns"),
        ((128, 64, 8, 8), (64, 64, 3, 3), 1, "rows"),
        ((16, 64, 32, 32), (3, 64, 3, 3), 1, "spread"),
        ((128, 16, 32, 32), (32, 16, 1, 1), 2, "pointwise"),
        ((64, 6, 9, 9), (6, 1, 3, 3), 1, "columns"),
    ],
)
def test_the_cost_model_prefers_what_was_measured_fastest(x, w, stride, way):
    spec = conv_spec("conv2d", x, w, stride, w[-1] // 2, groups=x[1] // w[1])
    out = spec.output_size(x[2:], w[2:])
    assert numpy_costs.cheapest(numpy_costs.costs(x, w, spec, out)) == way


def calls():
    pool = pool_spec("pool2d", X.shape, 2, 1)
    best, switches = kernels.max_pool(X, spec=pool)
    g = kernels.conv(X, W, spec=SPEC)
    norm = {"axes": (0, 2, 3), "shape": (1, 4, 1, 1), "eps": 1e-5}
    _, mean, inverse_std = kernels.normalize(X, None, None, **norm)
    pads = {"spec": pool, "count_include_pad": True}
    point = conv_spec("conv2d", X.shape, (4, 4, 1, 1))
    identity = np.eye(4, dtype="float32")[..., None, None]
    return {
        "conv": lambda: kernels.conv(X, W, spec=SPEC),
        "1×1": lambda: kernels.conv(X, identity, spec=point),
        "input": lambda: kernels.conv_input_grad(g, W, spec=SPEC, size=(6, 6)),
        "weight": lambda: kernels.conv_weight_grad(X, g, spec=SPEC, size=(3, 3)),
        "max": lambda: kernels.max_pool(X, spec=pool)[0],
        "gather": lambda: kernels.pool_gather(X, switches, spec=pool),
        "scatter": lambda: kernels.pool_scatter(best, switches, spec=pool, size=(6, 6)),
        "average": lambda: kernels.avg_pool(X, **pads),
        "average grad": lambda: kernels.avg_pool_grad(X, size=(6, 6), **pads),
        "normalize": lambda: kernels.normalize(X, None, None, **norm)[0],
        "norm grad": lambda: kernels.norm_input_grad(X, X, None, mean, inverse_std, **norm),
        "softmax": lambda: kernels.softmax(X, axis=1),
        "dropout": lambda: kernels.dropout(X, seed=1, p=0.0, shape=X.shape),
    }


@pytest.mark.parametrize("call", calls())
def test_results_are_fresh_inputs_untouched_and_two_runs_equal(call):
    before = X.tobytes(), W.tobytes()
    run = calls()[call]
    first, second = run(), run()
    assert not any(np.shares_memory(first, other) for other in (second, X, W))
    assert first.flags.writeable and first.tobytes() == second.tobytes()
    assert (X.tobytes(), W.tobytes()) == before


def test_threads_do_not_share_buffers():
    inputs = [numbers((8, 4, 9, 9), seed) for seed in range(8)]
    spec = conv_spec("conv2d", inputs[0].shape, W.shape)
    w = numbers(W.shape, 3)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda x: kernels.conv(x, w, spec=spec), inputs * 4))
    alone = [kernels.conv(x, w, spec=spec) for x in inputs] * 4
    assert all(map(np.array_equal, together, alone))


def test_half_precision_convolves_in_single_and_rounds_once():
    """4,096 ones and one more: half precision cannot count past 2,048 one by one."""
    x = np.ones((1, 1, 4098), "float16")
    spec = conv_spec("conv1d", x.shape, (1, 1, 4098))
    y = kernels.conv(x, np.ones((1, 1, 4098), "float16"), spec=spec)
    assert y.dtype == np.float16 and y.item() == 4098 // 4 * 4


def test_half_precision_windows_are_averaged_in_single():
    x = np.ones((1, 1, 4097), "float16")
    spec = pool_spec("avg_pool1d", x.shape, 1, 4096, 1)
    y = kernels.avg_pool(x, spec=spec, count_include_pad=True)
    assert y.dtype == np.float16 and y.tolist() == [[[1, 1]]]


def test_whole_number_arrays_go_to_the_generic_code():
    x, w = numbers((1, 2, 5), 1, "int64"), numbers((2, 2, 3), 2, "int64")
    spec = conv_spec("conv1d", x.shape, w.shape)
    expected = provider("reference").conv(x, w, spec=spec)
    result = kernels.conv(x, w, spec=spec)
    assert result.dtype == np.int64 and np.array_equal(result, expected)
    assert explain("conv", x, w, None, spec=spec).endswith("for whole numbers and empty arrays")


def test_noise_depends_on_the_seed_alone_and_is_uniform():
    noise = kernels.uniform(7, (400, 500))
    assert noise.dtype == np.float32 and noise.tobytes() == kernels.uniform(7, (400, 500)).tobytes()
    assert not np.array_equal(noise, kernels.uniform(8, (400, 500)))
    assert 0 <= noise.min() and noise.max() < 1
    counts, _ = np.histogram(noise, bins=100, range=(0, 1))
    chi_square = ((counts - 2000) ** 2 / 2000).sum()
    assert chi_square < 99 + 5 * np.sqrt(2 * 99)  # five standard deviations


def test_dropout_keeps_the_mean_and_drops_whole_maps():
    x = np.ones((200, 50, 2, 2), "float32")
    y = kernels.dropout(x, seed=3, p=0.2, shape=(200, 50, 1, 1))
    assert set(np.unique(y).tolist()) == {0.0, 1.25}
    assert np.array_equal(y, np.broadcast_to(y[..., :1, :1], y.shape))
    assert abs(y.mean() - 1) < 5 * 0.5 / np.sqrt(200 * 50)  # a kept map's deviation is 0.5
