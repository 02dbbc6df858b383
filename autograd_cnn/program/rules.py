"""Algebraic identities, one declaration each: what a step may be replaced by.

A rule sees one step and who made its operands. It answers None, the operand that has the same
value, or (primitive, operands, attributes) for another step. `exact` rules keep every bit (the sign
of a zero apart where said); the others change the order of roundings.

There is no rule for x·0: it is not 0 where x is infinite or NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

from .listing import Instruction, Listing, Slot

RULES: dict[str, Rule] = {}


class Rule(NamedTuple):
    """An identity: its name, the primitives it looks at, and how it rewrites a step."""

    name: str
    primitives: tuple[str, ...]
    rewrite: Callable[[Instruction, View], Any]
    exact: bool


class View:
    """What a rule may look at: types, constants, and the steps that made the operands."""

    def __init__(
        self, listing: Listing, makers: dict[Slot, Instruction], constants: dict[Slot, Any]
    ) -> None:
        self.types, self.makers, self.constants = listing.types, makers, constants

    def shape(self, operand: Any) -> tuple[int, ...]:
        """The shape of an operand; () for a literal."""
        return self.types[operand].shape if isinstance(operand, Slot) else ()

    def dtype(self, operand: Any) -> str | None:
        """The dtype of an operand; None for a literal."""
        return self.types[operand].dtype if isinstance(operand, Slot) else None

    def made_by(self, operand: Any, name: str) -> Instruction | None:
        """The step that made an operand, where it is the primitive `name`."""
        step = self.makers.get(operand) if isinstance(operand, Slot) else None
        return step if step is not None and step.name == name else None


def rule(name: str, *primitives: str, exact: bool = True) -> Callable:
    """Declare a rule."""

    def declare(rewrite: Callable) -> Callable:
        RULES[name] = Rule(name, primitives, rewrite, exact)
        return rewrite

    return declare


def _is(view: View, value: Any, number: float) -> bool:
    """Whether an operand is a number, or a constant with that number in every entry."""
    if isinstance(value, Slot):
        array = view.constants.get(value)
        return array is not None and array.size > 0 and bool((array == number).all())
    return type(value) in (int, float) and value == number


@rule("identity(x) = x", "identity")
def _identity(step: Instruction, view: View) -> Any:
    return step.operands[0]


@rule("x·1 = x", "multiply")
def _times_one(step: Instruction, view: View) -> Any:
    x, y = step.operands
    return x if _is(view, y, 1) else y if _is(view, x, 1) else None


@rule("x/1 = x", "divide")
def _over_one(step: Instruction, view: View) -> Any:
    return step.operands[0] if _is(view, step.operands[1], 1) else None


@rule("x − 0 = x", "subtract")
def _minus_zero(step: Instruction, view: View) -> Any:
    return step.operands[0] if _is(view, step.operands[1], 0) else None


@rule("x + 0 = x", "add", exact=False)  # −0 + 0 is +0
def _plus_zero(step: Instruction, view: View) -> Any:
    x, y = step.operands
    return x if _is(view, y, 0) else y if _is(view, x, 0) else None


@rule("x¹ = x", "power")
def _first_power(step: Instruction, view: View) -> Any:
    return step.operands[0] if _is(view, step.operands[1], 1) else None


@rule("−(−x) = x", "negative")
def _double_negative(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "negative")
    return inner.operands[0] if inner else None


@rule("x·(−1) = −x", "multiply")
def _times_minus_one(step: Instruction, view: View) -> Any:
    x, y = step.operands
    value = x if _is(view, y, -1) else y if _is(view, x, -1) else None
    return None if value is None else ("negative", (value,), {})


@rule("x + (−y) = x − y", "add")
def _plus_negative(step: Instruction, view: View) -> Any:
    x, y = step.operands
    inner = view.made_by(y, "negative")
    return ("subtract", (x, inner.operands[0]), {}) if inner else None


@rule("x − (−y) = x + y", "subtract")
def _minus_negative(step: Instruction, view: View) -> Any:
    x, y = step.operands
    inner = view.made_by(y, "negative")
    return ("add", (x, inner.operands[0]), {}) if inner else None


@rule("(x·a)·b = x·(ab)", "multiply", exact=False)
def _two_factors(step: Instruction, view: View) -> Any:
    x, b = step.operands
    inner = view.made_by(x, "multiply")
    if inner is None or type(b) is not float or type(inner.operands[1]) is not float:
        return None
    return ("multiply", (inner.operands[0], inner.operands[1] * b), {})


@rule("relu(relu(x)) = relu(x)", "relu")
def _relu_twice(step: Instruction, view: View) -> Any:
    return step.operands[0] if view.made_by(step.operands[0], "relu") else None


@rule("||x|| = |x|", "abs")
def _abs_twice(step: Instruction, view: View) -> Any:
    return step.operands[0] if view.made_by(step.operands[0], "abs") else None


@rule("max(x, x) = x", "maximum", "minimum")
def _maximum_of_one(step: Instruction, view: View) -> Any:
    return step.operands[0] if step.operands[0] == step.operands[1] else None


@rule("astype to its own dtype", "astype")
def _same_dtype(step: Instruction, view: View) -> Any:
    same = view.dtype(step.operands[0]) == step.attributes["dtype"].name
    return step.operands[0] if same else None


@rule("reshape to its own shape", "reshape")
def _same_shape(step: Instruction, view: View) -> Any:
    same = view.shape(step.operands[0]) == step.attributes["shape"]
    return step.operands[0] if same else None


@rule("reshape of a reshape", "reshape")
def _reshape_chain(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "reshape")
    return ("reshape", inner.operands, step.attributes) if inner else None


@rule("transpose of a transpose", "transpose")
def _transpose_chain(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "transpose")
    if inner is None:
        return None
    axes = tuple(inner.attributes["axes"][axis] for axis in step.attributes["axes"])
    return ("transpose", inner.operands, {"axes": axes})


@rule("transpose into its own order", "transpose")
def _same_order(step: Instruction, view: View) -> Any:
    axes = step.attributes["axes"]
    return step.operands[0] if axes == tuple(range(len(axes))) else None


@rule("flip of a flip", "flip")
def _flip_twice(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "flip")
    same = inner is not None and inner.attributes == step.attributes
    return inner.operands[0] if inner is not None and same else None


@rule("broadcast to its own shape", "broadcast_to")
def _same_broadcast(step: Instruction, view: View) -> Any:
    same = view.shape(step.operands[0]) == step.attributes["shape"]
    return step.operands[0] if same else None


@rule("broadcast of a broadcast", "broadcast_to")
def _broadcast_chain(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "broadcast_to")
    return ("broadcast_to", inner.operands, step.attributes) if inner else None


@rule("arithmetic broadcasts by itself", "add", "subtract", "multiply", "divide")
def _needless_broadcast(step: Instruction, view: View) -> Any:
    x, y = step.operands
    shape = view.shape(step.outputs[0])
    left, right = view.made_by(x, "broadcast_to"), view.made_by(y, "broadcast_to")
    if left and view.shape(y) == shape:
        return (step.name, (left.operands[0], y), {})
    if right and view.shape(x) == shape:
        return (step.name, (x, right.operands[0]), {})
    return None


@rule("sum of a broadcast", "sum_to", exact=False)
def _sum_of_broadcast(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "broadcast_to")
    if inner is None or view.shape(inner.operands[0]) != step.attributes["shape"]:
        return None
    count = prod(view.shape(step.operands[0])) // max(prod(step.attributes["shape"]), 1)
    return ("multiply", (inner.operands[0], float(count)), {})


@rule("sum of a sum", "sum_to", exact=False)
def _sum_chain(step: Instruction, view: View) -> Any:
    inner = view.made_by(step.operands[0], "sum_to")
    return ("sum_to", inner.operands, step.attributes) if inner else None


@rule("no padding", "pad")
def _no_padding(step: Instruction, view: View) -> Any:
    return step.operands[0] if all(pair == (0, 0) for pair in step.attributes["widths"]) else None
