"""One recording of a compiled function: what it takes for granted, and its replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import ProgramError
from ..ops import random
from ..tensor import Tensor
from . import instrument
from .answer import Leaf, alike, arrays_of, moved
from .arguments import look, pattern, traced_arguments
from .follow import Follower, gradient_facts
from .guards import Watch, is_immutable, repeatable
from .listing import Instruction, Listing, Slot
from .replay import Result, Writer
from .simplify import lean
from .snapshot import Snapshot
from .traced import Seed, Traced


class Argument:
    """An argument, where a listing names the tensor that an effect is about."""

    def __init__(self, place: int) -> None:
        self.name = f"argument {place}"


class Entry:
    """One recording: what it takes for granted, and its replay."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, context: Any) -> None:
        self.function = function
        self.runs, self.stale, self.stale_line = 0, 0, ""
        self.refusal: str | None = None
        self.misfit: str | None = None
        roots: list[tuple[str, Any]] = [(getattr(function, "__name__", "the function"), function)]
        self.values: list[Any] = []
        self.objects: list[Any] = []  # known by id, so they must live as long as this does
        look((args, kwargs) if kwargs else args, [], self.values, self.objects)
        roots += [("an argument", thing) for thing in self.objects]
        roots += [("a rule", rules) for rules in context.rules.values()]
        self.watch = Watch(roots)

    def record(self, args: tuple, kwargs: dict) -> Any:
        """Run the function, writing down what it does; its answer is that of a plain run."""
        self.recorder = recorder = Follower(self.watch)
        self._same_objects()
        given = iter(range(len(self.values)))
        generator = random._generator.get()
        with instrument.recording(recorder):
            traced = (
                traced_arguments(args, recorder, given),
                traced_arguments(kwargs, recorder, given),
            )
            with repeatable(self.watch):
                result = self.function(*traced[0], **traced[1])
        self._check_python(generator)
        form = tree.map_leaves(self._leaf, result)
        self._prepare(form)
        return tree.map_leaves(lambda leaf: leaf.value, form)

    def _same_objects(self) -> None:
        """Arguments that are also reached from inside must be those very tensors."""
        recorder, known = self.recorder, self.watch.tensors
        self.fixed: list[tuple[int, Any]] = []
        for place, value in enumerate(self.values):
            if isinstance(value, Tensor):
                recorder.argument(value, place)
                if id(value) in known:
                    self.fixed.append((place, value))

    def _check_python(self, generator: Any) -> None:
        changed = self.watch.changed()
        if changed is not None:
            raise ProgramError(
                f"the function changes {changed}, which a replay would not; return it instead"
            )
        for tensor, (*_, tracked) in self.recorder.reads.values():
            if tensor._tracked is not tracked:
                raise ProgramError(
                    f"the function sets requires_grad of {tensor.name or 'a tensor'}, which a "
                    "replay would not; set it outside"
                )
        if random._generator.get() is not generator:
            raise ProgramError("ag.seed() inside a compiled function; call it outside")

    def _leaf(self, value: Any) -> Leaf:
        """How a replay makes a leaf of the answer."""
        if isinstance(value, Seed):
            raise ProgramError("a drawn seed is returned; draw it outside")
        if isinstance(value, Traced):
            return Leaf(Result("array", value.slot), value.value)
        if not isinstance(value, Tensor):
            return Leaf(Result(self._lasting(value), value), value)
        if not instrument.is_inside(value):
            if id(value) not in self.recorder.sources:
                self.watch.require_known(value, value.name or "a tensor that is returned")
            return Leaf(Result("tensor itself", value), value)
        if value._tracked:
            raise ProgramError(
                "the function returns a tensor with a tape behind it, which a replay does not "
                "leave: compile the whole step or ag.value_and_grad of it, return .detach(), or "
                "call it under ag.no_grad()"
            )
        traced = instrument.DATA.__get__(value)
        return Leaf(Result("tensor", traced.slot), Tensor._make(np.asarray(traced.value), None))

    def _lasting(self, value: Any) -> str:
        """How a replay returns what is no tensor: the very object, or a copy of a fresh array."""
        if is_immutable(value) or id(value) in self.watch.kept:
            return "object"
        if type(value) is np.ndarray:
            return "fresh array"
        raise ProgramError(
            f"the function returns a {type(value).__name__} that it made, and each replay would "
            "return the same one; return tensors, numbers, tuples, lists and dictionaries"
        )

    def _prepare(self, form: Any) -> None:
        recorder = self.recorder
        answer = tree.map_leaves(lambda leaf: leaf.result, form)
        results = [r.value for r in tree.leaves(answer) if isinstance(r.value, Slot)]
        listing = Listing(
            tuple(sorted(recorder.inputs, key=lambda slot: slot.number)), recorder.constants,
            recorder.instructions, tuple(results), recorder.types,
        )  # fmt: skip
        shorter, self.removed = lean(listing)
        places = dict(zip(results, shorter.outputs, strict=True))
        answer = tree.map_leaves(lambda r: moved(r, places), answer)
        instructions = self._checks_first(shorter.instructions)
        if instructions is None:
            return
        recorder.constants, shorter.instructions = shorter.constants, instructions
        self.listing = shorter
        writer = Writer(recorder, instructions, answer)
        names = [
            f"t{place}" if isinstance(value, Tensor) else f"v{slot.number}"
            for place, value, slot in self._arguments()
        ]
        self.replay = writer.function(names)
        self.reused = writer.reused
        self._reads = [
            (tensor, fact) for tensor, fact in recorder.reads.values()
            if id(tensor) not in recorder.sources
        ]  # fmt: skip
        self._gradients = [
            (place, None if place is not None else tensor, fact)
            for tensor, fact in recorder.gradients.values()
            for place in [recorder.sources.get(id(tensor))]
        ]
        self._state = {id(tensor) for tensor, _ in self._reads}
        self._pattern = pattern(self.values)
        self._forget()

    def _arguments(self) -> list:
        slots = iter(sorted(self.recorder.inputs, key=lambda slot: slot.number))
        return [
            (place, value, None if isinstance(value, Tensor) else next(slots))
            for place, value in enumerate(self.values)
        ]

    def _forget(self) -> None:
        """Let go of the recording run: of its values, and of the arguments it was given."""
        recorder = self.recorder
        self._optimizers = list(recorder.optimizers.values())
        self._generators = list(recorder.generators.values())
        for step in self.listing.instructions:
            if id(step.target) in recorder.sources:
                step.target = Argument(recorder.sources[id(step.target)])
            elif step.kind == "step" and id(step.target[1]) in recorder.sources:
                optimizer, parameter, group = step.target
                place = recorder.sources[id(parameter)]
                step.target = (optimizer, Argument(place), group)
        self.values = []
        del self.recorder

    def _checks_first(self, instructions: list[Instruction]) -> list[Instruction] | None:
        """Checks, and what they need, before any effect; None where that cannot be."""
        makers = {slot: step for step in instructions for slot in step.outputs}
        needed: dict[int, Instruction] = {}
        stack = [step for step in instructions if step.kind == "check"]
        if not stack:
            return instructions
        while stack:
            step = stack.pop()
            if id(step) not in needed:
                needed[id(step)] = step
                stack += [makers[slot] for slot in step.reads if slot in makers]
        early = [step for step in instructions if id(step) in needed]
        changed: set[int] = set()
        for step in instructions:
            if step.kind in ("assign", "grad"):
                changed.add(id(step.target))
            elif step.kind == "step":
                changed.add(id(step.target[1]))
            elif id(step) in needed and (
                step.kind == "seed" or (step.kind == "read" and id(step.target) in changed)
            ):
                line = next(s.line for s in early if s.kind == "check")
                self.refusal = (
                    f"a value is looked at (at {line}) that depends on a random seed or on a "
                    "parameter that the function has changed"
                )
                return None
        return early + [step for step in instructions if id(step) not in needed]

    # later calls

    def fits(self, values: list[Any]) -> bool:
        """Whether everything that was taken for granted still holds."""
        for tensor, (shape, dtype, strides, tracked) in self._reads:
            array = tensor._data
            if (
                array.shape != shape or array.dtype != dtype or array.strides != strides
                or tensor._tracked is not tracked
            ):  # fmt: skip
                self.misfit = f"the shape, dtype or requires_grad of {tensor.name or 'a tensor'}"
                return False
        for place, tensor, fact in self._gradients:
            if gradient_facts(tensor if place is None else values[place]) != fact:
                self.misfit = "whether (and how) a .grad is set"
                return False
        if self._pattern != pattern(values):
            self.misfit = "which arguments are the same tensor"
            return False
        fixed = {place for place, _ in self.fixed}
        if any(values[place] is not tensor for place, tensor in self.fixed) or any(
            id(value) in self._state for place, value in enumerate(values) if place not in fixed
        ):
            self.misfit = "which argument is also a tensor that the function reaches"
            return False
        changed = self.watch.changed()
        if changed is not None:
            self.misfit = changed
        return changed is None

    def explain(self) -> str:
        """One line: size, replays, memory reused."""
        effects = sum(step.kind in ("assign", "grad", "step") for step in self.listing.instructions)
        checks = sum(step.kind == "check" for step in self.listing.instructions)
        return (
            f"{len(self.listing.instructions)} instructions ({effects} effects, {checks} checks), "
            f"{sum(self.removed.values())} removed, {self.reused} answers in memory that is used "
            f"again, replayed {self.runs} times"
            + (f", found stale {self.stale} times (at {self.stale_line})" if self.stale else "")
        )

    def checked(self, values: list, args: tuple, kwargs: dict) -> Any:
        """Replay, take it all back, run plainly, compare; ProgramError where they differ."""
        before = self._snapshot(values)
        replayed = self.replay(*values)
        after = self._snapshot(values)
        self._restore(before)
        answer = self.function(*args, **kwargs)
        plain = self._snapshot(values)
        for what, first, second in (
            ("its answer", arrays_of(replayed), arrays_of(answer)),
            ("tensors it changes", after.arrays(), plain.arrays()),
        ):
            if not alike(first, second):
                raise ProgramError(f"a replay and a plain run differ in {what}")
        return answer

    def _snapshot(self, values: list) -> Snapshot:
        tensors = [tensor for tensor, _ in self._reads]
        tensors += [value for value in values if isinstance(value, Tensor)]
        return Snapshot(tensors, self._optimizers, self._generators)

    def _restore(self, snapshot: Snapshot) -> None:
        snapshot.restore()
