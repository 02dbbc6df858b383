"""A function as the laws see it: lists of arrays in, lists of arrays out, and their derivatives."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import tree
from ..engine import gradients
from ..errors import DTypeError
from ..primitive import Primitive
from ..tape import caller_line, enable_grad, no_grad
from ..tensor import Tensor
from ..transforms import jvp, vjp

Arrays = list[np.ndarray]

STEP = 1e-30
"""The complex step: its square is lost beside 1, so the derivative is exact to rounding."""


class CannotBeComplex(Exception):
    """The function cannot be run on complex numbers, with the reason."""


class Subject:
    """A function of some of its arguments, the floating-point ones.

    `values` are the arguments that are differentiated, as float64 arrays; the others stay as they
    are.
    """

    def __init__(
        self,
        function: Callable,
        args: Sequence[Any],
        name: str,
        line: str,
        positions: Sequence[int],
        input_names: Sequence[str],
        primitive: Primitive | None = None,
    ) -> None:
        self.function, self.args, self.name, self.line = function, list(args), name, line
        self.positions, self.input_names = list(positions), list(input_names)
        self.primitive = primitive
        self.order = 1
        self.evaluations = 0

    @classmethod
    def of(cls, function: Any, args: Sequence[Any], attributes: dict[str, Any]) -> Subject:
        """The subject of a check: a primitive with its inputs, or any function with its arguments.

        Raises DTypeError when no argument is floating-point.
        """
        names = _input_names(function, args)
        args, rebuild = tree.flatten(list(args))
        args = [value._data if isinstance(value, Tensor) else value for value in args]
        if not any(map(_is_floating, args)):
            args = [np.asarray(v) if isinstance(v, float) else v for v in args]
        primitive = function if isinstance(function, Primitive) else None
        positions = [k for k, value in enumerate(args) if _is_floating(value)]
        if not positions:
            raise DTypeError("check needs at least one floating-point array or tensor to vary")
        line = caller_line() if primitive else _definition(function)
        return cls(
            lambda *inputs: function(*rebuild(list(inputs)), **attributes),
            args,
            primitive.name if primitive else getattr(function, "__name__", type(function).__name__),
            line,
            positions,
            [names[k] for k in positions],
            primitive,
        )

    @staticmethod
    def argument_names(function: Any, args: Sequence[Any]) -> list[str]:
        """A name for every argument of a call, containers whole."""
        return _argument_names(function, len(args))

    @property
    def values(self) -> Arrays:
        return [np.array(self.args[k], np.float64) for k in self.positions]

    def outputs(self, *inputs: Any) -> list[Tensor]:
        """The floating-point outputs at tensors in place of the varied arguments."""
        args = list(self.args)
        for position, value in zip(self.positions, inputs, strict=True):
            args[position] = value
        found = [leaf for leaf in tree.leaves(self.function(*args)) if isinstance(leaf, Tensor)]
        return [leaf for leaf in found if leaf.dtype.kind in "fc"]

    def require_tape(self) -> None:
        """DTypeError for a function that gives floating-point numbers, but off the tape."""
        with no_grad():
            args = list(self.args)
            for position, value in zip(self.positions, self.values, strict=True):
                args[position] = Tensor(value)
            found = list(tree.leaves(self.function(*args)))
        if any(isinstance(leaf, float) or _is_floating(leaf) for leaf in found):
            raise DTypeError(f"{self.name} gave plain numbers: its result has left the tape")

    def evaluate(self, values: Arrays) -> Arrays:
        """The outputs as arrays."""
        self.evaluations += 1
        with no_grad():
            return [y._data for y in self.outputs(*(Tensor(value) for value in values))]

    def pull(self, values: Arrays, cotangents: Arrays, recorded: bool = False) -> Arrays:
        """The vector-Jacobian product: the gradients of Σ cotangents·outputs.

        `recorded` runs the rules on tensors, as for a second derivative, instead of on arrays.
        """
        self.evaluations += 1
        with enable_grad():
            inputs = [Tensor(value, requires_grad=True) for value in values]
            outputs = self.outputs(*inputs)
            seeds = [Tensor(g) for g in cotangents]
            found = gradients(outputs, inputs, seeds, create_graph=recorded)
        return [gradient._data for gradient in found]

    def push(self, values: Arrays, tangents: Arrays) -> Arrays:
        """The Jacobian-vector product, in forward mode."""
        self.evaluations += 1
        run = lambda *inputs: self.outputs(*inputs)
        found = jvp(run, tuple(map(Tensor, values)), tuple(map(Tensor, tangents)))[1]
        return [tangent._data for tangent in found]

    def complex_push(self, values: Arrays, tangents: Arrays) -> Arrays:
        """The Jacobian-vector product Im f(x + ih·t)/h, h = 1e-30.

        Source: Squire and Trapp 1998. Raises CannotBeComplex with the reason.
        """
        moved = [x + (1j * STEP) * t for x, t in zip(values, tangents, strict=True)]
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                outputs = self.evaluate(moved)
            except Exception as error:
                raise CannotBeComplex(f"{type(error).__name__}: {error}") from error
        if any(y.dtype.kind != "c" for y in outputs):
            raise CannotBeComplex("complex input gave a real output")
        return [y.imag / STEP for y in outputs]

    def derivative(self, outputs: int) -> Subject:
        """The vector-Jacobian product as a function of the inputs and of so many cotangents."""
        count = len(self.positions)

        def pulled(*values: Any) -> Any:
            _, pull = vjp(lambda *inputs: self.outputs(*inputs), *values[:count])
            return pull(list(values[count:]))

        result = Subject(
            pulled,
            [None] * (count + outputs),
            self.name,
            self.line,
            range(count + outputs),
            [*self.input_names, *(f"g{k}" if k else "g" for k in range(outputs))],
        )
        result.order = self.order + 1
        return result


def _is_floating(value: Any) -> bool:
    return hasattr(value, "dtype") and value.dtype.kind == "f"


def _input_names(function: Any, args: Sequence[Any]) -> list[str]:
    """A name for every leaf of the arguments, as `params[1]` for those inside containers."""
    names = []
    for name, value in zip(_argument_names(function, len(args)), args, strict=True):
        count = sum(1 for _ in tree.leaves(value))
        nested = isinstance(value, (dict, list, tuple))
        names += [f"{name}[{k}]" for k in range(count)] if nested else [name]
    return names


def _argument_names(function: Any, count: int) -> list[str]:
    if isinstance(function, Primitive):
        if function.variadic:
            return [f"{function.inputs[0]}[{k}]" for k in range(count)]
        return list(function.inputs[:count])
    try:
        names = [
            f"{p.name}[{k}]" if p.kind is p.VAR_POSITIONAL else p.name
            for p in inspect.signature(function).parameters.values()
            for k in (range(count) if p.kind is p.VAR_POSITIONAL else (0,))
        ]
    except (TypeError, ValueError):
        names = []
    return (names + [f"argument {k}" for k in range(len(names), count)])[:count]


def _definition(function: Any) -> str:
    """Where a function is defined, as `file.py:12`."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else caller_line()
