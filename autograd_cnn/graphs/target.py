"""Drawing something that a Python file defines: what `autograd-cnn graph` does."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import TapeError
from ..named import TargetError, find
from ..tensor import Tensor
from .build import graph
from .model import Graph
from .watch import Watch


def draw_target(
    target: str, out: str | os.PathLike, shapes: Iterable[str] = (), **options: Any
) -> Path:
    """Draw what `FILE.py:NAME` or `MODULE:NAME` names to a file whose suffix tells the format.

    The file is run, and nothing else. NAME may be a recorded tensor, a `Graph`, a Program, a module
    or a function; the latter two are called with `shapes`, each as `1x3x32x32` (standard normal
    numbers, seed 0) or `scalar`; a function that needs no argument is called, and what it returns
    drawn. `options` are those of `View`.

    Raises TargetError, or what the file itself raises.
    """
    found, attribute = find(target), target.rpartition(":")[2]
    watched = set(options.get("show", ())) & {"stats", "maps"} or options.get("color") == "time"
    watch = Watch(maps=6 if "maps" in options.get("show", ()) else 0) if watched else None
    return graph_of(found, attribute, shapes, watch).view(**options).save(out)


def graph_of(
    found: Any, name: str, shapes: Iterable[str] = (), watch: Watch | None = None
) -> Graph:
    """The graph of a tensor, a `Graph`, a module or a function with inputs of some shapes."""
    examples = [_example(text) for text in shapes]
    if isinstance(found, Graph):
        return found
    if isinstance(found, type):
        raise TargetError(f"{name} is a class: name an instance, as in `net = {name}()`")
    if not callable(found) or isinstance(found, Tensor):
        try:
            return graph(found)
        except TapeError as error:
            raise TargetError(f"{name}: {error}") from error
    if not examples and hasattr(found, "listing"):  # a Program has examples of its own
        return graph(found, watch=watch)
    if not examples and not hasattr(found, "named_parameters"):
        return _of_no_argument(found, name, watch)
    if not examples:
        raise TargetError(f"{name} is a module: give the shape of its input, as in 1x3x32x32")
    return graph(found, *examples, watch=watch)


def _of_no_argument(found: Callable, name: str, watch: Watch | None) -> Graph:
    """A function of nothing makes tensors, or the graph itself."""
    parameters = inspect.signature(found).parameters.values()
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in plain if p.default is p.empty]
    if needed:
        raise TargetError(f"{name}({', '.join(needed)}) needs {len(needed)} input(s): give the "
                          "shape of each, as in 1x3x32x32, or scalar")  # fmt: skip
    if watch is None:
        return graph_of(found(), name)
    with watch:
        made = found()
    return made if isinstance(made, Graph) else graph(made, watch=watch)


def _example(text: str) -> Any:
    if text == "scalar":
        return 1.0
    parts = text.lower().replace("×", "x").split("x")
    if not all(part.isdigit() and int(part) for part in parts):
        raise TargetError(f"{text!r} is no shape: write 1x3x32x32, or scalar")
    shape = tuple(map(int, parts))
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
