"""Chains of elementwise kernels as one pass over memory.

A chain is a tuple of steps. A step names a kernel and its operands: an input by its number, the
answer of an earlier step by its number, or a scalar. Each entry of the inputs is loaded once, goes
through all steps in registers, and the answers of the steps named as outputs are stored:

    steps = (Step("add", (Input(0), Input(1))), Step("relu", (Result(0),)))
    (y,) = Chain(steps, outputs=(1,))(x, bias)

Inputs are float32 arrays, and bool arrays as conditions or as ones and zeros; they broadcast as in
NumPy, and every output has their common shape. `out=(y, None)` gives memory for the first of two
outputs: a contiguous array of that shape and type, which may be an input of that shape, in place.
`Chain.obstacle(*arrays)` says why a chain does not take some arrays; it is empty if it does.
Python's numbers are rounded to float32 and decide no type, as in NumPy. The code depends on the
steps, not on the scalars' values nor on the shapes.

The numbers are those of NumPy's kernels one by one, bit for bit: nothing is contracted or
reordered. NaN goes through maximum, minimum and relu, and of two equal operands (0 and −0) these
answer with the second. Nothing warns of overflow or of a division by zero.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import launch, memory, threads
from .chain_code import ARITY, COMPARISONS, build
from .compiler import SHARE, address
from .machine import current

MOST_GROUPS = 3
"""Groups of neighbouring axes over which the inputs may broadcast in different ways."""
WORK = 64
"""An entry counts as so many multiplications when the threads are chosen."""
MOST_PLANS = 256
"""Shapes that a chain remembers."""
_LINE = 16  # floats of a cache line
_KINDS = {np.dtype(np.float32): "f", np.dtype(bool): "?"}


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the chain."""

    number: int


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of an earlier step."""

    number: int


Operand = Input | Result | float | np.float32
_OPERANDS = (Input, Result, bool, int, float, np.float32)


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel, and its operands in the order of the kernel's own arguments."""

    kernel: str
    operands: tuple[Operand, ...]


class Chain:
    """Steps prepared to run on any arrays that fit; `outputs` are numbers of steps.

    Raises ValueError for a kernel that is not in `ARITY`, for a wrong number or type of operands,
    and for results of steps that have not come yet.
    """

    def __init__(self, steps: Sequence[Step], outputs: Sequence[int]) -> None:
        self.steps, self.outputs = tuple(steps), tuple(outputs)
        _check(self.steps, self.outputs)
        named = [o.number for step in self.steps for o in step.operands if isinstance(o, Input)]
        self.inputs = max(named, default=-1) + 1
        self._scalars: list[float | np.float32] = []
        self._terms = tuple([(step.kernel, self._places(step)) for step in self.steps])
        with np.errstate(over="ignore"):
            self._values = np.array(self._scalars, np.float32)
        self._plans: dict[tuple, Plan | str] = {}

    def __call__(
        self, *arrays: np.ndarray, out: Sequence[np.ndarray | None] | None = None
    ) -> tuple[np.ndarray, ...]:
        """The outputs.

        Raises ValueError for arrays that it does not take and for memory that does not fit.
        """
        plan = self._plan(arrays)
        if isinstance(plan, str):
            raise ValueError(f"chain: {plan}")
        kept = [array if array.flags.c_contiguous else _compact(array) for array in arrays]
        if out is None:
            answers = tuple([memory.empty(plan.shape, dtype) for dtype in plan.types])
        else:
            answers = _room(plan, kept, out)
        if plan.size:
            with threads.pool() as pool:
                plan.run(pool, [launch.where(each) for each in (*kept, *answers, self._values)])
        return answers

    def obstacle(self, *arrays: np.ndarray) -> str:
        """Why the chain does not take these arrays; empty if it does."""
        plan = self._plan(arrays)
        return plan if isinstance(plan, str) else ""

    def _plan(self, arrays: Sequence[np.ndarray]) -> Plan | str:
        """How to run on these arrays, or why that is not possible."""
        key = (current().name, *[
            (array.dtype, array.shape, array.flags.c_contiguous or _compact_shape(array))
            for array in arrays
        ])  # fmt: skip
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) == MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._planned(arrays)
        return plan

    def _planned(self, arrays: Sequence[np.ndarray]) -> Plan | str:
        kinds = tuple([_KINDS.get(array.dtype, str(array.dtype)) for array in arrays])
        types = self._typed(kinds)
        if isinstance(types, str):
            return types
        rows = _rows([array.shape for array in arrays], [_compact_shape(a) for a in arrays])
        if isinstance(rows, str):
            return rows
        letters = tuple([_KINDS[dtype] for dtype in types])
        form = Form(self._terms, self.outputs, kinds, letters, rows.along, len(self._scalars))
        return Plan(rows, types, address(current(), build, form))

    def _typed(self, kinds: tuple[str, ...]) -> tuple[np.dtype, ...] | str:
        """What the outputs are for inputs of some kinds, or why there are none."""
        if len(kinds) != self.inputs:
            return f"{len(kinds)} inputs where the steps name {self.inputs}"
        strange = [kind for kind in kinds if kind not in "f?"]
        if strange:
            return f"{strange[0]} is neither float32 nor bool"
        found: list[str] = []

        def kind(operand: Operand) -> str:
            if isinstance(operand, (Input, Result)):
                return (kinds if isinstance(operand, Input) else found)[operand.number]
            return "f" if type(operand) is np.float32 else "weak"

        for number, step in enumerate(self.steps):
            operands = step.operands[1:] if step.kernel == "where" else step.operands
            if "f" not in map(kind, operands):
                return f"no operand of step {number}, {step.kernel}, is float32"
            found.append("?" if step.kernel in COMPARISONS else "f")
        return tuple([np.dtype(found[number]) for number in self.outputs])

    def _places(self, step: Step) -> tuple[tuple[str, int], ...]:
        """The operands of a step as letters and numbers; scalars are put into a list."""
        places = []
        for operand in step.operands:
            if isinstance(operand, (Input, Result)):
                places.append((type(operand).__name__[0].lower(), operand.number))
            else:
                places.append(("s", len(self._scalars)))
                self._scalars.append(operand)
        return tuple(places)


class Form:
    """What the code of a chain depends on; two that are alike are equal.

    `along` says which inputs are read along a row; the others have one entry for all of it.
    """

    def __init__(
        self, steps: tuple, outputs: tuple[int, ...], kinds: tuple[str, ...],
        types: tuple[str, ...], along: tuple[bool, ...], scalars: int,
    ) -> None:  # fmt: skip
        self.steps, self.outputs, self.kinds = steps, outputs, kinds
        self.types, self.along, self.scalars = types, along, scalars
        self._text = repr((steps, outputs, kinds, along))

    def __str__(self) -> str:
        return hashlib.sha256(self._text.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Rows:
    """The common shape of some inputs as rows, numbered outer × inner.

    `steps` are, for each input, how far it moves from one outer row to the next, and one inner row.
    """

    shape: tuple[int, ...]
    count: int
    inner: int
    length: int
    steps: tuple[int, ...]
    along: tuple[bool, ...]


def _rows(shapes: list[tuple[int, ...]], kept: list[tuple[int, ...]]) -> Rows | str:
    """How inputs of some shapes, kept as others, broadcast; or why that is not taken."""
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        return str(error)
    wide = [(1,) * (len(shape) - len(each)) + each for each in kept]
    groups: list[tuple[int, tuple[bool, ...]]] = []  # sizes, and which inputs have such axes
    for size, *own in zip(shape, *wide, strict=True):
        present = tuple([each != 1 for each in own])
        if groups and groups[-1][1] == present:
            groups[-1] = groups[-1][0] * size, present
        elif size != 1:
            groups.append((size, present))
    if len(groups) > MOST_GROUPS:
        return f"{len(groups)} groups of axes broadcast in different ways, of {MOST_GROUPS} at most"
    nothing = (1, (False,) * len(shapes))
    (outer, at_outer), (inner, at_inner), (length, along) = [nothing] * (
        MOST_GROUPS - len(groups)
    ) + groups
    steps = []
    for has_outer, has_inner, is_along in zip(at_outer, at_inner, along, strict=True):
        row = length if is_along else 1
        steps += [has_outer * row * (inner if has_inner else 1), has_inner * row]
    return Rows(shape, outer * inner, inner, length, tuple(steps), along)


class Plan:
    """The code for some shapes; how threads share the rows, or the entries of a few long ones."""

    def __init__(self, rows: Rows, types: tuple[np.dtype, ...], place: int) -> None:
        self.rows, self.types, self.driver = rows, types, SHARE(place)
        self.shape, self.size = rows.shape, rows.count * rows.length
        self._shares: dict[int, tuple[np.ndarray, list[int]]] = {}

    def run(self, pool: threads.Pool, addresses: list[int]) -> None:
        """Run on arrays at some addresses, in the threads of a pool that is held."""
        workers = launch.workers(WORK * self.size, pool.size)
        if workers not in self._shares:
            self._shares[workers] = self._share(workers)
        bounds, words = self._shares[workers]
        driver, words = self.driver, words + addresses
        record = struct.pack(f"{len(words)}q", *words)
        if len(bounds) == 1:
            driver(record, 0)
        else:
            pool.run(lambda worker: driver(record, worker), len(bounds))

    def _share(self, workers: int) -> tuple[np.ndarray, list[int]]:
        """The bounds of each worker's share, and the words of the record before the addresses."""
        rows = self.rows
        few = rows.count < 4 * workers and rows.length >= _LINE * workers
        workers = workers if few else min(workers, rows.count)
        bounds = np.array([(0, rows.count, 0, rows.length)] * workers, np.int64)
        if few:
            lines = launch.share_out(-(-rows.length // _LINE), workers)
            bounds[:, 2:] = np.minimum(lines * _LINE, rows.length)
        else:
            bounds[:, :2] = launch.share_out(rows.count, workers)
        return bounds, [launch.where(bounds), rows.inner, rows.length, *rows.steps]


def _compact(array: np.ndarray) -> np.ndarray:
    """The same entries without gaps; axes along which nothing changes have size 1."""
    still = [slice(0, 1) if step == 0 else slice(None) for step in array.strides]
    return np.ascontiguousarray(array[tuple(still)])


def _compact_shape(array: np.ndarray) -> tuple[int, ...]:
    if array.flags.c_contiguous:
        return array.shape
    return tuple([
        min(size, 1) if step == 0 else size
        for size, step in zip(array.shape, array.strides, strict=True)
    ])  # fmt: skip


def _room(
    plan: Plan, kept: list[np.ndarray], out: Sequence[np.ndarray | None]
) -> tuple[np.ndarray, ...]:
    """Memory for the outputs: what was given for them, where it fits, and else new."""
    shape, types = plan.shape, plan.types
    if len(out) != len(types):
        raise ValueError(f"chain: memory for {len(out)} outputs, of {len(types)}")
    answers = []
    for dtype, memory_ in zip(types, out, strict=True):
        if memory_ is None:
            answers.append(memory.empty(shape, dtype))
            continue
        if memory_.shape != shape or memory_.dtype != dtype:
            raise ValueError(
                f"chain: memory of {memory_.dtype} {memory_.shape} for an output of {dtype} {shape}"
            )
        if not memory_.flags.c_contiguous or not memory_.flags.writeable:
            raise ValueError("chain: memory for an output must be contiguous and writeable")
        place = launch.where(memory_)
        same = [
            a for a in kept if a.shape == shape and a.dtype == dtype and launch.where(a) == place
        ]
        others = [a for a in kept if not any(a is each for each in same)]
        if any(np.may_share_memory(other, memory_) for other in (*others, *answers)):
            raise ValueError("chain: memory for an output overlaps another array")
        answers.append(memory_)
    return tuple(answers)


def _check(steps: tuple[Step, ...], outputs: tuple[int, ...]) -> None:
    for number, step in enumerate(steps):
        if step.kernel not in ARITY:
            raise ValueError(f"chain: no kernel {step.kernel!r}; there are {', '.join(ARITY)}")
        if len(step.operands) != ARITY[step.kernel]:
            raise ValueError(
                f"chain: {step.kernel} has {ARITY[step.kernel]} operands, not {len(step.operands)}"
            )
        for operand in step.operands:
            if isinstance(operand, Result) and not 0 <= operand.number < number:
                raise ValueError(f"chain: step {number} reads step {operand.number}")
            if type(operand) not in _OPERANDS:
                raise ValueError(f"chain: {type(operand).__name__} {operand!r} is no operand")
    if not all(0 <= number < len(steps) for number in outputs):
        raise ValueError(f"chain: outputs {outputs} of {len(steps)} steps")
