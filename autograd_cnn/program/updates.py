"""An optimizer's update of a large parameter as one pass over memory.

`Optimizer.update` is run on stand-ins for its arrays, which write down what it does to them. What
it would do to the arrays is then one chain of elementwise kernels (see `kernels.native.chains`):
the same numbers, bit for bit. Numbers that change from step to step are inputs of the chain, so the
chain of an optimizer is made once. An update that does anything else runs as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor
from . import instrument

LARGE = 1 << 16
"""Entries of a parameter from which a chain is faster than NumPy, step by step."""


class NotElementwise(Exception):
    """An update does what a chain cannot."""


def step(optimizer: Any, parameter: Tensor, group: dict[str, Any]) -> None:
    """`Optimizer._step_one`, in one pass where the parameter is large and the update allows it."""
    state = optimizer.state.get(parameter)
    ours = type(optimizer).__module__.startswith("autograd_cnn.optim.")
    if parameter.size < LARGE or not state or not ours or type(optimizer) in _plain:
        return instrument.STEP(optimizer, parameter, group)
    try:
        _in_one_pass(optimizer, parameter, group, state)
    except (NotElementwise, AttributeError, TypeError):
        _plain.add(type(optimizer))
        instrument.STEP(optimizer, parameter, group)


_plain: set[type] = set()
_chains: dict[tuple, Any] = {}


def _in_one_pass(optimizer: Any, parameter: Tensor, group: dict, state: dict) -> None:
    w, g = parameter._data, parameter.grad._data  # type: ignore[union-attr]
    held = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    if not all(map(_is_taken, (w, g, *held.values()))):
        raise NotElementwise
    trace = Trace()
    stand_ins = {name: trace.input(array) for name, array in held.items()}
    after = state | stand_ins
    new = optimizer.update(
        trace.input(w), trace.input(g), after, group, trace, (Array(trace), Array(trace))
    )
    changed = {name: array for name, array in stand_ins.items() if array.term[0] != "i"}
    if any(isinstance(v, Array) and stand_ins.get(name) is not v for name, v in after.items()):
        raise NotElementwise
    del w  # 2 references when alone: the parameter's, and the argument of getrefcount
    alone = parameter._data.base is None and sys.getrefcount(parameter._data) == 2
    room = [parameter._data if alone else None, *(held[name] for name in changed)]
    parameter._data = trace.run([new, *changed.values()], room)[0]
    state.update((name, value) for name, value in after.items() if name not in held)


def _is_taken(array: Any) -> bool:
    return array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable


class Trace:
    """What is done to stand-ins; takes the place of NumPy for an update."""

    def __init__(self) -> None:
        self.inputs: list[np.ndarray] = []
        self.numbers: list[float] = []
        self.steps: list[tuple] = []

    def input(self, array: np.ndarray) -> Array:
        """A stand-in for an array."""
        self.inputs.append(array)
        return Array(self, ("i", len(self.inputs) - 1))

    def apply(self, kernel: str, *operands: Any) -> tuple:
        """Write down a step; its term."""
        self.steps.append((kernel, *map(self._term, operands)))
        return ("r", len(self.steps) - 1)

    def _term(self, operand: Any) -> tuple:
        if isinstance(operand, Array):
            if operand.term is None:  # spare memory that nothing was written to
                raise NotElementwise
            return operand.term
        if type(operand) not in (int, float):
            raise NotElementwise
        self.numbers.append(operand)
        return ("n", len(self.numbers) - 1)

    def __getattr__(self, name: str) -> Callable:
        kernel = _FUNCTIONS.get(name)
        if kernel is None:
            raise NotElementwise

        def function(*operands: Any, out: Array | None = None) -> Array:
            target = Array(self) if out is None else out
            target.term = self.apply(kernel, *operands)
            return target

        return function

    def run(self, answers: list[Array], room: list) -> tuple[np.ndarray, ...]:
        """The arrays that some stand-ins stand for, in the memory given."""
        from ..kernels.native.chains import Chain, Input, Result, Step

        places = [answer.term for answer in answers]
        if any(place is None or place[0] != "r" for place in places):
            raise NotElementwise
        key = (tuple(self.steps), tuple(places), len(self.inputs))
        chain = _chains.get(key)
        if chain is None:
            make = {
                "i": Input, "r": Result, "n": lambda number: Input(len(self.inputs) + number),
            }  # fmt: skip
            steps = [
                Step(kernel, tuple(make[kind](number) for kind, number in terms))
                for kernel, *terms in self.steps
            ]
            chain = _chains[key] = Chain(steps, [place[1] for place in places])
        values = np.array(self.numbers, np.float32).reshape(-1, 1)
        return chain(*self.inputs, *values, out=room)


class Array:
    """A stand-in for an array of the parameter's shape: which input, or which step's answer."""

    __slots__ = ("term", "trace")

    def __init__(self, trace: Trace, term: tuple | None = None) -> None:
        self.trace, self.term = trace, term

    def copy(self) -> Array:
        """The same values; only what is done to them later differs."""
        return Array(self.trace, self.term)

    def _inner(kernel: str) -> Callable:  # type: ignore[misc]
        def method(self: Array, other: Any) -> Array:
            return Array(self.trace, self.trace.apply(kernel, self, other))

        return method

    def _outer(kernel: str) -> Callable:  # type: ignore[misc]
        def method(self: Array, other: Any) -> Array:
            return Array(self.trace, self.trace.apply(kernel, other, self))

        return method

    def _in_place(kernel: str) -> Callable:  # type: ignore[misc]
        def method(self: Array, other: Any) -> Array:
            self.term = self.trace.apply(kernel, self, other)
            return self

        return method

    __add__, __sub__ = _inner("add"), _inner("subtract")
    __mul__, __truediv__ = _inner("multiply"), _inner("divide")
    __radd__, __rsub__ = _outer("add"), _outer("subtract")
    __rmul__, __rtruediv__ = _outer("multiply"), _outer("divide")
    __iadd__, __isub__ = _in_place("add"), _in_place("subtract")
    __imul__, __itruediv__ = _in_place("multiply"), _in_place("divide")

    def __pow__(self, exponent: Any) -> Array:
        if exponent != 2:
            raise NotElementwise
        return Array(self.trace, self.trace.apply("square", self))


_FUNCTIONS = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide",
    "true_divide": "divide", "sqrt": "sqrt", "square": "square", "abs": "abs",
    "absolute": "abs", "negative": "negative", "maximum": "maximum", "minimum": "minimum",
    "sign": "sign",
}  # fmt: skip
