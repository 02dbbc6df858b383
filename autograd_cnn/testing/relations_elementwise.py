"""Relations of arithmetic, elementary functions, activations and what goes along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops as o
from ..primitive import TABLE
from .draw import Draw
from .records import Sample, sample
from .relations import relation


def _one(draw: Draw) -> Sample:
    return sample(draw.normal(draw.shape()))


def _two(draw: Draw) -> Sample:
    shape = draw.shape()
    return sample(draw.normal(shape), draw.normal(shape))


def _three(draw: Draw) -> Sample:
    shape = draw.shape()
    return sample(*(draw.normal(shape) for _ in range(3)))


def _positive(draw: Draw) -> Sample:
    shape = draw.shape()
    return sample(*(draw.uniform(shape, 0.3, 3.0) for _ in range(2)))


def _apart(draw: Draw) -> Sample:
    return sample(draw.apart(draw.shape()))


def _two_apart(draw: Draw) -> Sample:
    shape = draw.shape()
    return sample(draw.apart(shape), draw.apart(shape) + 0.1)


def _lines(draw: Draw) -> Sample:
    x = draw.normal(draw.shape(1, 3))
    return sample(x, axis=draw.integer(0, x.ndim - 1))


def _condition(draw: Draw) -> Sample:
    shape = draw.shape()
    return sample(draw.normal(shape) > 0, draw.normal(shape), draw.normal(shape))


# arithmetic

relation("identity", "identity(x) = x", _one, lambda x: (o.identity(x), x * 1.0), exact=True)
relation("add", "x + y = y + x", _two, lambda x, y: (x + y, y + x), exact=True)
relation("subtract", "x − y = −(y − x)", _two, lambda x, y: (x - y, -(y - x)), exact=True)
relation("negative", "−(−x) = x", _one, lambda x: (o.negative(-x), o.identity(x)), exact=True)
relation("multiply", "x(y + z) = xy + xz", _three,
         lambda x, y, z: (x * (y + z), x * y + x * z), exact=True)  # fmt: skip
relation("divide", "(x/y)·y = x", _positive, lambda x, y: (x / y * y, x + 0.0 * y))
relation("square", "(x + y)² = x² + 2xy + y²", _two,
         lambda x, y: (o.square(x + y), o.square(x) + 2.0 * x * y + o.square(y)),
         exact=True)  # fmt: skip
relation("power", "x^a·x^b = x^(a + b)", _positive,
         lambda x, a: (x**a * x**1.5, x ** (a + 1.5)))  # fmt: skip
relation("power", "x³ = x·x·x", _one, lambda x: (x**3, x * x * x), exact=True)
relation("where", "where(c, x, y) + where(c, y, x) = x + y", _condition,
         lambda c, x, y: (o.where(c, x, y) + o.where(c, y, x), x + y), exact=True)  # fmt: skip
relation("maximum", "max(x, y) + min(x, y) = x + y", _two_apart,
         lambda x, y: (o.maximum(x, y) + o.minimum(x, y), x + y))  # fmt: skip
relation("minimum", "min(x, y) = −max(−x, −y)", _two_apart,
         lambda x, y: (o.minimum(x, y), -o.maximum(-x, -y)))  # fmt: skip
relation("clip", "clip = min(max(x, low), high)", _apart,
         lambda x: (o.clip(x, -0.5, 1.0), o.minimum(o.maximum(x, -0.5), 1.0)))  # fmt: skip
relation("abs", "|x| = relu(x) + relu(−x)", _apart,
         lambda x: (o.abs(x), o.relu(x) + o.relu(-x)), exact=True)  # fmt: skip
relation("sign", "sign(x)·|x| = x", _apart, lambda x: (o.sign(x) * o.abs(x), o.identity(x)),
         exact=True)  # fmt: skip
relation("step", "step(x)·x = relu(x)", _apart, lambda x: (o.step(x) * x, o.relu(x)), exact=True)
relation("astype", "the dtype it has changes nothing", _one,
         lambda x: (o.astype(x, np.float64) * 1.0, o.identity(x)), exact=True)  # fmt: skip
relation("to_device", "a device that is the same one changes nothing", _one,
         lambda x: (o.to_device(x, "cpu") * 1.0, o.identity(x)), exact=True)  # fmt: skip

# elementary functions

relation("exp", "e^(x + y) = eˣ·e^y", _two, lambda x, y: (o.exp(x + y), o.exp(x) * o.exp(y)))
relation("expm1", "expm1(x) = eˣ − 1", _one, lambda x: (o.expm1(x), o.exp(x) - 1.0))
relation("log", "ln xy = ln x + ln y", _positive, lambda x, y: (o.log(x * y), o.log(x) + o.log(y)))
relation("log1p", "log1p(expm1(x)) = x", _one, lambda x: (o.log1p(o.expm1(x)), o.identity(x)))
relation("sqrt", "√x·√x = x", _positive, lambda x, y: (o.sqrt(x) * o.sqrt(x) + y, x + y))
relation("sin", "sin 2x = 2·sin x·cos x", _one, lambda x: (o.sin(2.0 * x),
                                                           2.0 * o.sin(x) * o.cos(x)))  # fmt: skip
relation("cos", "cos 2x = 1 − 2·sin² x", _one, lambda x: (o.cos(2.0 * x),
                                                          1.0 - 2.0 * o.sin(x) ** 2))  # fmt: skip
relation("tanh", "tanh x = 2σ(2x) − 1", _one, lambda x: (o.tanh(x), 2.0 * o.sigmoid(2.0 * x) - 1.0))
relation("erf", "erf(−x) = −erf(x)", _one, lambda x: (o.erf(-x), -o.erf(x)))
relation("erf", "gelu(x) = x·(1 + erf(x/√2))/2", _one,
         lambda x: (o.gelu(x), x * (1.0 + o.erf(x * 0.5**0.5)) * 0.5))  # fmt: skip

# activations

relation("relu", "relu(x) − relu(−x) = x", _apart,
         lambda x: (o.relu(x) - o.relu(-x), o.identity(x)), exact=True)  # fmt: skip
relation("leaky_relu", "leaky(x) = relu(x) − s·relu(−x)", _apart,
         lambda x: (o.leaky_relu(x, 0.25), o.relu(x) - 0.25 * o.relu(-x)), exact=True)  # fmt: skip
relation("elu", "elu(x) = relu(x) + α·expm1(−relu(−x))", _apart,
         lambda x: (o.elu(x, 0.7), o.relu(x) + 0.7 * o.expm1(-o.relu(-x))))  # fmt: skip
relation("sigmoid", "σ(x) + σ(−x) = 1", _one,
         lambda x: (o.sigmoid(x) + o.sigmoid(-x), x * 0.0 + 1.0))  # fmt: skip
relation("sigmoid", "σ(x) = 1/(1 + e^(−x))", _one,
         lambda x: (o.sigmoid(x), 1.0 / (1.0 + o.exp(-x))))  # fmt: skip
relation("softplus", "softplus(x) − softplus(−x) = x", _one,
         lambda x: (o.softplus(x) - o.softplus(-x), o.identity(x)))  # fmt: skip
relation("softplus", "softplus(x) = ln(1 + eˣ)", _one,
         lambda x: (o.softplus(x), o.log1p(o.exp(x))))  # fmt: skip
relation("gelu", "gelu(x) − gelu(−x) = x", _one, lambda x: (o.gelu(x) - o.gelu(-x), o.identity(x)))
relation("hardtanh", "hardtanh = clip, away from its ends", _apart,
         lambda x: (o.hardtanh(x, -0.5, 1.0), o.clip(x, -0.5, 1.0)))  # fmt: skip
relation("silu", "silu(x) − silu(−x) = x", _one, lambda x: (o.silu(x) - o.silu(-x), o.identity(x)))
relation("mish", "mish(x) = x·tanh(ln(1 + eˣ))", _one,
         lambda x: (o.mish(x), x * o.tanh(o.log1p(o.exp(x)))))  # fmt: skip
relation("log_sigmoid", "ln σ(x) − ln σ(−x) = x", _one,
         lambda x: (o.log_sigmoid(x) - o.log_sigmoid(-x), o.identity(x)))  # fmt: skip
relation("softmax", "softmax(x + c) = softmax(x)", _lines,
         lambda x, axis: (o.softmax(x + 3.0, axis), o.softmax(x, axis)))  # fmt: skip
relation("softmax", "softmax = exp(log_softmax)", _lines,
         lambda x, axis: (o.softmax(x, axis), o.exp(o.log_softmax(x, axis))))  # fmt: skip
relation("log_softmax", "log_softmax(x) = x − logsumexp(x)", _lines,
         lambda x, axis: (o.log_softmax(x, axis), x - o.logsumexp(x, axis, True)))  # fmt: skip

# sums, extrema and scans

relation("sum", "one axis after another", lambda draw: sample(draw.normal((2, 3, 4))),
         lambda x: (o.sum(x), o.sum(o.sum(o.sum(x, 2), 0), 0)), exact=True)  # fmt: skip
relation("mean", "mean = sum/n", _lines,
         lambda x, axis: (o.mean(x, axis), o.sum(x, axis) / x.shape[axis]))  # fmt: skip
relation("sum_to", "sum_to = sum over what was repeated", lambda draw: sample(
    draw.normal((2, 3, 4))), lambda x: (o.sum_to(x, (3, 1)),
                                        o.sum(o.sum(x, 0), 1, True)), exact=True)  # fmt: skip
relation("broadcast_to", "broadcast_to = x + zeros", lambda draw: sample(draw.normal((3, 1))),
         lambda x: (o.broadcast_to(x, (2, 3, 4)), x + np.zeros((2, 3, 4))), exact=True)  # fmt: skip
relation("max", "the maximum of the maxima", lambda draw: sample(draw.apart((2, 3, 4))),
         lambda x: (o.max(x), o.max(o.max(x, 1))))  # fmt: skip
relation("argmax", "x at its argmax is its max", lambda draw: sample(draw.apart((3, 4))),
         lambda x: (o.take_along_axis(x, o.argmax(x, 1, True), 1), o.max(x, 1, True)))  # fmt: skip
relation("logsumexp", "logsumexp(x + c) = logsumexp(x) + c", _lines,
         lambda x, axis: (o.logsumexp(x + 3.0, axis), o.logsumexp(x, axis) + 3.0))  # fmt: skip
relation("logsumexp", "logsumexp = ln Σeˣ", _lines,
         lambda x, axis: (o.logsumexp(x, axis), o.log(o.sum(o.exp(x), axis))))  # fmt: skip


def _differences(x: Any, axis: int) -> tuple[Any, Any]:
    y = o.moveaxis(o.cumsum(x, axis), axis, 0)
    return o.concatenate([y[:1], y[1:] - y[:-1]], 0), o.moveaxis(x, axis, 0) * 1.0


def _all_ones(x: Any, axis: int) -> tuple[Any, Any]:
    return TABLE["linear_recurrence"](x, np.ones(x.shape), axis=axis), o.cumsum(x, axis)


relation("cumsum", "its differences are x", _lines, _differences, exact=True)
relation("cumprod", "cumprod = exp(cumsum(ln x))", _positive,
         lambda x, y: (o.cumprod(o.reshape(x, (-1,)), 0) + o.sum(y),
                       o.exp(o.cumsum(o.log(o.reshape(x, (-1,))), 0)) + o.sum(y)))  # fmt: skip
relation("linear_recurrence", "with factors of 1 it is cumsum", _lines, _all_ones, exact=True)
relation("argsort", "x in its order is sort(x)", lambda draw: sample(draw.apart((3, 4))),
         lambda x: (o.take_along_axis(x, o.argsort(x, 1), 1), -o.sort(-x, 1, True)))  # fmt: skip
relation("sort", "sorting twice is sorting", lambda draw: sample(draw.apart((3, 4))),
         lambda x: (o.sort(o.sort(x, 1), 1), o.sort(x, 1)))  # fmt: skip
relation("var", "var = mean(x²) − mean(x)²", _lines,
         lambda x, axis: (o.var(x, axis), o.mean(x * x, axis) - o.mean(x, axis) ** 2))  # fmt: skip
relation("std", "std² = var", lambda draw: sample(draw.normal((3, 4))),
         lambda x: (o.std(x, 1) ** 2, o.var(x, 1)))  # fmt: skip
relation("min", "min(x) = −max(−x)", lambda draw: sample(draw.apart((3, 4))),
         lambda x: (o.min(x, 1), -o.max(-x, 1)))  # fmt: skip

# losses

_logits = lambda draw: sample(draw.normal((3, 4)), draw.uniform((3, 4), 0.1, 1.0))
_both_sides = lambda draw: sample(draw.normal((3, 2)), draw.uniform((3, 2), 0.0, 1.0))
relation("cross_entropy", "cross-entropy = −Σ t·log_softmax(x)", _logits,
         lambda x, t: (TABLE["cross_entropy"](x, t, axis=1, scale=1.0),
                       -o.sum(t * o.log_softmax(x, 1))))  # fmt: skip
relation("nll_loss", "cross-entropy = nll_loss(log_softmax)", _logits,
         lambda x, t: (TABLE["nll_loss"](o.log_softmax(x, 1), t, axis=1, scale=0.5),
                       TABLE["cross_entropy"](x, t, axis=1, scale=0.5)))  # fmt: skip
relation("mse_loss", "Σ(x − y)² = Σx² − 2Σxy + Σy²", _two,
         lambda x, y: (TABLE["mse_loss"](x, y, scale=1.0),
                       o.sum(x * x) - 2.0 * o.sum(x * y) + o.sum(y * y)), exact=True)  # fmt: skip
relation("bce_with_logits", "−y·ln σ(x) − (1 − y)·ln σ(−x)", _both_sides,
         lambda x, y: (TABLE["bce_with_logits"](x, y, scale=None),
                       -y * o.log(o.sigmoid(x)) - (1.0 - y) * o.log(o.sigmoid(-x))))  # fmt: skip
relation("huber_loss", "far from 0 it is δ·(|x| − δ/2)", lambda draw: sample(draw.apart((3,), 4.0)),
         lambda x: (o.huber_loss(x, 0.0 * x, "none"), o.abs(x) - 0.5))  # fmt: skip
