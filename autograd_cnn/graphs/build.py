"""From a tape to a description: one iterative walk, ids in the order of the tape.

The walk copies what the tape knows (`Snapshot`); the description is made of that copy when it is
first read.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..errors import RuleError, TapeError
from ..tape import Node as TapeNode
from ..tape import changed, line_text, observe
from ..tensor import Tensor, tensor
from . import describe
from .memory import is_alias, kept_of
from .model import Edge, Graph, Node, Parameter
from .receptive import receptive_fields
from .scopes import Modules
from .snapshot import Snapshot
from .watch import Seen, Watch


@dataclass(frozen=True)
class TapeReference:
    """Where the tape was; it keeps nothing alive."""

    outputs: tuple[weakref.ref, ...]
    nodes: tuple[weakref.ref, ...]


def graph(
    target: Any, *examples: Any, model: Any = None, watch: Watch | bool | None = None
) -> Graph:
    """The computation graph behind tensors, or of a function called with example arguments.

    `target` is a recorded tensor, a container of them, or a function (a module or a Program, which
    needs no examples, too). Parameters
    are rows of the operations that use them: those of the modules that were called and of `model`,
    and the weights and biases of convolutions, linear layers and normalisations anyway. A
    function's tape ends with this call, so its gradients are measured at once. `watch` is a
    `Watch` that saw the tensors being made; for a function `True` makes one.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> g = ag.graph(ag.sum(ag.exp(x) * x))
    >>> [node.name for node in g.nodes]
    ['x', 'exp', 'multiply', 'sum']
    >>> [node.name for node in ag.graph(lambda x: ag.relu(x), [1.0, -1.0]).nodes]
    ['x', 'relu']

    Raises TapeError when nothing was recorded.
    """
    if callable(target) and not isinstance(target, Tensor):
        return _graph_of_function(target, examples, model, Watch() if watch is True else watch)
    if watch is True:
        raise TypeError("tensors were made before: pass the Watch() that saw them, or a function")
    if examples:
        raise TypeError("examples are the arguments of a function; a tensor takes none")
    outputs = list(tree.leaves(target))
    for output in outputs:
        if not isinstance(output, Tensor) or not output.requires_grad or output.is_leaf:
            what = "a leaf" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise TapeError(
                f"graph() needs tensors that recorded operations made, not {what}: does any input "
                "have requires_grad=True, and was it computed outside no_grad()?"
            )
    snapshot = Snapshot(outputs, model)
    if watch:  # it looks at inputs and parameters, which may change
        return _Builder(snapshot, watch).build()
    return Graph.described_by(lambda: _Builder(snapshot, None).build())


def _graph_of_function(
    function: Callable, examples: tuple, model: Any, watch: Watch | None
) -> Graph:
    """Watched in any case: the values of scalars are wanted, and later they would be gone."""
    from .measure import with_gradients
    from .scalar import Scalars, is_scalar, with_derivatives

    if model is None and hasattr(function, "named_parameters"):
        model = function
    if not examples and hasattr(function, "listing"):  # a Program has examples of its own
        examples = tuple(function._examples())
    arguments = [_example(*pair) for pair in zip(examples, _names_of(function), strict=False)]
    scalars = Scalars()
    with changed(recording=True, scope=None), watch or nullcontext(), observe(scalars):
        value = function(*arguments)
    result = graph(value, model=model, watch=watch)
    try:
        if is_scalar(result):
            result = with_derivatives(result, scalars.values)
        return with_gradients(result, watch)
    except (RuleError, TapeError):
        return result


def _example(value: Any, name: str) -> Any:
    """An example argument as a tensor with a gradient, where it can have one."""
    if not isinstance(value, (Tensor, np.ndarray, list, float)):
        return value
    array = tensor(value, name=name)
    if isinstance(value, Tensor) and value.name:
        array.name = value.name
    return array.requires_grad_() if array.dtype.kind in "fc" else array


def _names_of(function: Callable) -> list[str]:
    """The argument names of a function, then as many invented ones as anyone may need."""
    function = getattr(function, "forward", function)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return named + [f"input{i}" for i in range(len(named), 64)]


class _Builder:
    """One build: numbers nodes, parameters and modules in the order they appear."""

    def __init__(self, snapshot: Snapshot, watch: Watch | None) -> None:
        self.snapshot, self.tape, self.watch = snapshot, snapshot.tape, watch
        self.kept, self.held = kept_of(self.tape, snapshot.memory)
        self.keys: dict[TapeNode, int] = {}
        self.lines: dict[tuple, str] = {}
        self.dtypes: dict[Any, str] = {}
        self.plans: dict[int, tuple[tuple[str, ...], set[int]]] = {}
        self.recorded: dict[TapeNode, Any] = {}
        if watch is not None:
            self.recorded = dict(zip(self.tape, snapshot.nodes(), strict=True))

    def build(self) -> Graph:
        known, none = self.snapshot.full_names, ()
        rows: dict[TapeNode, tuple[int, ...]] = {}
        used = dict.fromkeys(self.snapshot.roots)
        for node in self.tape:
            found = rows[node] = describe.parameter_positions(node, known) if node.parents else none
            for position, parent in enumerate(node.parents):
                if parent is not None and position not in found:
                    used[parent] = None
        visible = [node for node in self.tape if node in used]
        self.fields = receptive_fields(visible)
        self.modules = Modules(visible)
        ids = {node: i for i, node in enumerate(visible)}
        nodes, edges = [], []
        for node, i in ids.items():
            nodes.append(self._node(node, i, rows[node]))
            for position, parent in enumerate(node.parents):
                if parent is not None and position not in rows[node]:
                    edges.append(self._edge(ids[parent], i, position, node, parent))
        recorded = dict(zip(self.tape, self.snapshot.recorded, strict=True))
        reference = TapeReference(
            self.snapshot.outputs, tuple([recorded[node] for node in visible])
        )
        places = tuple(dict.fromkeys(ids[root] for root in self.snapshot.roots))
        return Graph(
            tuple(nodes), tuple(edges), tuple(self.modules.records), places, _tape=reference
        )

    def _node(self, node: TapeNode, id: int, rows: tuple[int, ...]) -> Node:
        shape = node.shape
        nbytes = prod(shape) * node.dtype.itemsize
        module, order = self.modules.of(node), self.modules.order(node)
        measured: dict[str, Any] = {}
        if self.watch is not None:
            measured = self._measured(node, self.watch)
        if not node.parents:
            return Node(
                id, "seed" if order else node.name, "input", shape, self._dtype(node.dtype), nbytes,
                module=module, requires_grad=node.requires_grad, order=order,
                receptive_field=self.fields.get(node), **measured,
            )  # fmt: skip
        kept, extra = self.kept.get(node, (0, 0))
        # by position, in the order of the fields: a call with names takes twice as long
        return Node(
            id,
            describe.display_name(node),
            node.primitive.family,
            shape,
            self._dtype(node.dtype),
            nbytes,
            describe.attribute_text(node),
            tuple([self._parameter(node, position) for position in rows]) if rows else (),
            self._plan(node)[0],
            module,
            node.requires_grad,
            describe.multiplications(node) if node.primitive.cost is not None else None,
            self._line(node),
            kept_bytes=kept,
            kept_extra=extra,
            output_kept=node in self.held,
            alias=is_alias(node),
            order=order,
            receptive_field=self.fields.get(node),
            **measured,
        )

    def _edge(self, source: int, target: int, position: int, node: TapeNode, parent: TapeNode):
        shape = parent.shape
        return Edge(
            source,
            target,
            position,
            describe.operand_name(node, position),
            shape,
            prod(shape) * parent.dtype.itemsize,
            position in self._plan(node)[1],
        )

    def _dtype(self, dtype: Any) -> str:
        text = self.dtypes.get(dtype)
        if text is None:
            text = self.dtypes[dtype] = str(dtype)
        return text

    def _plan(self, node: TapeNode) -> tuple[tuple[str, ...], set[int]]:
        """The names of what is kept, and the operands along which a gradient comes back."""
        known = self.plans.get(id(node.plan))
        if known is None:
            flowing = {step[0] for step in node.plan.steps if step[1] is not None}
            known = self.plans[id(node.plan)] = describe.kept_names(node), flowing
        return known

    def _parameter(self, node: TapeNode, position: int) -> Parameter:
        leaf: Any = node.parents[position]
        operand = describe.operand_name(node, position)
        statistic = operand in describe.STATISTICS and node.primitive.family == "normalisation"
        usual = (describe.STATISTICS if statistic else describe.PARAMETERS).get(operand, operand)
        full = self.snapshot.full_names.get(leaf, "")
        return Parameter(
            key=self.keys.setdefault(leaf, len(self.keys)),
            name=full.rpartition(".")[2] or self.snapshot.owners.get(leaf) or usual,
            shape=leaf.shape,
            count=prod(leaf.shape),
            position=position,
            trainable=not statistic,
            nonfinite=self._nonfinite(leaf),
        )

    def _measured(self, node: TapeNode, watch: Watch) -> dict[str, Any]:
        """What the watch saw of an operation; of an input, what it looks like now."""
        recorded = self.recorded[node]
        if not node.parents:
            owner = recorded.tensor()
            seen = None if owner is None else watch.look(owner._data)
        else:
            seen = watch.nodes.get(recorded)
        found = {name: getattr(seen, name) for name in Seen.__slots__} if seen else {}
        return found | {"backward_seconds": watch.backward_seconds.get(recorded)}

    def _nonfinite(self, leaf: TapeNode) -> int | None:
        owner = self.recorded[leaf].tensor() if self.watch is not None else None
        if self.watch is None or owner is None:
            return None
        statistics = self.watch.look(owner._data).statistics
        return None if statistics is None else statistics.nonfinite

    def _line(self, node: TapeNode) -> str:
        place = (node.code, node.instruction)
        line = self.lines.get(place)
        if line is None:
            line = self.lines[place] = line_text(*place)
        return line
