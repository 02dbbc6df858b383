"""What a recorded function looked at besides its arguments, so that a replay notices a change.

Everything a function can reach is walked once: closures, globals that its code names, defaults,
attributes of objects and modules, containers. What Python holds is compared by identity, arrays by
content, tensors are left to the recording, which reads them anew at each call.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import random
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import is_
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..errors import ProgramError
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..tape import caller_line
from ..tensor import Tensor

_LIMIT = 100_000
_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_VALUES = (int, float, complex, bool, str, bytes, type(None), np.dtype, np.generic, type(...),
           range, slice, BuiltinFunctionType, np.ufunc, CodeType, property)  # fmt: skip
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
# modules whose functions give something else at each call
_IMPURE = {
    "time", "random", "_random", "posix", "nt", "_io", "io", "datetime", "secrets", "uuid",
    "socket", "_socket", "select", "numpy.random", "numpy.random.mtrand", "numpy.random._generator",
}  # fmt: skip


class Watch:
    """The world around a function, as it was when the function was recorded."""

    def __init__(self, roots: list[tuple[str, Any]]) -> None:
        self.kept: dict[int, Any] = {}
        self.tensors: set[int] = set()
        self.states: dict[int, tuple[str, Any, Any]] = {}
        self._checks: list[tuple[str, Callable, Any, tuple]] = []
        self._arrays: list[tuple[str, Any, Any]] = []
        self._names: set[str] = {"forward", "__call__"}
        self._waiting = deque(roots)
        self._classes: list[tuple[str, type]] = []
        self._optimizers: list[tuple[str, Optimizer]] = []
        self._modules: list[tuple[str, ModuleType]] = []
        self._walk()

    def changed(self) -> str | None:
        """The path of the first thing that is no longer as it was; None when all is."""
        for path, look, container, expected in self._checks:
            try:
                now = look(container)
                same = len(now) == len(expected) and all(map(is_, now, expected))
            except (ValueError, AttributeError, RuntimeError):  # an emptied cell, a lost attribute
                same = False
            if not same:
                return path
        for path, array, copy in self._arrays:
            if not _equal(array, copy):
                return path
        return None

    def drawn(self, rng: Any) -> None:
        """Note that the library drew from a generator, as it will at each replay."""
        if id(rng) in self.states:
            path, generator, _ = self.states[id(rng)]
            self.states[id(rng)] = (path, generator, _state(generator))

    def require_known(self, thing: Any, what: str) -> None:
        """Raise ProgramError for something that no guard leads to."""
        if id(thing) not in self.kept:
            raise ProgramError(
                f"{what} used at {caller_line()} is reached in a way that a replay cannot check; "
                "pass it as an argument, or hold it in a variable, a list or a module"
            )

    def consumed(self) -> str | None:
        """The path of a random generator that the user's code drew from."""
        for path, generator, state in self.states.values():
            if not _same_state(_state(generator), state):
                return path
        return None

    # the walk

    def _walk(self) -> None:
        classes: set[tuple[type, str]] = set()
        while self._waiting:
            while self._waiting:
                self._visit(*self._waiting.popleft())
            # names seen since may lead to further methods of classes, attributes of modules
            for path, kind in self._classes:
                for name in self._names & vars(kind).keys():
                    if (kind, name) not in classes:
                        classes.add((kind, name))
                        self._waiting.append((f"{path}.{name}", vars(kind)[name]))
            for path, module in self._modules:
                self._attributes_of(path, module)
        for path, optimizer in self._optimizers:
            self._settings_of(path, optimizer)

    def _visit(self, path: str, thing: Any) -> None:
        if isinstance(thing, _VALUES) or id(thing) in self.kept:
            return
        self.kept[id(thing)] = thing
        if len(self.kept) > _LIMIT:
            raise ProgramError(
                f"more than {_LIMIT} objects can be reached from {path}: pass the data as arguments"
            )
        if isinstance(thing, Tensor):
            self.tensors.add(id(thing))
            self._watch(f"requires_grad of {thing.name or path}", _tracked, thing)
        elif isinstance(thing, np.ndarray):
            self._arrays.append((path, thing, thing.copy()))
        elif isinstance(thing, _GENERATORS):
            self.states[id(thing)] = (path, thing, _state(thing))
        elif isinstance(thing, FunctionType):
            self._visit_function(path, thing)
        elif isinstance(thing, MethodType):
            self._later(path, thing.__self__, thing.__func__)
        elif isinstance(thing, functools.partial):
            self._later(path, thing.func, thing.args, thing.keywords)
        elif isinstance(thing, contextlib._GeneratorContextManager):
            self._later(path, thing.func, thing.args, thing.kwds)  # made anew at each use
        elif isinstance(thing, (staticmethod, classmethod)):
            self._later(path, thing.__func__)
        elif isinstance(thing, dict):
            self._watch(path, _values, thing)
            self._watch(path, _keys, thing)
            for key, value in thing.items():
                self._later(f"{path}[{key!r}]", key, value)
        elif isinstance(thing, (list, deque, tuple)):
            if not isinstance(thing, tuple):
                self._watch(path, tuple, thing)
            for place, value in enumerate(thing):
                self._later(f"{path}[{place}]", value)
        elif isinstance(thing, (set, frozenset)):
            members = sorted(thing, key=id)
            self._checks.append((path, lambda s: sorted(s, key=id), thing, tuple(members)))
            self._later(path, *members)
        elif isinstance(thing, ModuleType):
            if not _is_library(getattr(thing, "__file__", None)):
                self._modules.append((path, thing))
        elif isinstance(thing, type):
            self._visit_class(path, thing)
        elif isinstance(thing, Optimizer):
            self._optimizers.append((path, thing))
            self._watch(f"{path}.param_groups", tuple, thing.param_groups)
            for group in thing.param_groups:
                self._watch(f"{path}.param_groups", tuple, group["params"])
                self.kept[id(group)] = group
                self._later(path, *group["params"])
            self._visit_class(path, type(thing))
        elif hasattr(thing, "__next__"):
            raise ProgramError(
                f"{path} is an iterator, which a replay would not advance; pass what it gives as "
                "an argument"
            )
        else:
            self._visit_object(path, thing)

    def _visit_function(self, path: str, function: FunctionType) -> None:
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            self._watch(name, _contents, cell)
            try:
                self._later(name, cell.cell_contents)
            except ValueError:
                continue
        self._watch(f"{path}.__defaults__", _defaults, function)
        self._later(path, function.__defaults__, function.__kwdefaults__, vars(function))
        if _is_library(function.__code__.co_filename):
            return
        names = _names_in(function.__code__)
        self._names |= names
        place, outside = function.__globals__, sorted(names & function.__globals__.keys())
        look = lambda g, names=tuple(outside): [g.get(name) for name in names]
        self._watch(f"a global of {function.__name__}", look, place)
        for name in outside:
            self._later(name, place[name])

    def _visit_class(self, path: str, kind: type) -> None:
        for owner in kind.__mro__:
            if owner is object or _is_library(_file_of(owner)):
                continue
            self._watch(f"{owner.__name__}.…", _values, vars(owner))
            self._classes.append((owner.__name__, owner))
            for name, value in list(vars(owner).items()):
                if not name.startswith("__") and not callable(value):
                    self._later(f"{owner.__name__}.{name}", value)

    def _visit_object(self, path: str, thing: Any) -> None:
        if hasattr(thing, "_watched"):  # a compiled function: what it wraps
            self._later(path, *thing._watched())
            return
        self._visit_class(path, type(thing))
        attributes = getattr(thing, "__dict__", None)
        if isinstance(attributes, dict):
            self._watch(f"an attribute of {path}", _values, attributes)
            self._watch(f"an attribute of {path}", _keys, attributes)
            for name, value in attributes.items():
                self._later(f"{path}.{name}", value)
        for owner in type(thing).__mro__:
            names = [n for n in _slots_of(owner) if hasattr(thing, n)]
            if names and not isinstance(thing, Module):
                look = lambda o, names=tuple(names): [getattr(o, name) for name in names]
                self._watch(f"an attribute of {path}", look, thing)
                self._later(path, *look(thing))

    def _attributes_of(self, path: str, module: ModuleType) -> None:
        place = vars(module)
        for name in sorted(self._names & place.keys()):
            if not isinstance(place[name], ModuleType):
                self._watch(f"{path}.{name}", lambda g, name=name: [g.get(name)], place)
                self._later(f"{path}.{name}", place[name])

    def _settings_of(self, path: str, optimizer: Optimizer) -> None:
        """Hyperparameters are read at each step; they matter only where the code reads them."""
        if self._names & {"param_groups", "get_last_lr", "defaults"}:
            for group in optimizer.param_groups:
                self._watch(f"{path}.param_groups", _values, group)

    def _later(self, path: str, *things: Any) -> None:
        self._waiting.extend((path, thing) for thing in things)

    def _watch(self, path: str, look: Callable, container: Any) -> None:
        try:
            self._checks.append((path, look, container, tuple(look(container))))
        except ValueError:  # a cell that is still empty
            self._checks.append((path, _is_empty, container, (True,)))


def is_immutable(thing: Any) -> bool:
    """Whether a thing cannot change: it may be returned again and again."""
    return isinstance(thing, (*_VALUES, type, ModuleType, FunctionType))


def _values(container: Any) -> Any:
    return container.values()


def _keys(container: Any) -> Any:
    return container.keys()


def _contents(cell: Any) -> tuple:
    return (cell.cell_contents,)


def _defaults(function: FunctionType) -> tuple:
    return (
        function.__code__,
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    )


def _tracked(tensor: Tensor) -> tuple:
    return (tensor._tracked,)


def _is_empty(cell: Any) -> tuple:
    try:
        return (cell.cell_contents is cell,)
    except ValueError:
        return (True,)


def _equal(array: Any, copy: Any) -> bool:
    if array.shape != copy.shape or array.dtype != copy.dtype:
        return False
    return array.tobytes() == copy.tobytes() if array.size < 64 else bool(
        np.array_equal(array, copy, equal_nan=array.dtype.kind in "fc")
    )  # fmt: skip


def _state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.bit_generator.state


def _same_state(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            _same_state(first[key], second[key]) for key in first
        )
    return bool(np.array_equal(first, second)) if isinstance(first, np.ndarray) else first == second


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names


def _slots_of(kind: type) -> list[str]:
    slots = vars(kind).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if not name.startswith("__")]


def _file_of(kind: type) -> str | None:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) if kind.__module__ != (
        "__main__") else "<main>"  # fmt: skip


def _is_library(filename: str | None) -> bool:
    """Whether code is ours, Python's or an installed package's: it is taken not to change."""
    return filename is None or filename.startswith((_PACKAGE, "<frozen ", *_LIBRARIES))


@contextmanager
def repeatable(watch: Watch) -> Iterator[None]:
    """Raise ProgramError when the block's code drew random numbers, read the clock or a file."""
    impure: list[str] = []

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "c_call":
            owner = getattr(argument, "__self__", None)
            module = getattr(argument, "__module__", None) or (
                owner.__module__ if isinstance(owner, type) else type(owner).__module__
            )
            name = getattr(argument, "__name__", "")
            if module in _IMPURE or (module == "builtins" and name in ("open", "input")):
                line = _user_line(frame)
                if line is not None and name != "fspath":
                    impure.append(f"{module}.{name} called at {line}")

    before, numpy_before = random.getstate(), np.random.get_state(legacy=False)
    outer, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection runs the callbacks of other libraries here, and they read clocks
    if outer is None:
        sys.setprofile(profile)
    try:
        yield
    finally:
        if outer is None:
            sys.setprofile(None)
        if collecting:
            gc.enable()
    if random.getstate() != before or not _same_state(
        np.random.get_state(legacy=False), numpy_before
    ):
        impure.append("a global random generator that was drawn from")
    drawn = watch.consumed()
    if drawn is not None:
        impure.append(f"{drawn}, a random generator that was drawn from,")
    if impure:
        raise ProgramError(
            f"{impure[0]} gives something else at each call, which a replay would repeat; pass it "
            "as an argument, or use ag.dropout and its kin"
        )


def _user_line(frame: Any) -> str | None:
    """The user's line that led to a frame; None where our own code did."""
    while frame is not None and _is_library(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
            return None
        frame = frame.f_back
    return None if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
