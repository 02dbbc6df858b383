"""Law 14: random programs over the whole table, which only an engine can get wrong.

A program is a list of steps. A step calls an operation with arguments drawn for it, each moved a
little by an earlier value: so every operation can follow every other, whatever its shapes and its
domain, and values are used once, often or never.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops
from ..checkpointing import checkpoint
from ..engine import backward, gradients
from ..tape import enable_grad
from ..tensor import Tensor
from .draw import Draw
from .report import broken
from .state import State

AMOUNT = 0.05
"""How far an earlier value moves an argument: not over a kink, not out of a domain."""
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Moved:
    """A drawn argument, moved by the value with a number; `base` is None for that value itself."""

    source: int
    base: np.ndarray | None

    def __call__(self, values: list) -> Any:
        value = values[self.source]
        return value if self.base is None else self.base + AMOUNT * ops.tanh(
            fitted(value, self.base.shape))  # fmt: skip

    def __str__(self) -> str:
        return (
            f"v{self.source}" if self.base is None else f"{_shape(self.base)} near v{self.source}"
        )


@dataclass(frozen=True)
class Step:
    """One call: the operation's record, its arguments (some `Moved`), and its attributes."""

    name: str
    arguments: tuple
    attributes: dict[str, Any]

    def __str__(self) -> str:
        shown = (str(a) if isinstance(a, Moved) else _shape(a) for a in self.arguments)
        named = (f"{name}={value}" for name, value in self.attributes.items())
        return f"{self.name}({', '.join([*shown, *named])})"


@dataclass(frozen=True)
class Program:
    """Inputs and steps; called with tensors it gives every value that no step uses.

    `values` gives all of them, the inputs first.
    """

    inputs: tuple[np.ndarray, ...]
    steps: tuple[Step, ...]

    def __call__(self, *inputs: Any) -> list[Any]:
        used = {a.source for step in self.steps for a in step.arguments if isinstance(a, Moved)}
        return [v for k, v in enumerate(self.values(*inputs)) if k not in used]

    def values(self, *inputs: Any) -> list[Any]:
        """The inputs and the value of every step."""
        from .records import record_of

        values = list(inputs)
        for step in self.steps:
            arguments = (a(values) if isinstance(a, Moved) else a for a in step.arguments)
            values.append(record_of(step.name).function(*arguments, **step.attributes))
        return values

    def __str__(self) -> str:
        lines = [f"v{k} = input {_shape(x)}" for k, x in enumerate(self.inputs)]
        return "\n".join([*lines, *(f"v{k} = {s}" for k, s in enumerate(self.steps, len(lines)))])


def draw_program(draw: Draw, steps: int = 5) -> Program:
    """A program of one or two inputs and 1 to `steps` steps, any operations of the table."""
    inputs = tuple(draw.normal(draw.shape(0, 3)) for _ in range(draw.integer(1, 2)))
    names, made = _composable(), []
    shapes = [x.shape for x in inputs]
    for _ in range(draw.integer(1, steps)):
        step, shape = _draw_step(draw, draw.choice(names), shapes)
        made.append(step)
        shapes.append(shape)
    return Program(inputs, tuple(made))


def _draw_step(draw: Draw, name: str, shapes: list[tuple]) -> tuple[Step, tuple]:
    from .records import record_of

    sample = record_of(name).make(draw)
    arguments = []
    for value in sample.inputs:
        floating = hasattr(value, "dtype") and value.dtype.kind == "f" and value.size
        if not floating:
            arguments.append(value)
            continue
        source = draw.integer(0, len(shapes) - 1)
        itself = name in _EVERYWHERE and shapes[source] == value.shape and draw.integer(0, 1)
        arguments.append(Moved(source, None if itself else np.asarray(value)))
    stand_in = [np.zeros(shape) for shape in shapes]
    given = (a(stand_in) if isinstance(a, Moved) else a for a in arguments)
    found = record_of(name).function(*given, **sample.attributes)
    return Step(name, tuple(arguments), sample.attributes), np.shape(found)


_EVERYWHERE = {"identity", "negative", "sin", "cos", "tanh", "sigmoid", "erf", "gelu", "softplus",
               "add", "subtract", "multiply", "sum", "mean", "transpose", "flip"}  # fmt: skip


def _composable() -> list[str]:
    """The operations with a floating-point answer in the precision of their arguments."""
    from .records import RECORDS, load

    load()
    off_the_tape = {"argmax", "argsort"}
    return sorted(n for n, r in RECORDS.items() if r.keeps_dtype and n not in off_the_tape)


def fitted(value: Any, shape: tuple[int, ...]) -> Any:
    """A tensor with this shape, of weighted entries of a value, as often as it takes."""
    if not value.size:
        return np.zeros(shape)
    count = int(np.prod(shape))
    # each entry has a weight of its own: moved all alike, a softmax would not notice
    weights = np.cos(1.0 + 2.0 * np.arange(count)).reshape(shape)
    places = np.resize(np.arange(value.size), shape)
    return ops.take(ops.reshape(value, (-1,)), places) * weights


def _shape(value: Any) -> str:
    return "×".join(map(str, np.shape(value))) or "scalar" if value is not None else "none"


# the function under check inside such programs


def embedded(state: State, programs: int = 2) -> None:
    """Law 14 for any function f: inside a random program that shares its inputs and its outputs.

    Gradients must be those that the chain rule makes of vjp(f) and of the program after f; the same
    under a checkpoint; and twice as large when the tape is gone back through twice.
    """
    if not any(y.size for y in state.outputs):
        return state.does_not_apply(14, "no entries")
    for _ in range(programs):
        _inside(state, _after(state))


def _after(state: State) -> Callable[..., Any]:
    """A random smooth scalar function that uses the outputs and the inputs several times."""
    draw = Draw(state.rng)
    weights = [state.normal(y.shape) for y in state.outputs]
    curves = [draw.choice([ops.sin, ops.tanh, ops.square, ops.identity]) for _ in weights]
    scales = [1.0 / (1.0 + float(np.abs(y).max(initial=0.0))) for y in state.outputs]

    def after(outputs: list, inputs: list) -> Any:
        total: Any = 0.0
        for y, w, curve, scale in zip(outputs, weights, curves, scales, strict=True):
            bent = curve(y * scale)
            total = total + ops.sum(bent * w) + ops.sum(bent * y * scale)
            for x in inputs:
                total = total + 0.1 * ops.sum(ops.sin(fitted(x, w.shape)) * bent)
        return total

    return after


def _inside(state: State, after: Callable[..., Any]) -> None:
    subject = state.subject
    with enable_grad():
        inputs = [Tensor(x, requires_grad=True) for x in state.values]
        whole = after(subject.outputs(*inputs), inputs)
        apart = [Tensor(y, requires_grad=True) for y in state.outputs]
        free = [Tensor(x, requires_grad=True) for x in state.values]
        pulled = gradients(after(apart, free), [*apart, *free])
    count = len(apart)
    through = subject.pull(state.values, [g._data for g in pulled[:count]])
    expected = [a + b._data for a, b in zip(through, pulled[count:], strict=True)]
    found = [g._data for g in gradients(whole, inputs)] if whole.requires_grad else []
    _same(state, "the chain rule does not hold inside a program", found, expected)
    _again(state, after, found)
    if whole.requires_grad:
        backward(whole, None, False, True)
        backward(whole, None, False, False)
        twice = [np.zeros(x.shape) if x.grad is None else x.grad._data for x in inputs]
        _same(state, "two backward passes are not twice one", twice, [2.0 * g for g in found])


def _again(state: State, after: Callable[..., Any], expected: list) -> None:
    """Under a checkpoint, which runs the function a second time when going backward."""
    run = checkpoint(lambda *inputs: after(state.subject.outputs(*inputs), list(inputs)))
    with enable_grad():
        inputs = [Tensor(x, requires_grad=True) for x in state.values]
        total = run(*inputs)
        found = [g._data for g in gradients(total, inputs)] if total.requires_grad else []
    _same(state, "under a checkpoint the gradient is another", found, expected)


def _same(state: State, what: str, found: list, expected: list) -> None:
    for name, one, other in zip(state.subject.input_names, found, expected, strict=False):
        scale = max([1.0, *(float(np.abs(a).max()) for a in (one, other) if a.size)])
        gap = np.where(one == other, 0.0, np.abs(one - other))
        gap = np.where(np.isnan(gap), np.inf, gap)
        error = float(gap.max(initial=0.0)) / scale
        tolerance = min(TOLERANCE * state.coarseness, 1e-2)
        if state.report.enter(14, error, tolerance):
            continue
        index = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
        broken(
            14, state.subject.name, f"{what}: the gradient in {name} at {index}",
            {"in the program": float(one[index]), "expected": float(other[index])},
            error=error, tolerance=tolerance, input_name=name, index=index,
            line=state.subject.line,
        )  # fmt: skip
