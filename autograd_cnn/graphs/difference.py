"""What differs between two graphs: two models, or one before and after a change.

Operations are paired in order, by their module's path and their name, so that an inserted layer
does not shift those behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from ..errors import shape_text
from .model import Edge, Graph, Module, Node
from .view import View

# difflib's time grows with the square of what is left between the equal ends
LONGEST = 3_000


@dataclass(frozen=True, slots=True)
class Change:
    """An operation that is in both graphs with other attributes, shape, parameters or inputs."""

    before: Node
    after: Node
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Nodes of the second graph that are new, of the first that are gone, and changed pairs.

    `graph` holds the nodes of both, marked, in an order in which edges run to higher ids.
    """

    added: tuple[Node, ...]
    removed: tuple[Node, ...]
    changed: tuple[Change, ...]
    same: int
    graph: Graph

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        lines = [
            f"{len(self.added)} added, {len(self.removed)} removed, {len(self.changed)} changed, "
            f"{self.same} the same"
        ]
        lines += [f"+ {_words(node)}" for node in self.added]
        lines += [f"− {_words(node)}" for node in self.removed]
        lines += [f"± {change.after.name}: {', '.join(change.what)}" for change in self.changed]
        return "\n".join(lines)

    def view(self, **options: Any) -> View:
        """A picture of both graphs: added, removed and changed operations marked."""
        return View(self.graph, **{"fold": False, **options})

    def _repr_svg_(self) -> str | None:
        return self.view()._repr_svg_()


def diff(first: Graph, second: Graph) -> Difference:
    """What the second graph has that the first has not, and the other way round.

    >>> import autograd_cnn as ag
    >>> one = ag.graph(lambda x: ag.exp(ag.relu(x)), [1.0])
    >>> two = ag.graph(lambda x: ag.sin(ag.exp(x)), [1.0])
    >>> print(ag.graphs.diff(one, two))
    1 added, 1 removed, 1 changed, 1 the same
    + sin 1
    − relu 1
    ± exp: input relu → x
    """
    pairs = _paired(first, second)
    merged = _merged_modules(first, second)
    place: dict[tuple[int, int], int] = {}
    for i, pair in enumerate(pairs):
        for side, node in enumerate(pair):
            if node is not None:
                place[side, node.id] = i
    sources = [_sources(graph, side, place) for side, graph in enumerate((first, second))]
    nodes, changed = [], []
    for i, (before, after) in enumerate(pairs):
        mark, node = "", after or before
        assert node is not None
        if before is None or after is None:
            mark = "added" if before is None else "removed"
        else:
            what = _changes(before, after)
            what += _moved(sources[0].get(i, []), sources[1].get(i, []), pairs)
            if what:
                mark = "changed"
                changed.append(Change(before, after, tuple(what)))
                node = replace(after, attributes=_both(before.attributes, after.attributes))
        module = merged[1 if after else 0].get(node.module)
        nodes.append(replace(node, id=i, module=module, mark=mark))
    graph = Graph(
        tuple(nodes),
        tuple(_edges(first, second, place)),
        tuple(merged[2]),
        tuple(dict.fromkeys(place[1, id] for id in second.outputs)),
        note=f"+ {second.name} − {first.name}" if first.name != second.name else "",
    )
    added = tuple(b for a, b in pairs if a is None and b is not None)
    removed = tuple(a for a, b in pairs if b is None and a is not None)
    same = len(pairs) - len(added) - len(removed) - len(changed)
    return Difference(added, removed, tuple(changed), same, graph)


def _paired(first: Graph, second: Graph) -> list[tuple[Node | None, Node | None]]:
    """Both tapes as one: pairs, and single nodes where one of them has nothing."""
    keys = [_keys(first), _keys(second)]
    sizes = [len(side) for side in keys]
    start = 0
    while start < min(sizes) and keys[0][start] == keys[1][start]:
        start += 1
    end = 0
    while end < min(sizes) - start and keys[0][-1 - end] == keys[1][-1 - end]:
        end += 1
    middles = [side[start : len(side) - end] for side in keys]
    if max(map(len, middles)) > LONGEST:
        raise ValueError(
            f"the graphs differ over {max(map(len, middles))} operations; compare collapsed ones: "
            "ag.graphs.diff(ag.graphs.collapse(a), ag.graphs.collapse(b))"
        )
    codes = SequenceMatcher(None, middles[0], middles[1], autojunk=False).get_opcodes()
    blocks = [("equal", 0, start, 0, start)]
    blocks += [(kind, a + start, b + start, c + start, d + start) for kind, a, b, c, d in codes]
    blocks.append(("equal", sizes[0] - end, sizes[0], sizes[1] - end, sizes[1]))
    pairs: list[tuple[Node | None, Node | None]] = []
    for kind, a, b, c, d in blocks:
        left, right = first.nodes[a:b], second.nodes[c:d]
        if kind == "equal":
            pairs += zip(left, right, strict=True)
        else:
            pairs += [(node, None) for node in left]
            pairs += [(None, node) for node in right]
    return pairs


def _keys(graph: Graph) -> list[tuple]:
    """Path and name of each node; a place in a sequence may shift, so numbers are left out."""
    common = _common(graph)
    return [
        (tuple(part for part in graph.path(node.module)[common:] if not part.isdigit()), node.name)
        for node in graph.nodes
    ]


def _common(graph: Graph) -> int:
    """How many names all paths have in front: those of the whole model."""
    paths = [graph.path(node.module) for node in graph.nodes if node.module is not None]
    if not paths:
        return 0
    # all begin alike as far as the first and the last in alphabetical order do
    ends = zip(min(paths), max(paths), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def _changes(before: Node, after: Node) -> list[str]:
    """What a reader would call different about one operation, in words."""
    what = []
    if before.attributes != after.attributes:
        what.append(f"{before.attributes or 'no attributes'} → {after.attributes or 'none'}")
    if before.shape != after.shape:
        what.append(f"{shape_text(before.shape)} → {shape_text(after.shape)}")
    if before.dtype != after.dtype:
        what.append(f"{before.dtype} → {after.dtype}")
    shapes = [{p.name: p.shape for p in node.parameters} for node in (before, after)]
    for name in dict.fromkeys((*shapes[0], *shapes[1])):
        old, new = (shape_text(side[name]) if name in side else "none" for side in shapes)
        if old != new:
            what.append(f"{name} {old} → {new}")
    return what


def _moved(old: list[int], new: list[int], pairs: list) -> list[str]:
    if old == new:
        return []
    before, after = (", ".join((pairs[i][1] or pairs[i][0]).name for i in side) or "nothing"
                     for side in (old, new))  # fmt: skip
    if before == after:
        before, after = f"{before} (removed)", f"{after} (added)"
    return [f"input {before} → {after}"]


def _sources(graph: Graph, side: int, place: dict) -> dict[int, list[int]]:
    """The places in both graphs of what each node reads, by operand."""
    found: dict[int, list[int]] = {}
    for edge in sorted(graph.edges, key=lambda edge: (edge.target, edge.position)):
        found.setdefault(place[side, edge.target], []).append(place[side, edge.source])
    return found


def _edges(first: Graph, second: Graph, place: dict) -> list[Edge]:
    """The edges of both, told apart by their ends and operand."""
    sides: list[dict[tuple, Edge]] = []
    for side, graph in enumerate((first, second)):
        moved = {}
        for edge in graph.edges:
            source, target = place[side, edge.source], place[side, edge.target]
            moved[source, target, edge.position] = replace(edge, source=source, target=target)
        sides.append(moved)
    old, new = sides
    result = [edge if key in old else replace(edge, mark="added") for key, edge in new.items()]
    return result + [replace(edge, mark="removed") for key, edge in old.items() if key not in new]


def _merged_modules(
    first: Graph, second: Graph
) -> tuple[dict[int | None, int | None], dict[int | None, int | None], list[Module]]:
    """Where the modules of each graph are among those of both, by path and call."""
    known: dict[tuple, int] = {}
    records: list[Module] = []
    maps: list[dict[int | None, int | None]] = []
    for graph in (first, second):
        moved: dict[int | None, int | None] = {None: None}
        common = _common(graph)
        for module in graph.modules:
            if len(module.path) <= common:
                moved[module.index] = None
                continue
            parent = moved[module.parent]
            key = (parent, module.name, module.kind, module.call)
            if key not in known:
                known[key] = len(records)
                path = module.path[common:]
                records.append(replace(module, index=len(records), parent=parent, path=path))
            moved[module.index] = known[key]
        maps.append(moved)
    return maps[0], maps[1], records


def _both(before: str, after: str) -> str:
    return after if before == after else f"{before or 'none'} → {after or 'none'}"


def _words(node: Node) -> str:
    return " ".join(part for part in (node.name, node.attributes, shape_text(node.shape)) if part)
