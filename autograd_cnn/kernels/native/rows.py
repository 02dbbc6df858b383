"""Moving image rows between the arrays of the caller and the flat buffers of the kernels.

A table lists the runs of one image and channel: where each starts in the flat buffer, where in the
array (−1: nowhere, zeros), and how many entries it has. Entries of the array may be `stride` apart.
"""

from __future__ import annotations

from .assembly import INTEGER, Function, Value
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
        with f.when(place < 0):
            f.clear(target, length)
        with f.when(place > -1):
            for first, mask_of in _vectors(f, machine, length, stride):
                _gather_vector(f, source + first * stride, target + first, mask_of, stride)
            with _rest(f, machine, length, stride) as i:
                f.store(f.load(source + i * stride), target + i)
    return f


def scatter(machine: Machine, name: str, stride: int) -> Function:
    """array[i·stride] = flat[i] for each run."""
    f = Function(name, ARGUMENTS, machine.lanes)
    flat, array, table, count = f.arguments
    with f.loop(count) as number:
        start, place, length = _run(f, table, number)
        source, target = flat + start, array + place
        for first, mask_of in _vectors(f, machine, length, stride):
            _scatter_vector(f, source + first, target + first * stride, mask_of, stride)
        with _rest(f, machine, length, stride) as i:
            f.store(f.load(source + i), target + i * stride)
    return f


def _run(f: Function, table: Value, number: Value) -> tuple[Value, ...]:
    entry = f.step(table, number * RUN_WORDS, INTEGER)
    return tuple(f.load(f.step(entry, word, INTEGER), INTEGER) for word in range(RUN_WORDS))


def _masks(machine: Machine) -> bool:
    """Whether part of a vector can be moved without a branch for each lane."""
    return machine.name in ("avx512", "avx2")


def _vectors(f: Function, machine: Machine, length: Value, stride: int):
    """The place of each vector of a run, and its masks: all lanes, then what is left of them."""
    if stride > _WIDEST_STRIDE or not _masks(machine):
        return
    with f.loop(length, step=f.lanes) as first:
        left = (length - first) * stride - (stride - 1)
        yield first, lambda part, every: f.mask(left, part * f.lanes, every)


def _rest(f: Function, machine: Machine, length: Value, stride: int):
    """The entries that `_vectors` leaves."""
    done = stride <= _WIDEST_STRIDE and _masks(machine)
    return f.loop(length, start=length if done else 0)


def _gather_vector(f: Function, source: Value, target: Value, mask_of, stride: int) -> None:
    """Read `stride` vectors and keep every stride-th lane."""
    lanes, kept = f.lanes, None
    for part in range(stride):
        seen = f.load_masked(source + part * lanes, mask_of(part, 1))
        wanted = [lane * stride - part * lanes for lane in range(lanes)]
        here = [0 <= place < lanes for place in wanted]
        if kept is None:
            picked = [place if inside else -1 for place, inside in zip(wanted, here, strict=True)]
            kept = seen if stride == 1 else f.shuffle(seen, seen, picked)
            continue
        merged = [
            lanes + place if inside else lane
            for lane, (place, inside) in enumerate(zip(wanted, here, strict=True))
        ]
        kept = f.shuffle(kept, seen, merged)
    whole = f.emit(
        f"<{lanes} x i1>", f"or <{lanes} x i1> {_every(f, mask_of, stride)}, zeroinitializer"
    )
    f.store_masked(kept, target, whole)


def _scatter_vector(f: Function, source: Value, target: Value, mask_of, stride: int) -> None:
    """Write `stride` vectors in which only every stride-th lane is stored."""
    lanes = f.lanes
    values = f.load_masked(source, Value(f, f"<{lanes} x i1>", _every(f, mask_of, stride)))
    for part in range(stride):
        places = range(part * lanes, (part + 1) * lanes)
        spread = [place // stride if place % stride == 0 else -1 for place in places]
        wide = values if stride == 1 else f.shuffle(values, values, spread)
        f.store_masked(wide, target + part * lanes, mask_of(part, stride))
