"""Patterns: steps for which the kernels have one that does it all, with the same numbers.

| steps | kernel |
|---|---|
| convolution, ReLU | `conv_relu` |
| batch norm, ReLU; batch norm, sum with a shortcut, ReLU | `normalize_relu` |
| the gradients of a norm in its input, weight and bias, behind a ReLU | `norm_gradients` |
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .listing import Instruction, Slot

_PARTS = ("norm_input_grad", "norm_weight_grad", "sum_to")


def merged(
    instructions: list[Instruction], recorder: Any, results: list[Slot]
) -> tuple[list[Instruction], Counter]:
    """The instructions with such steps merged, and how many went into each kernel."""
    merge = _Merge(instructions, recorder, results)
    for place, step in enumerate(instructions):
        if place in merge.gone:
            continue
        if step.kernel == "conv":
            merge.conv_relu(place)
        elif step.kernel == "normalize":
            merge.normalize_relu(place)
        elif step.kernel == "norm_input_grad":
            merge.norm_gradients(place)
    kept = [
        merge.new.get(place, step)
        for place, step in enumerate(instructions)
        if place in merge.new or place not in merge.gone
    ]
    return kept, merge.report


class _Merge:
    """What takes the place of which step, and which steps are gone."""

    def __init__(self, instructions: list[Instruction], recorder: Any, results: list) -> None:
        self.instructions, self.recorder = instructions, recorder
        self.new: dict[int, Instruction] = {}
        self.gone: set[int] = set()
        self.report: Counter = Counter()
        self.makers = {slot: p for p, step in enumerate(instructions) for slot in step.outputs}
        self.readers: dict[Slot, list[int]] = {slot: [len(instructions)] for slot in results}
        for place, step in enumerate(instructions):
            for slot in step.reads:
                self.readers.setdefault(slot, []).append(place)

    def conv_relu(self, place: int) -> None:
        """relu(conv(x, w, b)) where nobody else reads the convolution."""
        step = self.instructions[place]
        relu = self._only_reader(step.outputs[0], "relu")
        if relu is not None:
            outputs = self.instructions[relu].outputs
            self._put("conv_relu", place, step.operands, step.attributes, outputs, [place, relu])

    def normalize_relu(self, place: int) -> None:
        """relu(normalize(x)) or relu(normalize(x) + shortcut), the shortcut made before."""
        step = self.instructions[place]
        y, *statistics = step.outputs
        taken, added = [place], ()
        add = self._only_reader(y, "add")
        if add is not None:
            first, second = self.instructions[add].operands
            shortcut = second if first == y else first
            if not self._is_like(shortcut, y) or self.makers.get(shortcut, -1) >= place:
                return
            taken, added = [place, add], (shortcut,)
            y = self.instructions[add].outputs[0]
        relu = self._only_reader(y, "relu")
        if relu is not None:
            outputs = (*self.instructions[relu].outputs, *statistics)
            operands = (*step.operands, *added)
            self._put("normalize_relu", place, operands, step.attributes, outputs, [*taken, relu])

    def norm_gradients(self, place: int) -> None:
        """All gradients of a norm in two passes instead of five, the ReLU's mask in the first."""
        step = self.instructions[place]
        g, *kept = step.operands
        parts = self._parts(place)
        if len(parts) == 1:
            return
        x, _, mean, _ = kept
        outputs = [
            self.instructions[parts[name]].outputs[0] if name in parts else self._slot(like)
            for name, like in zip(_PARTS, (x, mean, mean), strict=True)
        ]
        first, gone, operands = min(parts.values()), list(parts.values()), (g, *kept)
        masked = self._masked(g)
        if masked is not None and all(self._made(slot) < masked[0] for slot in kept):
            first, gate, before, seen = masked
            gone, operands = [*gone, first, gate], (before, *kept, seen)
            outputs.append(g)
        else:
            outputs.append(self._slot(g))
        self._put("norm_gradients", first, operands, step.attributes, tuple(outputs), gone)

    def _parts(self, place: int) -> dict[str, int]:
        """The gradients of one norm, by the kernels that compute them."""
        step = self.instructions[place]
        g, x, _, mean, inverse_std = step.operands
        found = {"norm_input_grad": place}
        for reader in self.readers[g]:
            if reader == len(self.instructions) or reader in self.gone:
                continue
            other = self.instructions[reader]
            fits = other.operands[1:] == (x, mean, inverse_std) and (
                other.attributes == step.attributes
            )
            if other.kernel == "norm_weight_grad" and fits:
                found[other.kernel] = reader
            elif other.kernel == "sum_to" and other.attributes["shape"] == step.attributes["shape"]:
                found[other.kernel] = reader
        return found

    def _masked(self, g: Slot) -> tuple[int, int, Slot, Slot] | None:
        """The places of multiply and step in g = multiply(before, step(seen)), before and seen.

        None where another step would read what is gone, and where `before` is a sum: then it is
        better to add and mask in one pass.
        """
        place = self.makers.get(g)
        if place is None or self.instructions[place].kernel != "multiply":
            return None
        operands = self.instructions[place].operands
        for before, mask in (operands, operands[::-1]):
            gate = self.makers.get(mask) if isinstance(mask, Slot) else None
            if gate is None or self.instructions[gate].kernel != "step":
                continue
            (seen,) = self.instructions[gate].operands
            alone = self.readers[mask] == [place] and not self._is_sum(before)
            if alone and self._is_like(before, g) and self._is_like(seen, g):
                return place, gate, before, seen
        return None

    def _is_sum(self, slot: Any) -> bool:
        maker = self.makers.get(slot)
        return maker is not None and self.instructions[maker].kernel == "add"

    def _only_reader(self, slot: Slot, kernel: str) -> int | None:
        """The place of the only step that reads a slot, where it runs that kernel."""
        places = self.readers.get(slot, [])
        if len(places) != 1 or places[0] == len(self.instructions):
            return None
        return places[0] if self.instructions[places[0]].kernel == kernel else None

    def _is_like(self, operand: Any, slot: Slot) -> bool:
        types = self.recorder.types
        return isinstance(operand, Slot) and types[operand] == types[slot]

    def _made(self, operand: Any) -> int:
        return self.makers.get(operand, -1) if isinstance(operand, Slot) else -1

    def _slot(self, like: Slot) -> Slot:
        """A new slot for an answer that nobody reads."""
        types, strides = self.recorder.types, self.recorder.strides
        slot = Slot(len(types))
        types[slot], strides[slot] = types[like], strides.get(like)
        return slot

    def _put(
        self, kernel: str, place: int, operands: tuple, attributes: dict,
        outputs: tuple[Slot, ...], gone: list[int],
    ) -> None:  # fmt: skip
        line = self.instructions[place].place
        self.new[place] = Instruction("kernel", kernel, operands, attributes, outputs, False, line)
        self.gone.update(gone)
        self.report[kernel] += len(gone)
