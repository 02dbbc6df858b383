"""After a law broke: which operation is to blame, the smallest example that fails, its graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from time import monotonic
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import GradientError
from ..primitive import Primitive
from ..tape import enable_grad, observe
from ..tensor import Tensor
from .report import told
from .subject import Subject

BUDGET, SECONDS = 60, 1.0
"""So many checks, of the broken law alone, or so long, to look for a smaller example."""


@dataclass(frozen=True)
class Example:
    """Arguments on which a law breaks: inputs by name, and attributes."""

    inputs: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join(f"{n} = {_text(v)}" for n, v in (self.inputs | self.attributes).items())

    @property
    def size(self) -> int:
        """How many entries its arrays have."""
        return sum(np.size(leaf) for leaf in tree.leaves(list(self.inputs.values())))


def _text(value: Any) -> str:
    with np.printoptions(precision=4, threshold=20, suppress=True):
        return repr(value)


# who


class _Calls:
    """An observer that notes every call of a primitive: what, on what, where."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def forward(
        self, primitive: Primitive, inputs: list, attributes: dict, ans: Any, node: Any
    ) -> None:
        if node is not None:
            self.calls.append((primitive, list(inputs), attributes, node.line, node.scope))


class Culprits(NamedTuple):
    """Operations that break a law by themselves, and those that could not be tried, with reasons.

    Each is (primitive, line, scope, error); the latter are lines to print.
    """

    found: list[tuple]
    untried: list[str]


def culprits(run_forward: Callable[[], Any], seed: int = 0, limit: int = 200) -> Culprits:
    """The operations of a call that break a law by themselves."""
    from .checker import run_silently

    watch = _Calls()
    with observe(watch):
        run_forward()
    calls = {(p.name, line, scope and scope.path): (p, inputs, attributes, line, scope)
             for p, inputs, attributes, line, scope in reversed(watch.calls)}  # fmt: skip
    found, untried = [], []
    for primitive, inputs, attributes, line, scope in [*reversed(calls.values())][:limit]:
        try:
            run_silently(Subject.of(primitive, inputs, attributes), 2, (2, 3, 4, 5), seed)
        except GradientError as error:
            found.append((primitive, line, scope, error))
        except Exception as error:  # a call that cannot be repeated alone cannot be blamed
            untried.append(f"{primitive.name} at {line} could not be tried alone: {told(error)}")
    if len(calls) > limit:
        untried.append(f"{len(calls) - limit} more operations were not tried alone")
    return Culprits(found, untried)


def add_culprit(error: Any, subject: Subject, seed: int) -> None:
    """Name the operation inside a function whose own rule breaks a law."""
    if subject.primitive is not None or error.law not in (1, 2, 3, 4, 5, 6):
        return

    def forward() -> None:
        with enable_grad():
            subject.outputs(*(Tensor(x, requires_grad=True) for x in subject.values))

    found, untried = culprits(forward, seed)
    for primitive, line, _, inner in found[:1]:
        error.culprit = primitive.name
        where = f" for {inner.input_name}" if inner.input_name else ""
        rule = f"the wrong rule is that of {primitive.name}{where}, recorded at {line}"
        error.args = (f"{error}\n  {rule}",)
    if not found and untried:
        error.args = ("\n  ".join([str(error), *untried[:6]]),)


# on what


def explain(
    error: Any, function: Callable, args: tuple, attributes: dict[str, Any], order: int, seed: int
) -> None:
    """Give an error its smallest failing example, and the means to draw it."""
    drawn = isinstance(function, Primitive) and not args
    if error.relation is not None:
        names = Subject.argument_names(error.relation.both, error.sample.inputs)
        error.example = Example(dict(zip(names, error.sample.inputs, strict=True)),
                                error.sample.attributes)  # fmt: skip
    elif not drawn:
        names = Subject.argument_names(function, args)
        error.example = Example(dict(zip(names, args, strict=True)), attributes)
    found = _smallest(error, function, args, attributes, order, seed)
    if found is not None:
        error.example, error.smallest = found
        error.args = (f"{error}\n  the smallest failing example found:\n    "
                      + str(error.example).replace("\n", "\n    "),)  # fmt: skip
    example, drawing = error.example, function
    if error.relation is not None:
        drawing = error.relation.both
    error.graph = lambda: _graph(drawing, example)


def _graph(function: Callable, example: Example | None) -> Any:
    """The computation graph of a function at an example."""
    if example is None:
        raise LookupError("no failing example was found: Hypothesis is needed to draw one")
    values = tree.map_leaves(_variable, list(example.inputs.values()))
    with enable_grad():
        outputs = function(*values, **example.attributes)
    wanted = [y for y in tree.leaves(outputs) if isinstance(y, Tensor) and y.requires_grad]
    return import_module("autograd_cnn.graphs").graph(wanted)


def _variable(value: Any) -> Any:
    floating = hasattr(value, "dtype") and value.dtype.kind == "f"
    return Tensor(np.asarray(value, np.float64), requires_grad=True) if floating else value


class _Search:
    """Counts checks, and remembers the smallest example on which the same law breaks."""

    def __init__(self, error: Any, function: Callable, order: int, seed: int) -> None:
        self.law, self.function, self.order, self.seed = error.law, function, order, seed
        self.relation = error.relation
        self.left, self.until = BUDGET, monotonic() + SECONDS
        self.best: tuple[tuple, Example, GradientError] | None = None

    def fails(self, inputs: tuple, attributes: dict[str, Any], rank: tuple = ()) -> bool:
        """Whether the law breaks here too; False once the budget is spent."""
        from .checker import generator, run_silently
        from .records import Sample
        from .relations import holds

        if self.left <= 0 or (self.best is not None and monotonic() > self.until):
            return False
        self.left -= 1
        try:
            with np.errstate(all="ignore"):
                if self.relation is not None:
                    holds(self.relation, Sample(inputs, attributes), generator(self.seed))
                else:
                    subject = Subject.of(self.function, inputs, attributes)
                    run_silently(subject, self.order, (self.law,), self.seed)
        except GradientError as error:
            function = self.function if self.relation is None else self.relation.both
            names = Subject.argument_names(function, inputs)
            example = Example(dict(zip(names, inputs, strict=True)), attributes)
            rank = (example.size, *rank)
            if self.best is None or rank < self.best[0]:
                self.best = rank, example, error
            return True
        except Exception:  # no arguments of the function: not an example
            return False
        return False


def _smallest(
    error: Any, function: Callable, args: tuple, attributes: dict[str, Any], order: int, seed: int
) -> tuple[Example, GradientError] | None:
    """What Hypothesis makes of the failure; None where it is missing, or runs the test itself."""
    try:
        import hypothesis
    except ImportError:
        return None
    if error.law == 13 or hypothesis.currently_in_test_context():
        return None
    search = _Search(error, function, order, seed)
    if error.law == 10:
        from .strategies import samples

        strategy = samples(error.relation)
        fails = lambda sample: search.fails(sample.inputs, sample.attributes)
    elif args:
        strategy = _smaller(hypothesis.strategies, args)
        fails = lambda drawn: search.fails(drawn[0], attributes, drawn[1])
    else:
        from .strategies import samples

        strategy = samples(function.name)  # type: ignore[attr-defined]
        fails = lambda sample: search.fails(sample.inputs, sample.attributes)
    options = hypothesis.settings(
        max_examples=30, database=None, derandomize=True, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    try:
        hypothesis.find(strategy, fails, settings=options)
    except hypothesis.errors.HypothesisException:
        pass  # nothing found, or the budget ran out halfway: what was found counts
    return search.best[1:] if search.best else None


def _smaller(st: Any, args: tuple) -> Any:
    """The arguments cut shorter along axes of one length together, and with simpler entries."""
    leaves, rebuild = tree.flatten(list(args))
    arrays = [_as_array(leaf) for leaf in leaves]
    lengths = sorted({n for a in arrays if a is not None for n in a.shape if n > 1})
    cuts = st.fixed_dictionaries({n: st.integers(1, n) for n in lengths})

    def build(cut: dict[int, int], entries: int) -> tuple[tuple, tuple]:
        made = [
            leaf if a is None else _simple(a[tuple(slice(0, cut.get(n, n)) for n in a.shape)],
                                           entries)
            for leaf, a in zip(leaves, arrays, strict=True)
        ]  # fmt: skip
        return tuple(rebuild(made)), (entries,)

    return st.builds(build, cuts, st.integers(0, 3))


def _as_array(leaf: Any) -> np.ndarray | None:
    leaf = leaf._data if isinstance(leaf, Tensor) else leaf
    return leaf if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else None


def _simple(x: np.ndarray, entries: int) -> np.ndarray:
    """Ones, whole numbers, tenths, or the entries as they are."""
    return [np.ones_like(x), np.rint(x), np.round(x, 1), np.array(x)][entries]
