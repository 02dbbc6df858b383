"""compile: record a function's first call, replay the later ones."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..errors import ProgramError
from ..kernels.devices import is_cupy
from ..ops import random
from ..tape import caller_line, current
from ..tensor import Tensor
from . import instrument
from .follow import Follower, facts, gradient_facts
from .guards import Watch, is_immutable, repeatable
from .listing import Instruction, Listing, Slot
from .replay import Result, Stale, Writer
from .simplify import lean
from .traced import Seed, Traced

_PROGRAMS, _VARIANTS = 16, 4
_STATIC = (int, bool, str, bytes, type(None), complex)


def compile(f: Callable | None = None, *, check: bool = False, programs: int = _PROGRAMS) -> Any:
    """`f`, recorded at the first call and replayed afterwards; also a decorator.

    Any function of tensors and modules, `ag.value_and_grad` of one, or a whole training step with
    `backward()` and an optimizer. Parameters, buffers, learning rates and seeds are read at each
    call. It is recorded again for other shapes, dtypes, layouts, values of other arguments, rules,
    modes, and when something that `f` looked at has changed; `programs` bounds how many are kept.
    With `check` every replay is compared with a plain run, bit for bit.

    >>> import autograd_cnn as ag
    >>> fast = ag.compile(lambda x: ag.sum(ag.tanh(x) * x))
    >>> x = ag.tensor([1.0, 2.0])
    >>> float(fast(x)) == float(fast(x)), len(fast.programs)
    (True, 1)

    Raises ProgramError, with the line, for what a replay could not repeat: looking at values
    (`bool(t)`, `t.item()`, `print(t)`), changing Python state, drawing random numbers other than
    through `ag`, returning a tensor with a tape behind it.
    """
    if f is None:
        return functools.partial(compile, check=check, programs=programs)
    return Compiled(f, check, programs)


class Compiled:
    """A function that records and replays itself. See `compile`."""

    def __init__(self, function: Callable, check: bool, programs: int) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function, self.check, self.capacity = function, check, programs
        self._entries: OrderedDict[Any, list[Entry]] = OrderedDict()
        self._plain: dict[Any, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A replay where one fits, else a recording (or a plain run, where `explain` says so)."""
        context = current()
        if instrument.active.get() is not None:
            return self.function(*args, **kwargs)
        if context.observers or context.checkpoint is not None:
            self._plain["observed"] = "observers or a checkpoint watch every operation"
            return self.function(*args, **kwargs)
        key: list[Any] = [context.recording, context.nested, kernels.provider_for(())]
        if context.rules:
            key.append(tuple((name, id(rule)) for name, rule in context.rules.items()))
        values: list[Any] = []
        _look(args, key, values)
        if kwargs:
            _look(kwargs, key, values)
        identity = tuple(key)
        for entry in self._entries.get(identity, ()):
            if entry.fits(values):
                try:
                    answer = entry.checked(values, self, args, kwargs) if self.check else (
                        entry.replay(*values))  # fmt: skip
                except Stale as stale:
                    entry.stale += 1
                    entry.stale_line = stale.args[0].line
                    continue
                entry.runs += 1
                return answer
        if identity in self._plain:
            return self.function(*args, **kwargs)
        return self._record(identity, args, kwargs, context)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _watched(self) -> tuple:
        return (self.function,)

    @property
    def programs(self) -> list[Listing]:
        """The listings recorded so far; they print as a Program does."""
        return [entry.listing for entries in self._entries.values() for entry in entries]

    def explain(self) -> str:
        """What was recorded, how often it was replayed, and what runs plainly and why."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        lines = [f"{name}: {sum(map(len, self._entries.values()))} recorded"]
        for entries in self._entries.values():
            lines += [f"  {entry.explain()}" for entry in entries]
        lines += [f"  not replayed: {reason}" for reason in dict.fromkeys(self._plain.values())]
        return "\n".join(lines)

    def _record(self, identity: Any, args: tuple, kwargs: dict, context: Any) -> Any:
        entries = self._entries.setdefault(identity, [])
        self._entries.move_to_end(identity)
        if len(entries) >= _VARIANTS:
            return self._give_up(identity, entries, args, kwargs)
        entry = Entry(self.function, args, kwargs, context)
        answer = entry.record(args, kwargs)
        if entry.refusal is not None:
            self._plain[identity] = entry.refusal
            return answer
        entries.append(entry)
        while len(self._entries) > self.capacity:
            self._entries.popitem(last=False)
        return answer

    def _give_up(self, identity: Any, entries: list, args: tuple, kwargs: dict) -> Any:
        worst = max(entries, key=lambda entry: entry.stale)
        changes = next((e.misfit for e in entries if e.misfit), None)
        if worst.stale:
            reason = f"a value that is looked at changes from call to call, at {worst.stale_line}"
        else:
            reason = f"{changes or 'something it looked at'} changes from call to call"
        self._plain[identity] = f"{reason}; after {len(entries)} recordings it runs plainly"
        return self.function(*args, **kwargs)


class Entry:
    """One recording: what it takes for granted, and its replay."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, context: Any) -> None:
        self.function = function
        self.runs, self.stale, self.stale_line = 0, 0, ""
        self.refusal: str | None = None
        self.misfit: str | None = None
        roots: list[tuple[str, Any]] = [(getattr(function, "__name__", "the function"), function)]
        self.values: list[Any] = []
        objects: list[Any] = []
        _look((args, kwargs) if kwargs else args, [], self.values, objects)
        roots += [("an argument", thing) for thing in objects]
        roots += [("a rule", rules) for rules in context.rules.values()]
        self.watch = Watch(roots)

    def record(self, args: tuple, kwargs: dict) -> Any:
        """Run the function, writing down what it does; its answer is that of a plain run."""
        self.recorder = recorder = Follower(self.watch)
        self._same_objects()
        given = iter(range(len(self.values)))
        generator = random._generator.get()
        with instrument.recording(recorder):
            traced = _replaced(args, recorder, given), _replaced(kwargs, recorder, given)
            with repeatable(self.watch):
                result = self.function(*traced[0], **traced[1])
        self._check_python(generator)
        places: list[Any] = []
        form = self._form(result, places)
        self._prepare(form)
        return _plain_answer(form)

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

    def _form(self, result: Any, places: list) -> Any:
        """The answer with a Result for each leaf."""

        def leaf(value: Any) -> Any:
            if isinstance(value, Seed):
                raise ProgramError("a drawn seed is returned; draw it outside")
            if isinstance(value, Traced):
                return Result("array", value.slot), value.value
            if not isinstance(value, Tensor):
                return Result(self._lasting(value), value), value
            if not instrument.is_inside(value):
                return Result("tensor itself", value), value
            if value._tracked:
                raise ProgramError(
                    "the function returns a tensor with a tape behind it, which a replay does not "
                    "leave: compile the whole step or ag.value_and_grad of it, return .detach(), "
                    "or call it under ag.no_grad()"
                )
            traced = instrument.DATA.__get__(value)
            return Result("tensor", traced.slot), Tensor._make(np.asarray(traced.value), None)

        return _mapped(leaf, result)

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
        answer = _mapped_form(lambda pair: pair[0], form)
        results = [r.value for r in _form_leaves(answer) if isinstance(r.value, Slot)]
        listing = Listing(
            tuple(sorted(recorder.inputs, key=lambda slot: slot.number)), recorder.constants,
            recorder.instructions, tuple(results), recorder.types,
        )  # fmt: skip
        shorter, self.removed = lean(listing)
        moved = dict(zip(results, shorter.outputs, strict=True))
        answer = _mapped_form(lambda r: _moved(r, moved), answer)
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
            (recorder.sources.get(id(tensor)), tensor, fact)
            for tensor, fact in recorder.gradients.values()
        ]
        self._state = {id(tensor) for tensor, _ in self._reads}
        self._pattern = _pattern(self.values)
        kept = recorder.sources
        self._forget()
        self.sources = kept

    def _arguments(self) -> list:
        slots = iter(sorted(self.recorder.inputs, key=lambda slot: slot.number))
        return [
            (place, value, None if isinstance(value, Tensor) else next(slots))
            for place, value in enumerate(self.values)
        ]

    def _forget(self) -> None:
        """Let go of the values of the recording run."""
        self.recorder._values, self.recorder._grads = {}, {}
        self.values = []

    def _checks_first(self, instructions: list[Instruction]) -> list[Instruction] | None:
        """Checks and what they need before anything that cannot be taken back; None if impossible."""
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
        if self._pattern != _pattern(values):
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
            f"{sum(self.removed.values())} removed, {self.reused} answers in memory that is used again, "
            f"replayed {self.runs} times"
            + (f", found stale {self.stale} times (at {self.stale_line})" if self.stale else "")
        )

    def checked(self, values: list, compiled: Compiled, args: tuple, kwargs: dict) -> Any:
        """Replay, take everything back, run plainly, and compare; ProgramError where they differ."""
        before = self._snapshot(values)
        replayed = self.replay(*values)
        after = self._snapshot(values)
        self._restore(before)
        answer = compiled.function(*args, **kwargs)
        plain = self._snapshot(values)
        for what, first, second in (
            ("its answer", _arrays_of(replayed), _arrays_of(answer)),
            ("tensors it changes", after.arrays(), plain.arrays()),
        ):
            if not _alike(first, second):
                raise ProgramError(f"a replay and a plain run differ in {what}")
        return answer

    def _snapshot(self, values: list) -> Snapshot:
        tensors = [tensor for tensor, _ in self._reads]
        tensors += [value for value in values if isinstance(value, Tensor)]
        return Snapshot(tensors, self.recorder)

    def _restore(self, snapshot: Snapshot) -> None:
        snapshot.restore()


class Snapshot:
    """Values, gradients, optimizer states and random generators at one moment."""

    def __init__(self, tensors: list[Tensor], recorder: Follower) -> None:
        self.tensors = [(t, t._data.copy(), t.grad) for t in tensors]
        self.optimizers = [
            (o, {p: {k: v.copy() if hasattr(v, "copy") else v for k, v in kept.items()}
                 for p, kept in o.state.items()})
            for o in recorder.optimizers.values()
        ]  # fmt: skip
        self.shared = random._generator.get() or random._shared
        self.state = self.shared.getstate()
        self.generators = [
            (g, g.getstate() if hasattr(g, "getstate") else g.bit_generator.state)
            for g in recorder.generators.values()
        ]

    def restore(self) -> None:
        """Put everything back."""
        for tensor, array, grad in self.tensors:
            tensor._data, tensor.grad = array.copy(), grad
        for optimizer, state in self.optimizers:
            optimizer.state = state
        self.shared.setstate(self.state)
        for generator, state in self.generators:
            if hasattr(generator, "setstate"):
                generator.setstate(state)
            else:
                generator.bit_generator.state = state

    def arrays(self) -> list:
        """Everything, as arrays in a fixed order."""
        found: list[Any] = []
        for _, array, grad in self.tensors:
            found += [array, None if grad is None else grad._data]
        for _, state in self.optimizers:
            for kept in state.values():
                found += [kept[name] for name in sorted(kept)]
        return found


def _look(value: Any, key: list, values: list, objects: list | None = None) -> None:
    """Put what an argument's recording depends on into a key, its tensors and arrays into values."""
    kind = type(value)
    if kind is tuple or kind is list:
        key.append((kind, len(value)))
        for item in value:
            _look(item, key, values, objects)
    elif isinstance(value, Tensor):
        array = value._data
        key.append((kind, array.shape, array.dtype, array.strides, value._tracked))
        values.append(value)
    elif kind is np.ndarray or is_cupy(value):
        key.append((kind, value.shape, value.dtype, value.strides))
        values.append(value)
    elif kind is float or isinstance(value, np.generic):
        key.append((kind, value.tobytes() if isinstance(value, np.generic) else value.hex()))
    elif kind in _STATIC:
        key.append((kind, value if kind is not complex else repr(value)))
    elif isinstance(value, dict):
        key.append((kind, tuple(value)))
        for item in value.values():
            _look(item, key, values, objects)
    elif isinstance(value, (tuple, list)):
        key.append((kind, len(value)))
        for item in value:
            _look(item, key, values, objects)
    else:
        key.append(id(value))
        if objects is not None:
            objects.append(value)


def _replaced(value: Any, recorder: Follower, places: Any) -> Any:
    """An argument with traced arrays for its arrays; tensors stay themselves and are followed."""
    if isinstance(value, Tensor):
        next(places)
        return value
    if type(value) is np.ndarray:
        return recorder.raw_argument(value, next(places))
    if is_cupy(value):
        raise ProgramError(f"a recording takes arrays on the CPU, at {caller_line()}")
    if isinstance(value, dict):
        return type(value)((k, _replaced(v, recorder, places)) for k, v in value.items())
    if isinstance(value, (tuple, list)):
        items = [_replaced(item, recorder, places) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _pattern(values: list) -> tuple | None:
    """Which of the arguments are the same object; None when all differ."""
    if len(values) < 2:
        return None
    identities = [id(value) for value in values]
    if len(set(identities)) == len(identities):
        return None
    return tuple(identities.index(identity) for identity in identities)


def _mapped(leaf: Callable, tree: Any) -> Any:
    if isinstance(tree, dict):
        return type(tree)((key, _mapped(leaf, value)) for key, value in tree.items())
    if isinstance(tree, (tuple, list)):
        items = [_mapped(leaf, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return _Pair(*leaf(tree))


class _Pair:
    """A leaf of the answer: how a replay makes it, and what it is this time."""

    __slots__ = ("result", "value")

    def __init__(self, result: Result, value: Any) -> None:
        self.result, self.value = result, value

    def __getitem__(self, place: int) -> Any:
        return self.result if place == 0 else self.value


def _mapped_form(function: Callable, tree: Any) -> Any:
    if isinstance(tree, dict):
        return type(tree)((key, _mapped_form(function, value)) for key, value in tree.items())
    if isinstance(tree, (tuple, list)):
        items = [_mapped_form(function, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return function(tree)


def _plain_answer(form: Any) -> Any:
    return _mapped_form(lambda pair: pair.value, form)


def _form_leaves(form: Any) -> list[Result]:
    found: list[Result] = []
    _mapped_form(found.append, form)
    return found


def _moved(result: Result, places: dict) -> Result:
    """Where a result is now; an array that was its own and now is another's is copied."""
    if not isinstance(result.value, Slot):
        return result
    slot = places.get(result.value, result.value)
    kind = "array's copy" if result.kind == "array" and slot != result.value else result.kind
    return Result(kind, slot)


def _arrays_of(answer: Any) -> list:
    found: list[Any] = []

    def leaf(value: Any) -> None:
        found.append(value._data if isinstance(value, Tensor) else value)

    _mapped_form(leaf, answer)
    return found


def _alike(first: list, second: list) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")
        if hasattr(a, "shape") and hasattr(b, "shape") else a is b or a == b
        for a, b in zip(first, second, strict=True)
    )  # fmt: skip


__all__ = ["Compiled", "compile", "facts"]
