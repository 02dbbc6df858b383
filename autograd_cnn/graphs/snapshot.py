"""A copy of a tape without its arrays, quick to make: what a graph is described from later.

A `Twin` has the attributes of a tape's node, so that whatever reads a tape reads twins as well.
Where the node held an array, its twin holds `Held`: which memory, how many bytes, what shape.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..kernels.specs import ConvSpec, PoolSpec
from ..tape import Node, history, node_of
from ..tensor import Tensor


class Held:
    """An array that was there: the identity of its memory, its bytes and its shape.

    `bands` are what `bands_of` says of the array, where that was asked for.
    """

    __slots__ = ("bands", "memory", "nbytes", "shape")

    def __init__(self, array: Any, bands: tuple = ()) -> None:
        self.nbytes, self.shape, self.bands = array.nbytes, array.shape, bands
        base = array.base if type(array) is np.ndarray else getattr(array, "base", None)
        while base is not None and hasattr(base, "nbytes"):
            array, base = base, getattr(base, "base", None)
        self.memory = id(array)

    @property
    def ndim(self) -> int:
        return len(self.shape)


def bands_of(array: Any) -> tuple:
    """The (first, last) entries that each column of a matrix reads, or each number of a list."""
    if isinstance(array, Held):
        return array.bands
    if array.ndim == 1 and array.dtype.kind in "iu":
        return tuple([(i, i) for i in array.tolist()])
    if array.ndim != 2 or min(array.shape) == 0:
        return ()
    there = np.asarray(array.get() if hasattr(array, "get") else array) != 0
    first, last = there.argmax(0), len(there) - 1 - there[::-1].argmax(0)
    pairs = zip(first.tolist(), last.tolist(), there.any(0).tolist(), strict=True)
    return tuple([(a, b) if read else None for a, b, read in pairs])


class Twin:
    """What a recorded operation was, without its arrays."""

    __slots__ = (
        "attributes", "code", "dtype", "instruction", "kept", "name", "parents", "plan",
        "primitive", "requires_grad", "scope", "shape",
    )  # fmt: skip

    def __init__(self, node: Node, twins: dict) -> None:
        primitive = self.primitive = node.primitive
        self.name, self.plan, self.scope = primitive.name, node.plan, node.scope
        self.shape, self.dtype, self.requires_grad = node.shape, node.dtype, node.requires_grad
        self.code, self.instruction = node.code, node.instruction
        self.parents = tuple([twins[parent] for parent in node.parents])
        kept, attributes = node.kept, node.attributes
        self.kept = (
            tuple([Held(value) if type(value) is np.ndarray else _bare(value) for value in kept])
            if type(kept) is tuple
            else None
        )
        for value in attributes.values():
            if type(value) not in _PLAIN:
                attributes = {name: _bare(item) for name, item in attributes.items()}
                break
        self.attributes = attributes
        if self.name == "matmul" and self.kept and self.parents[1] is None:
            slot = node.plan.index.get(primitive.inputs[1])  # a constant: interpolation, perhaps
            if slot is not None:
                held = Held(kept[slot], bands_of(kept[slot]))
                self.kept = (*self.kept[:slot], held, *self.kept[slot + 1 :])


class LeafTwin:
    """What an input, a parameter or a constant was; it has no parents."""

    __slots__ = ("dtype", "name", "requires_grad", "shape")
    parents, kept, attributes, scope = (), (), types.MappingProxyType({}), None
    code, instruction = None, 0

    def __init__(self, leaf: Node) -> None:
        self.name, self.requires_grad = leaf.name, leaf.requires_grad
        self.shape, self.dtype = leaf.shape, leaf.dtype


class Snapshot:
    """The twins of a tape, in order, and what is known of the tensors on it at this moment.

    `roots` are the twins of the outputs' nodes; `owners` has the name of each leaf's tensor that
    is alive, `full_names` those of the parameters of a model; `memory` says in which memory each
    leaf stands; `recorded` are weak references to the nodes themselves.
    """

    def __init__(self, outputs: list[Tensor], model: Any) -> None:
        roots = [node_of(output) for output in outputs]
        tape = history(roots)
        self.outputs = tuple([weakref.ref(output) for output in outputs])
        self.recorded = [weakref.ref(node) for node in tape]
        names = _parameter_names(tape, model)
        self.owners: dict[LeafTwin, str | None] = {}
        self.full_names: dict[LeafTwin, str] = {}
        self.memory: set[int] = set()
        twins: dict[Node | None, Any] = {None: None}
        for node in tape:
            if node.parents:
                twins[node] = Twin(node, twins)
            else:
                twins[node] = self._leaf(node, names)
        self.roots = [twins[root] for root in roots]
        del twins[None]
        self.tape: list[Any] = list(twins.values())

    def nodes(self) -> list[Node | None]:
        """The recorded nodes that are still there."""
        return [reference() for reference in self.recorded]

    def _leaf(self, leaf: Any, names: dict[int, str]) -> LeafTwin:
        twin, owner = LeafTwin(leaf), leaf.tensor()
        if owner is not None:
            self.owners[twin] = owner.name
            self.memory.add(Held(owner._data).memory)
            if id(owner) in names:
                self.full_names[twin] = names[id(owner)]
        return twin


_PLAIN = frozenset((int, float, complex, bool, str, type(None), slice, types.EllipsisType, ConvSpec,
                    PoolSpec))  # fmt: skip


def _bare(value: Any) -> Any:
    """A value without its arrays; what might hide one is left out."""
    kind = type(value)
    if kind is np.ndarray:
        return Held(value, bands_of(value) if value.ndim == 1 and value.dtype.kind == "i" else ())
    if kind in _PLAIN:
        return value
    if kind is tuple:
        if set(map(type, value)) <= _PLAIN:  # a shape, most often
            return value
        return tuple([_bare(item) for item in value])
    if isinstance(value, Tensor):
        return Held(value._data)
    if isinstance(value, (np.generic, np.dtype)):
        return value
    return Held(value) if hasattr(value, "nbytes") and hasattr(value, "shape") else None


def _parameter_names(tape: Iterable[Node], model: Any) -> dict[int, str]:
    """The full names of the parameters of a model and of the modules that were called."""
    scopes = dict.fromkeys([node.scope for node in tape])
    outermost: dict[Any, None] = {} if model is None else {model: None}
    for scope in scopes:
        if scope is None:
            continue
        while scope.parent is not None:
            scope = scope.parent
        module = scope.module() if scope.module is not None else None
        if hasattr(module, "named_parameters"):
            outermost.setdefault(module)
    return {
        id(parameter): name for module in outermost for name, parameter in module.named_parameters()
    }
