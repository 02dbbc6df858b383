"""Finding what a command line names: an attribute of a Python file or of a module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any


class TargetError(ValueError):
    """What was named is not there, or not of the kind asked for; the message says what is."""


def find(target: str) -> Any:
    """What `FILE.py:NAME` or `MODULE:NAME` names; NAME may have dots.

    A file is run, its folder first on the path while it runs; a module is imported, and searched
    for in the current folder first.

    >>> from autograd_cnn.named import find
    >>> find("autograd_cnn.models:LeNet5").__name__
    'LeNet5'

    Raises TargetError, or what the file itself raises.
    """
    place, colon, attribute = target.rpartition(":")
    if not colon or not place or not all(part.isidentifier() for part in attribute.split(".")):
        raise TargetError(f"{target!r} is not FILE.py:NAME or MODULE:NAME, as in model.py:net")
    module = _run(Path(place)) if place.endswith(".py") else _imported(place)
    value = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            names = [name for name, thing in vars(module).items() if _is_own(name, thing, module)]
            there = f"; it has {', '.join(names[:8])}" if names else ""
            raise TargetError(f"{place} has no {attribute}{there}")
        value = getattr(value, part)
    return value


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    spec = spec_from_file_location(f"_named_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        with _first_on_path(path.parent):
            spec.loader.exec_module(module)
    finally:
        sys.modules.pop(spec.name, None)
    return module


def _imported(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{name!r} is neither a Python file nor the name of a module")
    with _first_on_path(Path()):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise TargetError(f"there is no module {name}") from error


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if place in sys.path:
            sys.path.remove(place)


def _is_own(name: str, thing: Any, module: ModuleType) -> bool:
    """Whether the module itself made it, and might offer it to a command."""
    if name.startswith("_") or isinstance(thing, ModuleType):
        return False
    made_by_def = isinstance(thing, type) or hasattr(thing, "__qualname__")
    return thing.__module__ == module.__name__ if made_by_def else not name.isupper()
