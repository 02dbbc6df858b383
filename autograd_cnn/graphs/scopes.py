"""Which module call, and which backward pass, each node of a tape belongs to.

The engine puts what a rule does into a scope "∂name" of kind "backward" inside the scope of the
forward operation. Here the passes become modules of their own, with the modules of the network
mirrored in them: stem.conv has its ∂stem.∂conv.∂conv2d.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..tape import Node, Scope
from .model import Module

PASSES = ("", "first derivatives", "second derivatives", "third derivatives")


class Modules:
    """Numbers the module calls of a tape in the order in which they appear."""

    def __init__(self, tape: Iterable[Node]) -> None:
        self.records: list[Module] = []
        self.depths: dict[Scope | None, int] = {None: 0}
        self.orders = self._orders(list(tape))
        self.numbers: dict[tuple, int] = {}
        self.calls: dict[tuple, int] = {}

    def order(self, node: Node) -> int:
        """0 in a forward pass, 1 in a recorded backward pass, 2 in the backward pass of that."""
        return self.orders.get(node, 0)

    def of(self, node: Node) -> int | None:
        """The number of the innermost module call around a node; None outside all."""
        order, scope = self.order(node), node.scope
        chain: list[Scope] = []
        while scope is not None and (order, scope) not in self.numbers:
            # the model itself has no name
            if scope.name:
                chain.append(scope)
            scope = scope.parent
        inner = self.numbers[order, scope] if scope is not None else self._pass(order)
        for scope in reversed(chain):
            name = scope.name if scope.kind == "backward" else "∂" * order + scope.name
            inner = self.numbers[order, scope] = self._add(name, scope.kind, inner)
        return inner

    def _pass(self, order: int) -> int | None:
        """The module that holds a whole backward pass."""
        if order == 0:
            return None
        key = (order, None)
        if key not in self.numbers:
            kind = PASSES[order] if order < len(PASSES) else f"derivatives of order {order}"
            name = "backward" if order == 1 else f"backward {order}"
            self.numbers[key] = self._add(name, kind, None)
        return self.numbers[key]

    def _add(self, name: str, kind: str, parent: int | None) -> int:
        call = self.calls[parent, name] = self.calls.get((parent, name), 0) + 1
        around = self.records[parent].path if parent is not None else ()
        call = 1 if kind == "backward" else call
        number = len(self.records)
        self.records.append(Module(number, name, kind, parent, (*around, name), call))
        return number

    def _orders(self, tape: list[Node]) -> dict[Node, int]:
        orders: dict[Node, int] = {}
        for node in tape:
            order = 0 if not node.parents else self._depth(node.scope)
            if order == 0 and node.name == "add":
                order = _of_sum(node, orders)
            if order:
                orders[node] = order
        return orders | _seeds(tape, orders)

    def _depth(self, scope: Scope | None) -> int:
        """How many backward scopes a scope is in, itself included."""
        chain = []
        while scope not in self.depths:
            assert scope is not None
            chain.append(scope)
            scope = scope.parent
        depth = self.depths[scope]
        for scope in reversed(chain):
            depth += scope.kind == "backward"
            self.depths[scope] = depth
        return depth


def is_pass(module: Module) -> bool:
    """Whether a module holds a whole recorded backward pass."""
    return module.parent is None and "derivatives" in module.kind


def _of_sum(node: Node, orders: dict[Node, int]) -> int:
    """The engine sums a tensor's gradients outside every rule, at the line of the same call."""
    place = (node.code, node.instruction)
    parents = [p for p in node.parents if p is not None and (p.code, p.instruction) == place]
    return max((orders.get(parent, 0) for parent in parents), default=0)


def _seeds(tape: list[Node], orders: dict[Node, int]) -> dict[Node, int]:
    """Unnamed constants that only backward passes read: the gradients they start from."""
    found: dict[Any, int] = {}
    if not orders:
        return found
    for node in tape:
        for parent in node.parents:
            if parent is None or parent.parents or parent.name != "input":
                continue
            if not parent.requires_grad:
                found[parent] = min(found.get(parent, 99), orders.get(node, 0))
    return {leaf: order for leaf, order in found.items() if order}
