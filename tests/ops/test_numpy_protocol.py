"""NumPy's functions on tensors: the same values, differentiated; what cannot be is refused."""

import numpy as np
import pytest

import autograd_cnn as ag

X = np.arange(1.0, 7.0).reshape(2, 3) / 4
TENSOR = ag.tensor(X, requires_grad=True)

FUNCTIONS = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "tanh": np.tanh,
    "square": np.square, "absolute": lambda x: np.absolute(x - 1.0), "negative": np.negative,
    "expm1": np.expm1, "log1p": np.log1p, "power": lambda x: np.power(x, 3),
    "float_power": lambda x: np.float_power(x, 2.5), "true_divide": lambda x: np.divide(x, x + 1),
    "add": lambda x: np.add(x, 1), "subtract": lambda x: np.subtract(2, x),
    "multiply": lambda x: np.multiply(x, x), "maximum": lambda x: np.maximum(x, 0.6),
    "minimum": lambda x: np.minimum(0.6, x), "matmul": lambda x: np.matmul(x, X.T),
    "sum": np.sum, "sum of an axis": lambda x: np.sum(x, 1), "mean": lambda x: np.mean(x, axis=0),
    "keepdims": lambda x: np.sum(x, axis=0, keepdims=True), "max": lambda x: np.max(x, axis=1),
    "amin": lambda x: np.amin(x), "var": lambda x: np.var(x, ddof=1), "std": lambda x: np.std(x, 1),
    "add.reduce": np.add.reduce, "add.reduce of all": lambda x: np.add.reduce(x, axis=None),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1, keepdims=True),
    "concatenate": lambda x: np.concatenate([x, X, x * x], axis=1),
    "stack": lambda x: np.stack((x, X), 2), "split": lambda x: np.split(x, [1], axis=1)[1],
    "where": lambda x: np.where(X > 0.6, x * x, 0.0),
    "where of a tensor": lambda x: np.where(x > 0.9, x, X),
    "clip": lambda x: np.clip(x, 0.4, 1.2),
    "clip by name": lambda x: np.clip(x, a_min=0.4, a_max=None),
    "clip by new name": lambda x: np.clip(x, min=0.4, max=1.2),
    "reshape": lambda x: np.reshape(x, (3, 2)), "transpose": lambda x: np.transpose(x) @ X,
    "moveaxis": lambda x: np.moveaxis(x, 0, 1), "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "flip": lambda x: np.flip(x, 0), "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(x[:1]), "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
    "take": lambda x: np.take(x, [0, 2, 2], axis=1), "pad": lambda x: np.pad(x, 1),
    "pad with values": lambda x: np.pad(x, ((0, 1), (2, 0)), constant_values=7.0),
    "pad by reflection": lambda x: np.pad(x, 1, mode="reflect"),
    "pad by pair": lambda x: np.pad(x, (1, 2), mode="constant"),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[2, 2], [0, 1]]), 1),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, X),
}  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_answers_as_numpy_and_is_differentiated(function):
    value = function(TENSOR)
    expected = function(X)
    assert isinstance(value, ag.Tensor)
    assert value.dtype == expected.dtype
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-15, atol=1e-15)
    # the directional derivative, from NumPy's values at two points
    direction = np.cos(np.arange(6.0)).reshape(2, 3)
    weight = np.sin(1 + np.arange(float(np.size(expected)))).reshape(np.shape(expected))
    found = float((ag.gradients(value, TENSOR, weight).numpy() * direction).sum())
    h = 1e-6
    difference = (function(X + h * direction) - function(X - h * direction)) / (2 * h)
    np.testing.assert_allclose(found, (weight * difference).sum(), rtol=1e-8, atol=1e-8)


COMPARISONS = [np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal]


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_comparisons_give_truth_values_off_the_tape(comparison):
    for answer in (comparison(TENSOR, 0.75), comparison(TENSOR, X.copy()[:1])):
        assert answer.dtype == np.bool_
        assert not answer.requires_grad
    assert np.array_equal(comparison(TENSOR, 0.75).numpy(), comparison(X, 0.75))
    assert np.array_equal(comparison(0.75, TENSOR).numpy(), comparison(0.75, X))


def test_operators_compare_too():
    assert (TENSOR > 1).tolist() == (X > 1).tolist()
    assert (1 > TENSOR).tolist() == (1 > X).tolist()
    assert (TENSOR == X).numpy().all()
    assert (X != TENSOR).tolist() == [[False] * 3] * 2


def test_tests_of_values_are_off_the_tape():
    x = ag.tensor([1.0, np.nan, np.inf], requires_grad=True)
    assert np.isnan(x).tolist() == [False, True, False]
    assert np.isfinite(x).tolist() == [True, False, False]
    assert np.logical_and(x > 0, np.isfinite(x)).tolist() == [True, False, False]
    assert not np.isnan(x).requires_grad


REFUSED = {
    "out=": (lambda: np.exp(TENSOR, out=np.empty((2, 3))), "out= would write under the tape"),
    "out= of a function": (lambda: np.sum(TENSOR, out=np.empty(())), "out= would write under"),
    "array +=": (lambda: X.copy().__iadd__(TENSOR), "out= would write under the tape"),
    "where=": (lambda: np.exp(TENSOR, where=X > 1), "with where has no derivative here"),
    "dtype=": (lambda: np.exp(TENSOR, dtype="f4"), "with dtype has no derivative here"),
    "initial=": (lambda: np.add.reduce(TENSOR, initial=5.0), "with initial has no derivative"),
    "sum initial=": (lambda: np.sum(TENSOR, initial=5.0), "np.sum on tensors takes x, axis"),
    "sum dtype by place": (lambda: np.sum(TENSOR, 0, "f4"), "np.sum on tensors takes x, axis"),
    "pad mode": (lambda: np.pad(TENSOR, 1, mode="mean"), 'mode "mean" is none of'),
    "pad mode by place": (lambda: np.pad(TENSOR, 1, "edge"), "np.pad on tensors takes"),
    "outer": (lambda: np.multiply.outer(TENSOR, TENSOR), "np.multiply (outer) has no derivative"),
    "accumulate": (lambda: np.add.accumulate(TENSOR), "(accumulate)"),
    "at": (lambda: np.add.at(X.copy(), [0], TENSOR[:1]), "(at)"),
    "ufunc": (lambda: np.arctan(TENSOR), "np.arctan (__call__) has no derivative here"),
    "function": (lambda: np.median(TENSOR), "np.median has no derivative here; call .numpy()"),
    "linear algebra": (lambda: np.linalg.pinv(TENSOR), "has no derivative here; call .numpy()"),
    "set item": (lambda: TENSOR.__setitem__(0, 1.0), "x = x.at[index].set(value)"),
}  # fmt: skip


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_what_would_be_silently_wrong_is_refused(call, message):
    with pytest.raises((TypeError, ValueError, ag.errors.TapeError)) as caught:
        call()
    assert message in str(caught.value)


def test_an_array_and_a_tensor_in_both_orders():
    array = np.array([10.0, 20.0, 30.0])
    for value, expected in [
        (array + TENSOR, array + X), (TENSOR + array, X + array), (array - TENSOR, array - X),
        (array / TENSOR, array / X), (array * TENSOR, array * X), (array**TENSOR, array**X),
        (X @ TENSOR.T, X @ X.T), (TENSOR @ X.T, X @ X.T), (np.float64(2) * TENSOR, 2 * X),
    ]:  # fmt: skip
        assert isinstance(value, ag.Tensor)
        assert value.requires_grad
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-15)


DTYPES = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("first", DTYPES)
@pytest.mark.parametrize("second", DTYPES)
@pytest.mark.parametrize("operation", [np.add, np.multiply, np.true_divide, np.maximum])
def test_two_types_promote_as_in_numpy(operation, first, second):
    x, y = np.ones(3, first), np.ones(3, second)
    assert operation(ag.tensor(x), ag.tensor(y)).dtype == operation(x, y).dtype


@pytest.mark.parametrize("number", [2, 2.0, True])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_python_numbers_are_weak_as_in_numpy(dtype, number):
    x = np.ones(3, dtype)
    t = ag.tensor(x)
    for ours, theirs in [
        (t + number, x + number), (number * t, number * x), (t / number, x / number),
        (number - t, number - x), (t**number, x**number),
        (ag.maximum(t, number), np.maximum(x, number)),
    ]:  # fmt: skip
        assert ours.dtype == theirs.dtype


def test_single_precision_stays_single_forward_and_backward():
    x = ag.tensor(np.float32([0.5, 2.0]), requires_grad=True)
    y = ag.sum(2.0 * x**2 / 3 - ag.maximum(x, 0.0) + ag.where(x > 1, x, 0.0) * 0.1)
    assert y.dtype == np.float32
    gradient = ag.gradients(y, x, create_graph=True)
    assert gradient.dtype == np.float32
    assert ag.gradients(ag.sum(gradient), x).dtype == np.float32


def test_numpy_scalars_are_strong_as_in_numpy():
    x = ag.tensor(np.float32([1.0]), requires_grad=True)
    wide = x * np.float64(2.0)
    assert wide.dtype == np.float64
    assert ag.gradients(ag.sum(wide), x).dtype == np.float32


def test_attributes_and_conversions():
    assert np.shape(TENSOR) == (2, 3)
    assert np.ndim(TENSOR) == 2
    assert np.size(TENSOR) == 6
    assert np.asarray(TENSOR).dtype == np.float64
    assert not np.asarray(TENSOR).flags.writeable
    assert np.array(TENSOR).flags.writeable
    assert np.array(TENSOR, dtype="f4").dtype == np.float32
    assert np.array_equal(np.from_dlpack(TENSOR.detach()), X)
    assert [5, 6, 7][ag.tensor(1)] == 6
