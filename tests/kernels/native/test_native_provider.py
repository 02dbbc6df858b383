"""What the native provider takes, what it leaves, and what it says about it."""

import subprocess
import sys

import numpy as np
import pytest
from kernel_strategies import numbers

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

import autograd_cnn as ag
from autograd_cnn.kernels import native, provider
from autograd_cnn.kernels.native import conv, machine
from autograd_cnn.kernels.specs import conv_spec

kernels = provider("native")
X, W = numbers((4, 8, 9, 9), 1, exact=False), numbers((8, 8, 3, 3), 2, exact=False)
SPEC = conv_spec("conv2d", X.shape, W.shape, padding=1)


@pytest.fixture
def generated(monkeypatch):
    """The names of the generated passes, as they run."""
    seen = []

    def record(name, run):
        monkeypatch.setattr(conv, name, lambda *args: seen.append(name) or run(*args))

    for name in ("forward", "input_grad", "weight_grad"):
        record(name, getattr(conv, name))
    return seen


def all_passes(x, w):
    y = kernels.conv(x, w, spec=SPEC)
    kernels.conv_input_grad(y, w, spec=SPEC, size=(9, 9))
    kernels.conv_weight_grad(x, y, spec=SPEC, size=(3, 3))


def test_single_precision_with_enough_work_is_native(generated):
    all_passes(X, W)
    assert generated == ["forward", "input_grad", "weight_grad"]


@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64", "int32"])
def test_other_types_are_left_to_numpy(generated, dtype):
    all_passes(X.astype(dtype), W.astype(dtype))
    kernels.conv(X.astype(dtype), W, spec=SPEC)
    assert generated == []


def test_tiny_work_is_left_to_numpy(generated):
    spec = conv_spec("conv1d", (1, 1, 9), (1, 1, 3))
    y = kernels.conv(np.ones((1, 1, 9), "float32"), np.ones((1, 1, 3), "float32"), spec=spec)
    assert y.tolist() == [[[3.0] * 7]] and generated == []


def test_explain_says_native_or_not_and_why():
    y = kernels.conv(X, W, spec=SPEC)
    tile = f"conv: native.NativeKernels: {machine.detect().name} tiles of "
    assert kernels.explain("conv", X, W, None, spec=SPEC).startswith(tile)
    assert "1 thread(s)" in kernels.explain("conv_input_grad", y, W, spec=SPEC, size=(9, 9))
    assert "tiles" in kernels.explain("conv_weight_grad", X, y, spec=SPEC, size=(3, 3))
    wide = kernels.explain("conv", X.astype("float64"), W, None, spec=SPEC)
    assert wide.startswith("conv: numpy.") and wide.endswith("native: float64 is not float32")
    one = conv_spec("conv1d", (1, 1, 3), (1, 1, 3))
    tiny = kernels.explain("conv", X[:1, :1, 0, :3], W[:1, :1, 0], None, spec=one)
    assert tiny.endswith(f"not native: 3 multiplications are fewer than {native.TINY:,}")
    assert kernels.explain("exp", X) == "exp: elementwise.ElementwiseKernels"


def test_it_is_the_default_and_can_be_chosen_and_left():
    run = {"spec": SPEC}
    assert "native.NativeKernels" in ag.kernels.explain("conv", X, W, None, **run)
    with ag.kernels.use("numpy"):
        assert "numpy.NumpyKernels" in ag.kernels.explain("conv", X, W, None, **run)
        with ag.kernels.use("native"):
            assert "native.NativeKernels" in ag.kernels.explain("conv", X, W, None, **run)


def test_the_package_imports_llvmlite_only_for_a_convolution_that_is_large_enough():
    program = """
import sys, numpy as np, autograd_cnn as ag
x = ag.tensor(np.ones((1, 1, 4, 4), "float32"))
ag.conv2d(x, np.ones((1, 1, 3, 3), "float32"))
assert "llvmlite" not in sys.modules
ag.conv2d(np.ones((4, 8, 9, 9), "float32"), np.ones((8, 8, 3, 3), "float32"))
assert "llvmlite" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_llvmlite_that_is_too_old_is_not_used(monkeypatch):
    import llvmlite

    monkeypatch.setattr(llvmlite, "__version__", "0.43.0")
    native._unusable.cache_clear()
    try:
        text = kernels.explain("conv", X, W, None, spec=SPEC)
        assert text.endswith("not native: llvmlite 0.43.0 is older than 0.45")
    finally:
        native._unusable.cache_clear()


def test_results_are_fresh_inputs_untouched_and_two_runs_equal():
    before = X.tobytes(), W.tobytes()
    g = kernels.conv(X, W, spec=SPEC)
    for run in (
        lambda: kernels.conv(X, W, spec=SPEC),
        lambda: kernels.conv_input_grad(g, W, spec=SPEC, size=(9, 9)),
        lambda: kernels.conv_weight_grad(X, g, spec=SPEC, size=(3, 3)),
    ):
        first, second = run(), run()
        assert first.tobytes() == second.tobytes() and first.flags.c_contiguous
        assert not any(np.shares_memory(first, other) for other in (second, X, W, g))
        assert first.flags.writeable
    assert (X.tobytes(), W.tobytes()) == before


def test_forcing_a_machine_that_is_not_there_says_what_is():
    missing = next(name for name in machine.MACHINES if name not in machine.runnable())
    with pytest.raises(ValueError, match=f"cannot run {missing} code"), machine.force(missing):
        pass


@pytest.mark.parametrize("name", machine.runnable())
def test_a_tile_fits_the_registers(name):
    here = machine.MACHINES[name]
    for rows in range(1, here.filters + 1):
        columns = here.columns(rows)
        assert columns >= 1 and rows * columns + columns + 1 <= here.registers


@pytest.mark.parametrize("name", machine.runnable())
@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2}, {"groups": 2}])
def test_a_convolution_with_its_relu_is_the_relu_of_the_convolution(name, options):
    x, b = numbers((3, 32, 9, 9), 3, exact=False), numbers((32,), 4, exact=False)
    w = numbers((32, 32 // options.get("groups", 1), 3, 3), 5, exact=False)
    x[0, 1, 4, 4], x[1, 0] = np.nan, 0.0
    spec = conv_spec("conv2d", x.shape, w.shape, **options)
    with machine.force(name):
        for bias in (b, None):
            expected = kernels.relu(kernels.conv(x, w, bias, spec=spec))
            result = kernels.conv_relu(x, w, bias, spec=spec)
            assert result.tobytes() == expected.tobytes()
            assert kernels.explain("conv_relu", x, w, bias, spec=spec).startswith("conv_relu: nat")
