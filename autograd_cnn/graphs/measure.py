"""Gradient norms, measured by going back through the tape once; no `.grad` is touched."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from ..engine import run_backward
from ..errors import TapeError
from ..kernels import provider_for
from ..tape import observe
from .model import Graph
from .watch import Watch


class _Norms:
    """An observer of the backward pass: the norm of what reaches each node and each operand."""

    def __init__(self) -> None:
        self.outputs: dict[Any, float] = {}

    def backward(self, node: Any, g: Any, contributions: list) -> None:
        self.outputs[node] = _norm(g)


def with_gradients(graph: Graph, watch: Watch | None = None) -> Graph:
    """The graph with ‖∂L/∂output‖₂ of each node and ‖∂L/∂p‖₂ of each parameter.

    L is the output, or the sum of all entries of the outputs. The backward pass is run once under
    the rules in force; the tape stays as it is and no `.grad` changes. A parameter used several
    times shows its whole gradient everywhere. With a `watch` it is run once more, and timed.

    Raises TapeError when the tape is gone or was already gone back through.
    """
    outputs, nodes = tape_of(graph)
    norms = _Norms()
    roots = [(output._node, _ones(output)) for output in outputs]
    with observe(norms):
        leaves = run_backward(roots, None)
    if watch is not None:
        with watch:
            run_backward(roots, None)
    found = norms.outputs | {leaf: _norm(g) for leaf, g in leaves.items()}
    measured = []
    for node in graph.nodes:
        recorded = nodes[node.id]
        parameters = tuple(
            replace(p, gradient=found.get(recorded.parents[p.position])) for p in node.parameters
        )
        seconds = node.backward_seconds
        if watch is not None:
            seconds = watch.backward_seconds.get(recorded)
        measured.append(replace(node, gradient=found.get(recorded), parameters=parameters,
                                backward_seconds=seconds))  # fmt: skip
    return replace(graph, nodes=tuple(measured))


def tape_of(graph: Graph) -> tuple[list[Any], list[Any]]:
    """The outputs, and the recorded nodes by id, of a graph whose tape is alive.

    Raises TapeError when it is gone.
    """
    tape = graph._tape
    outputs = [reference() for reference in tape.outputs] if tape is not None else [None]
    nodes = [reference() for reference in tape.nodes] if tape is not None else []
    if any(thing is None for thing in (*outputs, *nodes)):
        raise TapeError(
            "the tape of this graph is gone: keep its output alive until the gradients are "
            "measured, or draw a function with ag.graph(f, *examples)"
        )
    return outputs, nodes


def is_measured(graph: Graph) -> bool:
    """Whether the gradients of a graph are known."""
    return any(node.gradient is not None for node in graph.nodes)


def _ones(output: Any) -> Any:
    return provider_for([output._data]).xp.ones(output.shape, output.dtype)


def _norm(g: Any) -> float:
    """The Euclidean norm, computed in float64 and scaled so that it does not overflow."""
    array = np.abs(np.asarray(g.get() if hasattr(g, "get") else g)).astype(np.float64).ravel()
    largest = float(array.max()) if array.size else 0.0
    if largest == 0.0 or not isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(array / largest))
