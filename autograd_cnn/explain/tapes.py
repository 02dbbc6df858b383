"""The part of a tape that lies between two tensors."""

from __future__ import annotations

from ..tape import Node, node_of
from ..tensor import Tensor


def between(start: Tensor, end: Tensor) -> list[Node]:
    """The nodes from `start` to `end`, both among them, in the order they were recorded."""
    first = node_of(start)
    depending = {first}
    for node in ancestors(end):
        if not depending.isdisjoint(node.parents):
            depending.add(node)
    return sorted(depending, key=lambda node: node.sequence)


def ancestors(end: Tensor) -> list[Node]:
    """Everything that `end` was made from, and what made it, in the order of recording."""
    seen = {node_of(end)}
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.sequence)
