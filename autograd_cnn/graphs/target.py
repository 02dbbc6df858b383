"""The graph of anything that a Python file can define, for the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import TapeError
from ..named import TargetError
from ..tensor import Tensor
from .build import graph
from .model import Graph
from .watch import Watch


def graph_of(
    found: Any, name: str, shapes: Iterable[str] = (), watch: Watch | None = None
) -> Graph:
    """The graph of a tensor, a `Graph`, a Program, a module or a function.

    The last two are called with inputs of `shapes`, each as `1x3x32x32` (standard normal numbers,
    seed 0) or `scalar`; a function that needs no argument is called, and what it returns drawn.

    Raises TargetError, or what the call raises.
    """
    examples = [_example(text) for text in shapes]
    if isinstance(found, Graph):
        return found
    if isinstance(found, type):
        found = _instance(found, name)
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


def _instance(found: type, name: str) -> Any:
    """An object of a class that can be made from nothing."""
    needed = _needed(found)
    if needed:
        raise TargetError(f"{name}({', '.join(needed)}) is a class: name an instance of it, as in "
                          f"`net = {name}(…)`")  # fmt: skip
    return found()


def _needed(found: Callable) -> list[str]:
    """The arguments without which something cannot be called."""
    parameters = inspect.signature(found).parameters.values()
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [p.name for p in plain if p.default is p.empty]


def _of_no_argument(found: Callable, name: str, watch: Watch | None) -> Graph:
    """A function of nothing makes tensors, a network, or the graph itself."""
    needed = _needed(found)
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
