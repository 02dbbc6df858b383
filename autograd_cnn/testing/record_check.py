"""A record through every law: its drawn arguments, and what it declares besides them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine import gradients
from ..errors import GradientError
from ..primitive import Primitive
from ..tape import enable_grad
from ..tensor import Tensor
from .checker import OF_A_RECORD, chosen_laws, generator, run
from .decompositions import DECOMPOSITIONS
from .draw import Draw
from .kinks import between, nearest_kink
from .relations import relate
from .report import Report, announce, broken
from .state import TOLERANCE, State
from .subject import Subject


def check_record(name: str, order: int, laws: tuple[int, ...], seed: int, draws: int = 1) -> Report:
    """An operation at arguments that its record draws, and at all that its record lists."""
    from .records import COMPOSITES, record_of

    record = COMPOSITES[name] if name in COMPOSITES else record_of(name)
    report = Report(record.name)
    try:
        samples = [record.make(Draw(np.random.default_rng(seed + k))) for k in range(draws)]
        for k, sample in enumerate(samples):
            report.absorb(check_sample(record, sample, order, laws, seed + k))
        _of_a_record(record, order, laws, seed, report)
    except GradientError as error:
        report.law(error.law).broken = True  # type: ignore[attr-defined]
        raise
    finally:
        announce(report)
    return report


def check_sample(
    record: Any, sample: Any, order: int, laws: Iterable[int] | None, seed: int
) -> Report:
    """A record's function at one drawn sample, with the laws that the record lets apply."""
    subject = Subject.of(record.function, sample.inputs, sample.attributes)
    subject.name = record.name
    chosen = tuple(n for n in chosen_laws(laws, order) if n not in OF_A_RECORD)
    report = run(subject, order, chosen, seed, record=record)
    if record.name in DECOMPOSITIONS and 5 in chosen and 5 not in record.why_not:
        _decomposed(record, sample, subject, seed, report)
    return report


def _of_a_record(record: Any, order: int, laws: tuple[int, ...], seed: int, report: Report) -> None:
    """What a record declares besides its arguments."""
    from .records_empty import EMPTY
    from .records_long import LONG

    if 9 in laws:
        for sample in EMPTY.get(record.name, ()):
            _without_entries(record, sample, order, seed, report)
    if 10 in laws:
        relate(record.name, seed, report)
    if 11 in laws:
        for kink in record.kinks:
            _check_documented_kink(record, kink, seed, report)
    if 7 in laws and record.name in LONG:
        report.absorb(check_sample(record, LONG[record.name], 1, (7,), seed))
    if 13 in laws and isinstance(record.function, Primitive):
        samples = [record.make(Draw(np.random.default_rng(seed + k))) for k in range(8)]
        catches(record, samples, seed, report)
    elif 13 in laws:
        report.law(13).why_not = "made of primitives, whose rules are made wrong one by one"


def _without_entries(record: Any, sample: Any, order: int, seed: int, report: Report) -> None:
    """Every law on arguments without entries, entered as law 9: there all functions are affine."""
    found = check_sample(record, sample, order, None, seed)
    report.law(9).comparisons += sum(law.comparisons for law in found.laws.values())
    report.evaluations += found.evaluations


def catches(record: Any, samples: list, seed: int, report: Report) -> None:
    """Law 13: every wrong version of every rule of a primitive is caught on these arguments."""
    from .mutation import MutationScore, mutate

    score = MutationScore()
    mutate(record, samples, seed, score)
    for mutant in score.mutants:
        if not report.enter(13, float(mutant.caught_by is None), 0.0):
            broken(13, record.name, f"a wrong rule passes: {mutant}", input_name=mutant.input)
    if not score.mutants:
        report.law(13).why_not = record.why_not.get(
            13, "no rule, or no gradient at these arguments"
        )


def _decomposed(record: Any, sample: Any, subject: Subject, seed: int, report: Report) -> None:
    """Law 5 for a fused operation: derivatives to order 3 along one direction, as decomposed."""
    if not all(x.size for x in subject.values):
        return
    other = Subject.of(DECOMPOSITIONS[record.name], sample.inputs, sample.attributes)
    state = State(subject, subject.values, generator(seed), report)
    tangents = [state.normal(x.shape) for x in state.values]
    pairs = zip(*(_derivatives(s, state, tangents) for s in (subject, other)), strict=True)
    for number, (ours, theirs) in enumerate(pairs):
        scale = max(abs(ours), abs(theirs), 1e-3)
        sides = {"fused": ours, "decomposition": theirs}
        state.compare(5, f"derivative {number} is not that of the decomposition", sides, scale,
                      tolerance=TOLERANCE[5])  # fmt: skip


def _derivatives(subject: Subject, state: State, tangents: list) -> list[float]:
    """⟨u, f⟩ and its first three derivatives along a direction, each the gradient of the last."""
    with enable_grad():
        inputs = [Tensor(x, requires_grad=True) for x in state.values]
        found = [_dot(subject.outputs(*inputs), state.cotangents)]
        for _ in range(3):
            if not found[-1].requires_grad:
                found.append(0.0 * found[0])
                continue
            found.append(_dot(gradients(found[-1], inputs, create_graph=True), tangents))
    return [float(value) for value in found]


def _dot(tensors: list, weights: list) -> Any:
    return sum(((y * w).sum() for y, w in zip(tensors, weights, strict=True)), start=Tensor(0.0))


def _check_documented_kink(record: Any, kink: Any, seed: int, report: Report) -> None:
    subject = Subject.of(record.function, kink.inputs, kink.attributes)
    subject.name = record.name
    rng = generator(seed)
    ones = [np.ones_like(y) for y in subject.evaluate(subject.values)]
    state = State(subject, subject.values, rng, report, cotangents=ones)
    met = nearest_kink(subject, subject.values, rng)
    if met is None or met.distance > 0:
        broken(11, record.name, "the record's kink is not seen in the branches", line=subject.line)
    report.kinks.append(met)
    report.law(11).why_not = None
    between(state, {name: np.asarray(value) for name, value in kink.gradients.items()})
