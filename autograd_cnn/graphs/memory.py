"""Memory along the tape: what the backward pass needs, and what is alive after each operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..tape import Node as TapeNode
from .model import Graph
from .snapshot import Held

_VIEWS = frozenset(("reshape", "identity", "transpose", "broadcast_to", "flip", "getitem"))


def live_bytes(graph: Graph, taped: bool = False) -> tuple[int, ...]:
    """The bytes of operations' outputs that are alive when each node has just run.

    An output lives until its last reader has run; `taped`, whatever is kept for the backward pass
    lives on. Inputs, parameters and the scratch memory of an operation are not counted.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)     # 8 bytes
    >>> g = ag.graph(ag.exp(ag.sin(ag.sin(x))))
    >>> ag.graphs.live_bytes(g), ag.graphs.live_bytes(g, taped=True)
    ((0, 8, 16, 16), (0, 8, 16, 24))
    """
    place = {node.id: i for i, node in enumerate(graph.nodes)}
    owner = _owners(graph)
    last = {owner[node.id]: i for i, node in enumerate(graph.nodes)}
    for edge in graph.edges:
        own = owner[edge.source]
        last[own] = max(last[own], place[edge.target])
    for id in graph.outputs:
        last[owner[id]] = len(graph.nodes)
    freed = [0] * (len(graph.nodes) + 1)
    alive, result = 0, []
    for i, node in enumerate(graph.nodes):
        if not node.is_input and owner[node.id] == node.id:
            alive += node.nbytes
            if taped and node.output_kept:
                last[node.id] = len(graph.nodes)
            freed[last[node.id]] += node.nbytes
        alive += node.kept_extra if taped else 0
        result.append(alive)
        alive -= freed[i]
    return tuple(result)


def peak_bytes(graph: Graph, taped: bool = False) -> int:
    """The most bytes of outputs alive at once in the forward pass; see `live_bytes`."""
    return max(live_bytes(graph, taped), default=0)


def kept_of(
    tape: Iterable[TapeNode], lives: set[int]
) -> tuple[dict[TapeNode, tuple[int, int]], set[TapeNode]]:
    """(bytes kept, those of them that are no operation's output) by node; whose output is kept.

    The tape is a `Snapshot`'s. An array is told by the memory it stands in, and counts where it is
    kept first: a reshaped array once, those in the memory that `lives` anyway not at all.
    """
    kept: dict[TapeNode, tuple[int, int]] = {}
    held: set[TapeNode] = set()
    seen = set(lives)
    for node in tape:
        if not node.kept:
            continue
        total = extra = 0
        origins = dict(node.plan.origins)
        for slot, value in enumerate(node.kept):
            origin = origins.get(slot)
            makers = () if origin is None else _whose(node, origin)
            for array in (value,) if type(value) is Held else _arrays(value):
                if array.memory not in seen:
                    seen.add(array.memory)
                    total += array.nbytes
                    extra += 0 if makers else array.nbytes
            for maker in makers:
                held.add(_maker(maker))
        kept[node] = total, extra
    return kept, held


def is_alias(node: TapeNode) -> bool:
    """Whether an operation's output is its input's memory under another shape (NumPy's views)."""
    if not node.parents or node.name not in _VIEWS or node.parents[0] is None:
        return False
    if node.name == "getitem":
        index = node.attributes["index"]
        parts = index if isinstance(index, tuple) else (index,)
        return all(isinstance(part, (slice, int, type(None), type(...))) for part in parts)
    return True


def _whose(node: TapeNode, origin: int) -> list[TapeNode]:
    """The nodes whose outputs a slot holds."""
    if origin < 0:
        return [node]
    found = node.parents if node.primitive.variadic else node.parents[origin : origin + 1]
    return [parent for parent in found if parent is not None]


def _maker(node: TapeNode) -> TapeNode:
    """The node whose memory an output stands in."""
    while is_alias(node):
        node = node.parents[0]  # type: ignore[assignment]
    return node


def _arrays(value: Any) -> Iterator[Held]:
    if type(value) is tuple:
        for item in value:
            yield from _arrays(item)
    elif type(value) is Held:
        yield value


def _owners(graph: Graph) -> dict[int, int]:
    """The id of the node whose memory each node's output stands in."""
    first = {}
    for edge in graph.edges:
        if edge.position == 0:
            first.setdefault(edge.target, edge.source)
    owner: dict[int, int] = {}
    for node in graph.nodes:
        source = first.get(node.id) if node.alias else None
        owner[node.id] = owner.get(source, node.id) if source is not None else node.id
    return owner
