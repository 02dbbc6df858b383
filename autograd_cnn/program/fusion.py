"""Fusion: elementwise steps that follow each other become one pass over memory.

A chain takes the place of its last step, so what it reads is there and whoever reads it comes
later. The numbers are those of the single steps, bit for bit (see `kernels.native.chains`).
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from .listing import Instruction, Slot, Type
from .patterns import merged

WORTH, LARGE = 150_000, 1 << 16
"""Entries times steps, and entries, from one of which a chain is faster than single steps."""
MOST_STEPS, MOST_INPUTS = 24, 8
_NUMPY = {
    "operator.gt": "greater", "operator.ge": "greater_equal", "operator.lt": "less",
    "operator.le": "less_equal", "operator.eq": "equal", "operator.ne": "not_equal",
    "operator.abs": "abs", "where": "where", "greater": "greater", "less": "less",
    "greater_equal": "greater_equal", "less_equal": "less_equal", "maximum": "maximum",
    "minimum": "minimum", "abs": "abs", "absolute": "abs",
}  # fmt: skip
_COMPARISONS = ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")


def fused(
    instructions: list[Instruction], recorder: Any, results: list[Slot]
) -> tuple[list[Instruction], Counter]:
    """The instructions with `patterns` merged and chains made, and how many steps went into each.

    `results` are the slots that the function returns. The kernels must be the native ones.
    """
    instructions, report = merged(instructions, recorder, results)
    groups = _Groups(instructions, recorder, results)
    chains: dict[int, Instruction] = {}
    inside: set[int] = set()
    for places in groups.found():
        chain = groups.chain(places)
        if chain is not None:
            chains[places[-1]] = chain
            inside.update(places)
            report[chain.name] += len(places)
    kept = [
        chains.get(place, step)
        for place, step in enumerate(instructions)
        if place in chains or place not in inside
    ]
    return kept, report


class _Groups:
    """Elementwise steps of one shape, joined along what they hand to each other."""

    def __init__(self, instructions: list[Instruction], recorder: Any, results: list) -> None:
        from ..kernels.native.chain_code import ARITY

        self.instructions, self.types, self.strides = (
            instructions, recorder.types, recorder.strides,
        )  # fmt: skip
        self.arity = ARITY
        self.readers: dict[Slot, list[int]] = {slot: [len(instructions)] for slot in results}
        for place, step in enumerate(instructions):
            for slot in step.reads:
                self.readers.setdefault(slot, []).append(place)

    def found(self) -> list[list[int]]:
        """The places of the steps of each group, groups in the order of their last steps."""
        group_of: dict[Slot, list[int]] = {}
        for place, step in enumerate(self.instructions):
            if self.kernel(step) is None:
                continue
            joined = [place]
            neighbours = self._neighbours(step, group_of)
            for chosen in ([*neighbours], *([each] for each in neighbours)):
                union = sorted({*joined, *(member for group in chosen for member in group)})
                if self._fits(union, place):
                    joined = union
            for member in joined:
                group_of[self.instructions[member].outputs[0]] = joined
        groups = {id(group): group for group in group_of.values()}
        return sorted(groups.values(), key=lambda group: group[-1])

    def kernel(self, step: Instruction) -> str | None:
        """The kernel of a chain that does what a step does; None where there is none."""
        name = _NUMPY.get(step.name) if step.kind == "numpy" else step.kernel
        if name not in self.arity or step.attributes or step.lifted or len(step.outputs) != 1:
            return None
        answer = self.types[step.outputs[0]]
        if not answer.shape or self.strides.get(step.outputs[0]) != _contiguous(answer):
            return None
        if answer.dtype != ("bool" if name in _COMPARISONS else "float32"):
            return None
        fits = len(step.operands) == self.arity[name] and all(map(self._is_known, step.operands))
        return name if fits and step.reads else None

    def _is_known(self, operand: Any) -> bool:
        if isinstance(operand, Slot):
            return self.types[operand].dtype in ("float32", "bool")
        return type(operand) in (float, int, np.float32)

    def _neighbours(self, step: Instruction, group_of: dict) -> list[list[int]]:
        """The groups of the same shape that a step reads from, the largest first."""
        shape = self.types[step.outputs[0]].shape
        found = {
            id(group_of[slot]): group_of[slot]
            for slot in step.reads
            if slot in group_of and self.types[slot].shape == shape
        }
        return sorted(found.values(), key=len, reverse=True)

    def _fits(self, places: list[int], last: int) -> bool:
        """Whether nobody outside reads an answer before the last step, and the size is right."""
        members = set(places)
        for place in places:
            for reader in self.readers.get(self.instructions[place].outputs[0], []):
                if reader < last and reader not in members:
                    return False
        return len(places) <= MOST_STEPS and len(self._inputs(places)) <= MOST_INPUTS

    def _inputs(self, places: list[int]) -> list[Slot]:
        made = {self.instructions[place].outputs[0] for place in places}
        reads = (slot for place in places for slot in self.instructions[place].reads)
        return list(dict.fromkeys(slot for slot in reads if slot not in made))

    def chain(self, places: list[int]) -> Instruction | None:
        """One instruction for a group; None where it does not pay or cannot be."""
        from ..kernels.native.chains import Chain, Input, Result, Step

        steps = [self.instructions[place] for place in places]
        size = prod(self.types[steps[0].outputs[0]].shape)
        if size * len(places) < WORTH and size < LARGE:
            return None
        inputs = self._inputs(places)
        known: dict[Slot, Any] = {slot: Input(number) for number, slot in enumerate(inputs)}
        known |= {step.outputs[0]: Result(number) for number, step in enumerate(steps)}
        terms = [
            Step(str(self.kernel(step)), tuple(
                known[operand] if isinstance(operand, Slot) else operand
                for operand in step.operands
            ))
            for step in steps
        ]  # fmt: skip
        members = set(places)
        outputs = [
            step.outputs[0] for step in steps
            if not members.issuperset(self.readers.get(step.outputs[0], []))
        ]  # fmt: skip
        chain = Chain(terms, [known[slot].number for slot in outputs])
        if chain.obstacle(*[self._example(slot) for slot in inputs]):
            return None
        return Instruction(
            "chain", _title(terms), tuple(inputs), {}, tuple(outputs), False,
            steps[-1].place, chain,
        )  # fmt: skip

    def _example(self, slot: Slot) -> np.ndarray:
        """An array with the slot's type and layout, its values not to be read."""
        kind = self.types[slot]
        memory = np.empty(1, kind.dtype)
        strides = self.strides.get(slot)
        if strides is None or not kind.shape:
            return np.broadcast_to(memory[0], kind.shape) if kind.shape else memory.reshape(())
        return np.lib.stride_tricks.as_strided(memory, kind.shape, strides)


def _contiguous(kind: Type) -> tuple[int, ...]:
    size = np.dtype(kind.dtype).itemsize
    return tuple(size * prod(kind.shape[axis + 1 :]) for axis in range(len(kind.shape)))


def _title(terms: list) -> str:
    """The kernels of a chain, as in add+relu or multiply·3+add."""
    runs = [(name, len(list(run))) for name, run in groupby(term.kernel for term in terms)]
    return "+".join(name if count == 1 else f"{name}·{count}" for name, count in runs)
