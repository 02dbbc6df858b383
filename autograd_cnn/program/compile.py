"""compile: record a function's first call, replay the later ones."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .. import kernels
from ..tape import current
from . import instrument
from .arguments import look
from .entry import Entry
from .listing import Listing
from .replay import Stale

_PROGRAMS, _VARIANTS = 16, 4


def compile(
    f: Callable | None = None, *, check: bool = False, programs: int = _PROGRAMS, fuse: bool = True
) -> Any:
    """`f`, recorded at the first call and replayed afterwards; also a decorator.

    Any function of tensors and modules, `ag.value_and_grad` of one, or a whole training step with
    `backward()` and an optimizer. Parameters, buffers, learning rates and seeds are read at each
    call. It is recorded again for other shapes, dtypes, layouts, values of other arguments, rules,
    modes, and when something that `f` looked at has changed; `programs` bounds how many are kept.
    An answer that stays on the tape is one node there, and going back is a replay too; its second
    derivative is refused. With `check` every replay is compared with a plain run, bit for bit. With
    `fuse`, where the native kernels are there, steps are joined that read the same memory.

    >>> import autograd_cnn as ag
    >>> fast = ag.compile(lambda x: ag.sum(ag.tanh(x) * x))
    >>> x = ag.tensor([1.0, 2.0])
    >>> float(fast(x)) == float(fast(x)), len(fast.programs)
    (True, 1)

    Raises ProgramError, with the line, for what a replay could not repeat: looking at values
    (`bool(t)`, `t.item()`, `print(t)`), changing Python state, drawing random numbers other than
    through `ag`.
    """
    if f is None:
        return functools.partial(compile, check=check, programs=programs, fuse=fuse)
    return Compiled(f, check, programs, fuse)


class Compiled:
    """A function that records and replays itself. See `compile`."""

    def __init__(self, function: Callable, check: bool, programs: int, fuse: bool) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function, self.check, self.capacity = function, check, programs
        self.fuse = fuse
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
        if context.nested:
            self._plain["nested"] = "a derivative of its derivative may be taken"
            return self.function(*args, **kwargs)
        key: list[Any] = [context.recording, kernels.provider_for(())]
        if context.rules:
            key.append(tuple((name, id(rule)) for name, rule in context.rules.items()))
        values: list[Any] = []
        look(args, key, values)
        if kwargs:
            look(kwargs, key, values)
        identity = tuple(key)
        for entry in self._entries.get(identity, ()):
            if entry.fits(values):
                try:
                    answer = entry.checked(values, args, kwargs) if self.check else (
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
        entry = Entry(self.function, args, kwargs, context, self.fuse)
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
