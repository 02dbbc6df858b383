"""One function at one point: its values, its gradients, and the report that laws write to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tape import observe
from .report import LAWS, Report, broken
from .rounding import explained
from .subject import Arrays, Subject

TOLERANCE = {1: 0.0, 2: 1e-13, 3: 1e-12, 4: 1e-10, 5: 1e-10, 6: 1e-13, 9: 1e-13}
"""Relative errors allowed; a sum of n terms is allowed √n of it in laws 2 and 6."""


class State:
    """One function at one point, and the report that its laws write to.

    `reported` is the law to write under: at order 2 all are law 5.
    """

    def __init__(
        self, subject: Subject, values: Arrays, rng: np.random.Generator, report: Report,
        cotangents: Arrays | None = None, reported: int | None = None,
    ) -> None:  # fmt: skip
        self.subject, self.values, self.rng, self.report = subject, values, rng, report
        self.reported = reported
        self.exact: set[int] = set()  # the inputs for which law 1 held
        precision = _Precision()
        with observe(precision):
            self.outputs = subject.evaluate(values)
        self.coarseness = precision.epsilon / np.finfo(np.float64).eps
        note = f"computed to {precision.epsilon:.1g} inside: tolerances are as much larger"
        if self.coarseness > 1 and note not in report.notes:
            report.notes.append(note)
        self.cotangents = cotangents or [self.normal(y.shape) for y in self.outputs]
        self.pulled = subject.pull(values, self.cotangents)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(self.rng.standard_normal(shape))

    def whole(self, shape: tuple[int, ...], multiple: int) -> np.ndarray:
        signs = 2.0 * self.rng.integers(0, 2, shape) - 1.0
        return np.asarray(signs * self.rng.integers(1, 4, shape) * multiple)

    def compare(
        self, law: int, what: str, sides: dict[str, float], scale: float,
        position: int | None = None, index: tuple | None = None, tolerance: float | None = None,
        again: Callable[[Arrays], tuple[float, float]] | None = None,
        along: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Enter one comparison of two numbers in the report, or raise GradientError.

        Before anything is called wrong, the tolerance is raised to what rounding alone explains:
        `again` computes both numbers at other values, a few units in the last place away, and
        `along` says that they are ⟨along, vjp⟩ of the input at `position`, which has a bound.
        """
        reported = self.reported or law
        if tolerance is None:
            tolerance = TOLERANCE[law] if not self.reported else max(TOLERANCE[law], TOLERANCE[5])
        if law != 4:  # whose estimate knows how coarse the function is
            tolerance = 0.0 if law == 1 else min(tolerance * self.coarseness, 1e-2)
        left, right = sides.values()
        error = relative_error(left, right, scale)
        if error > tolerance and again is not None and np.isfinite(error):
            noise = self.noise(again, (left, right))
            if abs(left - right) <= 16 * noise and noise < 1e-6 * self.size():
                error = 0.0
        if error > tolerance and along is not None and position is not None:
            if abs(left - right) <= self._explained(position, along):
                error = 0.0
        if self.report.enter(reported, error, tolerance):
            return
        if reported != law:
            what = f"order {self.subject.order}, {LAWS[law]}: {what}"
        broken(
            reported, self.subject.name, what, sides, error=error, tolerance=tolerance,
            input_name=None if position is None else self.subject.input_names[position],
            index=index, line=self.subject.line,
        )  # fmt: skip

    def _explained(self, position: int, along: np.ndarray) -> float:
        """By how much rounding lets two computations of ⟨along, vjp(u)⟩ differ."""
        pulled = self.subject.derivative(len(self.outputs))
        try:
            return explained(pulled, [*self.values, *self.cotangents], position, along)
        except Exception:  # a rule with no derivative of its own
            return 0.0

    def noise(self, again: Callable[[Arrays], tuple[float, ...]], here: tuple[float, ...]) -> float:
        """How much rounding moves numbers: the most they change a few ulps around the point."""
        most = 0.0
        for _ in range(6):
            ulps = [
                self.rng.integers(-4, 5, x.shape) * np.finfo(np.float64).eps for x in self.values
            ]
            there = again([x * (1.0 + e) for x, e in zip(self.values, ulps, strict=True)])
            most = max([most, *(abs(a - b) for a, b in zip(here, there, strict=True))])
        return most

    def size(self) -> float:
        """The natural size of derivatives here: of the gradients, or of ⟨u, f⟩ per unit of x."""
        largest = lambda arrays: max(
            (float(np.abs(a).max(initial=0.0)) for a in arrays), default=0.0
        )
        terms = [y * g for y, g in zip(self.outputs, self.cotangents, strict=True)]
        return max(largest(self.pulled), largest(terms) / (1.0 + largest(self.values)))

    def does_not_apply(self, law: int, reason: str) -> None:
        """Say why a law does not apply; at order 2 the others stand for it."""
        if not self.reported:
            self.report.law(law).why_not = reason

    def skip(self, law: int, reason: str) -> None:
        """Count a comparison that could not be made, and say why."""
        prefix = f"order {self.subject.order}, {LAWS[law]}: " if self.reported else ""
        self.report.skip(self.reported or law, prefix + reason)


class _Precision:
    """An observer of the coarsest floating-point dtype that a computation passes through."""

    def __init__(self) -> None:
        self.epsilon = float(np.finfo(np.float64).eps)

    def forward(self, primitive: Any, inputs: list, attributes: dict, ans: Any, node: Any) -> None:
        if ans.dtype.kind == "f":
            self.epsilon = max(self.epsilon, float(np.finfo(ans.dtype).eps))


def relative_error(left: float, right: float, scale: float) -> float:
    """|left − right|/scale; infinite where one is not a number or the scale is 0."""
    if left == right:
        return 0.0
    gap = abs(left - right)
    return float(gap / scale) if np.isfinite(gap) and scale > 0 else float("inf")


def products(first: Arrays, second: Arrays) -> Arrays:
    """Array by array."""
    return [a * b for a, b in zip(first, second, strict=True)]


def total(terms: Arrays) -> float:
    """Σ of all entries."""
    return sum(float(term.sum()) for term in terms)


def magnitude(terms: Arrays) -> float:
    """Σ of all |entries|: what a sum is compared with."""
    return sum(float(np.abs(term).sum()) for term in terms)
