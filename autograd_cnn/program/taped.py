"""A compiled function whose answer stays on the tape: one node, whose rule is a replay too.

While recording, the engine goes back from the answers with stand-ins for their gradients, and that
is written down as well. What lies after that point is the backward replay; what it reads from
before is handed over and kept by the node. One backward pass runs it once for each answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from ..engine import run_backward
from ..errors import ProgramError
from ..primitive import Primitive
from ..tape import Leaf, current, history, node_of
from ..tensor import Tensor
from . import instrument
from .listing import Instruction, Slot
from .traced import Traced, plain


class Taped:
    """The way back through a recorded function, from its answers to the leaves that it read."""

    def __init__(self, name: str, recorder: Any, answers: list[Tensor]) -> None:
        self.name, self.answers = name, answers
        self.rules = rules_in_force()
        self.first = len(recorder.types)  # slots from here on belong to the backward replay
        leaves = [tensor for tensor, fact in recorder.reads.values() if fact[-1]]
        nodes: list[Any] = [answer._node for answer in answers]
        data = [instrument.DATA.__get__(answer) for answer in answers]
        seeds = [recorder.traced(np.ones(a.shape, a.dtype)) for a in data]
        roots = list(zip(nodes, seeds, strict=True))
        found = run_backward(roots, [node_of(tensor) for tensor in leaves])
        self.leaves = [tensor for tensor in leaves if node_of(tensor) in found]
        self.nodes = [node_of(tensor) for tensor in self.leaves]
        self.seeds = [seed.slot for seed in seeds]
        self.forms = [(array.shape, array.dtype) for array in data]
        gradients = [found[node] for node in self.nodes]
        self.gradients = [
            g.slot if isinstance(g, Traced) else recorder.constant(g).slot for g in gradients
        ]
        unwrap(nodes)
        self.ways = [self._way(node) for node in nodes]

    def _way(self, node: Any) -> tuple[Primitive, list[int]]:
        """The primitive that one answer is recorded as, and which leaves it depends on."""
        before = set(history([node]))
        places = [k for k, leaf in enumerate(self.nodes) if leaf in before]
        names = [f"leaf{number}" for number in range(len(places))]

        def kernel(*leaves: Any) -> Any:
            raise ProgramError(f"{self.name} is a replay of its own, and no operation")

        kinds = [Parameter(name, Parameter.POSITIONAL_ONLY) for name in names]
        kernel.__signature__ = Signature(kinds)  # type: ignore[attr-defined]
        rules = {name: _rule(place) for name, place in zip(names, places, strict=True)}
        primitive = Primitive(
            f"compiled {self.name}", rules, kernel=kernel, family="custom", extras=("way",)
        )
        return primitive, places

    def divide(
        self, instructions: list[Instruction], gradients: list[Slot]
    ) -> tuple[list[Instruction], list[Instruction], list[Slot]]:
        """The steps of the forward and of the backward replay, and the slots handed over.

        ProgramError where going backward does more than compute.
        """
        there, back = [], []
        for step in instructions:
            late = bool(step.outputs) and step.outputs[0].number >= self.first
            (back if late else there).append(step)
            reads_late = any(slot.number >= self.first for slot in step.reads)
            if (late and not step.pure) or (reads_late and not late):
                raise ProgramError(
                    f"going back through {self.name} looks at values or draws seeds, which a "
                    "replay cannot; compile the whole step, with backward() in it"
                )
        made = {slot for step in back for slot in step.outputs}
        reads = dict.fromkeys([*(slot for step in back for slot in step.reads), *gradients])
        own = made.union(self.seeds)
        return there, back, [slot for slot in reads if slot not in own]

    def start(self, backward: Callable, kept: tuple, leaves: tuple) -> Callable:
        """What makes the answers of one replay: (number, array) → tensor."""
        return lambda number, array: self.tensor(
            number, array, leaves, _Replayed(self, number, partial(backward, *kept))
        )

    def recorded(self, number: int) -> Tensor:
        """An answer of the recording itself; the way back is its own tape."""
        answer = self.answers[number]
        array = np.asarray(instrument.DATA.__get__(answer).value)
        leaves = tuple(self.leaves)
        return self.tensor(number, array, leaves, _Recorded(self, number, answer._node))

    def tensor(self, number: int, array: Any, leaves: tuple, way: _Way) -> Tensor:
        """An array as a tensor with one node behind it."""
        primitive, places = self.ways[number]
        parents = tuple(node_of(leaves[place]) for place in places)
        arrays = [leaves[place]._data for place in places]
        mask = (1 << len(places)) - 1
        node = primitive._record(parents, arrays, {}, array, (way,), mask, current())
        return Tensor._make(array, node)

    def forget(self) -> None:
        """Let go of the recording's answers, and of the arguments it was given."""
        self.answers, self.leaves, self.nodes = [], [], []


class _Way:
    """The gradients of all leaves from that of one answer, computed when first asked for."""

    def __init__(self, taped: Taped, number: int) -> None:
        self.taped, self.number = taped, number
        self.g: Any = None
        self.found: list[Any] = []

    def gradient(self, g: Any, place: int) -> Any:
        """The gradient of the leaf at a place; what is handed out is not kept."""
        if isinstance(g, Tensor):
            raise ProgramError(
                f"a second derivative through {self.taped.name}, which is compiled: compile the "
                "function that takes the first one, or call it uncompiled"
            )
        if self.taped.rules != rules_in_force():
            raise ProgramError(
                f"{self.taped.name} was recorded under other rules than it is gone back through; "
                "call it inside the same ag.override"
            )
        if self.g is not g or self.found[place] is None:
            self.g, self.found = g, list(self.all(g))
        found, self.found[place] = self.found[place], None
        if all(each is None for each in self.found):
            self.g = None
        return found

    def all(self, g: Any) -> Any:
        raise NotImplementedError


class _Replayed(_Way):
    """Through the backward replay."""

    def __init__(self, taped: Taped, number: int, backward: Callable) -> None:
        super().__init__(taped, number)
        self.backward = backward

    def all(self, g: Any) -> Any:
        forms = enumerate(self.taped.forms)
        return self.backward(*(g if k == self.number else np.zeros(*form) for k, form in forms))


class _Recorded(_Way):
    """Through the tape of the recording."""

    def __init__(self, taped: Taped, number: int, node: Any) -> None:
        super().__init__(taped, number)
        self.node, self.leaves = node, taped.nodes

    def all(self, g: Any) -> Any:
        found = run_backward([(self.node, g)], self.leaves)
        return [found.get(leaf) for leaf in self.leaves]


@contextmanager
def cut_off(values: list[Any], recorder: Any) -> Iterator[None]:
    """Let arguments that are on a tape be leaves inside the block.

    ProgramError where the function goes back to them: what is before them would get no gradients.
    """
    cut = [
        (value, value._node) for value in values if isinstance(value, Tensor) and not value.is_leaf
    ]
    for value, _ in cut:
        value._node = Leaf(value)
    try:
        yield
    finally:
        for value, node in cut:
            value._node = node
    for value, _ in cut:
        if id(value) in recorder.gradients or any(
            step.kind == "grad" and step.target is value for step in recorder.instructions
        ):
            raise ProgramError(
                f"backward() goes back to {value.name or 'an argument'}, which is on a tape "
                "outside that a replay does not see; give detach() of it"
            )


def unwrap(nodes: list[Any]) -> None:
    """Let a recorded tape hold arrays, so that the recording's own answer can use it."""
    for node in history(nodes):
        if isinstance(node, Leaf):
            continue
        if node.kept is not None and not isinstance(node.kept, tuple):
            raise ProgramError(
                "the function returns a tensor with a tape behind it that holds a checkpoint; put "
                "ag.checkpoint around the compiled function"
            )
        node.kept, node.attributes = plain(node.kept), plain(node.attributes)


def rules_in_force() -> dict[str, int]:
    """The rules of the surrounding `ag.override`, by identity."""
    return {name: id(rule) for name, rule in (current().rules or {}).items()}


def _rule(place: int) -> Callable:
    return lambda g, way: way.gradient(g, place)
