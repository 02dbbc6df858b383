"""Moving image rows between the arrays of the caller and the flat buffers of the kernels.

A table lists the runs of one image and channel: where each starts in the flat buffer, where in the
array (−1: nowhere, zeros), and how many entries it has. Entries of the array may be `stride` apart.
"""

from __future__ import annotations

from collections.abc import Callable

from .assembly import INTEGER, Function, Value
from .chain_code import KERNELS
from .machine import Machine

ARGUMENTS = "flat* array* table* count"
RUN_WORDS = 3
_WIDEST_STRIDE = 4  # beyond it entries are moved one by one


def gather(machine: Machine, name: str, stride: int) -> Function:
    """flat[i] = array[i·stride] for each run."""
    f = Function(name, ARGUMENTS, machine.lanes)
    flat, array, table, count = f.arguments
    with f.loop(count) as number:
        start, place, length = _run(f, table, number)
        target, source = flat + start, array + place

        def move(i: Value, left: Value | None) -> None:
            if left is None:
                f.store(f.load(source + i, f.vector), target + i)
            else:
                _gather_vector(f, source + i * stride, target + i, left, stride)

        def move_one(i: Value) -> None:
            f.store(f.load(source + i * stride), target + i)

        with f.when(place < 0):
            f.clear(target, length)
        with f.when(place > -1):
            _move_run(f, machine, length, stride, move, move_one)
    return f


def scatter(machine: Machine, name: str, stride: int, relu: bool) -> Function:
    """array[i·stride] = flat[i], or its ReLU, for each run."""
    f = Function(name, ARGUMENTS, machine.lanes)
    flat, array, table, count = f.arguments
    with f.loop(count) as number:
        start, place, length = _run(f, table, number)
        source, target = flat + start, array + place

        def last(value: Value) -> Value:
            return KERNELS["relu"](f, value) if relu else value

        def move(i: Value, left: Value | None) -> None:
            if left is None:
                f.store(last(f.load(source + i, f.vector)), target + i)
            else:
                _scatter_vector(f, source + i, target + i * stride, left, stride, last)

        def move_one(i: Value) -> None:
            f.store(last(f.load(source + i)), target + i * stride)

        _move_run(f, machine, length, stride, move, move_one)
    return f


def _run(f: Function, table: Value, number: Value) -> list[Value]:
    entry = f.step(table, number * RUN_WORDS, INTEGER)
    return [f.load(f.step(entry, word, INTEGER), INTEGER) for word in range(RUN_WORDS)]


def _move_run(f: Function, machine: Machine, length: Value, stride: int, move, move_one) -> None:
    """Whole vectors; then what is left by masks where the processor has them, or one by one.

    With a stride every vector is masked: its last entries may lie outside the array.
    """
    masks = stride <= _WIDEST_STRIDE and machine.name in ("avx512", "avx2")
    if masks and stride > 1:
        with f.loop(length, step=f.lanes) as i:
            move(i, length - i)
        return
    whole = length // f.lanes * f.lanes if stride == 1 else f.integer(0)
    if stride == 1:
        with f.loop(whole, step=f.lanes) as i:
            move(i, None)
    if masks:
        with f.when(whole < length):
            move(whole, length - whole)
    else:
        with f.loop(length, start=whole) as i:
            move_one(i)


def _gather_vector(f: Function, source: Value, target: Value, left: Value, stride: int) -> None:
    """Read `stride` vectors and keep every stride-th lane."""
    lanes, kept = f.lanes, f.zeros()
    reach = left * stride - (stride - 1)
    for part in range(stride):
        seen = f.load_masked(source + part * lanes, f.mask(reach, part * lanes))
        wanted = [lane * stride - part * lanes for lane in range(lanes)]
        merged = [lanes + w if 0 <= w < lanes else lane for lane, w in enumerate(wanted)]
        kept = f.shuffle(kept, seen, merged)
    f.store_masked(kept, target, f.mask(left))


def _scatter_vector(
    f: Function, source: Value, target: Value, left: Value, stride: int,
    last: Callable[[Value], Value],
) -> None:  # fmt: skip
    """Write `stride` vectors of which only every stride-th lane is stored."""
    lanes = f.lanes
    values, reach = last(f.load_masked(source, f.mask(left))), left * stride - (stride - 1)
    for part in range(stride):
        places = range(part * lanes, (part + 1) * lanes)
        spread = [place // stride if place % stride == 0 else -1 for place in places]
        mask = f.mask(reach, part * lanes, stride)
        f.store_masked(f.shuffle(values, values, spread), target + part * lanes, mask)
