"""Pure transforms from graph to graph: collapse modules, fold repeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .model import Edge, Graph, Module, Node, Parameter


def collapse(graph: Graph, depth: int = 1) -> Graph:
    """The graph with each module call at a depth as one node; single operations stay as they are.

    Depth 1 is the outermost. Edges between the same two nodes with the same shape become one that
    counts them; edges inside a module are part of it.

    Raises ValueError for a depth below 1.
    """
    if depth < 1:
        raise ValueError(f"depth {depth} is below 1, the outermost modules")
    groups: dict[int, list[Node]] = {}
    for node in graph.nodes:
        around = graph.enclosing(node.module)
        if len(around) >= depth:
            groups.setdefault(around[depth - 1], []).append(node)
    joined = {}
    for module, members in groups.items():
        if len(members) > 1:
            whole = _join(graph, module, members)
            joined |= {member.id: whole for member in members}
    return _contract(graph, joined)


def fold_repeats(graph: Graph) -> Graph:
    """The graph with each run of equal collapsed modules, one feeding the next, as one node.

    `×N`: the same parameters applied N times; `+N more Block`: distinct modules that do the same.
    """
    sources, targets = _neighbours(graph)
    runs: list[list[Node]] = []
    for node in graph.nodes:
        last = runs[-1][-1] if runs else None
        follows = (
            last is not None
            and node.members
            and node.fingerprint == last.fingerprint
            and node.attributes == last.attributes
            and sources.get(node.id) == [last.id]
            and targets.get(last.id) == [node.id]
            and last.id not in graph.outputs
        )
        if follows:
            runs[-1].append(node)
        else:
            runs.append([node])
    joined = {}
    for run in runs:
        if len(run) > 1:
            whole = _fold(run)
            joined |= {node.id: whole for node in run}
    return _contract(graph, joined)


def grouped(graph: Graph, folded: Graph) -> Graph:
    """The graph with each run of modules that a folded one shows as one card in a module around it.

    Collapsing that module gives the card, expanding it the members of the run.
    """
    module_of = {node.id: node.module for node in graph.nodes}
    records = list(graph.modules)
    for card in folded.nodes:
        if not card.members or card.module is None:
            continue
        depth = len(graph.enclosing(card.module))
        run = list(dict.fromkeys(graph.enclosing(module_of[id])[depth - 1] for id in card.members))
        if len(run) > 1:
            first, last, around = graph.modules[run[0]], graph.modules[run[-1]], len(records)
            name = first.name if first.name == last.name else f"{first.name} … {last.name}"
            path = (*first.path[:-1], name)
            records.append(Module(around, name, card.attributes, first.parent, path))
            for module in run:
                records[module] = replace(records[module], parent=around)
    if len(records) == len(graph.modules):
        return graph
    longer = tuple(replace(record, path=_path(records, record)) for record in records)
    return replace(graph, modules=longer)


def _path(records: list[Module], record: Module) -> tuple[str, ...]:
    names = [record.name]
    while record.parent is not None:
        record = records[record.parent]
        names.append(record.name)
    return tuple(names[::-1])


def merge_parallel(edges: Iterable[Edge]) -> list[Edge]:
    """Edges with the same ends as one, which counts them."""
    merged: dict[tuple, Edge] = {}
    for edge in edges:
        ends = (edge.source, edge.target)
        if ends in merged:
            first = merged[ends]
            edge = replace(
                first,
                count=first.count + edge.count,
                differentiable=first.differentiable or edge.differentiable,
                derivative=_sum_of(first.derivative, edge.derivative),
            )
        merged[ends] = edge
    return list(merged.values())


def _sum_of(first: float | None, second: float | None) -> float | None:
    """The derivative with respect to a value that is used twice."""
    return second if first is None else first if second is None else first + second


def _join(graph: Graph, module: int, members: list[Node]) -> Node:
    """One node for a module call; its id is the last member's, so edges still run to higher ids."""
    record, last = graph.modules[module], members[-1]
    names = [member.name for member in members]
    parameters: dict[int, Parameter] = {}
    for member in members:
        inner = graph.path(member.module)[len(record.path) :] or (member.name,)
        for p in member.parameters:
            parameters.setdefault(p.key, replace(p, name=".".join((*inner, p.name))))
    return replace(
        last,
        name=record.name + (f" (call {record.call})" if record.call > 1 else ""),
        family="module",
        attributes=record.kind,
        parameters=tuple(parameters.values()),
        kept=(),
        module=module,
        alias=False,
        **_sums(members),
        members=tuple(member.id for member in members),
        summary=" → ".join(names[:5]) + (f" … {len(names) - 5} more" if len(names) > 5 else ""),
        fingerprint=tuple(
            (m.name, m.attributes, m.shape, tuple(p.shape for p in m.parameters)) for m in members
        ),
    )


def _fold(run: list[Node]) -> Node:
    parameters = {p.key: p for node in run for p in node.parameters}
    shared = parameters and len(parameters) == len(run[0].parameters)
    kind = run[0].attributes
    return replace(
        run[-1],
        name=run[0].name,
        attributes=f"{kind} ×{len(run)}" if shared else f"{kind} +{len(run) - 1} more {kind}",
        parameters=tuple(parameters.values()),
        **_sums(run),
        members=tuple(member for node in run for member in node.members),
    )


def _sums(nodes: list[Node]) -> dict[str, Any]:
    """What adds up when nodes become one."""
    costs = [node.multiplications for node in nodes if node.multiplications is not None]
    times = [node.seconds for node in nodes if node.seconds is not None]
    back = [node.backward_seconds for node in nodes if node.backward_seconds is not None]
    return {
        "nbytes": sum(node.nbytes for node in nodes),
        "kept_bytes": sum(node.kept_bytes for node in nodes),
        "kept_extra": sum(node.kept_extra for node in nodes),
        "multiplications": sum(costs) if costs else None,
        "seconds": sum(times) if times else None,
        "backward_seconds": sum(back) if back else None,
    }


def _contract(graph: Graph, joined: dict[int, Node]) -> Graph:
    """Put one node in the place of all that it stands for."""
    if not joined:
        return graph
    nodes = {n.id: n for n in (joined.get(node.id, node) for node in graph.nodes)}
    place = {node.id: joined.get(node.id, node).id for node in graph.nodes}
    merged: dict[tuple, Edge] = {}
    for edge in graph.edges:
        source, target = place[edge.source], place[edge.target]
        if source == target:
            continue
        key = (source, target, edge.shape) if (source, target) != (edge.source, edge.target) else (
            edge.source, edge.target, edge.position)  # fmt: skip
        edge = replace(edge, source=source, target=target)
        if key in merged:
            first = merged[key]
            edge = replace(first, count=first.count + edge.count,
                           differentiable=first.differentiable or edge.differentiable)  # fmt: skip
        merged[key] = edge
    return replace(
        graph,
        nodes=tuple(nodes[id] for id in sorted(nodes)),
        edges=tuple(merged.values()),
        outputs=tuple(dict.fromkeys(place[id] for id in graph.outputs)),
        _tape=None,
    )


def _neighbours(graph: Graph) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """The different sources of each node, and its different targets, in order."""
    sources: dict[int, dict[int, None]] = {}
    targets: dict[int, dict[int, None]] = {}
    for edge in graph.edges:
        sources.setdefault(edge.target, {})[edge.source] = None
        targets.setdefault(edge.source, {})[edge.target] = None
    return (
        {node: list(found) for node, found in sources.items()},
        {node: list(found) for node, found in targets.items()},
    )
