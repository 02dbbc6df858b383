"""A listing: instructions in slots, each with a shape and a dtype. Data only; nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import shape_text
from ..tape import line_text
from .traced import leaves, replaced


@dataclass(frozen=True, slots=True)
class Slot:
    """A numbered place that holds one value of a listing."""

    number: int

    def __str__(self) -> str:
        return f"%{self.number}"


@dataclass(frozen=True, slots=True)
class Type:
    """What a slot holds: an array's shape and dtype; the dtype of a drawn seed is "seed"."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return self.dtype if self.dtype == "seed" else f"{self.dtype} {shape_text(self.shape)}"


@dataclass(slots=True)
class Instruction:
    """One step: what runs, on which slots and literals, and the slots it fills.

    `kind` is "primitive" (a row of the table), "kernel", "numpy" (an array function), "seed" (a
    fresh random seed), "check" (a value must be what it was), or an effect of a compiled function:
    "read", "assign", "grad", "step". A replay has a "chain" too: elementwise kernels in one pass.
    `lifted` says that the answer is an array even where NumPy gives a bare number.
    """

    kind: str
    name: str
    operands: tuple = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[Slot, ...] = ()
    lifted: bool = False
    place: Any = ""
    target: Any = None

    @property
    def line(self) -> str:
        """The user's source line that recorded it."""
        return self.place if isinstance(self.place, str) else line_text(*self.place)

    @property
    def reads(self) -> list[Slot]:
        """The slots it reads, in order, with repetitions."""
        tree = (self.operands, self.attributes)
        return [leaf for leaf in leaves(tree) if isinstance(leaf, Slot)]

    @property
    def pure(self) -> bool:
        """Whether it only computes: it may be left out, moved, or done once for twice."""
        return self.kind in ("primitive", "kernel", "numpy", "chain")

    @property
    def kernel(self) -> str | None:
        """The name of the kernel that it calls; None where it calls something else."""
        if self.kind == "primitive" and self.target is not None:
            return None if self.target.function is not None else self.target.kernel
        return self.name if self.kind == "kernel" else None

    def renamed(self, places: dict[Slot, Any]) -> Instruction:
        """The same step with other slots (or literals) in place of some that it reads."""
        swap = lambda leaf: places.get(leaf, leaf) if isinstance(leaf, Slot) else leaf
        return Instruction(
            self.kind, self.name, replaced(swap, self.operands), replaced(swap, self.attributes),
            self.outputs, self.lifted, self.place, self.target,
        )  # fmt: skip


@dataclass(slots=True)
class Listing:
    """Inputs, constants, instructions and outputs; `outputs` may hold literals beside slots."""

    inputs: tuple[Slot, ...]
    constants: dict[Slot, Any]
    instructions: list[Instruction]
    outputs: tuple[Any, ...]
    types: dict[Slot, Type]

    def text(self) -> str:
        """The listing as a person reads it; the same program always gives the same text."""
        signature = ", ".join(f"{slot}: {self.types[slot]}" for slot in self.inputs)
        lines = [f"program({signature})"]
        lines += [
            f"  {slot}: {self.types[slot]} = {constant_text(value)}"
            for slot, value in self.constants.items()
        ]
        lines += [f"  {self._line(instruction)}" for instruction in self.instructions]
        lines.append("  return " + ", ".join(value_text(output) for output in self.outputs))
        return "\n".join(lines)

    def _line(self, step: Instruction) -> str:
        left = ", ".join(f"{slot}: {self.types[slot]}" for slot in step.outputs)
        items = [value_text(operand) for operand in step.operands]
        items += [f"{name}={value_text(value)}" for name, value in step.attributes.items()]
        if step.kind in ("read", "assign", "grad", "step"):
            call = " ".join([step.kind, _target_text(step), *items])
        else:
            prefix = {"numpy": "np.", "check": "check "}.get(step.kind, "")
            name = step.name.removeprefix("operator.").lstrip(".")
            call = f"{prefix}{name}({', '.join(items)})"
        return f"{left} = {call}" if left else call

    def ordered(self) -> Listing:
        """The same listing with slots numbered in the order in which they appear."""
        order = [*self.inputs, *self.constants]
        order += [slot for step in self.instructions for slot in step.outputs]
        places: dict[Slot, Any] = {slot: Slot(number) for number, slot in enumerate(order)}
        instructions = []
        for step in self.instructions:
            new = step.renamed(places)
            new.outputs = tuple(places[slot] for slot in step.outputs)
            instructions.append(new)
        swap = lambda leaf: places[leaf] if isinstance(leaf, Slot) else leaf
        return Listing(
            tuple(places[slot] for slot in self.inputs),
            {places[slot]: value for slot, value in self.constants.items()},
            instructions,
            tuple(swap(output) for output in self.outputs),
            {places[slot]: self.types[slot] for slot in order},
        )


def type_of(value: Any) -> Type:
    """The type of an array or a NumPy number."""
    return Type(tuple(value.shape), value.dtype.name)


def _target_text(step: Instruction) -> str:
    """The tensor that an effect is about, by its name."""
    tensor = step.target[1] if isinstance(step.target, tuple) else step.target
    name = tensor.name or "tensor"
    return f"{name}.grad" if step.kind == "read" and step.name == "grad" else name


def constant_text(value: Any) -> str:
    """A constant array on one line."""
    if value.size > 8:
        return f"constant of {value.size} entries"
    return f"constant {np.array2string(value, separator=', ')}".replace("\n", "")


def value_text(value: Any) -> str:
    """An operand or an attribute as it stands in a listing."""
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        inner = ", ".join(value_text(item) for item in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {value_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, slice):
        ends = [("" if end is None else value_text(end)) for end in (value.start, value.stop)]
        return ":".join(ends + ([value_text(value.step)] if value.step is not None else []))
    if isinstance(value, np.dtype):
        return value.name
    if value is Ellipsis:
        return "..."
    if isinstance(value, Slot):
        return str(value)
    return repr(value)
