"""Arithmetic, elementary functions, activations and reductions against PyTorch."""

import numpy as np
import pytest

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def positive(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 3.0, shape)


@pytest.mark.parametrize(
    "wrong",
    [
        ag.custom_primitive("wrong_value", lambda x: x**3 * 1.0001, x=lambda g, x: g * 3 * x**2),
        ag.custom_primitive("wrong_first", lambda x: x**3, x=lambda g, x: g * 3.0001 * x**2),
        ag.custom_primitive(  # right at order 1: `ans` says 3x², its own derivative says 0
            "wrong_second", lambda x: x**3, x=lambda g, x: g * (3 * (x.detach() ** 2))
            if isinstance(x, ag.Tensor) else g * 3 * x**2
        ),
    ],
)  # fmt: skip
def test_the_comparison_can_fail(agree, wrong):
    with pytest.raises(AssertionError):
        agree(wrong, lambda x: x**3, normal(0, 4))


FUNCTIONS = {
    "exp": torch.exp, "expm1": torch.expm1, "sin": torch.sin, "cos": torch.cos, "erf": torch.erf,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "square": torch.square, "abs": torch.abs,
    "negative": torch.neg, "sign": torch.sign, "relu": F.relu, "leaky_relu": F.leaky_relu,
    "elu": F.elu, "selu": F.selu, "gelu": F.gelu, "log_sigmoid": F.logsigmoid,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_any_number(agree, name):
    agree(getattr(ag, name), FUNCTIONS[name], normal(1, 5, 40) * 2)


@pytest.mark.parametrize("name", ["log", "log1p", "sqrt"])
def test_functions_of_positive_numbers(agree, name):
    agree(getattr(ag, name), getattr(torch, name), positive(1, 5, 40), rtol=1e-10)


def test_softplus(agree):
    # beyond its threshold of 20 PyTorch answers x itself
    agree(ag.softplus, lambda x: F.softplus(x, threshold=1e6), normal(1, 5, 40) * 3)


@pytest.mark.parametrize("slope", [0.0, 0.3, -0.2, 1.0])
def test_leaky_relu_slopes(agree, slope):
    agree(lambda x: ag.leaky_relu(x, slope), lambda x: F.leaky_relu(x, slope), normal(2, 30))


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_elu_factors(agree, alpha):
    agree(lambda x: ag.elu(x, alpha), lambda x: F.elu(x, alpha), normal(2, 30))


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "selu", "gelu", "softplus", "abs", "sign", "tanh"]
)
def test_the_derivative_at_the_kink(agree, name):
    theirs = {**FUNCTIONS, "softplus": F.softplus}[name]
    agree(getattr(ag, name), theirs, np.array([0.0, -0.0]), order=1)


@pytest.mark.parametrize("size", [1.0, 40.0, 800.0])
@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "elu", "selu", "log_sigmoid"])
def test_saturation_in_single_precision(name, size):
    theirs = {**FUNCTIONS, "softplus": F.softplus}[name]
    x = np.array([-size, -size / 3, size / 3, size], np.float32)
    tensor, other = ag.tensor(x, requires_grad=True), torch.tensor(x).double().requires_grad_()
    y, expected = getattr(ag, name)(tensor), theirs(other)
    (wanted,) = torch.autograd.grad(expected.sum(), other)
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-6, atol=1e-6)
    found = ag.gradients(ag.sum(y), tensor).numpy()
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2,))])
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
def test_arithmetic_broadcasts(agree, name, shapes):
    theirs = {"divide": torch.div}.get(name) or getattr(torch, name)
    agree(getattr(ag, name), theirs, positive(1, *shapes[0]), positive(2, *shapes[1]))


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_share_the_gradient(agree, name):
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 3.0])
    agree(getattr(ag, name), getattr(torch, name), x, y, order=1)


@pytest.mark.parametrize("exponent", [-2, -1, 0, 0.5, 1, 2, 3, 2.5])
def test_powers_of_a_number(agree, exponent):
    agree(lambda x: x**exponent, lambda x: x**exponent, positive(1, 20), rtol=1e-10)


def test_powers_of_a_tensor(agree):
    agree(ag.power, torch.pow, positive(1, 3, 4), normal(2, 4), rtol=1e-10)
    agree(lambda y: 2.0**y, lambda y: 2.0**y, normal(2, 4))


@pytest.mark.parametrize("exponent", [1, 2, 3, 4])
def test_powers_of_zero(agree, exponent):
    agree(lambda x: x**exponent, lambda x: x**exponent, np.array([0.0, 1.0, -2.0]))
    agree(
        lambda x: x ** ag.tensor([float(exponent)], dtype="float64"),
        lambda x: x ** torch.tensor([float(exponent)]).double(),
        np.array([0.0, 1.0]),
    )


@pytest.mark.parametrize("bounds", [(-0.5, 0.5), (None, 0.2), (-0.2, None)])
def test_clip(agree, bounds):
    agree(lambda x: ag.clip(x, *bounds), lambda x: torch.clamp(x, *bounds), normal(3, 40))


def test_clip_at_its_ends(agree):
    agree(lambda x: ag.clip(x, -1, 1), lambda x: x.clamp(-1, 1), np.array([-1.0, 1.0, 0.0, 2.0]))


def test_where(agree):
    condition = normal(4, 3, 4) > 0
    lifted = torch.from_numpy(condition)
    agree(
        lambda x, y: ag.where(condition, x * y, y),
        lambda x, y: torch.where(lifted, x * y, y),
        normal(5, 3, 4), normal(6, 4),
    )  # fmt: skip


AXES = [None, 0, 1, -1, (0, 2), (0, 1, 2)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "logsumexp", "var", "std"])
def test_reductions(agree, name, axis, keepdims):
    theirs = {"max": torch.amax, "min": torch.amin}.get(name) or getattr(torch, name)
    axes = (0, 1, 2) if axis is None else axis
    options = {"correction": 0} if name in ("var", "std") else {}
    agree(
        lambda x: getattr(ag, name)(x, axis, keepdims=keepdims),
        lambda x: theirs(x, axes, keepdim=keepdims, **options),
        normal(7, 2, 3, 4),
    )


@pytest.mark.parametrize("name", ["max", "min"])
def test_tied_extrema_share_the_gradient(agree, name):
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    theirs = {"max": torch.amax, "min": torch.amin}[name]
    agree(lambda x: getattr(ag, name)(x, 1), lambda x: theirs(x, 1), x, order=1)


@pytest.mark.parametrize("ddof", [0, 1, 2])
def test_variance_divisor(agree, ddof):
    agree(
        lambda x: ag.var(x, 1, ddof=ddof), lambda x: torch.var(x, 1, correction=ddof),
        normal(8, 3, 5),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "logsumexp"])
def test_reductions_of_a_scalar(agree, name):
    theirs = {"logsumexp": lambda x: torch.logsumexp(x, 0)}.get(name) or getattr(torch, name)
    agree(getattr(ag, name), theirs, np.array(1.5))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(agree, name, axis):
    agree(
        lambda x: getattr(ag, name)(x, axis), lambda x: getattr(F, name)(x, axis),
        normal(9, 3, 4, 2) * 4,
    )  # fmt: skip


def test_argmax():
    x = np.random.default_rng(0).integers(0, 4, (5, 6)).astype(float)
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(
            ag.argmax(ag.tensor(x), axis).numpy(), torch.argmax(torch.from_numpy(x), axis).numpy()
        )


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "relu", "gelu", "elu", "erf"])
def test_half_precision(name):
    x = (normal(10, 200) * 2).astype(np.float16)
    y = getattr(ag, name)(ag.tensor(x))
    assert y.dtype == np.float16
    expected = FUNCTIONS[name](torch.from_numpy(x.astype(np.float64))).numpy()
    np.testing.assert_allclose(y.numpy(), expected, rtol=4e-3, atol=2e-3)


def test_dropout_keeps_the_share_and_the_mean():
    # statistics only: the generators differ. 40,000 draws: five standard deviations each
    x, p = np.ones((200, 200)), 0.3
    ours = ag.dropout(ag.tensor(x), p, rng=1).numpy()
    theirs = F.dropout(torch.from_numpy(x), p).numpy()
    scale = 1 / (1 - p)
    for y in (ours, theirs):
        assert set(np.round(np.unique(y), 6)) == {0.0, round(scale, 6)}
        assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / x.size)
        assert abs(y.mean() - 1) < 5 * np.sqrt(p / (1 - p) / x.size)


def test_the_gradient_of_dropout_goes_where_its_value_came_from():
    x = ag.tensor(normal(11, 50, 4), requires_grad=True)
    y = ag.dropout(x, 0.3, rng=2)
    g = normal(12, 50, 4)
    factor = y.numpy() / x.numpy()
    gradient = ag.gradients(y, x, g)
    np.testing.assert_allclose(gradient.numpy(), g * factor, rtol=1e-14)
    assert 0 < (gradient.numpy() == 0).sum() < 200


def test_dropout2d_drops_whole_channels():
    y = ag.dropout2d(ag.tensor(np.ones((50, 40, 3, 3))), 0.5, rng=1).numpy()
    assert set(np.unique(y.mean((2, 3)))) == {0.0, 2.0}
    assert abs((y[:, :, 0, 0] == 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(2000)
