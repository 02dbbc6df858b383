"""Scalars for teaching: the value of every node, the local derivative on every edge.

For f computed from scalars, going backward is ∂f/∂v = Σ over the readers u of v of ∂u/∂v·∂f/∂u:
`with_derivatives` measures the local ∂u/∂v with the rules in force and multiplies them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..engine import arguments_of
from ..kernels import provider_for
from ..primitive import steps_of
from ..tape import Leaf, changed, current
from ..tape import Node as TapeNode
from .measure import tape_of
from .model import Edge, Graph

MOST, PATHS = 300, 4


class Scalars:
    """An observer that remembers the value of each scalar."""

    def __init__(self) -> None:
        self.values: WeakKeyDictionary[TapeNode, float] = WeakKeyDictionary()

    def forward(self, primitive: Any, inputs: Any, attributes: Any, ans: Any, node: Any) -> None:
        """Called by the tape after each operation."""
        if node is not None and ans.size == 1:
            self.values[node] = _number(ans)


def is_scalar(graph: Graph) -> bool:
    """Whether the scalar level can show a graph: real scalars only, and not too many."""
    return len(graph.nodes) <= MOST and all(_is_one(node) for node in graph.nodes)


def has_derivatives(graph: Graph) -> bool:
    """Whether the derivatives of a graph are known."""
    return any(node.slope is not None for node in graph.nodes)


def with_derivatives(graph: Graph, values: Mapping[TapeNode, float] | None = None) -> Graph:
    """The graph of scalars with values, local derivatives ∂u/∂v and slopes ∂f/∂v.

    f is the output, or the sum of the outputs. Values that nobody kept are computed again. The
    rules in force are used, so that `override` shows here too.

    Raises ValueError for a node that is no scalar, TapeError when the tape is gone.
    """
    for node in graph.nodes:
        if not _is_one(node):
            size = "×".join(map(str, node.shape))
            what = f"{node.name} is {size}" if node.shape else f"{node.name} is {node.dtype}"
            raise ValueError(
                f'level="scalar" needs real scalars, but {what}: build the example from '
                "ag.tensor(2.0, requires_grad=True, name=...) one by one"
            )
    if len(graph.nodes) > MOST:
        raise ValueError(f'level="scalar" draws up to {MOST} nodes, not {len(graph.nodes)}')
    _, tape = tape_of(graph)
    recorded = [tape[node.id] for node in graph.nodes]
    known = _values(graph, recorded, values or {})
    local = {node: _local_derivatives(node) for node in recorded}
    edges = tuple(
        replace(edge, derivative=local[tape[edge.target]].get(edge.position))
        for edge in graph.edges
    )
    slopes = slopes_of(graph, edges)
    nodes = tuple(
        replace(node, value=known.get(place), slope=slopes[node.id])
        for node, place in zip(graph.nodes, recorded, strict=True)
    )
    return replace(graph, nodes=nodes, edges=edges)


def slopes_of(graph: Graph, edges: tuple[Edge, ...]) -> dict[int, float | None]:
    """∂f/∂v of each node by the chain rule; None where no derivative comes."""
    readers: dict[int, list[Edge]] = {}
    for edge in edges:
        readers.setdefault(edge.source, []).append(edge)
    slopes: dict[int, float | None] = {}
    for node in reversed(graph.nodes):
        terms = [1.0] if node.id in graph.outputs else []
        for edge in readers.get(node.id, []):
            after = slopes[edge.target]
            if edge.derivative is not None and after is not None:
                terms.append(edge.derivative * after)
        slopes[node.id] = sum(terms) if terms and node.requires_grad else None
    return slopes


def chain_text(graph: Graph, id: int) -> str:
    """∂f/∂v multiplied out along every path: `1·2 + 3·2 = 8`; "" where there are too many.

    The factors run from f back to v.
    """
    readers: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        if edge.derivative is not None:
            readers.setdefault(edge.source, []).append(edge)
    products: list[list[float]] = []
    stack: list[tuple[int, list[float]]] = [(id, [])]
    while stack and len(products) <= PATHS:
        place, factors = stack.pop()
        if place in graph.outputs:
            products.append(factors[::-1])
        for edge in reversed(readers.get(place, [])):
            assert edge.derivative is not None
            stack.append((edge.target, [*factors, edge.derivative]))
    slope = graph.node(id).slope
    factors_in_all = sum(map(len, products))
    if stack or slope is None or len(products) > PATHS or not 2 <= factors_in_all <= 14:
        return ""
    terms = ["·".join(_factor(f) for f in product) or "1" for product in products]
    return " + ".join(terms) + f" = {number_text(slope)}"


def number_text(value: float | None) -> str:
    """Four digits: 0.1, −1.25, 3.1e-05."""
    return "?" if value is None else f"{value:.4g}".replace("-", "−").replace("e−", "e-")


def _factor(value: float) -> str:
    text = number_text(value)
    return f"({text})" if text.startswith("−") else text


def _is_one(node: Any) -> bool:
    return all(n == 1 for n in node.shape) and node.dtype.startswith(("float", "bfloat"))


def _values(graph: Graph, recorded: list, values: Mapping[TapeNode, float]) -> dict[Any, float]:
    """What the tape, its tensors and an observer remember; the rest is computed from it."""
    known: dict[Any, float] = {}
    for node, place in zip(graph.nodes, recorded, strict=True):
        if node.value is not None:
            known[place] = node.value
        elif place in values:
            known[place] = values[place]
        elif isinstance(place, Leaf):
            owner: Any = place.tensor()
            if owner is not None:
                known[place] = _number(owner._data)
        if type(place.kept) is tuple and not isinstance(place, Leaf):
            for slot, origin in place.plan.origins:
                whose = _origin(place, origin)
                if whose is not None and not place.primitive.variadic:
                    known.setdefault(whose, _number(place.kept[slot]))
    for place in recorded:
        if place not in known and all(parent in known for parent in place.parents):
            known[place] = _again(place, [known[parent] for parent in place.parents])
    return known


def _origin(node: TapeNode, origin: int) -> TapeNode | None:
    if origin < 0:
        return node
    return node.parents[origin] if origin < len(node.parents) else None


def _again(node: TapeNode, operands: list[float]) -> float:
    shapes = [parent.shape for parent in node.parents]  # type: ignore[union-attr]
    arrays = [np.full(s, v, np.float64) for s, v in zip(shapes, operands, strict=True)]
    with changed(recording=False, observers=()):
        return _number(node.primitive(*arrays, **node.attributes))


def _local_derivatives(node: TapeNode) -> dict[int, float]:
    """∂ans/∂operand by position: the rules with the incoming gradient 1."""
    if isinstance(node, Leaf):
        return {}
    kept: Any = node.values()
    one = np.ones(node.shape, node.dtype)
    for value in kept:
        if hasattr(value, "dtype"):
            one = provider_for([value]).xp.ones(node.shape, node.dtype)
            break
    found = {}
    with changed(recording=False, observers=()):
        for position, rule, where, _ in steps_of(node, current().rules.get(node.primitive.name)):
            if rule is not None and node.parents[position] is not None:
                gradient = rule.formula(one, *arguments_of(where, kept, node, position))
                if gradient is not None:
                    found[position] = _number(gradient)
    return found


def _number(value: Any) -> float:
    array = np.asarray(value.get() if hasattr(value, "get") else value)
    return float(array.reshape(-1)[0])
