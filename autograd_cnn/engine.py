"""Going backward: one loop over a heap of sequence numbers, no recursion.

Rules are looked up here, when going backward, so one recorded tape can be run back under different
rules. The contributions of a tensor's consumers are summed before its own rule sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any

import numpy as np

from .errors import RuleError, ShapeError, TapeError, shape_text
from .kernels import provider_for
from .primitive import TABLE, steps_of
from .tape import Leaf, Node, Scope, changed, history, node_of
from .tensor import Tensor


def gradients(outputs: Any, inputs: Any, seeds: Any = None, create_graph: bool = False) -> Any:
    """Gradients of recorded outputs with respect to any recorded tensors.

    Formula: Σ_k seeds_kᵀ ∂outputs_k/∂input, in each input's shape. `inputs` may be leaves or
    intermediate tensors: the tape is cut there. One tensor gives one gradient, a list a list. A
    seed defaults to 1 for a scalar output. An input that the outputs do not depend on gets zeros.
    The tape is kept, so it can be run back again, under other rules (`override`) too; with
    `create_graph` the result is itself recorded and can be differentiated.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> hidden = x * x
    >>> ag.gradients(ag.sum(hidden * hidden), [x, hidden])[1].numpy().tolist()
    [2.0, 8.0]

    Raises TapeError for an input that was not recorded, ShapeError for a seed that does not fit.
    """
    output_list = _as_list(outputs)
    input_list = _as_list(inputs)
    if isinstance(outputs, (list, tuple)):
        seed_list = [None] * len(output_list) if seeds is None else list(seeds)
    else:
        seed_list = [seeds]
    if len(seed_list) != len(output_list):
        raise ShapeError(f"{len(output_list)} outputs but {len(seed_list)} seeds")
    for tensor in input_list:
        if not isinstance(tensor, Tensor) or not tensor.requires_grad:
            raise TapeError(
                "a gradient was asked with respect to something that is not on the tape; "
                "make it with ag.tensor(..., requires_grad=True)"
            )
    roots = [
        (node_of(output), _seed(output, seed, create_graph))
        for output, seed in zip(output_list, seed_list, strict=True)
        if output.requires_grad
    ]
    targets = [node_of(tensor) for tensor in input_list]
    found = run_backward(roots, targets, create_graph)
    results = []
    for tensor, node in zip(input_list, targets, strict=True):
        gradient = found.get(node)
        if gradient is None:
            gradient = provider_for([tensor._data]).xp.zeros(tensor.shape, tensor.dtype)
        results.append(gradient if isinstance(gradient, Tensor) else Tensor._make(gradient, None))
    return results if isinstance(inputs, (list, tuple)) else results[0]


def backward(tensor: Tensor, gradient: Any, create_graph: bool, retain_graph: bool) -> None:
    """Add gradients to the `.grad` of every leaf that `tensor` depends on."""
    if not tensor.requires_grad:
        raise TapeError(
            "backward() on a tensor that is not on the tape: none of its inputs has "
            "requires_grad=True, or it was computed under no_grad()"
        )
    roots = [(node_of(tensor), _seed(tensor, gradient, create_graph))]
    found = run_backward(roots, None, create_graph, free=not (retain_graph or create_graph))
    for leaf, g in found.items():
        owner = leaf.tensor() if isinstance(leaf, Leaf) else None
        if owner is not None:
            g = g if isinstance(g, Tensor) else Tensor._make(g, None)
            owner.grad = g if owner.grad is None else owner.grad + g


def run_backward(
    roots: list[tuple[Node, Any]],
    targets: Iterable[Node] | None,
    create_graph: bool = False,
    free: bool = False,
) -> dict[Node, Any]:
    """The gradients that reach `targets` (None: every leaf), by node.

    Gradients are arrays, or tensors when `create_graph`; `free` drops the kept values on the way.
    """
    wanted = None if targets is None else set(targets)
    with changed(recording=create_graph) as context:
        gradients: dict[Node, Any] = {}
        heap: list[tuple[int, Node]] = []
        observers, rules = context.observers, context.rules
        needed = None if wanted is None else _leading_to(wanted, dict(roots))
        found: dict[Node, Any] = {}
        contributions = roots
        while True:
            for parent, contribution in contributions:
                if parent in gradients:
                    gradients[parent] = TABLE["add"](gradients[parent], contribution)
                else:
                    gradients[parent] = contribution
                    heappush(heap, (-parent.sequence, parent))
            if not heap:
                return found
            node = heappop(heap)[1]
            g, contributions = gradients.pop(node), ()
            if node in wanted if wanted is not None else type(node) is Leaf:
                found[node] = g
            if type(node) is Leaf:
                continue
            if create_graph:
                contributions = _pull_recorded(node, g, needed, rules)
            else:
                contributions = _pull(node, g, node.values(), needed, rules)
            for observer in observers:
                if hasattr(observer, "backward"):
                    observer.backward(node, g, contributions)
            if free:
                node.kept = None


def _leading_to(targets: set[Node], roots: Iterable[Node]) -> set[Node]:
    """The nodes between the roots and the targets: only their rules need to run."""
    first = min((node.sequence for node in targets), default=0)
    needed = set(targets)
    for node in history(roots, first):
        if not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed


def _pull_recorded(node: Node, g: Any, needed: set[Node] | None, rules: Any) -> list:
    """`_pull`, on tensors and in a scope of its own: the gradients can be differentiated."""
    with changed(scope=Scope(f"∂{node.name}", "backward", node.scope)):
        return _pull(node, g, lifted_values(node), needed, rules)


def _pull(node: Node, g: Any, kept: Any, needed: set[Node] | None, rules: Any) -> list:
    """Run the rules of one node: (parent, its gradient) for each input that wants one."""
    overriding = rules.get(node.primitive.name) if rules else None
    steps = steps_of(node, overriding) if overriding else node.plan.steps
    result = []
    for position, rule, where, take in steps:
        parent = node.parents[position]
        if rule is None or parent is None or (needed is not None and parent not in needed):
            continue
        try:
            arguments = take(kept) if take else arguments_of(where, kept, node, position)
            gradient = rule.formula(g, *arguments)
        except Exception as error:
            raise RuleError(
                f"{type(error).__name__}: {error} — in the backward rule of {node.name} for "
                f"{node.primitive.input_name(position)}, recorded at {node.line}"
            ) from error
        if gradient is not None:
            if type(gradient) is float or (
                gradient.shape != parent.shape or gradient.dtype != parent.dtype
            ):
                gradient = fit(gradient, parent, node, position)
            result.append((parent, gradient))
    return result


def arguments_of(where: tuple, kept: Any, node: Node, position: int) -> list:
    """What a rule reads: kept values by slot, attributes by name."""
    return [
        kept[place] if type(place) is int
        else position if place == "position"
        else node.attributes[place]
        for place in where
    ]  # fmt: skip


def lifted_values(node: Node) -> list:
    """The kept values of a node as tensors that stand where they stood on the tape."""
    kept: list = list(node.values())
    for slot, origin in node.plan.origins:
        if origin < 0:
            kept[slot] = Tensor._make(kept[slot], node)
        elif node.primitive.variadic:
            kept[slot] = tuple(
                value if parent is None else Tensor._make(value, parent)
                for value, parent in zip(kept[slot], node.parents, strict=True)
            )
        elif origin < len(node.parents) and node.parents[origin] is not None:
            kept[slot] = Tensor._make(kept[slot], node.parents[origin])
    return kept


def fit(gradient: Any, parent: Any, node: Node, position: int) -> Any:
    """Give a contribution the shape and dtype of the input it belongs to.

    An elementwise operation broadcasts its inputs, so its gradient is summed back.
    """
    if not hasattr(gradient, "dtype"):
        gradient = np.asarray(gradient, parent.dtype)
    if gradient.shape != parent.shape:
        try:
            joint = np.broadcast_shapes(gradient.shape, parent.shape)
        except ValueError:
            joint = None
        if joint == gradient.shape and node.primitive.kind == "elementwise":
            gradient = TABLE["sum_to"](gradient, shape=parent.shape)
        elif joint == parent.shape:
            gradient = TABLE["broadcast_to"](gradient, shape=parent.shape)
        elif joint == gradient.shape and node.primitive.family == "custom":
            gradient = TABLE["sum_to"](gradient, shape=parent.shape)
        else:
            raise RuleError(
                f"the backward rule of {node.name} for {node.primitive.input_name(position)} gave "
                f"{shape_text(gradient.shape)} where the input is {shape_text(parent.shape)} "
                f"(recorded at {node.line})"
            )
    if gradient.dtype != parent.dtype:
        gradient = TABLE["astype"](gradient, dtype=parent.dtype)
    return gradient


def _seed(output: Tensor, seed: Any, create_graph: bool) -> Any:
    """The gradient to start from, checked against the output's shape."""
    xp = provider_for([output._data]).xp
    if seed is None:
        if output.size != 1:
            raise ShapeError(
                f"an output of shape {shape_text(output.shape)} needs a seed (the gradient "
                "to start from): only a scalar has the seed 1 by itself"
            )
        seed = xp.ones(output.shape, output.dtype)
    if isinstance(seed, Tensor):
        seed = seed if create_graph else seed._data
    else:
        seed = xp.asarray(seed, output.dtype)
    if seed.shape != output.shape:
        raise ShapeError(
            f"the seed is {shape_text(seed.shape)}, the output is {shape_text(output.shape)}"
        )
    if seed.dtype != output.dtype:
        seed = TABLE["astype"](seed, dtype=output.dtype)
    return Tensor._make(seed, None) if create_graph and not isinstance(seed, Tensor) else seed


def _as_list(value: Any) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
