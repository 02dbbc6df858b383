"""Activation functions, softmax and its logarithm."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..primitive import elementwise, opaque
from ..rules import register_rule
from .elementwise import compare, erf, exp, multiply, negative, step, tanh, where
from .reduce import one_axis, reshape
from .reduce import sum as sum_

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

_relu = elementwise(
    "relu",
    x=lambda g, ans: g * step(ans),
    branch=lambda x: x > 0,
    family="activation",
    tex=r"\max(0, {x})",
)


def _leaky_rule(g: Any, x: Any, negative_slope: float) -> Any:
    """g for x > 0, negative_slope·g elsewhere."""
    return g * (step(x) * (1.0 - negative_slope) + negative_slope)


_leaky_relu = elementwise(
    "leaky_relu", x=_leaky_rule, branch=lambda x, negative_slope: x > 0, family="activation"
)


def _elu_rule(g: Any, x: Any, alpha: float) -> Any:
    """g for x > 0, α·eˣ·g elsewhere."""
    positive = step(x)
    below = exp(where(positive, x * 0.0, x))
    return g * where(positive, 1.0, alpha * below)


_elu = elementwise("elu", x=_elu_rule, branch=lambda x, alpha: x > 0, family="activation")
_sigmoid = elementwise(
    "sigmoid", x=lambda g, ans: g * (ans * (1.0 - ans)), family="activation", tex=r"\sigma({x})"
)
_softplus = elementwise(
    "softplus", x=lambda g, x: g * sigmoid(x), family="activation", tex=r"\ln(1 + e^{{{x}}})"
)


def _gelu_rule(g: Any, x: Any) -> Any:
    """Φ(x) + x·φ(x), with the normal distribution Φ and its density φ."""
    distribution = 0.5 * (1.0 + erf(x * 0.7071067811865476))
    density = 0.3989422804014327 * exp(x * x * -0.5)
    return g * (distribution + x * density)


_gelu = elementwise("gelu", x=_gelu_rule, family="activation")


def _softmax_rule(g: Any, ans: Any, axis: int) -> Any:
    """p·(g − Σ g·p)."""
    return ans * (g - sum_(g * ans, axis, True))


_softmax = opaque("softmax", x=_softmax_rule, family="activation", tex=r"\mathrm{{softmax}}({x})")


def _log_softmax_rule(g: Any, ans: Any, axis: int) -> Any:
    """g − p·Σ g."""
    return g - exp(ans) * sum_(g, axis, True)


_log_softmax = opaque("log_softmax", x=_log_softmax_rule, family="activation")

_hardtanh = elementwise(
    "hardtanh",
    x=lambda g, x, low, high: g * (compare("greater", x, low) * compare("less", x, high)),
    kernel="clip",
    branch=lambda x, low, high: (x > low) * 1 + (x >= high),
    family="activation",
)

# Backward rules for looking inside networks; the tape is the one of the plain forward pass.
register_rule(
    "guided",
    {"relu": lambda g, ans: relu(g) * step(ans)},
)
register_rule("deconvnet", {"relu": lambda g: relu(g)})
register_rule(
    "redirected",
    {"relu": lambda g, ans: where(step(ans) + step(g), g, g * 0.0)},
)


def relu(x: Any) -> Any:
    """max(0, x); the derivative at 0 is 0.

    >>> import autograd_cnn as ag
    >>> ag.relu(ag.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
    [0.0, 0.0, 2.0]
    """
    return _relu.call(x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x for x > 0, negative_slope·x elsewhere; the derivative at 0 is negative_slope."""
    return _leaky_relu.call(x, negative_slope=negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x for x > 0, α(eˣ − 1) elsewhere; the derivative at 0 is α (Clevert et al. 2016)."""
    return _elu.call(x, alpha=alpha)


def selu(x: Any) -> Any:
    """λ·elu(x, α) with λ = 1.0507…, α = 1.6733…; the derivative at 0 is λα (Klambauer 2017)."""
    return multiply(_elu(x, alpha=SELU_ALPHA), SELU_SCALE)


def sigmoid(x: Any) -> Any:
    """1/(1 + e⁻ˣ)."""
    return _sigmoid.call(x)


def softplus(x: Any) -> Any:
    """ln(1 + eˣ), without overflow."""
    return _softplus.call(x)


def gelu(x: Any) -> Any:
    """x·Φ(x) with the normal distribution Φ, exact (Hendrycks and Gimpel 2016)."""
    return _gelu.call(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """eˣ/Σeˣ along an axis.

    >>> import autograd_cnn as ag
    >>> ag.softmax(ag.tensor([0.0, 0.0])).numpy().tolist()
    [0.5, 0.5]
    """
    return _softmax.call(x, axis=one_axis("softmax", x, axis))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """x − ln Σeˣ along an axis, without overflow."""
    return _log_softmax.call(x, axis=one_axis("log_softmax", x, axis))


def log_sigmoid(x: Any) -> Any:
    """ln(1/(1 + e⁻ˣ)), without overflow."""
    return negative(softplus(negative(x)))


def silu(x: Any) -> Any:
    """x·σ(x), also called swish (Elfwing et al. 2018, Ramachandran et al. 2017).

    >>> import autograd_cnn as ag
    >>> ag.grad(ag.silu)(ag.tensor(0.0)).item()
    0.5
    """
    return multiply(x, sigmoid(x))


def mish(x: Any) -> Any:
    """x·tanh(ln(1 + eˣ)) (Misra 2020)."""
    return multiply(x, tanh(softplus(x)))


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x kept within [min_val, max_val]; the derivative is 1 inside and 0 at the ends and outside.

    `clip` is the same function with the derivative 1 at the ends. Raises ValueError when
    min_val ≥ max_val.
    """
    if min_val >= max_val:
        raise ValueError(f"hardtanh: min_val = {min_val} must be below max_val = {max_val}")
    return _hardtanh.call(x, low=float(min_val), high=float(max_val))


def relu6(x: Any) -> Any:
    """min(max(0, x), 6); the derivative at 0 and at 6 is 0 (Krizhevsky 2010)."""
    return hardtanh(x, 0.0, 6.0)


def hardswish(x: Any) -> Any:
    """x·relu6(x + 3)/6; the derivative at −3 is 0 and at 3 is 1 (Howard et al. 2019).

    >>> import autograd_cnn as ag
    >>> ag.hardswish(ag.tensor([-4.0, 3.0])).tolist()
    [-0.0, 3.0]
    """
    return multiply(x, relu6(x + 3.0)) / 6.0


def prelu(x: Any, weight: Any) -> Any:
    """x for x > 0, weight·x elsewhere; one weight, or one a channel of N×C×… (He et al. 2015).

    The derivative in x at 0 is the weight.

    >>> import autograd_cnn as ag
    >>> ag.prelu(ag.tensor([[-2.0, 2.0]]), ag.tensor([0.25])).tolist()
    [[-0.5, 2.0]]

    Raises ShapeError when the weights are neither one nor as many as channels.
    """
    require_arrays("prelu", x, weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ShapeError(
            f"prelu: weight {shape_text(weight.shape)} for {channels} channels of "
            f"{shape_text(x.shape)}"
        )
    shape = () if weight.size == 1 else (channels,) + (1,) * (x.ndim - 2)
    return where(compare("greater", x, 0), x, multiply(reshape(weight, shape), x))
