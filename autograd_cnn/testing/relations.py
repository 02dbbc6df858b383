"""Law 10: what an operation must satisfy against others, whatever its own rule says.

An error in a kernel and the same error in its rule agree with each other; they do not agree with
`conv = split + conv + concatenate`. A relation is two ways to compute one thing: their values and
their gradients in every input are compared, on whole numbers bit for bit where it is `exact`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GradientError
from .draw import Draw
from .records import Sample
from .report import Report, broken
from .subject import Arrays, Subject

TOLERANCE = 1e-11


@dataclass(frozen=True)
class Relation:
    """A statement, how its arguments are drawn, and the function that gives both of its sides."""

    name: str
    statement: str
    make: Callable[[Draw], Sample]
    both: Callable[..., tuple[Any, Any]]
    exact: bool = False


RELATIONS: dict[str, list[Relation]] = {}
"""The relations of each operation, by the name of its record."""


def relation(
    name: str, statement: str, make: Callable[[Draw], Sample], both: Callable[..., tuple],
    exact: bool = False,
) -> None:  # fmt: skip
    """Declare a relation; `both(*inputs, **attributes)` returns the two sides, tensors."""
    RELATIONS.setdefault(name, []).append(Relation(name, statement, make, both, exact))


def relate(name: str, seed: int, report: Report, draws: int = 1) -> None:
    """Law 10 for the operation `name`."""
    relations = RELATIONS.get(name, [])
    if not relations:
        report.law(10).why_not = "no relation to other operations is declared"
    for number, each in enumerate(relations):
        for k in range(draws):
            rng = np.random.default_rng((seed + k, number, 10))
            with np.errstate(all="ignore"):
                holds(each, each.make(Draw(rng)), rng, report)


def holds(
    relation: Relation, sample: Sample, rng: np.random.Generator, report: Report | None = None
) -> None:
    """Compare both sides of a relation at one sample; GradientError where they differ."""
    report = Report(relation.name) if report is None else report
    sides = [Subject.of(_side(relation.both, k), sample.inputs, sample.attributes) for k in (0, 1)]
    drawn = sides[0].values
    try:
        _compare(relation, sides, drawn, rng, report, None)
        if relation.exact:
            whole = [_whole(rng, x.shape) for x in drawn]
            _compare(relation, sides, whole, rng, report, 0.0)
    except GradientError as error:
        raised: Any = error
        raised.relation, raised.sample = relation, sample
        raise
    report.evaluations += sum(side.evaluations for side in sides)


def _side(both: Callable[..., tuple], k: int) -> Callable[..., Any]:
    side = lambda *inputs, **attributes: both(*inputs, **attributes)[k]
    side.__signature__ = inspect.signature(both)  # type: ignore[attr-defined]
    return side


def _whole(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    signs = 2.0 * rng.integers(0, 2, shape) - 1.0
    return np.asarray(signs * rng.integers(1, 4, shape))


def _compare(
    relation: Relation, sides: list[Subject], values: Arrays, rng: np.random.Generator,
    report: Report, tolerance: float | None,
) -> None:  # fmt: skip
    left, right = (side.evaluate(values) for side in sides)
    if [y.shape for y in left] != [y.shape for y in right]:
        broken(10, relation.name, f"{relation.statement}: the shapes differ",
               {"left": [y.shape for y in left], "right": [y.shape for y in right]})  # fmt: skip
    cotangents = [
        _whole(rng, y.shape) if tolerance == 0 else rng.standard_normal(y.shape) for y in left
    ]
    one, other = (side.pull(values, cotangents) for side in sides)
    names = ["the value", *(f"the gradient in {name}" for name in sides[0].input_names)]
    allowed = TOLERANCE if tolerance is None else tolerance
    for k, (a, b) in enumerate(zip([*left, *one], [*right, *other], strict=True)):
        what = names[0] if k < len(left) else names[k - len(left) + 1]
        scale = max([1.0, *(float(np.abs(v).max()) for v in (a, b) if v.size)])
        gap = np.where(a == b, 0.0, np.abs(a - b))
        gap = np.where(np.isnan(gap), np.inf, gap)
        error = float(gap.max(initial=0.0)) / scale
        if report.enter(10, error, allowed):
            continue
        index = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
        broken(10, relation.name, f"{relation.statement}: {what} at {index} differs",
               {"left": float(a[index]), "right": float(b[index])},
               error=error, tolerance=allowed, index=index)  # fmt: skip
