"""Records of arithmetic, elementary functions and activations."""

from __future__ import annotations

import numpy as np

from .. import ops
from .draw import Draw
from .records import Sample, composite, kink, record, sample


def anywhere(draw: Draw) -> Sample:
    """One input of any shape."""
    return sample(draw.normal(draw.shape()))


def positive(draw: Draw) -> Sample:
    """One input, away from 0 on the right."""
    return sample(draw.uniform(draw.shape(), 0.3, 3.0))


def pair(draw: Draw) -> Sample:
    """Two inputs that broadcast."""
    return sample(*(draw.normal(shape) for shape in draw.broadcastable()))


def _quotient(draw: Draw) -> Sample:
    x, y = draw.broadcastable()
    signs = draw.choice([-1.0, 1.0])
    return sample(draw.normal(x), signs * draw.uniform(y, 0.5, 2.0))


def _power(draw: Draw) -> Sample:
    base, exponent = draw.broadcastable()
    if draw.integer(0, 1):
        return sample(draw.uniform(base, 0.3, 2.0), draw.normal(exponent))
    return sample(draw.normal(base), draw.choice([0, 1, 2, 3, 2.0]))


def _above_minus_one(draw: Draw) -> Sample:
    return sample(draw.uniform(draw.shape(), -0.7, 2.0))


def _chosen(draw: Draw) -> Sample:
    x, y, condition = draw.broadcastable(3)
    return sample(draw.normal(condition) > 0, draw.normal(x), draw.normal(y))


def _apart(draw: Draw) -> Sample:
    return sample(draw.apart(draw.shape()))


def _pair_apart(draw: Draw) -> Sample:
    first, second = draw.broadcastable()
    return sample(draw.apart(first), draw.apart(second) + 0.1)


def _clip(draw: Draw) -> Sample:
    x = draw.apart(draw.shape())
    low, high = draw.choice([(-0.5, 0.5), (None, 0.5), (-0.5, None), (-1, 1)])
    return sample(x, low=low, high=high)


for _name in ("identity", "negative", "square", "exp", "expm1", "sin", "cos", "tanh", "erf",
              "sigmoid", "softplus", "gelu"):  # fmt: skip
    record(_name, anywhere)
for _name in ("log", "sqrt"):
    record(_name, positive)
for _name in ("add", "subtract", "multiply"):
    record(_name, pair)
record("log1p", _above_minus_one)
record("divide", _quotient)
record("power", _power)
record("where", _chosen)

# at a jump the one-sided derivatives are those beside it
record("sign", _apart, kinks=(kink([0.0, -1.0], {"x": [0.0, 0.0]}),))
record("step", _apart, kinks=(kink([0.0, 1.0], {"x": [0.0, 0.0]}),))
record("abs", _apart, kinks=(kink([0.0, -1.0, 2.0], {"x": [0.0, -1.0, 1.0]}),))
record("relu", _apart, kinks=(kink([0.0, -1.0, 2.0], {"x": [0.0, 0.0, 1.0]}),))
record(
    "leaky_relu",
    lambda draw: sample(draw.apart(draw.shape()), negative_slope=draw.choice([0.01, 0.25, -0.5])),
    kinks=(kink([0.0, 3.0], {"x": [0.25, 1.0]}, negative_slope=0.25),),
)
record(
    "elu",
    lambda draw: sample(draw.apart(draw.shape()), alpha=draw.choice([1.0, 0.5, 1.7])),
    kinks=(kink([0.0, 3.0], {"x": [0.5, 1.0]}, alpha=0.5),),
)
record(
    "clip", _clip,
    kinks=(kink([-1.0, 0.0, 1.0, 2.0], {"x": [1.0, 1.0, 1.0, 0.0]}, low=-1.0, high=1.0),),
)  # fmt: skip
for _name in ("maximum", "minimum"):
    record(_name, _pair_apart, kinks=(kink(([1.0], [1.0]), {"x": [0.5], "y": [0.5]}),))

_rounded = "rounds to the other dtype"
_cast = "a change of dtype has no derivative in complex numbers; law 1 is exact for it"
record(
    "astype",
    lambda draw: sample(draw.normal(draw.shape()), dtype=np.dtype(draw.choice(["f4", "f8"]))),
    why_not={n: _rounded for n in (2, 5, 6, 7, 14)} | {3: _cast, 4: _cast},
    keeps_dtype=False,
)  # fmt: skip
record("to_device", lambda draw: sample(draw.normal(draw.shape()), source="cpu", device="cpu"))


_SCALE, _LIMIT = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772


def _along_axis(draw: Draw) -> Sample:
    x = draw.normal(draw.shape(1, 3))
    return sample(x, axis=draw.integer(0, x.ndim - 1))


record("softmax", _along_axis)
record("log_softmax", _along_axis)

composite(ops.selu, _apart, kinks=(kink([0.0, 1.0], {"x": [_LIMIT, _SCALE]}),))
composite(ops.relu6, _apart, kinks=(kink([0.0, 6.0, 3.0], {"x": [0.0, 0.0, 1.0]}),))
composite(ops.log_sigmoid, anywhere)
