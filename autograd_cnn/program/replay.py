"""A recording written out as one Python function: slots are its local variables.

Each instruction becomes one call of a prepared kernel. A slot is given up after its last use, and
where the shapes agree its memory takes the next answer.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from .. import kernels
from ..kernels.numpy import NumpyKernels
from ..tensor import Tensor
from . import instrument, updates
from .listing import Instruction, Slot
from .traced import Seed, function_named, leaves

# a name below the package, so that errors tell the user's line and not the replay's
_FILE = str(Path(__file__).with_name("<replay>"))
# kernels that are one NumPy call: the call itself is prepared
_UFUNCS = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.true_divide,
    "negative": np.negative, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "square": np.square,
}  # fmt: skip
# steps that neither answer with a view of what they read nor keep it
_FRESH = {
    *_UFUNCS, "relu", "step", "sigmoid", "matmul", "linear", "conv", "conv_input_grad",
    "conv_weight_grad", "softmax", "log_softmax", "cross_entropy", "mse_loss", "dropout", "sum",
    "normalize", "norm_input_grad", "norm_weight_grad", "pool_scatter", "conv_relu",
    "normalize_relu", "norm_gradients", "avg_pool_grad",
}  # fmt: skip
# steps whose first answer is memory of its own
_OWN = {
    "conv", "conv_relu", "conv_input_grad", "normalize_relu", "norm_input_grad", "avg_pool_grad",
    "pool_scatter",
}  # fmt: skip


class Stale(Exception):
    """A checked value is not what it was when the function was recorded."""


class Writer:
    """Writes the source of a replay and holds what the source names."""

    def __init__(
        self, recorder: Any, instructions: list[Instruction], result: Any, fuse: bool,
        tape: tuple | None = None,
    ) -> None:  # fmt: skip
        self.tape = tape  # what starts one, the slots that it keeps, the leaves below
        self.recorder, self.instructions, self.result = recorder, instructions, result
        self.below = recorder.below
        self.names: dict[str, Any] = {
            "make": Tensor._make, "asarray": np.asarray, "Stale": Stale, "draw": instrument.DRAW,
            "step": updates.step if fuse else lambda *effect: instrument.STEP(*effect),
        }  # fmt: skip
        self.known: dict[int, str] = {}
        self.reused = 0
        self.lines: list[str] = []

    def function(self, arguments: list[str]) -> Callable:
        """The replay, called with the arguments' tensors and arrays."""
        last = self._last_uses()
        reusable = self._reusable()
        for place, step in enumerate(self.instructions):
            dying = last.get(place, [])
            self._write(step, [slot for slot in dying if slot in reusable])
            if dying:
                self.lines.append("del " + ", ".join(f"v{slot.number}" for slot in dying))
        if self.tape is not None:
            start, slots, tensors = self.tape
            kept = "".join(f"{self._term(slot)}, " for slot in slots)
            leaves = "".join(f"{self._target(tensor)}, " for tensor in tensors)
            self.lines.append(f"tape = {self._held(start)}(({kept}), ({leaves}))")
        self.lines.append(f"return {self._expression(self.result, tensor=True)}")
        source = f"def replay({', '.join(arguments)}):\n  " + "\n  ".join(self.lines)
        exec(compile(source, _FILE, "exec"), self.names)
        return self.names["replay"]

    def _write(self, step: Instruction, dying: list[Slot]) -> None:
        write = getattr(self, f"_write_{step.kind}", self._write_call)
        write(step, dying)

    def _write_read(self, step: Instruction, dying: list[Slot]) -> None:
        attribute = "grad._data" if step.name == "grad" else "_data"
        self.lines.append(f"v{step.outputs[0].number} = {self._target(step.target)}.{attribute}")

    def _write_assign(self, step: Instruction, dying: list[Slot]) -> None:
        self.lines.append(f"{self._target(step.target)}._data = {self._term(step.operands[0])}")

    def _write_grad(self, step: Instruction, dying: list[Slot]) -> None:
        (value,) = step.operands
        made = "None" if value is None else f"make({self._term(value)}, None)"
        self.lines.append(f"{self._target(step.target)}.grad = {made}")

    def _write_step(self, step: Instruction, dying: list[Slot]) -> None:
        optimizer, parameter, group = step.target
        self.lines.append(
            f"step({self._held(optimizer)}, {self._target(parameter)}, {self._held(group)})"
        )

    def _write_seed(self, step: Instruction, dying: list[Slot]) -> None:
        self.lines.append(f"v{step.outputs[0].number} = draw({self._held(step.target)})")

    def _write_check(self, step: Instruction, dying: list[Slot]) -> None:
        slot, expected = step.operands
        seen = self._term(slot) if step.name == "value" else f"{step.name}({self._term(slot)})"
        self.lines.append(f"if {seen} != {self._held(expected)}: raise Stale({self._held(step)})")

    def _write_call(self, step: Instruction, dying: list[Slot]) -> None:
        names = ", ".join(f"v{slot.number}" for slot in step.outputs)
        call = self._call(step, dying)
        self.lines.append(f"{names} = asarray({call})" if step.lifted else f"{names} = {call}")

    def _write_chain(self, step: Instruction, dying: list[Slot]) -> None:
        names = ", ".join(f"v{slot.number}" for slot in step.outputs)
        operands = [
            self._term(slot) if self.recorder.types[slot].shape else f"asarray({self._term(slot)})"
            for slot in step.reads
        ]  # fmt: skip
        room, left = [], list(dying)
        for answer in step.outputs:
            found = self._room(step, left, answer)
            left = [slot for slot in left if f"v{slot.number}" not in found]
            room += found or ["None"]
        given = f", out=({', '.join(room)},)" if set(room) != {"None"} else ""
        self.lines.append(f"{names}, = {self._held(step.target)}({', '.join(operands)}{given})")

    def _call(self, step: Instruction, dying: list[Slot]) -> str:
        operands = [self._expression(operand) for operand in step.operands]
        attributes = {n: self._expression(v) for n, v in step.attributes.items()}
        kernel = step.kernel
        ufunc = self._ufunc(step)
        if ufunc is not None:
            out = self._room(step, dying, step.outputs[0])
            return f"{self._held(ufunc)}({', '.join(operands + out)})"
        if kernel == "relu" and self._generic(step) and self._is_real(step.operands[0]):
            zero = np.dtype(self.recorder.types[step.operands[0]].dtype).type(0)
            room = [f"out={memory}" for memory in self._room(step, dying, step.outputs[0])]
            return f"{self._held(np.maximum)}({', '.join([operands[0], self._held(zero), *room])})"
        if kernel in ("reshape", "transpose") and self._generic(step):
            return f"{operands[0]}.{kernel}({next(iter(attributes.values()))})"
        if kernel == "identity":
            return operands[0]
        if kernel == "sum" and self._is_single_or_wider(step.operands[0]):
            return (f"{self._held(np.add.reduce)}({operands[0]}, {attributes['axes']}, None, None, "
                    f"{attributes['keepdims']})")  # fmt: skip
        if kernel == "power" and isinstance(step.operands[1], (int, float)):
            return f"{operands[0]} ** {operands[1]}"
        arguments = operands + [f"{name}={text}" for name, text in attributes.items()]
        return f"{self._held(self._function(step, kernel))}({', '.join(arguments)})"

    def _function(self, step: Instruction, kernel: str | None) -> Callable:
        if kernel is not None:
            return getattr(self.below, kernel)
        return function_named(step.name) if step.kind == "numpy" else step.target.function

    def _ufunc(self, step: Instruction) -> Any:
        kernel = step.kernel
        return _UFUNCS[kernel] if kernel in _UFUNCS and self._generic(step) else None

    def _generic(self, step: Instruction) -> bool:
        """Whether the provider runs the shared code for operands of this size."""
        own = getattr(type(self.below), str(step.kernel), None)
        shared = getattr(kernels.Kernels, str(step.kernel), 0)
        sizes = [prod(self.recorder.types[slot].shape) for slot in (*step.reads, *step.outputs)]
        large = getattr(self.below, "large", {}).get(step.kernel, 0)
        return own is shared or max(sizes) < large

    def _is_real(self, operand: Any) -> bool:
        return isinstance(operand, Slot) and self.recorder.types[operand].dtype.startswith("float")

    def _is_single_or_wider(self, operand: Any) -> bool:
        known = type(self.below) in (NumpyKernels, kernels.Kernels)
        return known and isinstance(operand, Slot) and (
            self.recorder.types[operand].dtype in ("float32", "float64")
            and self.recorder.strides[operand] is not None
        )  # fmt: skip

    # memory

    def _last_uses(self) -> dict[int, list[Slot]]:
        kept = {*leaves(_slots_in(self.result)), *(self.tape[1] if self.tape else ())}
        last: dict[Slot, int] = {}
        for place, step in enumerate(self.instructions):
            for slot in (*step.reads, *step.outputs):
                last[slot] = place
        result: dict[int, list[Slot]] = {}
        for slot, place in last.items():
            if slot not in kept and slot not in self.recorder.constants and (
                slot not in self.recorder.inputs):  # fmt: skip
                result.setdefault(place, []).append(slot)
        return result

    def _reusable(self) -> set[Slot]:
        """Slots whose memory nobody else sees: made by a ufunc, read by steps that keep none."""
        made = {
            slot for step in self.instructions for slot in step.outputs
            if step.kind == "chain" or (step.kernel in _OWN and slot == step.outputs[0])
            or (step.pure and not step.lifted and self._ufunc(step) is not None)
        }  # fmt: skip
        for step in self.instructions:
            if step.kind != "chain" and (not step.pure or step.kernel not in _FRESH):
                made.difference_update(step.reads)
        strides, types = self.recorder.strides, self.recorder.types
        return {slot for slot in made if strides.get(slot) is not None and types[slot].shape}

    def _room(self, step: Instruction, dying: list[Slot], answer: Slot) -> list[str]:
        """The memory of a slot that dies here, for an answer, where it fits exactly."""
        types, strides = self.recorder.types, self.recorder.strides
        if step.lifted or strides.get(answer) is None:
            return []
        for slot in dying:
            same = types[slot] == types[answer] and strides[slot] == strides[answer]
            if slot in step.reads and same:
                self.reused += 1
                return [f"v{slot.number}"]
        return []

    # expressions

    def _target(self, tensor: Any) -> str:
        place = self.recorder.sources.get(id(tensor))
        return self._held(tensor) if place is None else f"t{place}"

    def _term(self, value: Any) -> str:
        if isinstance(value, Slot):
            if value in self.recorder.constants:
                return self._held(self.recorder.constants[value])
            return f"v{value.number}"
        return self._held(value)

    def _held(self, thing: Any) -> str:
        if thing is None or thing is True or thing is False:
            return repr(thing)
        if type(thing) is int:
            return repr(thing) if thing >= 0 else f"({thing})"
        name = self.known.get(id(thing))
        if name is None:
            name = self.known[id(thing)] = f"c{len(self.known)}"
            self.names[name] = thing
        return name

    def _expression(self, value: Any, tensor: bool = False) -> str:
        """Source for an operand, an attribute or the result, with slots in it."""
        if not tensor and not any(isinstance(leaf, (Slot, Seed)) for leaf in leaves(value)):
            return self._held(value)
        if isinstance(value, Result):
            return value.expression(self)
        if isinstance(value, tuple):
            inner = ", ".join(self._expression(item, tensor) for item in value)
            if hasattr(value, "_fields"):
                return f"{self._held(type(value))}({inner})"
            return f"({inner},)" if value else "()"
        if isinstance(value, list):
            return "[" + ", ".join(self._expression(item, tensor) for item in value) + "]"
        if isinstance(value, dict):
            items = ", ".join(
                f"{self._held(k)}: {self._expression(v, tensor)}" for k, v in value.items()
            )
            return (
                f"{{{items}}}" if type(value) is dict else f"{self._held(type(value))}({{{items}}})"
            )
        return self._term(value)


class Result:
    """A leaf of what a compiled function returns.

    `node` is the tape that a tensor shows, or its number where the replay makes one.
    """

    __slots__ = ("kind", "node", "value")

    def __init__(self, kind: str, value: Any, node: Any = None) -> None:
        self.kind, self.value, self.node = kind, value, node

    def expression(self, writer: Writer) -> str:
        """Source that makes it: a new tensor, a copy, or the very object."""
        if self.kind == "object":
            return writer._held(self.value)
        if self.kind == "fresh array":
            return f"{writer._held(self.value)}.copy()"
        if self.kind == "tensor itself":
            return writer._target(self.value)
        term = writer._term(self.value)
        if self.kind == "taped":
            return f"tape({self.node}, {term})"
        if self.kind == "array's copy" or self.value in writer.recorder.constants:
            term = f"{term}.copy()"
        return f"make({term}, {writer._held(self.node)})" if self.kind == "tensor" else term


def _slots_in(tree: Any) -> list:
    return [leaf.value for leaf in leaves(tree) if isinstance(leaf, Result)
            and isinstance(leaf.value, Slot)]  # fmt: skip
