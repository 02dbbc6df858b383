"""Simplification: fewer instructions for the same values.

Dead code, common subexpressions, constants and the identities of `rules`, again and again until
nothing changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import ProgramError
from ..kernels import provider_for
from ..primitive import TABLE
from .listing import Instruction, Listing, Slot, Type
from .rules import RULES, Rule, View
from .traced import function_named, replaced

DEAD, COMMON, CONSTANT = "dead code", "common subexpression", "constant"


def simplified(program: Any, rules: Iterable[str] | None = None) -> Any:
    """A Program with the same values and gradients, in fewer steps; its `report` counts what went.

    `rules` names some of `autograd_cnn.program.RULES`; None takes all, and `()` only dead code,
    common subexpressions and constants, which keep every bit. Raises ProgramError for a name that
    is not there.
    """
    unknown = set(rules or ()) - set(RULES)
    if unknown:
        raise ProgramError(f"no rule is named {sorted(unknown)}; there are {sorted(RULES)}")
    chosen = list(RULES.values()) if rules is None else [RULES[name] for name in rules]
    listing, report = reduced(program.listing, chosen)
    new = type(program)(listing.ordered(), program.arguments, program.result, program.examples)
    new.report = report
    return new


def reduced(
    listing: Listing, rules: list[Rule], differentiable: bool = True
) -> tuple[Listing, Counter]:
    """A listing simplified until nothing changes, and what was taken out.

    `differentiable` keeps raw kernels, whose answers carry no gradient, apart from primitives.
    """
    report: Counter = Counter()
    while True:
        before = sum(report.values())
        listing = _Pass(listing, rules, report, differentiable).listing()
        listing, dead = without_dead_code(listing)
        report[DEAD] += dead
        if sum(report.values()) == before:
            return listing, +report


def without_dead_code(listing: Listing) -> tuple[Listing, int]:
    """The listing without steps whose answers nobody reads, and how many those were."""
    wanted = {output for output in listing.outputs if isinstance(output, Slot)}
    kept: list[Instruction] = []
    for step in reversed(listing.instructions):
        removable = step.pure or step.kind in ("seed", "read")
        if not removable or wanted.intersection(step.outputs) or step.kind == "seed":
            wanted.update(step.reads)
            kept.append(step)
    removed = len(listing.instructions) - len(kept)
    constants = {slot: value for slot, value in listing.constants.items() if slot in wanted}
    return Listing(listing.inputs, constants, kept[::-1], listing.outputs, listing.types), removed


def lean(listing: Listing) -> tuple[Listing, Counter]:
    """For a replay: simplified by what cannot change a bit."""
    exact = [rule for rule in RULES.values() if rule.exact]
    return reduced(listing, exact, differentiable=False)


class _Pass:
    """One walk over a listing, from the first step to the last."""

    def __init__(
        self, listing: Listing, rules: list[Rule], report: Counter, differentiable: bool
    ) -> None:
        self.old, self.rules, self.report = listing, rules, report
        self.differentiable = differentiable
        self.constants = dict(listing.constants)
        self.makers: dict[Slot, Instruction] = {}
        self.view = View(listing, self.makers, self.constants)
        self.places: dict[Slot, Any] = {}
        self.seen: dict[Any, Instruction] = {}

    def listing(self) -> Listing:
        """The new listing."""
        steps = [step for old in self.old.instructions if (step := self._step(old)) is not None]
        outputs = tuple(self._place(output) for output in self.old.outputs)
        return Listing(self.old.inputs, self.constants, steps, outputs, self.old.types)

    def _place(self, value: Any) -> Any:
        return self.places.get(value, value) if isinstance(value, Slot) else value

    def _step(self, step: Instruction) -> Instruction | None:
        step = step.renamed(self.places)
        if not step.pure:
            return step
        step = self._rewritten(step)
        if step is None or self._is_repeated(step) or self._is_constant(step):
            return None
        for slot in step.outputs:
            self.makers[slot] = step
        return step

    def _rewritten(self, step: Instruction) -> Instruction | None:
        """The step after the first rule that fits; None where an operand takes its place."""
        if self.differentiable and step.kind != "primitive":
            return step
        for rule in self.rules:
            if step.name not in rule.primitives:
                continue
            new = rule.rewrite(step, self.view)
            if isinstance(new, Slot):
                if self.old.types[new] == self.old.types[step.outputs[0]] and self._flows(new):
                    self.places[step.outputs[0]] = new
                    self.report[rule.name] += 1
                    return None
            elif isinstance(new, tuple):
                name, operands, attributes = new
                self.report[rule.name] += 1
                return Instruction(
                    step.kind, name, operands, attributes, step.outputs, step.lifted, step.place,
                    TABLE[name] if step.kind == "primitive" else None,
                )  # fmt: skip
        return step

    def _flows(self, slot: Slot) -> bool:
        """Whether a slot carries gradients as a primitive's answer does."""
        maker = self.makers.get(slot)
        return not self.differentiable or maker is None or maker.kind == "primitive"

    def _is_repeated(self, step: Instruction) -> bool:
        if step.name in (".copy", "copy", "identity"):  # made to be another array
            return False
        key = (step.kind, step.name, id(step.target), _key(step.operands), _key(step.attributes))
        first = self.seen.setdefault(key, step)
        if first is step:
            return False
        self.places.update(zip(step.outputs, first.outputs, strict=True))
        self.report[COMMON] += 1
        return True

    def _is_constant(self, step: Instruction) -> bool:
        known = all(slot in self.constants for slot in step.reads)
        if not known or not step.reads or len(step.outputs) != 1 or step.name in (".copy", "copy"):
            return False
        value = computed(step, self.constants)
        if (
            not isinstance(value, (np.ndarray, np.generic))
            or Type(value.shape, value.dtype.name) != (self.old.types[step.outputs[0]])
        ):
            return False
        self.constants[step.outputs[0]] = value if step.lifted is False else np.asarray(value)
        self.report[CONSTANT] += 1
        return True


def computed(step: Instruction, values: dict[Slot, Any]) -> Any:
    """What a pure step gives for arrays."""
    put = lambda leaf: values[leaf] if isinstance(leaf, Slot) else leaf
    operands, attributes = replaced(put, step.operands), replaced(put, step.attributes)
    if step.kind == "numpy":
        return function_named(step.name)(*operands, **attributes)
    if step.kind == "kernel":
        return getattr(provider_for([]), step.name)(*operands, **attributes)
    primitive = step.target or TABLE[step.name]
    return primitive.apply(tuple(np.asarray(o) if isinstance(o, np.generic) else o
                                 for o in operands), attributes)[0]  # fmt: skip


def _key(tree: Any) -> Any:
    """Operands as a key that tells 1 from 1.0, 0.0 from −0.0 and arrays by identity."""
    if isinstance(tree, dict):
        return tuple((name, _key(value)) for name, value in tree.items())
    if isinstance(tree, (tuple, list)):
        return (type(tree), *map(_key, tree))
    if isinstance(tree, slice):
        return ("slice", tree.start, tree.stop, tree.step)
    if isinstance(tree, (float, np.generic)):
        return (type(tree), np.asarray(tree).tobytes())
    try:
        hash(tree)
    except TypeError:
        return (type(tree), id(tree))
    return (type(tree), tree)
