"""The register tiles of direct convolution: all the arithmetic happens here.

A tile is rows × columns sums, each a vector along the pixels. Forward, a row is a filter: for every
channel and tap one weight a row is broadcast and multiplied with the pixels that the tap sees. For
the gradient of the weights a row is a filter's gradient and a column one channel's tap: vectors are
multiplied pixel by pixel and each sum is added up at the end.
"""

from __future__ import annotations

from .assembly import INTEGER, Function, Value, Variable
from .machine import Machine

CORRELATE = "x* w* z* bias* taps* tap_count channels channel_stride z_stride"
PRODUCTS = "x* y* dw* offsets* vectors y_stride dw_stride"


def correlate(machine: Machine, name: str, rows: int, columns: int) -> Function:
    """z[r] = bias[r] + Σ over channels and taps of w[channel, tap, r] · x[channel, · + tap]."""
    f = Function(name, CORRELATE, machine.lanes)
    x, w, z, bias, taps, tap_count, channels, channel_stride, z_stride = f.arguments
    sums = [
        [Variable(f, start) for _ in range(columns)]
        for start in [f.splat(f.load(bias + row)) for row in range(rows)]
    ]
    here, weights = Variable(f, x), Variable(f, w)
    with f.loop(channels):
        with f.loop(tap_count) as tap:
            seen = here.get() + f.load(f.step(taps, tap, INTEGER), INTEGER)
            pixels = [f.load(seen + c * f.lanes, f.vector) for c in range(columns)]
            for row in range(rows):
                weight = f.splat(f.load(weights.get() + row))
                for total, pixel in zip(sums[row], pixels, strict=True):
                    total.set(f.multiply_add(pixel, weight, total.get()))
            weights.set(weights.get() + rows)
        here.set(here.get() + channel_stride)
    for row, line in enumerate(sums):
        for column, total in enumerate(line):
            f.store(total.get(), z + z_stride * row + column * f.lanes)
    return f


def products(machine: Machine, name: str, rows: int, columns: int) -> Function:
    """dw[r, c] += Σ over pixels of y[r] · x[· + offset c]."""
    f = Function(name, PRODUCTS, machine.lanes)
    x, y, dw, offsets, vectors, y_stride, dw_stride = f.arguments
    sums = [[Variable(f, f.zeros()) for _ in range(columns)] for _ in range(rows)]
    seen = [x + f.load(f.step(offsets, c, INTEGER), INTEGER) for c in range(columns)]
    lines = [y + y_stride * row for row in range(rows)]
    with f.loop(vectors) as number:
        place = number * f.lanes
        pixels = [f.load(pointer + place, f.vector) for pointer in seen]
        for line, totals in zip(lines, sums, strict=True):
            gradient = f.load(line + place, f.vector)
            for total, pixel in zip(totals, pixels, strict=True):
                total.set(f.multiply_add(gradient, pixel, total.get()))
    totals = add_up(f, [total.get() for line in sums for total in line])
    for number, total in enumerate(totals):
        target = dw + dw_stride * (number // columns) + number % columns
        f.store(f.load(target) + total, target)
    return f


def add_up(f: Function, vectors: list[Value]) -> list[Value]:
    """The sum over the lanes of each vector: pairs are folded into one until a vector is full."""
    result = []
    for start in range(0, len(vectors), f.lanes):
        group = vectors[start : start + f.lanes]
        count, half = len(group), f.lanes
        owners: list[list[int | None]] = [[number] * f.lanes for number in range(count)]
        while half > 1:
            half //= 2
            pairs = [(2 * i, min(2 * i + 1, len(group) - 1)) for i in range((len(group) + 1) // 2)]
            folded, folded_owners = [], []
            for one, other in pairs:
                low, high, owner = _fold(f.lanes, owners[one], owners[other], one == other)
                low_part = f.shuffle(group[one], group[other], low)
                folded.append(low_part + f.shuffle(group[one], group[other], high))
                folded_owners.append(owner)
            group, owners = folded, folded_owners
        for number in range(count):
            result.append(f.lane(group[0], owners[0].index(number)))
    return result


def _fold(lanes: int, one: list, other: list, same: bool) -> tuple[list, list, list]:
    """Which lanes of two vectors to add so that each owner has half as many lanes as before."""
    low, high, owners = [], [], []
    for base, line in ((0, one), *(() if same else ((lanes, other),))):
        for owner in dict.fromkeys(each for each in line if each is not None):
            places = [base + place for place, each in enumerate(line) if each == owner]
            middle = len(places) // 2
            low += places[:middle]
            high += places[middle:]
            owners += [owner] * middle
    spare = lanes - len(low)
    return low + [-1] * spare, high + [-1] * spare, owners + [None] * spare
