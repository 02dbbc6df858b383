"""Memory along the tape: what the backward pass needs, and what is alive after each operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..tape import Leaf
from ..tape import Node as TapeNode
from .model import Graph

_VIEWS = ("reshape", "identity", "transpose", "broadcast_to", "flip")


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
    tape: Iterable[TapeNode],
) -> tuple[dict[TapeNode, tuple[int, int]], dict[TapeNode, None]]:
    """(bytes kept, those of them that are no operation's output) by node; whose output is kept.

    An array is told by the memory it stands in, and counts where it is kept first: a reshaped
    array once, inputs and parameters not at all.
    """
    kept: dict[TapeNode, tuple[int, int]] = {}
    held: dict[TapeNode, None] = {}
    seen: set[int] = set()
    nodes = list(tape)
    for node in nodes:
        if isinstance(node, Leaf):
            owner: Any = node.tensor()
            if owner is not None:
                seen.add(id(_memory(owner._data)))
    for node in nodes:
        if isinstance(node, Leaf) or type(node.kept) is not tuple:
            continue
        total = extra = 0
        outputs = {slot: list(_whose(node, slot, origin)) for slot, origin in node.plan.origins}
        for slot, value in enumerate(node.kept):
            for array in _arrays(value):
                memory = _memory(array)
                if id(memory) not in seen:
                    seen.add(id(memory))
                    total += array.nbytes
                    extra += 0 if outputs.get(slot) else array.nbytes
            held |= {_maker(whose): None for whose in outputs.get(slot, ())}
        kept[node] = total, extra
    return kept, held


def is_alias(node: TapeNode) -> bool:
    """Whether an operation's output is its input's memory under another shape (NumPy's views)."""
    if isinstance(node, Leaf) or node.parents[0] is None:
        return False
    if node.primitive.name == "getitem":
        index = node.attributes["index"]
        parts = index if isinstance(index, tuple) else (index,)
        return all(isinstance(part, (slice, int, type(None), type(...))) for part in parts)
    return node.primitive.name in _VIEWS


def _whose(node: TapeNode, slot: int, origin: int) -> Iterator[TapeNode]:
    if origin < 0:
        yield node
    elif node.primitive.variadic:
        yield from (parent for parent in node.parents if parent is not None)
    elif origin < len(node.parents) and node.parents[origin] is not None:
        yield node.parents[origin]  # type: ignore[misc]


def _maker(node: TapeNode) -> TapeNode:
    """The node whose memory an output stands in."""
    while is_alias(node):
        node = node.parents[0]  # type: ignore[assignment]
    return node


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _arrays(item)
    elif hasattr(value, "nbytes"):
        yield value


def _memory(array: Any) -> Any:
    while getattr(array, "base", None) is not None and hasattr(array.base, "nbytes"):
        array = array.base
    return array


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
