"""Whether the check can fail: every rule of the table is made wrong, and must be caught (law 13).

Mutants of a rule r(g, …): 1.001·r, r·(1 + 1e-9), −r, 0·r, the rule of another input in its place,
and r with its values taken for constants, which is wrong from the second derivative on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import tree
from ..errors import GradientError
from ..primitive import TABLE, Primitive, Rule
from ..tensor import Tensor

SCALES = {"×1.001": 1.001, "×(1 + 1e-9)": 1.0 + 1e-9, "negated": -1.0, "dropped": 0.0}


@dataclass(frozen=True)
class Mutant:
    """One wrong rule: whose, for which input, how, and what caught it (None: it survived)."""

    primitive: str
    input: str
    change: str
    caught_by: str | None = None

    def __str__(self) -> str:
        return f"{self.primitive}, {self.input}: {self.change} → {self.caught_by or 'survived'}"


@dataclass
class MutationScore:
    """How many mutants were caught. `equivalent` ones compute the same as the right rule."""

    mutants: list[Mutant] = field(default_factory=list)
    equivalent: list[Mutant] = field(default_factory=list)

    @property
    def survivors(self) -> list[Mutant]:
        return [mutant for mutant in self.mutants if mutant.caught_by is None]

    @property
    def score(self) -> float:
        """The share of mutants caught, 0 to 1."""
        return 1.0 - len(self.survivors) / len(self.mutants) if self.mutants else 1.0

    def __str__(self) -> str:
        caught = len(self.mutants) - len(self.survivors)
        lines = [f"{caught} of {len(self.mutants)} wrong rules caught ({self.score:.1%}); "
                 f"{len(self.equivalent)} changes made no difference"]  # fmt: skip
        return "\n".join([*lines, *(f"  {mutant}" for mutant in self.survivors)])


def mutation_score(
    names: Iterable[str] | None = None, seed: int = 0, draws: int = 3
) -> MutationScore:
    """Make every rule of the table (or of `names`) wrong in several ways, and check each.

    A mutant is caught when `check` raises on one of `draws` drawn arguments. A change that leaves
    every gradient the same to the bit, to second order, is not wrong and is counted apart.

    >>> import autograd_cnn as ag
    >>> ag.testing.mutation_score(["multiply"]).score
    1.0

    The table is changed while this runs: not for use beside other threads.
    """
    from . import records

    records.load()
    result = MutationScore()
    for name in names or list(TABLE):
        record = records.record_of(name)
        for mutant, formulas in _mutants(TABLE[name]):
            caught, differs = _try(record, formulas, seed, draws)
            entry = Mutant(mutant.primitive, mutant.input, mutant.change, caught)
            (result.mutants if caught or differs else result.equivalent).append(entry)
    return result


@contextmanager
def mutated(primitive: Primitive, formulas: dict[str, Callable]) -> Iterator[None]:
    """Give a primitive other rules inside the block."""
    rules, plans = primitive.rules, primitive.plans
    primitive.rules = {**rules, **{name: Rule(formula) for name, formula in formulas.items()}}
    primitive.plans = {}
    try:
        yield
    finally:
        primitive.rules, primitive.plans = rules, plans


def _mutants(primitive: Primitive) -> Iterator[tuple[Mutant, dict[str, Callable]]]:
    rules = {name: rule.formula for name, rule in primitive.rules.items() if rule is not None}
    for name, formula in rules.items():
        for change, factor in SCALES.items():
            wrong = _like(formula, lambda g, *reads, f=formula, c=factor: f(g, *reads) * c)
            yield Mutant(primitive.name, name, change), {name: wrong}
        for other, replacement in rules.items():
            if other != name:
                yield Mutant(primitive.name, name, f"the rule of {other}"), {name: replacement}
        frozen = lambda g, *reads, f=formula: f(g, *tree.map_leaves(_constant, reads))
        yield Mutant(primitive.name, name, "values as constants"), {name: _like(formula, frozen)}


def _like(formula: Callable, wrong: Callable) -> Callable:
    """A formula that reads what another one reads."""
    wrong.__signature__ = inspect.signature(formula)  # type: ignore[attr-defined]
    return wrong


def _constant(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _try(
    record: Any, formulas: dict[str, Callable], seed: int, draws: int
) -> tuple[str | None, bool]:
    """What caught the mutant, and whether it changes any gradient at all."""
    from .checker import check_sample
    from .draw import Draw

    primitive, differs = record.function, False
    for number in range(seed, seed + draws):
        sample = record.make(Draw(np.random.default_rng(number)))
        right = _gradients(primitive, sample, number)
        with mutated(primitive, formulas):
            try:
                wrong = _gradients(primitive, sample, number)
                differs |= not _equal(right, wrong)
                check_sample(record, sample, 2, None, number)
            except GradientError as error:
                return f"law {error.law}", True  # type: ignore[attr-defined]
            except Exception as error:
                return type(error).__name__, True
    return None, differs


def _gradients(primitive: Primitive, sample: Any, seed: int) -> list[np.ndarray]:
    """First and second gradients for random cotangents."""
    from .subject import Subject

    subject = Subject.of(primitive, sample.inputs, sample.attributes)
    rng = np.random.default_rng((seed, 7))
    outputs = subject.evaluate(subject.values)
    if not outputs:
        return []
    g = [np.asarray(rng.standard_normal(y.shape)) for y in outputs]
    first = subject.pull(subject.values, g)
    u = [np.asarray(rng.standard_normal(x.shape)) for x in first]
    return first + subject.derivative(len(outputs)).pull([*subject.values, *g], u)


def _equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
