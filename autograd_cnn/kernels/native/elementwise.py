"""Large elementwise kernels in native threads; small ones cost what they cost in NumPy.

Each is a chain, most of one step. Kernels that may warn (division, roots, logarithms) stay NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..arrays import Array, is_basic_index
from ..numpy import NumpyKernels
from . import memory
from .machine import unusable

if TYPE_CHECKING:
    from .chains import Chain

LARGE = 1 << 16
"""Entries of an operand from which a kernel is native: 256 KiB, where memory is recycled."""
_NUMBERS = (bool, int, float, np.float32)
_numpy = NumpyKernels(np)


def _unary(name: str, small: Callable[..., Array]) -> Callable[..., Array]:
    """The kernel of one operand: native, or `small`."""

    def kernel(self: NumpyKernels, x: Array) -> Array:
        if type(x) is ndarray and x.size >= LARGE and not obstacle(name, x):
            return run(name, x)
        return small(x)

    return kernel


def _binary(name: str, small: Callable[..., Array]) -> Callable[..., Array]:
    """The kernel of two operands: native, or `small`."""

    def kernel(self: NumpyKernels, x: Array, y: Array) -> Array:
        large = (type(x) is ndarray and x.size >= LARGE) or (type(y) is ndarray and y.size >= LARGE)
        if large and not obstacle(name, x, y):
            return run(name, x, y)
        return small(x, y)

    return kernel


class NativeElementwise(NumpyKernels):
    """The NumPy kernels, with arithmetic on large float32 arrays done by generated code."""

    large = dict.fromkeys(
        ("add", "subtract", "multiply", "maximum", "minimum", "negative", "square", "relu",
         "step", "where", "scale_shift"), LARGE,
    )  # fmt: skip
    """The entries from which a kernel is native; with fewer it is the shared code."""

    add = _binary("add", np.add)
    subtract = _binary("subtract", np.subtract)
    multiply = _binary("multiply", np.multiply)
    maximum = _binary("maximum", _numpy.maximum)
    minimum = _binary("minimum", _numpy.minimum)
    negative = _unary("negative", np.negative)
    square = _unary("square", np.square)
    relu = _unary("relu", _numpy.relu)
    step = _unary("step", _numpy.step)

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        if np.size(condition) >= LARGE and not obstacle("where", condition, x, y):
            return run("where", condition, x, y)
        return super().where(condition, x, y)

    def scale_shift(self, x: Array, scale: Array, shift: Array) -> Array:
        if obstacle("scale_shift", x, scale, shift):
            return super().scale_shift(x, scale, shift)
        return run("scale_shift", x, scale, shift)

    def dropout(self, x: Array, *, seed: int, p: float, shape: tuple) -> Array:
        if x.size >= LARGE and x.dtype == np.float32:
            operands = x, self.uniform(seed, shape), p, 1.0 / (1.0 - p)
            if not obstacle("dropout", *operands):
                return run("dropout", *operands)
        return super().dropout(x, seed=seed, p=p, shape=shape)

    # copies: NumPy moves the entries, into memory that is used again

    def pad(self, x: Array, *, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        if x.size < LARGE or not widths or min(map(min, widths)) < 0:
            return super().pad(x, widths=widths, value=value)
        sides = list(zip(x.shape, widths, strict=True))
        y = memory.empty(tuple([n + before + after for n, (before, after) in sides]), x.dtype)
        y.fill(value)
        y[tuple([slice(before, before + n) for n, (before, _) in sides])] = x
        return y

    def concatenate(self, *x: Array, axis: int) -> Array:
        if sum(each.size for each in x) < LARGE or len({each.dtype for each in x}) > 1:
            return super().concatenate(*x, axis=axis)
        shape = list(x[0].shape)
        shape[axis] = sum(each.shape[axis] for each in x)
        return np.concatenate(x, axis=axis, out=memory.empty(tuple(shape), x[0].dtype))

    def scatter_add(self, y: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
        if prod(shape) < LARGE or not is_basic_index(index):
            return super().scatter_add(y, index=index, shape=shape)
        x = memory.empty(tuple(shape), y.dtype)
        x.fill(0)
        x[index] = y
        return x


def obstacle(name: str, *operands: Any) -> str:
    """Why the native code does not take these operands; empty if it does."""
    for operand in operands:
        if type(operand) is not ndarray and type(operand) not in _NUMBERS:
            return f"{type(operand).__name__} is neither an array nor one of Python's numbers"
    if all(np.size(operand) < LARGE for operand in operands):
        return f"fewer than {LARGE:,} entries"
    numbers = operands[1:] if name == "where" else operands
    if not any(getattr(operand, "dtype", None) == np.float32 for operand in numbers):
        return "no operand is float32"
    return unusable() or _chain(name, len(operands)).obstacle(*map(_array, operands))


def run(name: str, *operands: Any) -> Array:
    """The kernel on operands that there is no obstacle to."""
    return _chain(name, len(operands))(*map(_array, operands))[0]


def _array(operand: Any) -> ndarray:
    return operand if type(operand) is ndarray else np.asarray(operand, np.float32)


@cache
def _chain(name: str, operands: int) -> Chain:
    from .chains import Chain, Input, Result, Step

    inputs = tuple(map(Input, range(operands)))
    steps = {
        "scale_shift": (
            Step("multiply", inputs[:2]),
            Step("add", (Result(0), *inputs[2:])),
        ),
        "dropout": (
            Step("greater_equal", inputs[1:3]),
            Step("multiply", (*inputs[:1], Result(0))),
            Step("multiply", (Result(1), *inputs[3:])),
        ),
    }.get(name) or (Step(name, inputs),)
    return Chain(steps, (len(steps) - 1,))
