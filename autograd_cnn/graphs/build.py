"""From a tape to a description: one iterative walk, ids in the order of the tape."""

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
from ..tape import Leaf, changed, history, line_text, node_of, observe
from ..tape import Node as TapeNode
from ..tensor import Tensor, tensor
from . import describe
from .memory import is_alias, kept_of
from .model import Edge, Graph, Node, Parameter
from .receptive import receptive_fields
from .scopes import Modules
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
    roots = [node_of(output) for output in outputs]
    tape = history(roots)
    return _Builder(tape, _parameter_names(tape, model), watch or None).build(roots, outputs)


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
        return with_gradients(result)
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


def _parameter_names(tape: list[TapeNode], model: Any) -> dict[int, str]:
    """The full names of the parameters of a model and of the modules that were called."""
    scopes = dict.fromkeys(node.scope for node in tape if node.scope is not None)
    outermost: dict[Any, None] = {} if model is None else {model: None}
    for scope in scopes:
        while scope.parent is not None:
            scope = scope.parent
        module = scope.module() if scope.module is not None else None
        if hasattr(module, "named_parameters"):
            outermost.setdefault(module)
    return {
        id(parameter): name for module in outermost for name, parameter in module.named_parameters()
    }


class _Builder:
    """One build: numbers nodes, parameters and modules in the order they appear."""

    def __init__(self, tape: list[TapeNode], names: dict[int, str], watch: Watch | None) -> None:
        self.tape, self.names, self.known = tape, names, frozenset(names)
        self.watch = watch
        self.kept, self.held = kept_of(tape)
        self.keys: dict[TapeNode, int] = {}
        self.lines: dict[tuple, str] = {}
        self.dtypes: dict[Any, str] = {}
        self.plans: dict[int, tuple[str, ...]] = {}

    def build(self, roots: list[TapeNode], outputs: list[Tensor]) -> Graph:
        rows = {node: describe.parameter_positions(node, self.known) for node in self.tape}
        used = dict.fromkeys(roots)
        for node in self.tape:
            for position, parent in enumerate(node.parents):
                if parent is not None and position not in rows[node]:
                    used[parent] = None
        visible = [node for node in self.tape if node in used]
        self.fields = receptive_fields(visible)
        self.modules = Modules(visible)
        ids = {node: i for i, node in enumerate(visible)}
        nodes = tuple(self._node(node, i, rows[node]) for node, i in ids.items())
        edges = tuple(
            _edge(ids[parent], ids[node], position, node, parent)
            for node in visible
            for position, parent in enumerate(node.parents)
            if parent is not None and position not in rows[node]
        )
        reference = TapeReference(
            tuple(weakref.ref(output) for output in outputs),
            tuple(weakref.ref(node) for node in visible),
        )
        places = tuple(dict.fromkeys(ids[root] for root in roots))
        return Graph(nodes, edges, tuple(self.modules.records), places, _tape=reference)

    def _node(self, node: TapeNode, id: int, rows: list[int]) -> Node:
        shape, primitive = tuple(node.shape), getattr(node, "primitive", None)
        dtype = self._dtype(node.dtype)
        order = self.modules.order(node)
        measured: dict[str, Any] = {}
        if self.watch is not None:
            seen = self._seen(node, self.watch)
            measured = {name: getattr(seen, name) for name in Seen.__slots__} if seen else {}
        if primitive is None:
            return Node(
                id, "seed" if order else node.name, "input", shape, dtype,
                prod(shape) * node.dtype.itemsize, module=self.modules.of(node),
                requires_grad=node.requires_grad, order=order,
                receptive_field=self.fields.get(node), **measured,
            )  # fmt: skip
        kept, extra = self.kept.get(node, (0, 0))
        return Node(
            id=id,
            name=describe.display_name(node),
            family=primitive.family,
            shape=shape,
            dtype=dtype,
            nbytes=prod(shape) * node.dtype.itemsize,
            attributes=describe.attribute_text(node),
            parameters=tuple([self._parameter(node, position) for position in rows]),
            kept=self._kept_names(node),
            module=self.modules.of(node),
            requires_grad=node.requires_grad,
            multiplications=describe.multiplications(node),
            source=self._line(node),
            kept_bytes=kept,
            kept_extra=extra,
            output_kept=node in self.held,
            alias=is_alias(node),
            order=order,
            receptive_field=self.fields.get(node),
            **measured,
        )

    def _dtype(self, dtype: Any) -> str:
        text = self.dtypes.get(dtype)
        if text is None:
            text = self.dtypes[dtype] = str(dtype)
        return text

    def _kept_names(self, node: TapeNode) -> tuple[str, ...]:
        names = self.plans.get(id(node.plan))
        if names is None:
            names = self.plans[id(node.plan)] = describe.kept_names(node)
        return names

    def _parameter(self, node: TapeNode, position: int) -> Parameter:
        leaf: Any = node.parents[position]
        owner = leaf.tensor()
        full = self.names.get(id(owner), "") if owner is not None else ""
        operand = describe.operand_name(node, position)
        statistic = operand in describe.STATISTICS and node.primitive.family == "normalisation"
        usual = (describe.STATISTICS if statistic else describe.PARAMETERS).get(operand, operand)
        return Parameter(
            key=self.keys.setdefault(leaf, len(self.keys)),
            name=full.rpartition(".")[2] or (owner is not None and owner.name) or usual,
            shape=tuple(leaf.shape),
            count=prod(leaf.shape),
            position=position,
            trainable=not statistic,
            nonfinite=self._nonfinite(owner),
        )

    def _seen(self, node: TapeNode, watch: Watch) -> Seen | None:
        """What the watch saw of an operation; of an input, what it looks like now."""
        if isinstance(node, Leaf):
            owner = node.tensor()
            return None if owner is None else watch.look(owner._data)
        return watch.nodes.get(node)

    def _nonfinite(self, owner: Any) -> int | None:
        if self.watch is None or owner is None:
            return None
        statistics = self.watch.look(owner._data).statistics
        return None if statistics is None else statistics.nonfinite

    def _line(self, node: TapeNode) -> str:
        place = (node.code, node.instruction)
        if place not in self.lines:
            self.lines[place] = line_text(*place)
        return self.lines[place]


def _edge(source: int, target: int, position: int, node: TapeNode, parent: TapeNode) -> Edge:
    shape = tuple(parent.shape)
    nbytes = prod(shape) * parent.dtype.itemsize
    operand = describe.operand_name(node, position)
    flows = any(place == position and rule is not None for place, rule, _ in node.plan.steps)
    return Edge(source, target, position, operand, shape, nbytes, flows)
