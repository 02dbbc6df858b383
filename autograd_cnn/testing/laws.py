"""Laws 1 to 6: what must hold between a function, its forward mode and its backward rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .report import broken, told
from .state import TOLERANCE, State, magnitude, products, relative_error, total
from .subject import STEP, Arrays, CannotBeComplex

COORDINATES = 12
"""At most this many entries of each input are differentiated one by one."""

MULTIPLE = 60480
"""Multiples of this divide exactly by every count up to 10, and by those of windows up to 3×3×3."""


def exact_adjoint(state: State, linear: bool | None) -> None:
    """Law 1: ⟨f(v) − f(0), u⟩ = ⟨v, vjp(u)⟩ on small whole numbers, bit for bit.

    For every input that f is affine in, the others held. `linear` says that it must be affine in
    all of them (declared), must not be tried (False), or may be (None).
    """
    if linear is False:
        return state.does_not_apply(
            1, "piecewise or not linear: the exact laws need whole numbers to stay so"
        )
    for position in range(len(state.values)):
        with np.errstate(all="ignore"):
            points = [_affine_point(state, position) for _ in range(2)]
            compared = [
                point is not None and _compare_adjoint(state, position, *point, bool(linear))
                for point in points
            ]
        if all(compared):
            state.exact.add(position)
        elif linear:
            broken(
                1, state.subject.name,
                f"declared linear in {state.subject.input_names[position]}, but f(a + b) − f(0) "
                "is not f(a) − f(0) + f(b) − f(0) on whole numbers",
                line=state.subject.line,
            )  # fmt: skip
    if not state.exact and not state.report.law(1).skipped:
        state.does_not_apply(1, "not affine in any input")


Point = tuple[Arrays, Arrays, np.ndarray, int]
"""Whole numbers for inputs and for cotangents, one input's gradient there, and their multiple."""


def _affine_point(state: State, position: int) -> Point | None:
    """Where f is affine in one input and gives whole numbers, exactly; best if the vjp does too."""
    found = None
    for multiple in (1, MULTIPLE) if state.coarseness == 1 else (1,):
        values = [state.whole(x.shape, multiple if k == position else 1)
                  for k, x in enumerate(state.values)]  # fmt: skip
        try:
            affine = _is_affine(state, values, position, 5 * multiple)
        except Exception as error:  # a singular matrix, or what else whole numbers may not be
            state.skip(1, f"whole numbers are no arguments of it: {told(error)}")
            return None
        if affine:
            cotangents = [state.whole(y.shape, multiple) for y in state.outputs]
            pulled = state.subject.pull(values, cotangents)[position]
            found = values, cotangents, pulled, multiple
            if _is_whole(pulled):
                break
    return found


def _is_affine(state: State, values: Arrays, position: int, multiple: int) -> bool:
    a = values[position]
    b = state.whole(a.shape, multiple)  # never ±a, which a saturated function cannot tell apart

    def at(x: np.ndarray) -> Arrays:
        return state.subject.evaluate([*values[:position], x, *values[position + 1 :]])

    zero, both, first, second, turned, thrice = map(at, (0 * a, a + b, a, b, -a, 3 * a))
    return all(
        all(map(_is_whole, (y0, y1, y2, y3, y4, y5)))
        and np.array_equal(y1 - y0, (y2 - y0) + (y3 - y0))
        and np.array_equal(y4 - y0, y0 - y2)
        and np.array_equal(y5 - y0, 3 * (y2 - y0))
        for y0, y1, y2, y3, y4, y5 in zip(zero, both, first, second, turned, thrice, strict=True)
    )


def _is_whole(y: np.ndarray) -> bool:
    return bool((np.isfinite(y) & (y == np.rint(y))).all())


def _is_rounded(x: np.ndarray) -> bool:
    """Whether entries are whole numbers but for rounding: what computed them was not exact."""
    gap = np.abs(x - np.rint(x))
    return bool(((gap > 0) & (gap <= 64 * np.finfo(np.float64).eps * np.abs(x))).any())


def _compare_adjoint(
    state: State, position: int, values: Arrays, cotangents: Arrays, pulled: np.ndarray,
    multiple: int, declared: bool,
) -> bool:  # fmt: skip
    """Whether the comparison could be made; GradientError where it fails."""
    subject = state.subject
    if not declared and (not np.isfinite(pulled).all() or _is_rounded(pulled)):
        state.skip(1, "the whole numbers drawn are a singular point, or fractions come up inside")
        return False  # as 0 is of √x: law 3 looks elsewhere
    direction = values[position]
    name = subject.input_names[position]

    def sides(v: np.ndarray) -> dict[str, float]:
        moved, still = (subject.evaluate([*values[:position], x, *values[position + 1 :]])
                        for x in (v, 0 * v))  # fmt: skip
        change = [a - b for a, b in zip(moved, still, strict=True)]
        return {
            f"⟨f({name}) − f(0), u⟩": dot(change, cotangents),
            f"⟨{name}, vjp(u)⟩": float((v * pulled).sum()),
        }

    found = sides(direction)
    index: tuple | None = None
    if len(set(found.values())) > 1:
        for unit, place in units(direction.shape, range(direction.size)):
            at_unit = sides(unit * multiple)
            if len(set(at_unit.values())) > 1:
                found, index = at_unit, place
                break
    what = f"the backward rule for {name} is not its adjoint" + (f" at {index}" if index else "")
    scale = max(abs(value) for value in found.values())
    state.compare(1, what, found, scale, position, index)
    return True


def adjoint(state: State) -> None:
    """Law 2: ⟨jvp(v), u⟩ = ⟨v, vjp(u)⟩ on normal data."""
    subject = state.subject
    for position, x in enumerate(state.values):
        direction = state.normal(x.shape)
        tangents = _only(state, position, direction)

        def sides(values: Arrays, tangents: Arrays = tangents) -> tuple[Arrays, Arrays]:
            pushed = subject.push(values, tangents)
            pulled = subject.pull(values, state.cotangents)
            return products(pushed, state.cotangents), products(tangents, pulled)

        forward, backward = sides(state.values)
        size = max([x.size, *(g.size for g in state.cotangents)])
        tolerance = (TOLERANCE[5] if state.reported else TOLERANCE[2]) * max(size, 1) ** 0.5
        state.compare(
            2, f"forward and backward mode disagree in {subject.input_names[position]}",
            {"⟨jvp(v), u⟩": total(forward), "⟨v, vjp(u)⟩": total(backward)},
            magnitude(forward) + magnitude(backward), position, tolerance=tolerance,
            again=lambda values, sides=sides: tuple(map(total, sides(values))), along=direction,
        )  # fmt: skip


def complex_step(state: State) -> None:
    """Law 3: Im f(x + ih·d)/h against the backward rule, entry by entry and along a direction.

    Raises CannotBeComplex where the function does not run on complex numbers.
    """
    for position, direction, index in directions(state):
        pushed = state.subject.complex_push(state.values, _only(state, position, direction))
        _against_rule(state, 3, "complex step", pushed, position, direction, index)


def _against_rule(
    state: State, law: int, label: str, pushed: Arrays, position: int, direction: np.ndarray,
    index: tuple | None, estimate: float = 0.0,
) -> None:  # fmt: skip
    """Compare ⟨u, J·d⟩, found without the rules, with ⟨d, vjp(u)⟩."""
    terms = products(pushed, state.cotangents)
    along = direction * state.pulled[position]
    # below the step, its own square is all that the complex step sees
    scale = max(magnitude(terms), float(np.abs(along).sum()), STEP)
    left, right = total(terms), float(along.sum())
    tolerance = TOLERANCE[5] if state.reported else TOLERANCE[law]
    if law == 4:
        scale = max(scale, 1e-3 * state.size())
        rounding = 64 * state.coarseness * np.finfo(np.float64).eps
        tolerance = max(TOLERANCE[4], rounding, 4 * estimate / scale) if scale else 0.0
    name = state.subject.input_names[position]
    at = f"{name}[{', '.join(map(str, index))}]" if index else name
    if law == 3 and relative_error(left, right, scale) > tolerance and scale > 1e-14 * state.size():
        _require_analytic(state, position, direction, left, right)
    sides = {f"{label}, ⟨u, ∂f/∂{name}·d⟩": left, "backward rule, ⟨d, vjp(u)⟩": right}

    def again(values: Arrays) -> tuple[float, float]:
        moved = state.subject.complex_push(values, _only(state, position, direction))
        pulled = state.subject.pull(values, state.cotangents)[position]
        return total(products(moved, state.cotangents)), float((direction * pulled).sum())

    state.compare(law, f"the derivative in {at} is wrong", sides, scale, position, index, tolerance,
                  again if law == 3 else None, direction if law == 3 else None)  # fmt: skip


def _require_analytic(
    state: State, position: int, direction: np.ndarray, complex_value: float, rule: float
) -> None:
    """CannotBeComplex when real differences side with the rule against the complex step."""
    value, estimate = difference(state, position, direction)
    near, far = abs(value - rule), abs(value - complex_value)
    if np.isfinite(value) and near <= 10 * estimate and far > 100 * (estimate + near):
        raise CannotBeComplex("as a function of complex numbers it is not analytic")


def richardson(state: State) -> None:
    """Law 4: central differences extrapolated to step 0, within their own error estimate."""
    for position, direction, index in directions(state):
        value, estimate = difference(state, position, direction)
        scale = abs(value) + float(np.abs(direction * state.pulled[position]).sum())
        if not np.isfinite(value) or estimate > 1e-4 * max(scale, 1e-8):
            state.skip(4, "the differences are too noisy for their own estimate")
            continue
        pushed = [np.asarray(value)]
        with_rule = _Scalar(state)
        _against_rule(with_rule, 4, "differences", pushed, position, direction, index, estimate)


class _Scalar(State):
    """The state of ⟨u, f⟩, whose one output already holds the cotangents."""

    def __init__(self, state: State) -> None:
        self.__dict__.update(state.__dict__)
        self.cotangents = [np.asarray(1.0)]
        self.size = state.size  # that of f: its outputs go with its own cotangents


def difference(
    state: State, position: int, direction: np.ndarray, values: Arrays | None = None
) -> tuple[float, float]:
    """⟨u, ∂f·d⟩ by Ridders' method, and its error estimate (Ridders 1982).

    Steps that would leave the piece of a piecewise function are shortened until they do not.
    """
    from .kinks import signature

    values = state.values if values is None else values
    x = values[position]
    size = float(np.abs(direction).max(initial=0.0)) or 1.0
    step = 0.05 * max(1.0, float(np.abs(x).mean()) if x.size else 1.0) / size
    along = _only(state, position, direction)
    here = signature(state.subject, values)[0]

    def at(t: float) -> tuple[float, bool]:
        moved = [v + t * d for v, d in zip(values, along, strict=True)]
        with np.errstate(all="ignore"):
            found, outputs = signature(state.subject, moved)
        return dot(outputs, state.cotangents), found == here

    for _ in range(20):
        if all(same and np.isfinite(value) for value, same in (at(step), at(-step))):
            break
        step /= 3
    epsilon = state.coarseness * float(np.finfo(np.float64).eps)
    return extrapolate(lambda t: at(t)[0], step, epsilon)


def extrapolate(f: Any, step: float, epsilon: float) -> tuple[float, float]:
    """The derivative of f at 0 from central differences, step after half a step, and its error."""
    rows: list[list[float]] = []
    best, error = np.nan, np.inf
    for level in range(8):
        t = step / 2.0**level
        high, low = f(t), f(-t)
        row = [(high - low) / (2 * t)]
        rounding = epsilon * (abs(high) + abs(low)) / t
        for k in range(1, level + 1):
            factor = 4.0**k
            row.append((factor * row[k - 1] - rows[-1][k - 1]) / (factor - 1))
            estimate = max(abs(row[k] - row[k - 1]), abs(row[k] - rows[-1][k - 1])) + rounding
            if estimate < error:
                best, error = row[k], estimate
        rows.append(row)
    return best, float(error)


def linear_in_g(state: State) -> None:
    """Law 6: vjp(a·u + b·v) = a·vjp(u) + b·vjp(v), and vjp(0) = 0."""
    subject, first = state.subject, state.cotangents
    second = [state.normal(g.shape) for g in first]
    mixed = [2.0 * u - 0.75 * v for u, v in zip(first, second, strict=True)]
    both, other = (subject.pull(state.values, g) for g in (mixed, second))
    nothing = subject.pull(state.values, [0.0 * g for g in first])
    for position, name in enumerate(subject.input_names):
        expected = 2.0 * state.pulled[position] - 0.75 * other[position]
        size = 2.0 * np.abs(state.pulled[position]) + 0.75 * np.abs(other[position])
        scale = float(size.max(initial=0.0))
        wrong = _worst_place(both[position], expected)
        if wrong is not None:
            sides = {"vjp(2u − ¾v)": float(both[position][wrong]),
                     "2vjp(u) − ¾vjp(v)": float(expected[wrong])}  # fmt: skip
            state.compare(6, f"the rule for {name} is not linear in g", sides, scale, position,
                          wrong, TOLERANCE[6] * max(expected.size, 1) ** 0.5,
                          along=4.0 * _unit(expected.shape, wrong))  # fmt: skip
        wrong = _worst_place(nothing[position], 0.0 * expected)
        if wrong is not None:
            sides = {"vjp(0)": float(nothing[position][wrong]), "0": 0.0}
            state.compare(6, f"vjp(0) is not 0 in {name}", sides, 1.0, position, wrong, 0.0)


def symmetric(state: State, count: int) -> None:
    """Law 5: the Hessian of ⟨u, f⟩ is symmetric, ⟨b, H·a⟩ = ⟨a, H·b⟩.

    `state` is that of the vjp, `count` how many of its inputs are inputs of f.
    """
    a, b = ([state.normal(x.shape) for x in state.values[:count]] for _ in range(2))

    def sides(values: Arrays) -> tuple[Arrays, Arrays]:
        along_a, along_b = (state.subject.pull(values, v)[:count] for v in (a, b))
        return products(b, along_a), products(a, along_b)

    left, right = sides(state.values)
    state.compare(
        5, "the Hessian is not symmetric",
        {"⟨b, H·a⟩": total(left), "⟨a, H·b⟩": total(right)}, magnitude(left) + magnitude(right),
        tolerance=TOLERANCE[5], again=lambda values: tuple(map(total, sides(values))),
    )  # fmt: skip


def directions(state: State) -> Iterator[tuple[int, np.ndarray, tuple | None]]:
    """For each input: single entries (all, or some at random), and one normal direction."""
    for position, x in enumerate(state.values):
        if not x.size:
            continue
        if position not in state.exact:
            places = np.sort(state.rng.permutation(x.size)[:COORDINATES])
            for unit, index in units(x.shape, places):
                yield position, unit, index
        yield position, state.normal(x.shape), None


def units(shape: tuple[int, ...], places: Any) -> Iterator[tuple[np.ndarray, tuple]]:
    """Arrays with a single 1, at each of the flat places, with its index."""
    for place in places:
        index = tuple(int(i) for i in np.unravel_index(int(place), shape))
        yield _unit(shape, index), index


def _unit(shape: tuple[int, ...], index: tuple) -> np.ndarray:
    unit = np.zeros(shape)
    unit[index] = 1.0
    return unit


def _only(state: State, position: int, direction: np.ndarray) -> Arrays:
    return [direction if k == position else np.zeros_like(x) for k, x in enumerate(state.values)]


def _worst_place(found: np.ndarray, expected: np.ndarray) -> tuple | None:
    if not found.size:
        return None
    gap = np.where(found == expected, 0.0, np.abs(found - expected))
    gap = np.where(np.isnan(gap), np.inf, gap)
    return tuple(int(i) for i in np.unravel_index(int(gap.argmax()), found.shape))


def dot(first: Arrays, second: Arrays) -> float:
    """⟨first, second⟩ over all arrays."""
    return total(products(first, second))
