"""Direct convolution with vectors along the filters, for what pixels in rows fit badly.

A tile is a few neighbouring outputs × a few vectors of filters: each pixel that they see is
broadcast. Stride and dilation are steps between pixels, and nothing is computed between rows. The
outputs hold all their filters, and are turned into planes at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from ..specs import ConvSpec, Sizes
from . import launch, threads
from .assembly import INTEGER, Function, Variable
from .blocks import even, filter_vectors, places, tallest
from .compiler import address
from .drivers import COMMON, PACK, STRIP, Share, pack, record
from .launch import fill, share_out, table, where
from .machine import Machine
from .memory import empty
from .plan import odd_lines
from .rows import gather
from .winograd_tiles import collect

STRIP_FLOATS = 48 << 10
"""Entries of one strip, before and after."""
FILTERWISE = f"{COMMON} jobs blocks tile_filters z* z_size bias* packed* collect*"
JOB = "tiles* tile_count tile* taps* tap_count weights z_step first count"
TILE = "x z"
BROADCAST = "x* w* z* bias* taps* tap_count channels channel_stride z_step"


def broadcast(machine: Machine, name: str, rows: int, columns: int, step: int) -> Function:
    """z[r] = bias + Σ over channels and taps of x[channel, r·step + tap]·w[channel, tap]."""
    f = Function(name, BROADCAST, machine.lanes)
    x, w, z, bias, taps, tap_count, channels, channel_stride, z_step = f.arguments
    start = [f.load(bias + c * f.lanes, f.vector) for c in range(columns)]
    sums = [[Variable(f, value) for value in start] for _ in range(rows)]
    here, weights = Variable(f, x), Variable(f, w)
    with f.loop(channels):
        with f.loop(tap_count) as tap:
            seen = here.get() + f.load(f.step(taps, tap, INTEGER), INTEGER)
            filters = [f.load(weights.get() + c * f.lanes, f.vector) for c in range(columns)]
            for row, totals in enumerate(sums):
                pixel = f.splat(f.load(seen + row * step))
                for total, filter_ in zip(totals, filters, strict=True):
                    total.set(f.multiply_add(pixel, filter_, total.get()))
            weights.set(weights.get() + columns * f.lanes)
        here.set(here.get() + channel_stride)
    for row, totals in enumerate(sums):
        for column, total in enumerate(totals):
            f.store(total.get(), z + z_step * row + column * f.lanes)
    return f


def convolve_filters(machine: Machine, name: str) -> Function:
    """Load a strip of an image, run the tiles into `z`, turn `z` into planes; for each unit."""
    share = Share(machine, name, FILTERWISE)
    f, a = share.function, share.arguments
    z = a["z"] + share.worker * a["z_size"]
    with share.units() as (image, strip):
        source = share.load_images(image, f.integer(1), strip)
        with f.loop(a["jobs"]) as number, f.loop(a["blocks"]) as block:
            job = share.record("step_table", strip * a["jobs"] + number, JOB)
            filter_ = f.smaller(block * a["tile_filters"], a["filters"] - a["tile_filters"])
            size = a["channels"] * job["tap_count"] * a["tile_filters"]
            weights = a["packed"] + job["weights"] + block * size
            with f.loop(job["tile_count"]) as place:
                tile = record(f, job["tiles"], place, TILE)
                f.call(
                    job["tile"], source + tile["x"], weights, z + tile["z"] + filter_,
                    a["bias"] + filter_, job["taps"], job["tap_count"], a["channels"],
                    a["channel_stride"], job["z_step"],
                )  # fmt: skip
        first = share.record("step_table", strip * a["jobs"], JOB)
        plane = a["y"] + image * a["filters"] * a["out_plane"] + first["first"]
        f.call(a["collect"], z, plane, a["out_plane"], first["count"], a["filters"])
    return f


@dataclass(frozen=True)
class Run:
    """Along one axis: outputs first, first + step, …, and the input that each sees at each tap."""

    first: int
    step: int
    count: int
    base: int
    stride: int
    taps: tuple[tuple[int, int], ...]  # shift, number

    def part(self, low: int, high: int) -> range:
        """Which outputs lie in low … high − 1."""
        ends = (-(-(end - self.first) // self.step) for end in (low, high))
        return range(*(min(max(end, 0), self.count) for end in ends))

    def seen(self, part: range) -> tuple[int, int]:
        """The least and the greatest input that a part of the outputs sees."""
        shifts = [shift for shift, _ in self.taps]
        return (
            self.base + part[0] * self.stride + min(shifts),
            self.base + part[-1] * self.stride + max(shifts),
        )


def forward_runs(k: int, s: int, d: int, before: int, out: int) -> list[Run]:
    """A convolution's only run along an axis."""
    return [Run(0, 1, out, -before, s, tuple((t * d, t) for t in range(k)))]


def transposed_runs(k: int, s: int, d: int, before: int, size: int) -> list[Run]:
    """The transpose: one run for each remainder of a pixel's place by the stride."""
    runs = []
    for r in range(s):
        first = (r - before) % s
        count = -(-(size - first) // s)
        taps = tuple((-((t * d - r) // s), t) for t in range(k) if t * d % s == r)
        if count > 0:
            runs.append(Run(first, s, count, (first + before - r) // s, 1, taps))
    return runs


def fits(target: Sizes, spec: ConvSpec, machine: Machine) -> bool:
    """Whether the outputs have two axes, one group, and enough filters and pixels for a vector."""
    enough = min(target[1], prod(target[2:])) >= machine.lanes
    return spec.ndim == 2 and spec.groups == 1 and enough


def forward(source: Sizes, target: Sizes, w: Sizes, spec: ConvSpec, workers: int,
            machine: Machine, why_not: str) -> Filterwise:  # fmt: skip
    """A convolution."""
    runs = [
        forward_runs(*axis)
        for axis in zip(w[2:], spec.stride, spec.dilation, _before(spec), target[2:], strict=True)
    ]
    order = (w[1] * prod(w[2:]), prod(w[2:]))
    return Filterwise(source, target, runs, w[2:], order, workers, machine, why_not)


def transposed(source: Sizes, target: Sizes, w: Sizes, spec: ConvSpec, workers: int,
               machine: Machine, why_not: str) -> Filterwise:  # fmt: skip
    """Its transpose in the input."""
    runs = [
        transposed_runs(*axis)
        for axis in zip(w[2:], spec.stride, spec.dilation, _before(spec), target[2:], strict=True)
    ]
    order = (prod(w[2:]), w[1] * prod(w[2:]))
    return Filterwise(source, target, runs, w[2:], order, workers, machine, why_not)


def _before(spec: ConvSpec) -> list[int]:
    return [before for before, _ in spec.padding]


class Filterwise:
    """A convolution or its transpose in the input, of N×C×H×W without groups, for one shape.

    `runs` are those of both axes; `order` says how far apart neighbouring filters and channels
    are among the weights, `why_not` why Winograd's algorithm is not used.
    """

    def __init__(self, source: Sizes, target: Sizes, runs: list[list[Run]], kernel: Sizes,
                 order: tuple[int, int], workers: int, machine: Machine,
                 why_not: str) -> None:  # fmt: skip
        self.machine, self.target, self.why_not = machine, target, why_not
        (n, channels, height, width), filters = source, target[1]
        lanes = machine.lanes
        self.columns = filter_vectors(filters, lanes)
        block = self.columns * lanes
        blocks = -(-filters // block)
        jobs = list(product(*runs))
        strips = cut_strips(source, target, workers, lanes)
        self.units = n * len(strips)
        self.workers = min(workers, self.units)
        left, pitch = columns_seen(runs[1], width)
        boxes = [rows_seen(runs[0], strip) for strip in strips]
        lines = max(high - low for low, high in boxes)
        inside = left == 0 and pitch == width and all(0 <= a <= b <= height for a, b in boxes)
        channel_stride = height * width if inside else odd_lines(lines * pitch)
        loads = [load(box, source, left, pitch) for box in boxes]
        starts = [low * width if inside else 0 for low, _ in boxes]
        sizes = [len(rows.taps) * len(columns.taps) for rows, columns in jobs]
        ends = np.cumsum([0, *(size * blocks * block * channels for size in sizes)]).tolist()
        self.longest = max((b - a) * target[3] for a, b in strips)
        flat_size = 0 if inside else channels * channel_stride
        self.places, self.scratch = places(
            self.workers * flat_size, self.workers * self.longest * filters, ends[-1]
        )
        self.bias = np.zeros(filters, np.float32)
        self.kept, records = [], []
        self.rows = 0
        for strip, box in zip(strips, boxes, strict=True):
            for (rows, columns), start in zip(jobs, ends, strict=False):
                tall = even(columns.count, tallest(self.columns, machine))
                self.rows = max(self.rows, tall)
                tiles = _tiles(rows, columns, strip, box[0], left, pitch, target, tall)
                both = product(rows.taps, columns.taps)
                taps = np.array([a * pitch + b for (a, _), (b, _) in both], np.int64)
                records.append(table(
                    JOB, tiles=tiles, tile_count=len(tiles), taps=taps, tap_count=len(taps),
                    tile=address(machine, broadcast, tall, self.columns, columns.stride),
                    weights=start, z_step=columns.step * filters, first=strip[0] * target[3],
                    count=(strip[1] - strip[0]) * target[3],
                ))  # fmt: skip
                self.kept += [tiles, taps]
        self.tables = {
            "bounds": share_out(self.units, self.workers),
            "strip_table": np.array([
                table(STRIP, load_table=load, load_count=len(load), direct_offset=start)
                for load, start in zip(loads, starts, strict=True)
            ]),
            "step_table": np.array(records),
        }  # fmt: skip
        self.kept += loads
        self.words = table(
            FILTERWISE, **self.tables, images=n, together=1, strips=len(strips), channels=channels,
            filters=filters, in_plane=height * width, out_plane=prod(target[2:]),
            channel_stride=channel_stride, image_stride=0, gather=address(machine, gather, 1),
            direct=int(inside), jobs=len(jobs), blocks=blocks, tile_filters=block,
            z_size=self.longest * filters, collect=0, flat_size=flat_size, x=0, y=0, flat=0, z=0,
            bias=0, packed=0,
        )  # fmt: skip
        self.packers = min(workers, blocks)
        self.pack_bounds = share_out(blocks, self.packers)
        self.packs = []
        for (rows, columns), start in zip(jobs, ends, strict=False):
            both = product(rows.taps, columns.taps)
            numbers = np.array([a * kernel[1] + b for (_, a), (_, b) in both], np.int64)
            self.packs.append((start, numbers, table(
                PACK, taps=numbers, tap_count=len(numbers), rows=block, blocks=blocks,
                group_filters=filters, channels=channels, filter_stride=order[0],
                channel_stride=order[1], group_stride=0, w=0, packed=0, bounds=self.pack_bounds,
            )))  # fmt: skip

    def run(self, images: np.ndarray, w: np.ndarray, b: np.ndarray | None,
            relu: bool = False) -> np.ndarray:  # fmt: skip
        result = empty(self.target)
        with threads.pool() as pool:
            scratch = pool.scratch(self.scratch)
            flat, z, packed = (scratch + 4 * place for place in self.places)
            for start, _, words in self.packs:
                words = fill(PACK, words, w=where(w), packed=packed + 4 * start)
                launch.run(pool, self.machine, pack, words, self.packers)
            words = fill(
                FILTERWISE, self.words, x=where(images), y=where(result), flat=flat, z=z,
                packed=packed, bias=where(self.bias if b is None else b),
                collect=address(self.machine, collect, relu),
            )  # fmt: skip
            launch.run(pool, self.machine, convolve_filters, words, self.workers)
        return result

    def describe(self) -> str:
        return (
            f"{self.machine.name} tiles of {self.rows} pixels × {self.columns} vectors of "
            f"{self.machine.lanes} filters, {self.units} units of up to {self.longest:,} pixels, "
            f"{self.workers} thread(s); not Winograd: {self.why_not}"
        )


def cut_strips(source: Sizes, target: Sizes, workers: int, lanes: int):
    """Rows of outputs that are computed together."""
    n, rows = target[0], target[2]
    floats = prod(source[1:]) + prod(target[1:])
    count = max(1, round(floats / STRIP_FLOATS), -(-workers // n) if n < workers else 1)
    shortest = -(-lanes // target[3])  # rows that fill a vector when they are turned
    height = max(-(-rows // count), shortest)
    starts = list(range(0, rows, height))
    if rows - starts[-1] < shortest and len(starts) > 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], rows], strict=True))


def rows_seen(runs: list[Run], strip: tuple[int, int]) -> tuple[int, int]:
    """The first row that a strip of outputs sees, and the one after the last."""
    parts = [(run, run.part(*strip)) for run in runs if run.taps]
    seen = [run.seen(part) for run, part in parts if part]
    low, high = min((s for s, _ in seen), default=0), max((s for _, s in seen), default=-1) + 1
    return low, max(high, low + 1)


def columns_seen(runs: list[Run], width: int) -> tuple[int, int]:
    """Zeros before the first pixel of a row, and from one row to the next."""
    low, high = rows_seen(runs, (0, 1 << 40))
    left = max(-low, 0)
    return left, max(high, width) + left


def load(box: tuple[int, int], source: Sizes, left: int, pitch: int) -> np.ndarray:
    """The runs that bring some rows of a channel into the flat buffer, zeros outside."""
    low, high = box
    width = source[3]
    return np.array([
        ((r - low) * pitch + left, r * width if 0 <= r < source[2] else -1, width)
        for r in range(low, high)
    ], np.int64)  # fmt: skip


def _tiles(rows: Run, columns: Run, strip, low: int, left: int, pitch: int, target: Sizes,
           tall: int) -> np.ndarray:  # fmt: skip
    """Where the first pixel of each tile lies before and after; the last of a row moves back."""
    starts = [min(k, columns.count - tall) for k in range(0, columns.count, tall)]
    tiles = [
        (
            (rows.base + k * rows.stride - low) * pitch + columns.base + c * columns.stride + left,
            ((rows.first + k * rows.step - strip[0]) * target[3] + columns.first + c * columns.step)
            * target[1],
        )
        for k in rows.part(*strip)
        for c in starts
    ]
    return np.array(tiles, np.int64).reshape(-1, 2)
