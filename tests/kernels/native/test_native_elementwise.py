"""Large elementwise kernels are native: the same bits and types as NumPy's, and nothing else."""

import numpy as np
import pytest
from kernel_strategies import LAYOUTS, lay_out, numbers

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

from autograd_cnn.kernels import provider
from autograd_cnn.kernels.native import chains, elementwise, machine

kernels, plain, reference = map(provider, ("native", "numpy", "reference"))
EDGES = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, -3e38], "float32")
UNARY = ("negative", "square", "relu", "step")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch, threads):
    monkeypatch.setattr(elementwise, "LARGE", 1)
    monkeypatch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
    threads(2)


@pytest.fixture
def chained(monkeypatch):
    """How many chains ran."""
    runs, run = [], chains.Chain.__call__
    monkeypatch.setattr(chains.Chain, "__call__", lambda *a, **k: runs.append(a) or run(*a, **k))
    return runs


def same(one, other):
    both_nan = np.isnan(one) & np.isnan(other)
    one, other = (np.ascontiguousarray(x).view("uint32") for x in (one, other))
    return bool(((one == other) | both_nan).all())


@pytest.mark.parametrize("name", machine.runnable())
@pytest.mark.parametrize("layout", LAYOUTS)
def test_whole_numbers_are_those_of_the_reference(name, layout, chained):
    x, y = (lay_out(numbers((3, 4, 5, 11), seed), layout) for seed in (1, 2))
    small = numbers((4, 1, 1), 3)
    with machine.force(name):
        for kernel in UNARY:
            assert same(getattr(kernels, kernel)(x), getattr(reference, kernel)(x))
        for kernel in BINARY:
            for other in (y, small, 2, np.float32(3)):
                answer = getattr(kernels, kernel)(x, other)
                assert same(answer, getattr(reference, kernel)(x, np.asarray(other, "float32")))
        assert same(kernels.where(x > y, x, small), np.where(x > y, x, small))
    assert len(chained) == len(UNARY) + 4 * len(BINARY) + 1


@pytest.mark.parametrize("name", machine.runnable())
def test_zeros_infinities_and_nan_are_those_of_numpy(name, chained):
    x, y = (part.ravel() for part in np.meshgrid(EDGES, EDGES))
    with machine.force(name), np.errstate(all="ignore"):
        for kernel in UNARY:
            assert same(getattr(kernels, kernel)(x), getattr(plain, kernel)(x))
        for kernel in BINARY:
            assert same(getattr(kernels, kernel)(x, y), getattr(plain, kernel)(x, y))
    assert len(chained) == len(UNARY) + len(BINARY)


@pytest.mark.parametrize("name", machine.runnable())
def test_inference_and_dropout_have_the_bits_of_numpy(name, chained):
    x = numbers((3, 5, 4, 11), 1, exact=False)
    mean, var, weight, bias = (numbers((5,), seed, exact=False) for seed in range(4))
    run = {"shape": (1, 5, 1, 1), "eps": 1e-3}
    with machine.force(name):
        y = kernels.batch_norm_inference(x, mean, var**2, weight, bias, **run)
        assert same(y, plain.batch_norm_inference(x, mean, var**2, weight, bias, **run))
        for shape in (x.shape, (3, 5, 1, 1)):
            run = {"seed": 7, "p": 0.3, "shape": shape}
            assert same(kernels.dropout(x, **run), plain.dropout(x, **run))
    assert len(chained) == 3


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "complex64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_copies_are_those_of_numpy(dtype, layout):
    x, y = (lay_out(numbers((3, 4, 5), seed, dtype), layout) for seed in (1, 2))
    widths, index = ((0, 2), (1, 0), (0, 0)), (slice(None), slice(1, None, 2), slice(None, -1))
    for kernel, operands, attributes in (
        ("pad", (x,), {"widths": widths, "value": 2.0}),
        ("pad", (x,), {"widths": (), "value": 2.0}),
        ("concatenate", (x, y, x), {"axis": 1}),
        ("concatenate", (x, y.astype("complex128")), {"axis": 2}),
        ("scatter_add", (x,), {"index": index, "shape": (3, 8, 6)}),
        ("scatter_add", (x,), {"index": np.array([0, 0, 1]), "shape": (2, 4, 5)}),
    ):
        answer = getattr(kernels, kernel)(*operands, **attributes)
        expected = getattr(plain, kernel)(*operands, **attributes)
        assert answer.dtype == expected.dtype and np.array_equal(answer, expected)
        assert answer is x or not np.shares_memory(answer, x)
    if dtype.startswith("float"):
        with pytest.raises(ValueError, match="must match exactly"):
            kernels.concatenate(x, y[:, :, :2], axis=1)


def test_what_is_not_single_precision_is_left_to_numpy(chained):
    x = np.arange(-3, 4)
    for operands in (
        (x.astype("float64"), 2), (x.astype("float32"), x), (x > 0, 2.0), (x, x),
        (x.astype("float16"), x.astype("float16")), (x.astype("float32"), np.float64(2)),
        (x.astype("complex64"), 1), (x.astype(">f4"), 1.0), (x.astype("float32"), np.array(2)),
    ):  # fmt: skip
        answer, expected = kernels.multiply(*operands), np.multiply(*operands)
        assert answer.dtype == expected.dtype and np.array_equal(answer, expected)
    assert kernels.where(x > 0, 1.0, 0.0).dtype == "float64" and chained == []


def test_small_arrays_are_left_to_numpy(chained, monkeypatch):
    monkeypatch.setattr(elementwise, "LARGE", 8)
    x = np.ones(7, "float32")
    kernels.add(x, x), kernels.relu(x), kernels.where(x > 0, x, x)
    assert chained == []
    kernels.add(x, np.ones((2, 7), "float32"))
    assert len(chained) == 1


def test_shapes_that_do_not_fit_give_numpys_error():
    with pytest.raises(ValueError, match="could not be broadcast together"):
        kernels.add(np.ones(3, "float32"), np.ones(4, "float32"))


def test_explain_says_whether_it_is_native(monkeypatch):
    monkeypatch.setattr(elementwise, "LARGE", 4)
    x = np.ones((2, 3), "float32")
    assert kernels.explain("relu", x) == "relu: elementwise.NativeElementwise: one pass"
    text = "add: elementwise.ElementwiseKernels; not native: "
    assert (
        kernels.explain("add", x.astype("float64"), x)
        == text + "float64 is neither float32 nor bool"
    )
    assert kernels.explain("add", x[0], x[0]) == text + "fewer than 4 entries"
    assert kernels.explain("add", x > 0, 2.0) == text + "no operand is float32"
