"""ONNX's arithmetic, activations and comparisons."""

from functools import reduce

import numpy as np

import autograd_cnn as ag

_GAMMA, _ALPHA = 1.0507009873554805, 1.6732632423543772


def _power(x, y):
    return ag.astype(ag.power(x, y), x.dtype)


def _clip(x, low=None, high=None):
    low, high = (None if bound is None else bound.item() for bound in (low, high))
    if low is not None and high is not None and low > high:  # clip raises; ONNX lets `high` win
        return ag.minimum(ag.maximum(x, low), high)
    return ag.clip(x, low, high)


def _divide(x, y):
    """The true quotient; of whole numbers, which have no derivative, the one cut towards 0."""
    if x.dtype.kind not in "iu":
        return ag.divide(x, y)
    below = ag.compare("floor_divide", x, y)
    inexact = ag.compare("not_equal", below * y, x)
    return below + ag.compare("logical_and", inexact, below < 0)


def _tan(x):
    return ag.sin(x) / ag.cos(x)


def _sinh(x):
    return (ag.exp(x) - ag.exp(-x)) * 0.5


def _cosh(x):
    return (ag.exp(x) + ag.exp(-x)) * 0.5


ARITHMETIC = {
    "Abs": ag.abs,
    "Add": ag.add,
    "Cos": ag.cos,
    "Cosh": _cosh,
    "Div": _divide,
    "Erf": ag.erf,
    "Exp": ag.exp,
    "Identity": lambda x: ag.tree.map_leaves(ag.ops.identity, x),
    "Log": ag.log,
    "Max": lambda *x: reduce(ag.maximum, x),
    "Mean": lambda *x: reduce(ag.add, x) / len(x),
    "Min": lambda *x: reduce(ag.minimum, x),
    "Mul": ag.multiply,
    "Neg": ag.negative,
    "Pow": _power,
    "Reciprocal": lambda x: 1.0 / x,
    "Sign": ag.sign,
    "Sin": ag.sin,
    "Sinh": _sinh,
    "Sqrt": ag.sqrt,
    "Sub": ag.subtract,
    "Sum": lambda *x: reduce(ag.add, x),
    "Tan": _tan,
    "Where": ag.where,
}


def _celu(x, alpha=1.0):
    alpha = np.asarray(alpha, x.dtype)  # a bfloat16 times a Python number is a float32
    return ag.elu(x / alpha) * alpha


def _gelu(x, approximate="none"):
    if approximate == "none":
        return ag.gelu(x)
    inner = (x + x * x * x * 0.044715) * (2.0 / np.pi) ** 0.5
    return x * (ag.tanh(inner) + 1.0) * 0.5


def _hard_sigmoid(x, alpha=0.2, beta=0.5):
    return ag.clip(x * alpha + beta, 0.0, 1.0)


def _hardmax(x, axis=-1):
    places = np.arange(x.shape[axis])
    rows = ag.moveaxis(x, axis, -1)
    chosen = ag.compare("equal", places, ag.argmax(rows, -1, keepdims=True))
    return ag.moveaxis(ag.astype(chosen, x.dtype), -1, axis)


def _selu(x, alpha=_ALPHA, gamma=_GAMMA):
    if (alpha, gamma) == (_ALPHA, _GAMMA):
        return ag.selu(x)
    return ag.elu(x, alpha) * gamma


def _shrink(x, bias=0.0, lambd=0.5):
    above = ag.where(ag.compare("greater", x, lambd), x - bias, x * 0.0)
    return ag.where(ag.compare("less", x, -lambd), x + bias, above)


def _swish(x, alpha=1.0):
    return x * ag.sigmoid(x * alpha)


def _swiglu(a, b, alpha=1.0):
    """Half precision is computed in single and rounded once."""
    wide = "float32" if a.dtype == "float16" else a.dtype
    a, b, dtype = ag.astype(a, wide), ag.astype(b, wide), a.dtype
    return ag.astype(_swish(a, alpha) * b, dtype)


def _thresholded_relu(x, alpha=1.0):
    return ag.where(ag.compare("greater", x, alpha), x, x * 0.0)


ACTIVATIONS = {
    "Celu": _celu,
    "Clip": _clip,
    "Elu": lambda x, alpha=1.0: ag.elu(x, alpha),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": ag.hardswish,
    "Hardmax": _hardmax,
    "LeakyRelu": lambda x, alpha=0.01: ag.leaky_relu(x, alpha),
    "LogSoftmax": lambda x, axis=-1: ag.log_softmax(x, axis),
    "Mish": ag.mish,
    "PRelu": lambda x, slope: ag.where(ag.compare("greater", x, 0), x, x * slope),
    "Relu": ag.relu,
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": ag.sigmoid,
    "Softmax": lambda x, axis=-1: ag.softmax(x, axis),
    "Softplus": ag.softplus,
    "Softsign": lambda x: x / (ag.abs(x) + 1.0),
    "SwiGLU": _swiglu,
    "Swish": _swish,
    "Tanh": ag.tanh,
    "ThresholdedRelu": _thresholded_relu,
}


def _comparison(name):
    return lambda *operands: ag.compare(name, *operands)


COMPARISONS = {
    "And": _comparison("logical_and"),
    "Equal": _comparison("equal"),
    "Greater": _comparison("greater"),
    "GreaterOrEqual": _comparison("greater_equal"),
    "IsNaN": _comparison("isnan"),
    "Less": _comparison("less"),
    "LessOrEqual": _comparison("less_equal"),
    "Not": _comparison("logical_not"),
    "Or": _comparison("logical_or"),
    "Xor": _comparison("logical_xor"),
}
