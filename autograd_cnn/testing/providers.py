"""Law 12: every kernel provider computes what the plain loops compute, and a replay what it saw.

On whole numbers all must agree to the last bit, in any order of summation. On normal numbers two
providers may differ by what rounding explains: each by its part of the bound of law 7. Both hold at
the float32_matmul_precision "highest"; at "high", where Winograd's algorithm rounds more often,
they agree to `ROUGH` units in the last place of the largest entry.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from .. import kernels
from ..kernels.linalg import LinalgKernels
from ..kernels.precision import float32_matmul_precision
from ..tape import observe
from ..tensor import Tensor
from .report import broken, told
from .rounding import CONSTANT, PLACES, Bound
from .state import State
from .subject import Arrays, Subject

ORACLE = "reference"
PLAIN = 4096
"""Beyond this many entries the plain loops take too long; the generic kernels are the oracle."""


ROUGH = 3e4


def available() -> dict[str, str | None]:
    """The providers of the CPU besides the oracle, with the reason where one cannot be used."""
    found: dict[str, str | None] = {}
    for name in ("numpy", "generic", "native"):
        try:
            kernels.provider(name)
            found[name] = None
        except (ImportError, ValueError, OSError, RuntimeError) as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def agree(state: State) -> None:
    """Law 12 for the values and the gradients of a function."""
    subject = state.subject
    size = sum(a.size for a in [*state.values, *state.outputs])
    oracle = ORACLE if size <= PLAIN else "generic"
    if oracle != ORACLE:
        state.report.notes.append(f"law 12: {size} entries are too many for the plain loops")
    providers = available()
    names = [name for name, reason in providers.items() if reason is None and name != oracle]
    for name, reason in providers.items():
        if reason:
            state.skip(12, f"{name}: {reason}")
    calls = _called(state)
    if calls.noise:
        state.does_not_apply(
            12, f"{calls.noise} draws noise, which every provider does in its own way"
        )
    else:
        for dtype in (np.float64, np.float32):
            if calls.matrices:
                state.skip(12, f"{calls.matrices} makes fractions of whole numbers inside")
            else:
                _whole(state, oracle, names, dtype)
            _normal(state, oracle, names, dtype, bool(calls.matrices))
        _replayed(state, subject)


class _Calls:
    """An observer that notes operations that draw random numbers, and those on whole matrices."""

    noise: str | None = None
    matrices: str | None = None

    def forward(self, primitive: Any, *call: Any) -> None:
        if "seed" in primitive.attributes:
            self.noise = primitive.name
        if hasattr(LinalgKernels, str(primitive.kernel)):
            self.matrices = primitive.name


def _called(state: State) -> _Calls:
    calls = _Calls()
    with observe(calls):
        state.subject.evaluate(state.values)
    return calls


def _whole(state: State, oracle: str, names: list[str], dtype: Any) -> None:
    """Small whole numbers: equal bit for bit, where the oracle's answers are whole too."""
    values = [state.whole(x.shape, 1).astype(dtype) for x in state.values]
    cotangents = [state.whole(y.shape, 1).astype(dtype) for y in state.outputs]
    try:
        with np.errstate(all="ignore"):
            expected = _both(state.subject, values, cotangents, oracle)
    except Exception as error:  # a singular matrix, or what else whole numbers may not be
        return state.skip(12, f"whole numbers are no arguments of it: {told(error)}")
    for name in names:
        with np.errstate(all="ignore"):
            found = _both(state.subject, values, cotangents, name)
        for k, (one, other) in enumerate(zip(expected, found, strict=True)):
            if not (np.isfinite(one) & (one == np.rint(one))).all():
                state.skip(12, "whole numbers do not stay whole: there is no exact answer")
                continue
            if _gap(one, other) and _fractions_inside(state.subject, values, cotangents):
                state.skip(12, "whole by chance: there are fractions inside")
            elif not state.report.enter(12, _gap(one, other), 1.0):
                _differ(state, k, oracle, name, one, other, None, 0.0)


class _Fractions:
    """An observer that notes whether any value is not a whole number."""

    met = False

    def forward(self, primitive: Any, inputs: list, attributes: dict, ans: Any, node: Any) -> None:
        self.met |= ans.dtype.kind == "f" and bool((ans != np.rint(ans)).any())


def _fractions_inside(subject: Subject, values: Arrays, cotangents: Arrays) -> bool:
    fractions = _Fractions()
    with observe(fractions), np.errstate(all="ignore"):
        subject.pull(values, cotangents, recorded=True)
    return fractions.met


def _normal(state: State, oracle: str, names: list[str], dtype: Any, matrices: bool) -> None:
    """The point itself: every entry roughly, some to the bound of law 7."""
    if state.coarseness > 1:
        return state.skip(12, "computed in lower precision inside already")
    values = [x.astype(dtype) for x in state.values]
    cotangents = [g.astype(dtype) for g in state.cotangents]
    with np.errstate(all="ignore"):
        expected = _both(state.subject, values, cotangents, oracle)
    limits = _limits(state, expected, values, cotangents, float(np.finfo(dtype).eps))
    if matrices:  # solvers are stable for a matrix as a whole, not for each entry (Higham 2002)
        limits = [dict.fromkeys(each, max(each.values(), default=0.0)) for each in limits]
    for name in names:
        with np.errstate(all="ignore"):
            found = _both(state.subject, values, cotangents, name)
            with float32_matmul_precision("high"):
                fast = _both(state.subject, values, cotangents, name)
        for k, (one, other) in enumerate(zip(expected, found, strict=True)):
            rough = ROUGH * float(np.finfo(dtype).eps)
            rough *= max(1.0, float(np.abs(one).max(initial=0.0)))
            for every in (other, fast[k]):
                if not np.allclose(one, every, rtol=0.0, atol=rough, equal_nan=True):
                    _differ(state, k, oracle, name, one, every, None, rough)
            for index, limit in limits[k].items():
                if not np.isfinite(one[index]):
                    state.skip(12, "not a finite number")
                    continue
                gap = abs(float(one[index]) - float(other[index]))
                share = 0.0 if gap == 0 else gap / limit
                if not state.report.enter(12, share, 1.0):
                    _differ(state, k, oracle, name, one, other, index, limit)


def _limits(
    state: State, expected: Arrays, values: Arrays, cotangents: Arrays, epsilon: float
) -> list[dict[tuple, float]]:
    """For some entries of every output and gradient, by how much two providers may differ."""
    wide = [[np.asarray(a, np.float64) for a in arrays] for arrays in (values, cotangents)]
    pulled = state.subject.derivative(len(state.outputs))
    bounds = Bound(state.subject, wide[0]), Bound(pulled, [*wide[0], *wide[1]])
    result = []
    for k, y in enumerate(expected):
        late = k >= len(state.outputs)
        bound, output = bounds[late], k - late * len(state.outputs)
        limits = {}
        for index in _places(state, y.shape):
            magnitude, weight = bound.magnitude(output, index)
            roundings = CONSTANT + bound.terms**0.5
            limits[index] = roundings * (magnitude * epsilon + weight * 1e-300)
        result.append(limits)
    return result


def _places(state: State, shape: tuple[int, ...]) -> list[tuple]:
    size = int(np.prod(shape))
    chosen = state.rng.permutation(size)[:PLACES]
    return [tuple(int(i) for i in np.unravel_index(int(place), shape)) for place in chosen]


def _both(subject: Subject, values: Arrays, cotangents: Arrays, name: str) -> Arrays:
    """Outputs and gradients with one provider."""
    with kernels.use(name):
        return [*subject.evaluate(values), *subject.pull(values, cotangents)]


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    return 0.0 if np.array_equal(one, other, equal_nan=True) else float("inf")


def _differ(
    state: State, k: int, oracle: str, name: str, one: np.ndarray, other: np.ndarray,
    index: tuple | None, allowed: float,
) -> None:  # fmt: skip
    outputs = len(state.outputs)
    what = (
        "the value" if k < outputs else f"the gradient in {state.subject.input_names[k - outputs]}"
    )
    if index is None:
        gap = np.where(one == other, 0.0, np.abs(one - other))
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
    left, right = float(one[index]), float(other[index])
    broken(
        12, state.subject.name, f"{what} at {index} depends on the kernels",
        {oracle: left, name: right, "allowed difference": allowed}, error=abs(left - right),
        tolerance=allowed, index=index, line=state.subject.line,
        input_name=None if k < outputs else state.subject.input_names[k - outputs],
    )  # fmt: skip


def _replayed(state: State, subject: Subject) -> None:
    """Recorded = replayed, bit for bit, where the package can replay this function."""
    trace = tracer()
    if trace is None:
        return state.skip(12, "recorded = replayed: this version cannot replay")
    try:
        # recorded at another point than the one it is replayed at
        program = trace(subject.outputs)(*(Tensor(x * 0.75) for x in state.values))
        replay = Subject(program, [None] * len(state.values), subject.name, subject.line,
                         range(len(state.values)), subject.input_names)  # fmt: skip
        values = replay.evaluate(state.values)
    except Exception as error:
        return state.skip(12, f"recorded = replayed: {told(error)}")
    found = [*values, *replay.pull(state.values, state.cotangents)]
    for k, (one, other) in enumerate(zip([*state.outputs, *state.pulled], found, strict=True)):
        if not state.report.enter(12, _gap(one, other), 1.0):
            _differ(state, k, "recorded", "replayed", one, other, None, 0.0)


def tracer() -> Callable[..., Any] | None:
    """`autograd_cnn.program.trace`, where this version has it."""
    try:
        return getattr(import_module("autograd_cnn.program"), "trace", None)
    except ImportError:
        return None
