"""The check: every law that applies to a function, the cheapest and strictest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import GradientError
from ..kernels.precision import float32_matmul_precision
from ..primitive import Primitive
from . import laws as law
from .blame import add_culprit
from .hygiene import hygiene, layouts
from .kinks import away_from_kinks, between, signature
from .programs import embedded
from .providers import agree
from .relations import relate
from .report import LAWS, Kink, Report, announce
from .rounding import precision
from .state import State
from .subject import CannotBeComplex, Subject

ALL = tuple(LAWS)
AT_A_POINT = (1, 2, 3, 4, 5, 6, 8, 9, 11)
"""The laws of one function at one point, alone."""
OF_A_RECORD = (10, 13)
"""The laws that need to know more of an operation than how to call it."""


def check(
    function: Callable[..., Any],
    *args: Any,
    order: int = 2,
    laws: Iterable[int] | None = None,
    seed: int = 0,
    **attributes: Any,
) -> Report:
    """Hold the gradients of a function or a primitive to the laws of differentiation.

    Every floating-point argument is varied, in double precision; the others, and `attributes`, stay
    as they are. A built-in primitive draws its own arguments when none are given. `order` is the
    highest derivative checked, `laws` the numbers of the laws to run (all that apply when None):
    1 exact adjoint on whole numbers, 2 jvp against vjp, 3 the complex step (to 1e-12), 4 Richardson
    differences where complex numbers cannot be used, 5 the same laws on the vjp itself, 6 linear in
    g, 7 rounding in single and half precision, 8 hygiene, 9 memory layouts, 10 relations to other
    operations, 11 kinks, 12 kernel providers, 13 mutated rules must be caught, 14 inside random
    programs. At a kink, the gradient must lie between the one-sided derivatives; the other laws are
    then run beside it.

    >>> import numpy as np, autograd_cnn as ag
    >>> report = ag.testing.check(lambda x: x * ag.sin(x), np.linspace(-1.0, 1.0, 5))
    >>> report.worst < 1e-11
    True
    >>> wrong = ag.custom_primitive("wrong", lambda x: x**3, x=lambda g, x: g * 3.001 * x**2)
    >>> try:
    ...     ag.testing.check(wrong, np.array([1.0, 2.0]))
    ... except ag.errors.GradientError as error:
    ...     print(error.law, str(error).splitlines()[0])
    3 law 3 (complex step) is broken by wrong: the derivative in x[0] is wrong

    Returns a Report. Raises GradientError with the law that broke, the values on both sides, the
    index, the operation to blame, the user's line, `example` (the smallest failing one that
    Hypothesis finds, where it is installed) and `graph()`, which draws it; ValueError for an
    unknown law or order; DTypeError when nothing can be varied. Sources: Squire and Trapp 1998
    (complex step); Ridders 1982 (extrapolated differences).
    """
    from .blame import explain

    try:
        return held(function, args, attributes, order, laws, seed)
    except GradientError as error:
        explain(error, function, args, attributes, order, seed)
        raise


def held(
    function: Callable[..., Any], args: tuple, attributes: dict[str, Any], order: int = 2,
    laws: Iterable[int] | None = None, seed: int = 0,
) -> Report:  # fmt: skip
    """`check` without the search for the smallest failing example."""
    chosen = chosen_laws(laws, order)
    if isinstance(function, Primitive) and not args:
        from .record_check import check_record

        return check_record(function.name, order, chosen, seed)
    subject = Subject.of(function, args, attributes)
    report = Report(subject.name)
    try:
        run(subject, order, chosen, seed, report=report)
        _beyond_the_point(subject, args, attributes, chosen, seed, report)
    finally:
        announce(report)
    return report


def run(
    subject: Subject, order: int, laws: tuple[int, ...], seed: int, *,
    record: Any = None, report: Report | None = None,
) -> Report:  # fmt: skip
    """Run laws on a subject; a `record` may say of some laws why they do not apply."""
    report = Report(subject.name) if report is None else report
    rng, subjects = generator(seed), [subject]
    try:
        with np.errstate(all="ignore"), _exact():  # points are tried that nobody asked for
            _run(subject, order, laws, rng, report, record, subjects)
    except GradientError as error:
        report.law(error.law).broken = True  # type: ignore[attr-defined]
        add_culprit(error, subject, seed)
        raise
    finally:
        report.evaluations += sum(s.evaluations for s in subjects)
    return report


def run_silently(subject: Subject, order: int, laws: tuple[int, ...], seed: int) -> Report:
    """Run laws without looking for who is to blame."""
    report = Report(subject.name)
    with np.errstate(all="ignore"), _exact():
        _run(subject, order, laws, generator(seed), report, None, [])
    return report


def _exact() -> Any:
    """The bounds are for sums of products, and not for Winograd's algorithm."""
    return float32_matmul_precision("highest")


def _run(subject, order, laws, rng, report, record, subjects) -> None:
    why_not = record.why_not if record is not None else {}
    for number in laws:
        if number in why_not:
            report.law(number).why_not = why_not[number]
    laws = tuple(number for number in laws if number not in why_not)
    if not subject.evaluate(subject.values):
        subject.require_tape()
        for number in laws:
            report.law(number).why_not = "no floating-point output"
        return
    values, met = away_from_kinks(subject, subject.values, rng)
    if 11 in laws:
        _at_the_point(subject, met, rng, report)
    elif met is not None:
        report.kinks.append(met)
    state = State(subject, values, rng, report)
    _first_order(state, laws, _is_linear(subject, values))
    if 5 in laws:
        _higher_orders(state, order, subjects)
    if 8 in laws:
        hygiene(state, record is None or record.keeps_dtype)
    if 9 in laws:
        layouts(state, record.not_repeated if record is not None else None)
    if 7 in laws:
        precision(state)
    if 12 in laws:
        agree(state)
    if 14 in laws:
        embedded(state)
    for number in laws:
        entry = report.law(number)
        if not entry.comparisons and not entry.skipped and number not in OF_A_RECORD:
            entry.why_not = entry.why_not or "nothing to compare"


def _first_order(state: State, laws: tuple[int, ...], linear: bool | None) -> None:
    if 1 in laws:
        law.exact_adjoint(state, linear)
    if 6 in laws:
        law.linear_in_g(state)
    if 2 in laws:
        law.adjoint(state)
    by_differences = 4 in laws and 3 not in laws
    if 3 in laws:
        try:
            law.complex_step(state)
            if 4 in laws:
                state.does_not_apply(4, "the complex step is stricter")
        except CannotBeComplex as reason:
            state.does_not_apply(3, str(reason))
            if state.reported:
                state.skip(3, str(reason))
            by_differences = 4 in laws
    if by_differences:
        law.richardson(state)


def _higher_orders(state: State, order: int, subjects: list[Subject]) -> None:
    """Law 5: laws 1 to 4 on the vjp as a function of (x, g), again for each further order."""
    if order < 2:
        return state.does_not_apply(5, "order 1 was asked for")
    inner = state
    for _ in range(2, order + 1):
        subject = inner.subject.derivative(len(inner.outputs))
        subjects.append(subject)
        values = [*inner.values, *inner.cotangents]
        outer = State(subject, values, state.rng, state.report, reported=5)
        _first_order(outer, (1, 2, 3, 4), _is_linear(subject, values))
        law.symmetric(outer, len(inner.values))
        inner = outer


def _at_the_point(subject: Subject, met: Kink | None, rng: Any, report: Report) -> None:
    """Law 11, where the point given is on a kink; otherwise note how far the nearest one is."""
    if met is not None:
        report.kinks.append(met)
    if met is not None and met.distance == 0:
        between(State(subject, subject.values, rng, report))
    else:
        smooth = not signature(subject, subject.values)[0]
        report.law(11).why_not = "smooth" if smooth else (
            "no kink at this point" if met is None else "near a kink, not on it")  # fmt: skip


def _is_linear(subject: Subject, values: list) -> bool | None:
    """Whether law 1 must, must not or may apply: declared linear, piecewise, or to be tried."""
    if subject.primitive is not None and subject.primitive.kind in ("linear", "multilinear"):
        return True
    return False if signature(subject, values)[0] else None


def _beyond_the_point(
    subject: Subject,
    args: tuple,
    attributes: dict,
    laws: tuple[int, ...],
    seed: int,
    report: Report,
) -> None:
    """Laws 10 and 13 of a function with its arguments."""
    from .record_check import catches
    from .records import COMPOSITES, Record, Sample, load

    primitive = subject.primitive
    load()
    if 10 in laws:
        own = primitive is not None and primitive.name not in COMPOSITES
        relate(primitive.name if own else "", seed, report)
    if 13 in laws and primitive is None:
        report.law(13).why_not = "not a primitive: it has no rule of its own to make wrong"
    elif 13 in laws:
        every = Record(primitive.name, primitive, lambda draw: None)
        catches(every, [Sample(args, attributes)], seed, report)


def chosen_laws(laws: Iterable[int] | None, order: int) -> tuple[int, ...]:
    """The numbers of the laws to run; ValueError for an unknown law or order."""
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"order = {order} must be a whole number, at least 1")
    chosen = ALL if laws is None else tuple(laws)
    unknown = [number for number in chosen if number not in ALL]
    if unknown:
        known = ", ".join(f"{number} {LAWS[number]}" for number in ALL)
        raise ValueError(f"laws {unknown} are not among those that check runs: {known}")
    return chosen


def generator(seed: int) -> np.random.Generator:
    """A generator of its own: cotangents equal to data drawn from `seed` would hide errors."""
    return np.random.default_rng((seed, 1729))
