"""The arithmetic of Winograd's F(4×4, 3×3): tiles to points, products at 36 points, and back.

    y = Aᵀ[Σ over channels of (G w Gᵀ) ⊙ (Bᵀ x B)]A

for patches x of 6×6 pixels and tiles y of 4×4: 36 products instead of 144 for a filter and channel.
The points are 0, ±1, ±2 and ∞ (Lavin and Gray, "Fast algorithms for convolutional neural networks",
2016). Vectors run along channels or filters, so every step but the turning of vectors is the same
for all lanes; where the last vector of a row would not fit, it overlaps the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .assembly import INTEGER, Function, Value, Variable
from .chain_code import KERNELS
from .machine import Machine

POINTS = 36
SPREAD = "x* flat* places* plane pixels channels"
COLLECT = "flat* y* plane pixels channels"
MULTIPLY = "v* u* m* channels m_stride"
ACCUMULATE = "v* z* d* tiles v_stride z_stride d_stride"
TO_POINTS = "x* v* row pixel channels v_stride"
FROM_POINTS = "m* y* bias* row filters m_stride"
FILTERS = "w* u* channels filter_stride channel_stride u_channel u_stride"
FILTERS_BACK = "d* dw* channels workers d_size d_point d_stride"
Transform = Callable[[Function, Sequence[Value]], list[Value]]


def spread(machine: Machine, name: str) -> Function:
    """flat[places[p] + c] = x[c, p]: from planes to pixels that hold all their channels."""
    f = Function(name, SPREAD, machine.lanes)
    x, flat, places, plane, pixels, channels = f.arguments
    with overlapping(f, channels) as channel, overlapping(f, pixels) as pixel:
        source = x + channel * plane + pixel
        turned = turn(f, [f.load(source + plane * row, f.vector) for row in range(f.lanes)])
        for number, vector in enumerate(turned):
            place = f.load(f.step(places, pixel + number, INTEGER), INTEGER)
            f.store(vector, flat + place + channel)
    return f


def collect(machine: Machine, name: str, relu: bool) -> Function:
    """y[c, p] = flat[p, c], or its ReLU: back to planes from pixels one after the other."""
    f = Function(name, COLLECT, machine.lanes)
    flat, y, plane, pixels, channels = f.arguments
    with overlapping(f, channels) as channel, overlapping(f, pixels) as pixel:
        source = flat + (pixel * channels + channel)
        turned = turn(f, [f.load(source + channels * row, f.vector) for row in range(f.lanes)])
        target = y + (channel * plane + pixel)
        for number, vector in enumerate(turned):
            f.store(KERNELS["relu"](f, vector) if relu else vector, target + plane * number)
    return f


def multiply(machine: Machine, name: str, rows: int, columns: int, v_stride: int) -> Function:
    """m[t] = Σ over channels of v[t, c]·u[c] for `rows` tiles and `columns` vectors of filters."""
    f = Function(name, MULTIPLY, machine.lanes)
    v, u, m, channels, m_stride = f.arguments
    sums = [[Variable(f, f.zeros()) for _ in range(columns)] for _ in range(rows)]
    weights = Variable(f, u)
    with f.loop(channels) as channel:
        filters = [f.load(weights.get() + c * f.lanes, f.vector) for c in range(columns)]
        here = v + channel
        for row, totals in enumerate(sums):
            pixel = f.splat(f.load(here + row * v_stride))
            for total, filter_ in zip(totals, filters, strict=True):
                total.set(f.multiply_add(pixel, filter_, total.get()))
        weights.set(weights.get() + columns * f.lanes)
    for row, totals in enumerate(sums):
        for column, total in enumerate(totals):
            f.store(total.get(), m + m_stride * row + column * f.lanes)
    return f


def accumulate(machine: Machine, name: str, rows: int, columns: int) -> Function:
    """d[c] += Σ over tiles of v[t, c]·z[t] for `rows` channels and `columns` vectors of filters."""
    f = Function(name, ACCUMULATE, machine.lanes)
    v, z, d, tiles, v_stride, z_stride, d_stride = f.arguments
    sums = [[Variable(f, f.zeros()) for _ in range(columns)] for _ in range(rows)]
    seen, gradient = Variable(f, v), Variable(f, z)
    with f.loop(tiles):
        filters = [f.load(gradient.get() + c * f.lanes, f.vector) for c in range(columns)]
        for row, totals in enumerate(sums):
            pixel = f.splat(f.load(seen.get() + row))
            for total, filter_ in zip(totals, filters, strict=True):
                total.set(f.multiply_add(pixel, filter_, total.get()))
        seen.set(seen.get() + v_stride)
        gradient.set(gradient.get() + z_stride)
    for row, totals in enumerate(sums):
        for column, total in enumerate(totals):
            place = d + d_stride * row + column * f.lanes
            f.store(f.load(place, f.vector) + total.get(), place)
    return f


def to_points(machine: Machine, name: str) -> Function:
    """v = Bᵀ x B of one patch, for all channels."""
    return _transform(machine, name, 6, see)


def gradient_to_points(machine: Machine, name: str) -> Function:
    """z = A y Aᵀ of one tile, for all filters."""
    return _transform(machine, name, 4, answer_transposed)


def _transform(machine: Machine, name: str, size: int, along: Callable) -> Function:
    """A transform on both axes of size×size pixels, for all channels."""
    f = Function(name, TO_POINTS, machine.lanes)
    x, v, row, pixel, channels, v_stride = f.arguments
    with overlapping(f, channels) as channel:
        patch = [
            [f.load(x + (row * i + pixel * j + channel), f.vector) for j in range(size)]
            for i in range(size)
        ]
        for number, value in enumerate(on_both_axes(f, along, patch)):
            f.store(value, v + (v_stride * number + channel))
    return f


def from_points(machine: Machine, name: str) -> Function:
    """y = Aᵀ m A + bias of one tile, for all filters; `row` and `filters` apart lie its pixels."""
    f = Function(name, FROM_POINTS, machine.lanes)
    m, y, bias, row, filters, m_stride = f.arguments
    with overlapping(f, filters) as filter_:
        points = [
            [f.load(m + (m_stride * (6 * i + j) + filter_), f.vector) for j in range(6)]
            for i in range(6)
        ]
        shift = f.load(bias + filter_, f.vector)
        for number, value in enumerate(on_both_axes(f, answer, points)):
            place = row * (number // 4) + filters * (number % 4) + filter_
            f.store(value + shift, y + place)
    return f


def filters_to_points(machine: Machine, name: str, flipped: bool) -> Function:
    """u = G w Gᵀ of one vector of filters, for all channels; `flipped` reads the taps backwards."""
    f = Function(name, FILTERS, machine.lanes)
    w, u, channels, filter_stride, channel_stride, u_channel, u_stride = f.arguments
    with f.loop(channels) as channel:
        source, taps = w + channel * channel_stride, []
        for first in range(0, 9, f.lanes):
            # nothing behind the nine is read: the last filter ends where the memory may end
            mask = f.mask(f.integer(9 - first))
            rows = [f.load_masked(source + filter_stride * n + first, mask) for n in range(f.lanes)]
            taps += turn(f, rows)[: 9 - first]
        taps = taps[::-1] if flipped else taps
        target = u + channel * u_channel
        for number, value in enumerate(on_both_axes(f, weigh, [taps[:3], taps[3:6], taps[6:]])):
            f.store(value, target + u_stride * number)
    return f


def filters_from_points(machine: Machine, name: str) -> Function:
    """dw = Gᵀ d G of one vector of filters, for all channels, d being a sum over the workers."""
    f = Function(name, FILTERS_BACK, machine.lanes)
    d, dw, channels, workers, d_size, d_point, d_stride = f.arguments
    with f.loop(channels) as channel:
        start = d + channel * d_stride
        sums = [
            [Variable(f, f.load(start + d_point * (6 * i + j), f.vector)) for j in range(6)]
            for i in range(6)
        ]
        with f.loop(workers, start=1) as worker:
            here = start + worker * d_size
            for number, total in enumerate(total for row in sums for total in row):
                total.set(total.get() + f.load(here + d_point * number, f.vector))
        points = [[total.get() for total in row] for row in sums]
        target = dw + channel * (9 * f.lanes)
        for number, value in enumerate(on_both_axes(f, weigh_transposed, points)):
            f.store(value, target + number * f.lanes)
    return f


# the transforms along one axis, and their transposes


def see(f: Function, x: Sequence[Value]) -> list[Value]:
    """Bᵀ x."""
    low, mid = plus(f, x[4], -4, x[2]), plus(f, x[3], -4, x[1])
    high, wide = x[4] - x[2], x[3] - x[1]
    return [
        plus(f, plus(f, x[4], -5, x[2]), 4, x[0]),
        low + mid,
        low - mid,
        plus(f, high, 2, wide),
        plus(f, high, -2, wide),
        plus(f, plus(f, x[5], -5, x[3]), 4, x[1]),
    ]


def weigh(f: Function, w: Sequence[Value]) -> list[Value]:
    """G w."""
    quarter, sixth, small = (f.splat(f.real(one / n)) for one, n in ((1, 4), (-1, 6), (1, 24)))
    even, odd = w[0] + w[2], w[1]
    wide, twice = plus(f, w[0], 4, w[2]), odd + odd
    return [
        w[0] * quarter,
        (even + odd) * sixth,
        (even - odd) * sixth,
        (wide + twice) * small,
        (wide - twice) * small,
        w[2],
    ]


def answer(f: Function, m: Sequence[Value]) -> list[Value]:
    """Aᵀ m."""
    near, far, odd, wide = m[1] + m[2], m[3] + m[4], m[1] - m[2], m[3] - m[4]
    return [
        m[0] + near + far,
        plus(f, odd, 2, wide),
        plus(f, near, 4, far),
        plus(f, odd, 8, wide) + m[5],
    ]


def weigh_transposed(f: Function, d: Sequence[Value]) -> list[Value]:
    """Gᵀ d."""
    quarter, sixth, small = (f.splat(f.real(one / n)) for one, n in ((1, 4), (1, 6), (1, 24)))
    near, far, odd, wide = d[1] + d[2], d[3] + d[4], d[2] - d[1], d[3] - d[4]
    return [
        d[0] * quarter + (plus(f, far, -4, near)) * small,
        (odd + odd + wide) * (small + small),
        (far - near) * sixth + d[5],
    ]


def answer_transposed(f: Function, y: Sequence[Value]) -> list[Value]:
    """A y."""
    even, odd = y[0] + y[2], y[1] + y[3]
    far, wide = plus(f, y[0], 4, y[2]), plus(f, y[1], 4, y[3])
    return [y[0], even + odd, even - odd, plus(f, far, 2, wide), plus(f, far, -2, wide), y[3]]


def plus(f: Function, x: Value, factor: float, y: Value) -> Value:
    """x + factor·y."""
    return f.multiply_add(y, f.splat(f.real(factor)), x)


def on_both_axes(f: Function, transform: Transform, rows: list[list[Value]]) -> list[Value]:
    """A transform of all columns and then of all rows; the result row by row."""
    columns = [transform(f, column) for column in zip(*rows, strict=True)]
    return [value for row in zip(*columns, strict=True) for value in transform(f, row)]


# vectors


@contextmanager
def overlapping(f: Function, count: Value) -> Iterator[Value]:
    """The block below for each vector of `count` entries, the last one moved back to fit."""
    with f.loop(count, step=f.lanes) as place:
        yield f.smaller(place, count - f.lanes)


def turn(f: Function, rows: list[Value]) -> list[Value]:
    """The transpose of as many vectors as lanes: blocks of ever half the size change places."""
    rows, lanes, half = list(rows), range(f.lanes), f.lanes // 2
    while half:
        for one in (number for number in lanes if not number & half):
            low, high = rows[one], rows[one + half]
            rows[one] = f.shuffle(
                low, high, [i if not i & half else f.lanes + i - half for i in lanes]
            )
            rows[one + half] = f.shuffle(
                low, high, [i + half if not i & half else f.lanes + i for i in lanes]
            )
        half //= 2
    return rows
