"""Smaller graphs: what leads to a node, what follows from it, and without some operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .model import Edge, Graph, Node


def ancestors(graph: Graph, target: Any) -> Graph:
    """The part of the graph that a node is computed from; see `Graph.ancestors`."""
    ends = find(graph, target)
    kept = reachable(ends, _neighbours(graph.edges, backwards=True))
    return _only(graph, kept, (ends[-1].id,), f"what {_name(target, ends)} is computed from")


def descendants(graph: Graph, source: Any) -> Graph:
    """The part of the graph that depends on a node; see `Graph.descendants`."""
    starts = find(graph, source)
    kept = reachable(starts, _neighbours(graph.edges))
    outputs = tuple(id for id in graph.outputs if id in kept)
    return _only(graph, kept, outputs, f"what depends on {_name(source, starts)}")


def slice_between(graph: Graph, source: Any, target: Any) -> Graph:
    """The nodes on the paths from one node to another; see `Graph.slice_between`."""
    starts, ends = find(graph, source), find(graph, target)
    names = _name(source, starts), _name(target, ends)
    between = reachable(starts, _neighbours(graph.edges))
    between &= reachable(ends, _neighbours(graph.edges, backwards=True))
    if not between:
        raise ValueError(f"no path runs from {names[0]} to {names[1]}")
    return _only(graph, between, (max(between),), f"from {names[0]} to {names[1]}")


def hide(graph: Graph, *what: str | Callable[[Node], bool]) -> Graph:
    """The graph without some operations; see `Graph.hide`."""
    for item in what:
        if isinstance(item, str) and not any(item in (n.name, n.family) for n in graph.nodes):
            raise ValueError(f"nothing here is named {item!r}, and no family is")

    def hidden(node: Node) -> bool:
        return any(
            item in (node.name, node.family) if isinstance(item, str) else item(node)
            for item in what
        )

    gone = {node.id for node in graph.nodes if hidden(node)}
    if not gone:
        return graph
    if len(gone) == len(graph.nodes):
        raise ValueError("that would hide every node")
    arriving: dict[int, list[Edge]] = {}
    edges: list[Edge] = []
    for edge in sorted(graph.edges, key=lambda edge: edge.target):
        # an edge out of a hidden node stands for each edge that came into it
        origins = arriving.get(edge.source, []) if edge.source in gone else [None]
        for origin in origins:
            bridged = edge
            if origin is not None:
                flows = edge.differentiable and origin.differentiable
                bridged = replace(edge, source=origin.source, differentiable=flows, derivative=None)
            if edge.target in gone:
                arriving.setdefault(edge.target, []).append(bridged)
            else:
                edges.append(bridged)
    nodes = tuple(node for node in graph.nodes if node.id not in gone)
    ends = [source for id in graph.outputs for source in _shown_for(id, gone, arriving)]
    note = f"{len(gone)} of {len(graph.nodes)} nodes hidden"
    return replace(
        graph,
        nodes=nodes,
        edges=tuple(dict.fromkeys(edges)),
        outputs=tuple(dict.fromkeys(ends)),
        note=_noted(graph, note),
    )


def find(graph: Graph, which: Any) -> list[Node]:
    """What is meant by a Node, an id, a name that occurs once, or a module's path (all inside).

    Raises ValueError, with the candidates, for what is not there or not unique.
    """
    if isinstance(which, Node):
        which = which.id
    if isinstance(which, int):
        for node in graph.nodes:
            if node.id == which or which in node.members:
                return [node]
        raise ValueError(f"no node has the id {which}")
    if not isinstance(which, str):
        raise TypeError(f"a node is a Node, an id, a name or a path, not {type(which).__name__}")
    named = [node for node in graph.nodes if node.name == which]
    if len(named) == 1:
        return named
    path = tuple(which.split("."))
    inside = [n for n in graph.nodes if graph.path(n.module)[: len(path)] == path]
    if inside:
        return inside
    if named:
        ids = ", ".join(str(node.id) for node in named[:8])
        raise ValueError(f"{len(named)} nodes are named {which}: give one of the ids {ids}")
    names = ", ".join(dict.fromkeys(node.name for node in graph.nodes[:12]))
    raise ValueError(f"no node and no module is {which!r}; there are {names}, …")


def reachable(starts: Iterable[Node], neighbours: dict[int, list[int]]) -> set[int]:
    """Everything that can be reached from some nodes, they included."""
    seen = {node.id for node in starts}
    stack = list(seen)
    while stack:
        for other in neighbours.get(stack.pop(), ()):
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return seen


def _name(which: Any, found: list[Node]) -> str:
    return which if isinstance(which, str) else f"{found[0].name} ({found[0].id})"


def _neighbours(edges: Iterable[Edge], backwards: bool = False) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for edge in edges:
        start, end = (edge.target, edge.source) if backwards else (edge.source, edge.target)
        found.setdefault(start, []).append(end)
    return found


def _only(graph: Graph, kept: set[int], outputs: tuple[int, ...], what: str) -> Graph:
    if len(kept) == len(graph.nodes):
        return replace(graph, outputs=outputs)
    return replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node.id in kept),
        edges=tuple(e for e in graph.edges if e.source in kept and e.target in kept),
        outputs=outputs,
        note=_noted(graph, f"{what}: {len(kept)} of {len(graph.nodes)} nodes"),
    )


def _noted(graph: Graph, note: str) -> str:
    return f"{graph.note} · {note}" if graph.note else note


def _shown_for(id: int, gone: set[int], arriving: dict[int, list[Edge]]) -> list[int]:
    return [edge.source for edge in arriving.get(id, [])] if id in gone else [id]
