"""Arithmetic and elementary functions; operands broadcast as in NumPy.

Each operation is a declaration in the table (its gradient formula) and a public function.
"""

from __future__ import annotations

from typing import Any

from ..errors import DTypeError, explain_broadcast
from ..kernels import devices, provider_for
from ..primitive import elementwise, linear
from ..tensor import Tensor

identity = elementwise("identity", x=lambda g: g, family="shape")
_add = elementwise("add", x=lambda g: g, y=lambda g: g, tex=r"{x} + {y}")
_subtract = elementwise("subtract", x=lambda g: g, y=lambda g: -g, tex=r"{x} - {y}")
_multiply = elementwise("multiply", x=lambda g, y: g * y, y=lambda g, x: g * x, tex=r"{x} \, {y}")
_divide = elementwise(
    "divide", x=lambda g, y: g / y, y=lambda g, ans, y: -g * ans / y, tex=r"\frac{{{x}}}{{{y}}}"
)
_negative = elementwise("negative", x=lambda g: -g, tex=r"-{x}")


def _power_base(g: Any, x: Any, y: Any) -> Any:
    """y·x^(y−1), and 0 where y = 0 even at x = 0."""
    if isinstance(y, (int, float)):
        return g * (y * x ** (y - 1)) if y != 0 else g * (x * 0.0)
    origin = compare("equal", x, 0) * compare("equal", y, 0)
    return g * y * power(x, where(origin, 1.0, y - 1.0))


def _power_exponent(g: Any, ans: Any, x: Any) -> Any:
    """xʸ·ln x, and 0 at x = 0, where xʸ is 0 for every y > 0."""
    zero = compare("equal", x, 0)
    return where(zero, 0.0, g * ans * log(where(zero, 1.0, x)))


_power = elementwise("power", x=_power_base, y=_power_exponent, tex=r"{{{x}}}^{{{y}}}")
_square = elementwise("square", x=lambda g, x: g * (2.0 * x), tex=r"{{{x}}}^2")
_exp = elementwise("exp", x=lambda g, ans: g * ans, tex=r"e^{{{x}}}")
_expm1 = elementwise("expm1", x=lambda g, ans: g * (ans + 1.0), tex=r"e^{{{x}}} - 1")
_log = elementwise("log", x=lambda g, x: g / x, tex=r"\ln {x}")
_log1p = elementwise("log1p", x=lambda g, x: g / (x + 1.0), tex=r"\ln(1 + {x})")
_sqrt = elementwise("sqrt", x=lambda g, ans: g * 0.5 / ans, tex=r"\sqrt{{{x}}}")
_sin = elementwise("sin", x=lambda g, x: g * cos(x), tex=r"\sin {x}")
_cos = elementwise("cos", x=lambda g, x: -g * sin(x), tex=r"\cos {x}")
_tanh = elementwise(
    "tanh", x=lambda g, ans: g * (1.0 - ans * ans), family="activation", tex=r"\tanh {x}"
)
_erf = elementwise(
    "erf", x=lambda g, x: g * (1.1283791670955126 * exp(-(x * x))), tex=r"\mathrm{{erf}}({x})"
)
_sign = elementwise("sign", x=None, branch=lambda x: x > 0, tex=r"\mathrm{{sgn}}({x})")
_step = elementwise("step", x=None, branch=lambda x: x > 0, family="activation", tex=r"[{x} > 0]")
_abs = elementwise("abs", x=lambda g, x: g * sign(x), branch=lambda x: x > 0, tex=r"|{x}|")


def _clip_rule(g: Any, x: Any, low: float | None, high: float | None) -> Any:
    """g inside the closed interval, 0 outside."""
    inside = 1.0
    if low is not None:
        inside = compare("greater_equal", x, low)
    if high is not None:
        inside = inside * compare("less_equal", x, high)
    return g * inside


_clip = elementwise(
    "clip",
    x=_clip_rule,
    branch=lambda x, low, high: (
        (x > (low if low is not None else -float("inf"))) * 1
        + (x > (high if high is not None else float("inf")))
    ),
)


def _chosen(g: Any, x: Any, y: Any, comparison: str) -> Any:
    """g where x wins, half of it at a tie."""
    wins = compare(comparison, x, y)
    ties = compare("equal", x, y)
    return g * (1.0 * wins + 0.5 * ties)


_maximum = elementwise(
    "maximum",
    x=lambda g, x, y: _chosen(g, x, y, "greater"),
    y=lambda g, x, y: _chosen(g, y, x, "greater"),
    branch=lambda x, y: x > y,
    tex=r"\max({x}, {y})",
)
_minimum = elementwise(
    "minimum",
    x=lambda g, x, y: _chosen(g, x, y, "less"),
    y=lambda g, x, y: _chosen(g, y, x, "less"),
    branch=lambda x, y: x > y,
    tex=r"\min({x}, {y})",
)
_where = elementwise(
    "where",
    x=lambda g, condition: where(condition, g, 0.0),
    y=lambda g, condition: where(condition, 0.0, g),
    branch=lambda condition, x, y: condition,
)
_astype = linear("astype", x=lambda g: g, family="shape")
_to_device = linear(
    "to_device",
    x=lambda g, source: to_device(g, source),
    kernel=lambda x, *, source, device: devices.to_device(x, device),
    family="shape",
)


def add(x: Any, y: Any) -> Any:
    """x + y."""
    return _add.call(x, y)


def subtract(x: Any, y: Any) -> Any:
    """x − y."""
    return _subtract.call(x, y)


def multiply(x: Any, y: Any) -> Any:
    """x · y."""
    return _multiply.call(x, y)


def divide(x: Any, y: Any) -> Any:
    """x / y."""
    return _divide.call(x, y)


def negative(x: Any) -> Any:
    """−x."""
    return _negative.call(x)


def power(x: Any, y: Any) -> Any:
    """xʸ; y a number or a tensor. At x = 0 the derivative in y is 0.

    >>> import autograd_cnn as ag
    >>> float(ag.grad(lambda x: x**3)(ag.tensor(2.0)))
    12.0
    """
    return _power.call(x, y)


def square(x: Any) -> Any:
    """x²."""
    return _square.call(x)


def exp(x: Any) -> Any:
    """eˣ."""
    return _exp.call(x)


def expm1(x: Any) -> Any:
    """eˣ − 1, exact near 0."""
    return _expm1.call(x)


def log(x: Any) -> Any:
    """The natural logarithm."""
    return _log.call(x)


def log1p(x: Any) -> Any:
    """ln(1 + x), exact near 0."""
    return _log1p.call(x)


def sqrt(x: Any) -> Any:
    """√x; its derivative 1/(2√x) is infinite at 0."""
    return _sqrt.call(x)


def sin(x: Any) -> Any:
    """The sine of x in radians."""
    return _sin.call(x)


def cos(x: Any) -> Any:
    """The cosine of x in radians."""
    return _cos.call(x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent; its derivative is 1 − tanh²(x)."""
    return _tanh.call(x)


def erf(x: Any) -> Any:
    """The error function 2/√π ∫₀ˣ e^(−t²) dt (approximation: Cody 1969)."""
    return _erf.call(x)


def sign(x: Any) -> Any:
    """−1, 0 or 1; its derivative is 0 everywhere, at 0 too."""
    return _sign.call(x)


def step(x: Any) -> Any:
    """1 where x > 0, else 0; its derivative is 0 everywhere, at 0 too."""
    return _step.call(x)


def abs(x: Any) -> Any:
    """|x|; the derivative at 0 is 0, the mean of the one-sided ones."""
    return _abs.call(x)


def clip(x: Any, low: float | None = None, high: float | None = None) -> Any:
    """x kept within [low, high]; the derivative is 1 inside and at the ends, 0 outside.

    >>> import autograd_cnn as ag
    >>> ag.clip(ag.tensor([-1.0, 0.5, 2.0]), 0, 1).numpy().tolist()
    [0.0, 0.5, 1.0]

    Raises ValueError when low > high.
    """
    if low is not None and high is not None and low > high:
        raise ValueError(f"clip: low = {low} is above high = {high}")
    return _clip.call(x, low=low, high=high)


def maximum(x: Any, y: Any) -> Any:
    """The larger of x and y; at a tie each gets half of the gradient."""
    return _maximum.call(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of x and y; at a tie each gets half of the gradient."""
    return _minimum.call(x, y)


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, y elsewhere."""
    return _where(condition, x, y)


def compare(name: str, *operands: Any) -> Any:
    """NumPy's function called `name` ("equal", "isnan", …): truth values, off the tape."""
    values = [v._data if isinstance(v, Tensor) else v for v in operands]
    function = getattr(provider_for(values).xp, name)
    try:
        result = function(*values)
    except ValueError as error:
        explain_broadcast(name, values, error)
        raise
    lifted = any(isinstance(operand, Tensor) for operand in operands)
    return Tensor._make(result, None) if lifted else result


def astype(x: Any, dtype: Any) -> Any:
    """x with another dtype; between floating-point types the gradient is cast back."""
    xp = provider_for([x._data if isinstance(x, Tensor) else x]).xp
    try:
        dtype = xp.dtype(dtype)
    except TypeError as error:
        raise DTypeError(
            f'{dtype!r} is no data type (and no device: those are "cpu", "cuda" and "cuda:N")'
        ) from error
    inexact = dtype.kind in "fc" or dtype.name == "bfloat16"
    if isinstance(x, Tensor) and x.requires_grad and not inexact:
        return Tensor._make(x._data.astype(dtype), None)
    if not inexact and dtype.kind not in "iub":
        raise DTypeError(f"a tensor holds numbers, not {dtype}")
    return _astype.call(x, dtype=dtype)


def to_device(x: Tensor, device: str) -> Tensor:
    """x on another device; its gradient comes back to the device of x."""
    data = x._data if isinstance(x, Tensor) else x
    return _to_device(x, source=devices.device_of(data), device=device)
