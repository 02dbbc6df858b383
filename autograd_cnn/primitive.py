"""The table of primitives: one declaration an operation, and what everything else reads from it.

A declaration names a kernel and gives one gradient formula per input. The parameter names of a
formula say what the tape keeps: `g` (always first) is the incoming gradient, `ans` the output, an
input's name its value, `<input>_shape` its shape, and any other name an extra output of the kernel
or an attribute. Nothing else is kept alive.

    exp = elementwise("exp", x=lambda g, ans: g * ans)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from .errors import RuleError, TapeError, explain_broadcast
from .kernels import Kernels, provider_for
from .quick import unrolled
from .tape import Node, current, node_of
from .tensor import Tensor

Formula = Callable[..., Any]

TABLE: dict[str, Primitive] = {}


class Rule:
    """A gradient formula and the names that it reads."""

    __slots__ = ("formula", "reads")

    def __init__(self, formula: Formula) -> None:
        names = list(inspect.signature(formula).parameters)
        if not names or names[0] != "g":
            raise RuleError(f"the first parameter of a rule is g, the incoming gradient: {names}")
        self.formula = formula
        self.reads = tuple(names[1:])


class Plan:
    """What to keep, and which rules to run, when the inputs at `positions` are tracked.

    A step is an input's position, its rule, where the rule's reads are, and how to take them from
    the kept values at one go (None where it reads attributes too).
    """

    __slots__ = ("index", "keep", "origins", "shapes", "steps", "values")

    def __init__(self, primitive: Primitive, positions: list[int], overriding: Mapping) -> None:
        rules = [(position, primitive.rule(position)) for position in positions]
        reads = {name for _, rule in rules if rule for name in rule.reads}
        reads |= {name for rule in overriding.values() for name in rule.reads}
        values = {n: k for n, k in primitive.values.items() if n in reads}
        shapes = {n: k for n, k in primitive.shapes.items() if n in reads}
        self.values, self.shapes = tuple(values.values()), tuple(shapes.values())
        self.keep = _taker(self.values)
        self.index = {name: slot for slot, name in enumerate((*values, *shapes))}
        # slot → the input it holds, or −1 for the answer: what becomes a tensor again
        self.origins = tuple(
            (slot, k - 1) for slot, k in enumerate(self.values) if k <= len(primitive.inputs)
        )
        self.steps = tuple(self.step(position, rule) for position, rule in rules)

    def step(self, position: int, rule: Rule | None) -> tuple:
        """The step of an input; a read is found in a slot of the kept, or is an attribute."""
        where = tuple(self.index.get(name, name) for name in rule.reads) if rule else ()
        attributes = any(isinstance(place, str) for place in where)
        return position, rule, where, None if attributes else _taker(where)


class Primitive:
    """One differentiable operation.

    Fields: `kind` (elementwise, linear, multilinear or opaque: how forward mode and the adjoint
    test are derived), `family` (its colour in drawings), `extras` (further outputs of the kernel),
    `branch` (which piece of a piecewise operation was taken, to find kinks), `cost`
    (multiplications, from shapes), `window` (its sliding window, for receptive fields), `tex`.
    """

    def __init__(
        self,
        name: str,
        rules: Mapping[str, Formula | None],
        *,
        kind: str = "opaque",
        family: str = "elementwise",
        kernel: str | Formula | None = None,
        extras: tuple[str, ...] = (),
        branch: Formula | None = None,
        cost: Formula | None = None,
        window: Formula | None = None,
        tex: str | None = None,
    ) -> None:
        self.name, self.kind, self.family, self.extras = name, kind, family, extras
        self.branch, self.cost, self.window, self.tex = branch, cost, window, tex
        self.kernel = name if kernel is None else kernel
        self.function = self.kernel if callable(self.kernel) else None
        self._read_signature(self.function or getattr(Kernels, str(self.kernel)))
        unknown = set(rules) - set(self.inputs)
        if unknown:
            raise RuleError(
                f"{name}: rules for {sorted(unknown)}, but its inputs are {self.inputs}"
            )
        self.rules = {n: Rule(f) if f is not None else None for n, f in rules.items()}
        self.values = {n: k for k, n in enumerate(("ans", *self.inputs, *extras))}
        suffix = "_shapes" if self.variadic else "_shape"
        self.shapes = {n + suffix: k for k, n in enumerate(self.inputs)}
        self._check_reads()
        self.differentiable = self._mask(self.rules)
        self.plans: dict[tuple[int, int], Plan] = {}
        self.call = unrolled(self)

    def _read_signature(self, kernel: Callable) -> None:
        parameters = [p for p in inspect.signature(kernel).parameters.values() if p.name != "self"]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.attributes = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
        self.optional = {p.name for p in parameters if p.name in self.inputs and p.default is None}

    def _check_reads(self) -> None:
        known = {*self.values, *self.shapes, *self.attributes}
        known |= {"position"} if self.variadic else set()
        for name, rule in self.rules.items():
            unknown = set(rule.reads) - known if rule else set()
            if unknown:
                raise RuleError(f"{self.name}: the rule of {name} reads {sorted(unknown)}; "
                                f"it can read {sorted(known)}")  # fmt: skip

    def rule(self, position: int) -> Rule | None:
        """The rule of the input at a position; None where it has no gradient."""
        return self.rules.get(self.inputs[0 if self.variadic else position])

    def input_name(self, position: int) -> str:
        """The name of an input, as in x or x[2]."""
        return f"{self.inputs[0]}[{position}]" if self.variadic else self.inputs[position]

    def _mask(self, rules: Mapping) -> int:
        """The inputs that have a rule, as bits; every bit for a variadic primitive."""
        positions = [i for i, name in enumerate(self.inputs) if rules.get(name) is not None]
        return -1 if self.variadic and positions else sum(1 << i for i in positions)

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join(self.inputs)})>"

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        return self.apply(inputs, attributes)[0]

    def apply(self, inputs: tuple, attributes: dict[str, Any]) -> tuple[Any, tuple]:
        """Run on arrays or tensors: the answer, and the kernel's extra outputs.

        Arrays in, arrays out; a tensor anywhere among the inputs makes a tensor, recorded if the
        tensor is tracked.
        """
        arrays, parents, mask, bit, lifted = [], [], 0, 1, False
        for value in inputs:
            if isinstance(value, Tensor):
                lifted = True
                arrays.append(value._data)
                parents.append(value._node)
                if value._tracked:
                    mask |= bit
            else:
                arrays.append(value)
                parents.append(None)
            bit += bit
        if not lifted:
            arrays = _as_arrays(arrays)
        kernel = self.function or getattr(provider_for(arrays), self.kernel)  # type: ignore[arg-type]
        try:
            ans, extras = kernel(*arrays, **attributes), ()
        except ValueError as error:
            if self.kind == "elementwise":
                explain_broadcast(self.name, arrays, error)
            raise
        if self.extras:
            ans, *extras = ans
        if not lifted:
            return ans, tuple(extras)
        if isinstance(ans, np.generic):
            ans = np.asarray(ans)
        context, node = current(), None
        if mask and context.recording:
            if None in parents:
                parents = [node_of(v) if isinstance(v, Tensor) else None for v in inputs]
            node = self._record(tuple(parents), arrays, attributes, ans, extras, mask, context)
        for observer in context.observers:
            if hasattr(observer, "forward"):
                observer.forward(self, arrays, attributes, ans, node)
        return Tensor._make(ans, node), tuple(extras)

    def _record(self, parents, arrays, attributes, ans, extras, mask, context) -> Node | None:
        overriding = context.rules.get(self.name) if context.rules else None
        mask &= self.differentiable | (self._mask(overriding) if overriding else 0)
        if not mask:
            return None
        plan = self.plan(mask, len(parents), overriding)
        kept = plan.keep((ans, tuple(arrays)) if self.variadic else (ans, *arrays, *extras))
        if plan.shapes:
            kept += self.shapes_of(plan, arrays)
        if None in parents:
            kept = self._own(kept, plan, parents)
        if context.checkpoint is not None:
            kept = context.checkpoint.keep(self, kept, parents)
        return Node(self, parents, attributes, plan, kept, ans, context.scope)

    def plan(self, mask: int, count: int, overriding: Mapping | None = None) -> Plan:
        plan = None if overriding else self.plans.get((mask, count))
        if plan is None:
            positions = [i for i in range(count) if mask >> i & 1]
            plan = Plan(self, positions, overriding or {})
            if not overriding:
                self.plans[mask, count] = plan
        return plan

    def _own(self, kept: tuple, plan: Plan, parents: tuple) -> tuple:
        """The kept values with raw arrays copied: their owner may write to them, unlike tensors."""
        values = list(kept)
        for slot, origin in plan.origins:
            if self.variadic and origin >= 0:
                pairs = zip(values[slot], parents, strict=True)
                values[slot] = tuple(_copied(v) if parent is None else v for v, parent in pairs)
            elif origin >= 0 and parents[origin] is None:
                values[slot] = _copied(values[slot])
        return tuple(values)

    def shapes_of(self, plan: Plan, arrays: list) -> tuple:
        if self.variadic:
            return (tuple([np.shape(a) for a in arrays]),)
        return tuple([np.shape(arrays[k]) for k in plan.shapes])


def declare(name: str, *, kind: str, **options: Any) -> Primitive:
    """Add a primitive to the table; keyword arguments that are not options are rules."""
    fields = ("family", "kernel", "extras", "branch", "cost", "window", "tex")
    settings = {key: options.pop(key) for key in fields if key in options}
    if name in TABLE:
        raise RuleError(f"a primitive named {name} is in the table already")
    TABLE[name] = Primitive(name, options, kind=kind, **settings)
    return TABLE[name]


def elementwise(name: str, **options: Any) -> Primitive:
    """Declare a primitive whose every output depends on one entry of each (broadcast) input."""
    return declare(name, kind="elementwise", **options)


def linear(name: str, **options: Any) -> Primitive:
    """Declare a primitive that is linear in its one differentiable input."""
    return declare(name, kind="linear", **options)


def multilinear(name: str, **options: Any) -> Primitive:
    """Declare a primitive linear in each of its inputs; optional ones (None) are added terms."""
    return declare(name, kind="multilinear", **options)


def opaque(name: str, **options: Any) -> Primitive:
    """Declare any other primitive; its forward mode is two backward passes."""
    return declare(name, kind="opaque", **options)


def custom_primitive(
    name: str,
    function: Formula,
    *,
    kind: str = "opaque",
    branch: Formula | None = None,
    **rules: Formula | None,
) -> Primitive:
    """Make a differentiable operation of your own from a function of arrays, in one line.

    Parameters of `function` before `*` are inputs, after it attributes. Each rule is the gradient
    formula of one input; its parameter names say what the tape keeps. A rule written with
    `ag` operations can itself be differentiated, to any order. `kind` (elementwise, linear,
    multilinear, opaque) makes forward mode cheaper and checks stricter; `branch`, a function like
    `function`, gives the piece taken of a piecewise operation, so that kinks are recognised.

    >>> import autograd_cnn as ag
    >>> cube = ag.custom_primitive("cube", lambda x: x**3, x=lambda g, x: g * 3 * x**2)
    >>> float(ag.grad(ag.grad(cube))(ag.tensor(2.0)))
    12.0

    Raises RuleError for a rule of an unknown input or one that reads an unknown name.
    """
    if name in TABLE:
        raise RuleError(f"{name} is a built-in primitive; give your own another name")
    return Primitive(name, rules, kernel=function, family="custom", kind=kind, branch=branch)


class fused:
    """A kernel with a decomposition: fast on arrays, its decomposition on tensors.

    A recorded call runs the decomposition's public operations instead of the kernel, so that its
    own derivatives are right to any order without being written by hand.
    """

    def __init__(self, decomposition: Formula) -> None:
        self.decomposition = decomposition
        self.__doc__, self.name = decomposition.__doc__, decomposition.__name__

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        if any(isinstance(value, Tensor) for value in inputs):
            return self.decomposition(*inputs, **attributes)
        return getattr(provider_for(inputs), self.name)(*inputs, **attributes)


def steps_of(node: Node, overriding: Mapping[str, Rule] | None) -> tuple:
    """The steps of a node's plan, some with other rules.

    TapeError when an overriding rule reads a value that the tape did not keep.
    """
    primitive, plan = node.primitive, node.plan
    if not overriding:
        return plan.steps
    steps = []
    for step in plan.steps:
        replacement = overriding.get(primitive.inputs[0 if primitive.variadic else step[0]])
        if replacement is not None:
            step = plan.step(step[0], replacement)
            missing = {place for place in step[2] if isinstance(place, str)}
            missing -= {*primitive.attributes, "position"}
            if missing:
                raise TapeError(
                    f"the rule for {primitive.name} reads {', '.join(sorted(missing))}, which the "
                    f"tape did not keep (recorded at {node.line}); record inside the same override"
                )
        steps.append(step)
    return tuple(steps)


def _taker(places: tuple) -> Callable[[tuple], tuple]:
    """What takes the entries at some places out of a tuple, as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1) if places else slice(0, 0))


def _copied(value: Any) -> Any:
    return value.copy() if getattr(value, "ndim", 0) else value


def _as_arrays(values: list) -> list:
    """Lists and lone Python numbers as arrays; numbers beside an array stay weakly typed."""
    if type(values[0]) is np.ndarray:
        return values
    values = [np.asarray(v) if isinstance(v, (list, tuple)) else v for v in values]
    if any(hasattr(value, "dtype") for value in values):
        return values
    return [np.asarray(v) if isinstance(v, (int, float, complex)) else v for v in values]
