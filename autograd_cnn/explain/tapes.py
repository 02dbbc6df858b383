"""The part of a tape that lies between two tensors."""

from __future__ import annotations

from ..tape import Node, history, node_of
from ..tensor import Tensor


def between(start: Tensor, end: Tensor) -> list[Node]:
    """The nodes that depend on `start` and that `end` was made from, as they were recorded."""
    first = node_of(start)
    depending = {first: None}
    for node in history([node_of(end)]):
        if any(parent in depending for parent in node.parents):
            depending[node] = None
    return list(depending)
