"""Functions to functions: gradients, products with Jacobians, second derivatives.

Arguments may be tensors, arrays, numbers or nested containers of them; results have the same
structure. Every transform nests in every other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from . import tree
from .engine import arguments_of, fit, gradients, lifted_values
from .errors import DTypeError, ShapeError, shape_text
from .primitive import TABLE
from .tape import Leaf, Node, changed, current, history, node_of
from .tensor import Tensor, tensor


def grad(f: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """The function that computes the gradient of a scalar-valued `f`.

    With respect to the argument (or a tuple of them) at `argnums`. With `has_aux`, `f` returns
    (value, anything) and the result is (gradient, anything).

    >>> import autograd_cnn as ag
    >>> float(ag.grad(lambda x: x**3)(2.0))
    12.0

    Raises ShapeError when `f` does not return a scalar.
    """
    both = value_and_grad(f, argnums, has_aux)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


def value_and_grad(
    f: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable:
    """The function that computes (value, gradient) of a scalar-valued `f`. See `grad`."""

    def both(*args: Any, **kwargs: Any) -> Any:
        run = _Run(f, args, kwargs, argnums)
        value = run.output[0] if has_aux else run.output
        if not isinstance(value, Tensor) or value.size != 1:
            what = shape_text(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ShapeError(f"grad needs a function with a scalar value, this one gave {what}")
        found = gradients([value], run.inputs, [None], create_graph=run.nested)
        result = run.rebuild(found)
        value = run.release(value)
        return ((value, run.release(run.output[1])) if has_aux else value), result

    return both


def vjp(f: Callable, *args: Any) -> tuple[Any, Callable]:
    """f(*args), and the function from a cotangent v of the output to vᵀJ for every argument.

    >>> import autograd_cnn as ag
    >>> y, pull = ag.vjp(lambda x: x * x, ag.tensor([1.0, 2.0]))
    >>> pull(ag.tensor([1.0, 10.0]))[0].numpy().tolist()
    [2.0, 40.0]
    """
    run = _Run(f, args, {}, tuple(range(len(args))))
    outputs = [leaf for leaf in tree.leaves(run.output) if isinstance(leaf, Tensor)]

    def pull(cotangent: Any) -> Any:
        seeds = list(tree.leaves(cotangent))
        return run.rebuild(
            gradients(outputs, run.inputs, seeds, create_graph=run.nested or current().nested)
        )

    return run.release(run.output), pull


def jvp(f: Callable, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """f(*primals), and its directional derivative J·tangents, in forward mode.

    The rules come from the same table: an elementwise formula is its own transpose, a linear
    operation is applied to the tangent, anything else is transposed twice.

    >>> import autograd_cnn as ag
    >>> y, t = ag.jvp(lambda x: x * x, (ag.tensor([1.0, 2.0]),), (ag.tensor([1.0, 10.0]),))
    >>> t.numpy().tolist()
    [2.0, 40.0]

    Raises ShapeError when a tangent does not have its primal's shape.
    """
    run = _Run(f, tuple(primals), {}, tuple(range(len(primals))))
    directions = [_lift(leaf) for leaf in tree.leaves(list(tangents))]
    if [t.shape for t in directions] != [x.shape for x in run.inputs]:
        raise ShapeError(
            f"tangents {[shape_text(t.shape) for t in directions]} for primals "
            f"{[shape_text(x.shape) for x in run.inputs]}"
        )
    nested = run.nested or any(t.requires_grad for t in directions)
    found = {
        node_of(x): t if t.dtype == x.dtype else t.astype(x.dtype)
        for x, t in zip(run.inputs, directions, strict=True)
    }
    outputs, rebuild = tree.flatten(run.output)
    with changed(recording=nested, nested=nested):
        _push_all(found, [node_of(y) for y in outputs if isinstance(y, Tensor)])
        results = [
            found.get(node_of(y), Tensor(np.zeros(y.shape, y.dtype)))
            if isinstance(y, Tensor) else None
            for y in outputs
        ]  # fmt: skip
    return run.release(run.output), rebuild(results)


def jacobian(f: Callable, argnums: int = 0) -> Callable:
    """The function that computes the whole Jacobian, shaped output + input.

    >>> import autograd_cnn as ag
    >>> ag.jacobian(lambda x: x * x)(ag.tensor([1.0, 2.0])).numpy().tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """

    def whole(*args: Any, **kwargs: Any) -> Any:
        run = _Run(f, args, kwargs, argnums)
        if not isinstance(run.output, Tensor) or len(run.inputs) != 1:
            raise DTypeError("jacobian needs one tensor in and one tensor out")
        (x,), y = run.inputs, run.output
        rows = []
        for place in range(y.size):
            seed = np.zeros(y.size, y.dtype)
            seed[place] = 1
            rows.append(gradients(y, x, Tensor(seed.reshape(y.shape)), create_graph=run.nested))
        if not rows:
            return Tensor(np.zeros(y.shape + x.shape, x.dtype))
        with changed(recording=run.nested):
            rows = [row.reshape((1, *row.shape)) for row in rows]
            return TABLE["concatenate"](*rows, axis=0).reshape(y.shape + x.shape)

    return whole


def hessian(f: Callable, argnums: int = 0) -> Callable:
    """The function that computes the matrix of second derivatives of a scalar-valued `f`.

    >>> import autograd_cnn as ag
    >>> ag.hessian(lambda x: x[0] * x[0] * x[1])(ag.tensor([1.0, 2.0])).numpy().tolist()
    [[4.0, 2.0], [2.0, 0.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable, x: Any, v: Any) -> Any:
    """The Hessian of a scalar-valued `f` at x, times v, without forming it: forward over reverse.

    >>> import autograd_cnn as ag
    >>> ag.hvp(lambda x: (x**3).sum(), ag.tensor([1.0, 2.0]), ag.tensor([1.0, 1.0])).tolist()
    [6.0, 12.0]
    """
    return jvp(grad(f), (x,), (v,))[1]


class _Run:
    """One recorded call of a function, with fresh variables for some of its arguments."""

    def __init__(self, f: Callable, args: tuple, kwargs: dict, argnums: int | tuple) -> None:
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise ShapeError(f"argnums {number}, but {len(args)} positional arguments")
        numbers = tuple(number % len(args) for number in numbers)
        self.single = not isinstance(argnums, tuple)
        values, self.put_back = tree.flatten([args[number] for number in numbers])
        lifted = [_lift(value) for value in values]
        self.nested = current().nested or any(value.requires_grad for value in lifted)
        with changed(recording=True, nested=True):
            self.inputs = [_variable(value) for value in lifted]
            arguments = list(args)
            for number, value in zip(numbers, self.put_back(self.inputs), strict=True):
                arguments[number] = value
            self.output = f(*arguments, **kwargs)

    def rebuild(self, found: list[Tensor]) -> Any:
        """Gradients in the structure of the arguments they belong to."""
        result = self.put_back(found)
        return result[0] if self.single else tuple(result)

    def release(self, output: Any) -> Any:
        """The output off the tape, unless an outer transform still needs it there."""
        if self.nested:
            return output
        return tree.map_leaves(lambda v: v.detach() if isinstance(v, Tensor) else v, output)


def _lift(value: Any) -> Tensor:
    value = value if isinstance(value, Tensor) else tensor(value)
    if value.dtype.kind not in "fc" and value.dtype.name != "bfloat16":
        raise DTypeError(f"only floating-point arguments have gradients, this one is {value.dtype}")
    return value


def _variable(value: Tensor) -> Tensor:
    """A new variable with a value: distinct from it, but connected to it on the tape."""
    if value.requires_grad:
        return TABLE["identity"](value)
    return Tensor(value._data, requires_grad=True, name=value.name)


def _push_all(found: dict[Node, Tensor], outputs: list[Node]) -> None:
    """Carry tangents forward along the tape, in the order it was recorded."""
    for node in history(outputs):
        if node in found or isinstance(node, Leaf):
            continue
        terms = [
            _push(node, position, rule, where, found[parent])
            for position, rule, where, _ in node.plan.steps
            if (parent := node.parents[position]) is not None and parent in found
        ]
        total = None
        for term in terms:
            if term is not None:
                total = term if total is None else total + term
        if total is not None:
            found[node] = total


def _push(node: Node, position: int, rule: Any, where: tuple, tangent: Tensor) -> Tensor | None:
    """The part of a node's tangent that comes from one input."""
    if rule is None:
        return None
    primitive, kept = node.primitive, lifted_values(node)
    if primitive.kind == "elementwise":
        part = rule.formula(tangent, *arguments_of(where, kept, node, position))
        return part if part is None or part.shape == node.shape else TABLE["broadcast_to"](
            part, shape=node.shape)  # fmt: skip
    inputs = _operands(node, kept, position, tangent)
    if primitive.kind in ("linear", "multilinear") and inputs is not None:
        return primitive(*inputs, **node.attributes)
    with changed(recording=True):
        seed = Tensor(np.zeros(node.shape, node.dtype), requires_grad=True)
        pulled = rule.formula(seed, *arguments_of(where, kept, node, position))
        if pulled is None:
            return None
        pulled = fit(pulled, node.parents[position], node, position)
    return gradients([pulled], seed, [tangent], create_graph=current().recording)


def _operands(node: Node, kept: list, position: int, tangent: Tensor) -> list | None:
    """A (multi)linear node's operands with one replaced by a tangent; None where not kept."""
    primitive, index = node.primitive, node.plan.index
    if primitive.variadic:
        if primitive.kind == "multilinear":
            operands: list[Any] = list(kept[index["x"]])
        else:
            shapes = kept[index["x_shapes"]]
            operands = [np.zeros(shape, node.dtype) for shape in shapes]
        operands[position] = tangent
        return operands
    if primitive.inputs[position] in primitive.optional:
        return None
    operands = []
    for place, name in enumerate(primitive.inputs):
        if place == position:
            operands.append(tangent)
        elif name in primitive.optional:
            operands.append(None)  # an added term, as a bias, has no part in this tangent
        elif name in index:
            operands.append(kept[index[name]])
        else:
            return None
    return operands
