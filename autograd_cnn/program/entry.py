"""One recording of a compiled function: what it takes for granted, and its replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import tape, tree
from ..errors import ProgramError
from ..ops import random
from ..tape import history
from ..tensor import Tensor
from . import instrument
from .answer import Leaf, alike, arrays_of, moved
from .arguments import look, pattern, traced_arguments
from .follow import Follower, gradient_facts
from .fusion import fused
from .guards import Watch, is_immutable, repeatable
from .listing import Instruction, Listing, Slot
from .replay import Result, Writer
from .simplify import lean
from .snapshot import Snapshot
from .taped import Taped, cut_off
from .traced import Seed, Traced, plain


class Argument:
    """An argument, where a listing names the tensor that an effect is about."""

    def __init__(self, place: int) -> None:
        self.name = f"argument {place}"


class Entry:
    """One recording: what it takes for granted, and its replay."""

    def __init__(
        self, function: Callable, args: tuple, kwargs: dict, context: Any, fuse: bool
    ) -> None:
        self.function, self.fuse = function, fuse
        self.runs, self.stale, self.stale_line = 0, 0, ""
        self.refusal: str | None = None
        self.reused = 0
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
        with cut_off(self.values, recorder), instrument.recording(recorder):
            traced = (
                traced_arguments(args, recorder, given),
                traced_arguments(kwargs, recorder, given),
            )
            with repeatable(self.watch):
                result = self.function(*traced[0], **traced[1])
            self._go_back(result)
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

    def _go_back(self, result: Any) -> None:
        """Record the way back too, where the answer stays on the tape."""
        tensors = {id(leaf): leaf for leaf in tree.leaves(result) if isinstance(leaf, Tensor)}
        live = [
            tensor for tensor in tensors.values()
            if tensor._tracked and instrument.is_inside(tensor)
            and not (tensor._node is not None and tensor._node.kept is None)
        ]  # fmt: skip
        self.taped = None
        if not live:
            return
        if any(leaf.is_leaf for leaf in live):
            raise ProgramError("the function returns a leaf with requires_grad that it made")
        if any(node.kept is None for node in history([leaf._node for leaf in live])):
            raise ProgramError(
                "the function returns a tensor with a tape behind it that backward() has freed in "
                "part; return .detach()"
            )
        name = getattr(self.function, "__name__", type(self.function).__name__)
        self.taped = Taped(name, self.recorder, live)

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
        if value._tracked and value._node is not None and value._node.kept is None:
            return self._freed(value)
        traced = instrument.DATA.__get__(value)
        if value._tracked and self.taped is not None:
            number = next(k for k, each in enumerate(self.taped.answers) if each is value)
            return Leaf(Result("taped", traced.slot, number), self.taped.recorded(number))
        return Leaf(Result("tensor", traced.slot), Tensor._make(np.asarray(traced.value), None))

    def _freed(self, value: Tensor) -> Leaf:
        """A tensor that was gone back through: its tape holds no values, so every replay shares it.

        Going back again raises what it raises in a plain run.
        """
        node = value._node
        for earlier in history([node]):
            if not isinstance(earlier, tape.Leaf):
                earlier.kept, earlier.attributes = None, plain(earlier.attributes)
        traced = instrument.DATA.__get__(value)
        return Leaf(
            Result("tensor", traced.slot, node), Tensor._make(np.asarray(traced.value), node)
        )

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
        back = self.taped.gradients if self.taped else []
        listing = Listing(
            tuple(sorted(recorder.inputs, key=lambda slot: slot.number)), recorder.constants,
            recorder.instructions, (*results, *back), recorder.types,
        )  # fmt: skip
        shorter, self.removed = lean(listing)
        places = dict(zip((*results, *back), shorter.outputs, strict=True))
        answer = tree.map_leaves(lambda r: moved(r, places), answer)
        instructions = self._checks_first(shorter.instructions)
        if instructions is None:
            return
        recorder.constants, self.fused = shorter.constants, Counter()
        self.fuse = self.fuse and recorder.below.name == "native"
        results = list(shorter.outputs[: len(results)])
        if self.taped is None:
            instructions = self._fused(instructions, results)
            writer = Writer(recorder, instructions, answer, self.fuse)
        else:
            writer, instructions = self._both_ways(
                self.taped, instructions, answer, results, list(shorter.outputs[len(results) :])
            )
        shorter.instructions = instructions
        self.listing = shorter
        names = [
            f"t{place}" if isinstance(value, Tensor) else f"v{slot.number}"
            for place, value, slot in self._arguments()
        ]
        self.replay = writer.function(names)
        self.reused += writer.reused
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

    def _fused(self, instructions: list[Instruction], results: list) -> list[Instruction]:
        """The instructions fused, where that is wanted and can be."""
        if not self.fuse:
            return instructions
        slots = [slot for slot in results if isinstance(slot, Slot)]
        instructions, report = fused(instructions, self.recorder, slots)
        self.fused += report
        return instructions

    def _both_ways(
        self, taped: Taped, instructions: list[Instruction], answer: Any, results: list,
        gradients: list,
    ) -> tuple[Writer, list[Instruction]]:  # fmt: skip
        """The writer of a forward replay that hands over to a backward one; all instructions."""
        there, back, kept = taped.divide(instructions, gradients)
        there = self._fused(there, [*results, *kept])
        back = self._fused(back, gradients)
        answers = tuple(Result("array", slot) for slot in gradients)
        backward = Writer(self.recorder, back, answers, self.fuse)
        names = [f"v{slot.number}" for slot in (*kept, *taped.seeds)]
        start = partial(taped.start, backward.function(names))
        self.reused += backward.reused
        return Writer(self.recorder, there, answer, self.fuse, (start, kept, taped.leaves)), (
            there + back
        )

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
        if self.taped is not None:
            self.taped.forget()
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
        """One line: size, replays, memory reused; then what was fused."""
        effects = sum(step.kind in ("assign", "grad", "step") for step in self.listing.instructions)
        checks = sum(step.kind == "check" for step in self.listing.instructions)
        return (
            f"{len(self.listing.instructions)} instructions ({effects} effects, {checks} checks), "
            f"{sum(self.removed.values())} removed, {self.reused} answers in memory that is used "
            f"again, replayed {self.runs} times"
            + (f", found stale {self.stale} times (at {self.stale_line})" if self.stale else "")
            + "".join(f"\n    {steps} steps in {title}" for title, steps in self.fused.items())
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
