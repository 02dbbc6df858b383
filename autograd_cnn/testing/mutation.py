"""Whether the check can fail: every rule of the table is made wrong, and must be caught (law 13).

Mutants of a rule r(g, …): 1.001·r, r·(1 + 1e-9), −r, 0·r, r transposed, r with two of the values
it reads exchanged, the rule of another input in its place, and r with its values taken for
constants, which is wrong from the second derivative on. In the code of r, and of the helpers that
it calls, every sum loses its second term or changes its sign, and every product, quotient or power
its second operand.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .. import ops, tree
from ..errors import GradientError
from ..primitive import TABLE, Primitive, Rule, fused
from ..tensor import Tensor
from .draw import Draw

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
    names: Iterable[str] | None = None, seed: int = 0, draws: int = 8
) -> MutationScore:
    """Make every rule of the table (or of `names`) wrong in several ways, and check each.

    A mutant is caught when `check` raises on one of `draws` drawn arguments. A change that leaves
    every gradient the same to rounding, to second order, is not wrong and is counted apart.

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
        samples = [record.make(Draw(np.random.default_rng(k))) for k in range(seed, seed + draws)]
        mutate(record, samples, seed, result)
    return result


def mutate(record: Any, samples: list[Any], seed: int, result: MutationScore) -> None:
    """Enter what becomes of every mutant of one primitive, checked on the samples."""
    right = [_gradients(record.function, sample, k) for k, sample in enumerate(samples, seed)]
    for mutant, formulas in mutants(record.function):
        caught, differs = _try(record, samples, right, formulas, seed)
        entry = Mutant(mutant.primitive, mutant.input, mutant.change, caught)
        (result.mutants if caught or differs else result.equivalent).append(entry)


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


def mutants(primitive: Primitive) -> Iterator[tuple[Mutant, dict[str, Callable]]]:
    """Every wrong version of every rule of a primitive."""
    rules = {name: rule.formula for name, rule in primitive.rules.items() if rule is not None}
    for name, formula in rules.items():
        wrong: dict[str, Callable] = dict(_results(formula))
        wrong |= {f"the rule of {other}": rules[other] for other in rules if other != name}
        wrong |= dict(_reads(formula))
        wrong |= dict(operator_mutants(formula))
        wrong |= dict(helper_mutants(formula))
        for change, mutated_formula in wrong.items():
            yield Mutant(primitive.name, name, change), {name: mutated_formula}


def _results(formula: Callable) -> Iterator[tuple[str, Callable]]:
    """The result scaled, negated, dropped and transposed."""
    for change, factor in SCALES.items():
        yield change, _like(formula, lambda g, *reads, c=factor: formula(g, *reads) * c)
    yield "transposed", _like(formula, lambda g, *reads: _transposed(formula(g, *reads)))


def _reads(formula: Callable) -> Iterator[tuple[str, Callable]]:
    """What is read taken for constants, and every two of the values exchanged."""
    frozen = lambda g, *reads: formula(g, *tree.map_leaves(_constant, reads))
    yield "values as constants", _like(formula, frozen)
    names = list(inspect.signature(formula).parameters)
    for i, j in combinations(range(len(names)), 2):
        if "shape" not in names[i] + names[j]:
            swapped = lambda *reads, i=i, j=j: formula(*_swapped(reads, i, j))
            yield f"{names[i]} and {names[j]} exchanged", _like(formula, swapped)


def _swapped(values: tuple, i: int, j: int) -> list:
    result = list(values)
    result[i], result[j] = values[j], values[i]
    return result


def _transposed(g: Any) -> Any:
    """The last two axes exchanged where they are equally long, else the entries backward."""
    if not hasattr(g, "ndim") or not g.ndim:
        return g
    square = g.ndim > 1 and g.shape[-1] == g.shape[-2] > 1
    return ops.swapaxes(g, -1, -2) if square else ops.flip(g)


def operator_mutants(formula: Callable) -> Iterator[tuple[str, Callable]]:
    """A formula with one operator of its code changed: `a + b` into `a` or `a − b`, `a·b` into `a`.

    Where a version of Python writes its code in another way, there are fewer of these.
    """
    code = getattr(formula, "__code__", None)
    steps = list(dis.get_instructions(code)) if code is not None else []
    for number, step in enumerate(steps[:-1]):
        if step.opname != "BINARY_OP" or step.argrepr not in ("+", "-", "*", "/", "**"):
            continue
        start, stop = step.offset, steps[number + 1].offset
        where = f"operator {number} of the code"
        gone = _patched(code, start, stop, [dis.opmap["POP_TOP"], 0])
        yield f"a {step.argrepr} b → a ({where})", _with_code(formula, gone)
        if step.argrepr in "+-":
            other = {"+": 10, "-": 0}[step.argrepr]
            turned = _patched(code, start, start + 2, [step.opcode, other])
            yield f"a {step.argrepr} b → the other sign ({where})", _with_code(formula, turned)


def helper_mutants(formula: Callable) -> Iterator[tuple[str, Callable]]:
    """A formula that calls a private or fused helper with one operator of its code changed."""
    code = getattr(formula, "__code__", None)
    for name in dict.fromkeys(_names(code)) if code is not None else ():
        helper = formula.__globals__.get(name)
        if isinstance(helper, fused):
            for change, wrong in operator_mutants(helper.decomposition):
                yield f"in {name}, {change}", _with_code(formula, code, {name: fused(wrong)})
        elif isinstance(helper, FunctionType) and helper.__name__.startswith("_"):
            for change, wrong in operator_mutants(helper):
                yield f"in {name}, {change}", _with_code(formula, code, {name: wrong})


def _names(code: CodeType) -> Iterator[str]:
    """The names that a function reads, those inside its comprehensions too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _patched(code: CodeType, start: int, stop: int, instruction: list[int]) -> CodeType:
    """The code with what is from start to stop replaced by one instruction and nothing."""
    nothing = [dis.opmap["NOP"], 0] * ((stop - start) // 2 - 1)
    body = bytearray(code.co_code)
    body[start:stop] = bytes([*instruction, *nothing])
    return code.replace(co_code=bytes(body))


def _with_code(formula: Any, code: CodeType, others: dict[str, Any] | None = None) -> Callable:
    return FunctionType(
        code, {**formula.__globals__, **(others or {})}, formula.__name__, formula.__defaults__,
        formula.__closure__,
    )  # fmt: skip


def _like(formula: Callable, wrong: Callable) -> Callable:
    """A formula that reads what another one reads."""
    wrong.__signature__ = inspect.signature(formula)  # type: ignore[attr-defined]
    return wrong


def _constant(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _try(
    record: Any, samples: list[Any], right: list[list], formulas: dict[str, Callable], seed: int
) -> tuple[str | None, bool]:
    """What caught the mutant, and whether it changes any gradient at all."""
    from . import record_check
    from .checker import AT_A_POINT

    primitive, differs = record.function, False
    for number, sample in enumerate(samples, seed):
        with np.errstate(all="ignore"), mutated(primitive, formulas):
            try:
                if _equal(right[number - seed], _gradients(primitive, sample, number)):
                    continue
                differs = True
                record_check.check_sample(record, sample, 2, AT_A_POINT, number)
            except GradientError as error:
                return f"law {error.law}", True  # type: ignore[attr-defined]
            except Exception as error:
                return type(error).__name__, True
    return None, differs


def _gradients(primitive: Primitive, sample: Any, seed: int) -> list[np.ndarray]:
    """First and second gradients for random cotangents, where the check looks: beside kinks."""
    from .checker import generator
    from .kinks import away_from_kinks
    from .subject import Subject

    subject = Subject.of(primitive, sample.inputs, sample.attributes)
    if not subject.evaluate(subject.values):
        return []
    values, _ = away_from_kinks(subject, subject.values, generator(seed))
    rng = np.random.default_rng((seed, 7))
    g = [np.asarray(rng.standard_normal(y.shape)) for y in subject.evaluate(values)]
    first = subject.pull(values, g)
    u = [np.asarray(rng.standard_normal(x.shape)) for x in first]
    return first + subject.derivative(len(g)).pull([*values, *g], u)


def _equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    """Whether two lists of gradients differ by nothing but rounding."""
    for a, b in zip(first, second, strict=True):
        size = float(np.nanmax(np.abs(a), initial=0.0))
        if not np.allclose(a, b, rtol=0.0, atol=1e-13 * size, equal_nan=True):
            return False
    return True
