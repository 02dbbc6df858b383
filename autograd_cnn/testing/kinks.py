"""Law 11, and how kinks are found: every piecewise operation says which piece it took.

A primitive's `branch` is a function of its raw inputs and attributes. Seen through an observer, the
branches of one call are its signature: two points with one signature lie on the same smooth piece.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..primitive import Primitive
from ..tape import caller_line, observe
from .laws import difference, units
from .report import Kink, broken
from .state import State
from .subject import Arrays, CannotBeComplex, Subject

NEAR = 1e-9
"""A point closer than this to a kink counts as being on it."""
REACH = 1e-2
"""How far around the point kinks are looked for."""
ASIDE = 1e-4
"""Where beside a kink its one-sided derivatives are taken (twice, and extrapolated)."""

Signature = list[tuple[str, str, bytes]]


class Branches:
    """An observer that notes the piece each piecewise operation took."""

    def __init__(self) -> None:
        self.signature: Signature = []

    def forward(
        self, primitive: Primitive, inputs: list, attributes: dict, ans: Any, node: Any
    ) -> None:
        if primitive.branch is None:
            return
        values = dict(zip(primitive.inputs, inputs, strict=False)) | attributes
        names = inspect.signature(primitive.branch).parameters
        piece = np.asarray(primitive.branch(*(_real(values[name]) for name in names)))
        line = node.line if node is not None else caller_line()
        self.signature.append((primitive.name, line, piece.tobytes()))


def _real(value: Any) -> Any:
    return value.real if hasattr(value, "dtype") and value.dtype.kind == "c" else value


def signature(subject: Subject, values: Arrays) -> tuple[Signature, Arrays]:
    """The pieces taken at a point, and the outputs there."""
    branches = Branches()
    with observe(branches):
        outputs = subject.evaluate(values)
    return branches.signature, outputs


def nearest_kink(subject: Subject, values: Arrays, rng: np.random.Generator) -> Kink | None:
    """The nearest change of piece along one random direction, either way; None within `REACH`."""
    here = signature(subject, values)[0]
    if not here:
        return None
    directions = [rng.standard_normal(x.shape) * np.maximum(1.0, np.abs(x)) for x in values]

    def differs(t: float) -> Signature | None:
        with np.errstate(all="ignore"):
            moved = [x + t * d for x, d in zip(values, directions, strict=True)]
            found = signature(subject, moved)[0]
        return found if found != here else None

    best: Kink | None = None
    for sign in (1.0, -1.0):
        if differs(sign * REACH) is None:
            continue
        low, high = 0.0, REACH
        if differs(sign * NEAR):
            high = NEAR
        while high > NEAR and high - low > 0.05 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if differs(sign * middle) else (middle, high)
        if best is None or high < best.distance:
            name, line = first_change(here, differs(sign * high) or [])
            best = Kink(name, line, 0.0 if high <= NEAR else high)
    return best


def first_change(before: Signature, after: Signature) -> tuple[str, str]:
    """The first operation that took another piece, and its line."""
    for one, other in zip(before, after, strict=False):
        if one != other:
            return one[0], one[1]
    return before[-1][:2]


def away_from_kinks(
    subject: Subject, values: Arrays, rng: np.random.Generator
) -> tuple[Arrays, Kink | None]:
    """The point, or a random one near it that is on no kink; and the kink that was met."""
    met = nearest_kink(subject, values, rng)
    kink = met
    for _ in range(20):
        if kink is None or kink.distance > 0:
            return values, met
        steps = [0.03 * rng.standard_normal(x.shape) * np.maximum(1.0, np.abs(x)) for x in values]
        values = [x + step for x, step in zip(values, steps, strict=True)]
        kink = nearest_kink(subject, values, rng)
    return values, met


def between(state: State, documented: dict[str, np.ndarray] | None = None) -> None:
    """Law 11: at a kink, the gradient is between the one-sided derivatives, and as documented.

    `state` is at the kink. One-sided derivatives are complex steps beside it (differences, where
    complex numbers cannot be used), extrapolated to it.
    """
    subject = state.subject
    for name, expected in (documented or {}).items():
        position = subject.input_names.index(name)
        found = state.pulled[position]
        for index in np.ndindex(found.shape):
            sides = {"vjp(u)": float(found[index]), "documented": float(expected[index])}
            state.compare(11, f"at the kink, the gradient in {name} is not the documented one",
                          sides, 1.0, position, index, tolerance=1e-15)  # fmt: skip
    for position, x in enumerate(state.values):
        places = state.rng.permutation(x.size)[:24]
        for unit, index in units(x.shape, places):
            sides = [_one_sided(state, position, unit, sign) for sign in (1.0, -1.0)]
            _require_between(state, position, index, sorted(sides))


def _one_sided(state: State, position: int, unit: np.ndarray, sign: float) -> float:
    tangents = [unit if k == position else np.zeros_like(x) for k, x in enumerate(state.values)]

    def beside(distance: float) -> float:
        values = list(state.values)
        values[position] = values[position] + sign * distance * unit
        try:
            pushed = state.subject.complex_push(values, tangents)
        except CannotBeComplex:
            return difference(state, position, unit, values)[0]
        return sum(float((p * g).sum()) for p, g in zip(pushed, state.cotangents, strict=True))

    return 2.0 * beside(ASIDE) - beside(2.0 * ASIDE)


def _require_between(state: State, position: int, index: tuple, sides: list[float]) -> None:
    low, high = sides
    value = float(state.pulled[position][index])
    scale = max(abs(low), abs(high), abs(value), 1.0)
    outside = max(low - value, value - high, 0.0) / scale
    entry = state.report.law(11)
    entry.comparisons += 1
    entry.worst = max(entry.worst, outside)
    entry.tolerance = max(entry.tolerance, 1e-6)
    if outside > 1e-6 or not np.isfinite(value):
        name = state.subject.input_names[position]
        broken(
            11, state.subject.name,
            f"at the kink, the gradient in {name}[{', '.join(map(str, index))}] is not between "
            "the one-sided derivatives",
            {"one-sided": low, "other side": high, "backward rule": value},
            error=outside, tolerance=1e-6, input_name=name, index=index, line=state.subject.line,
        )  # fmt: skip
