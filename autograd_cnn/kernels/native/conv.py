"""Convolution in its three passes: what is prepared once for a shape, and what a call adds."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from ..precision import get_float32_matmul_precision
from ..specs import ConvSpec, Sizes
from . import filterwise, filterwise_weights, launch, memory, plan, threads, winograd
from .blocks import blocks, even
from .compiler import address
from .drivers import CONVOLVE, PACK, STEP, STRIP, WEIGH, convolve, pack, weigh
from .launch import fill, share_out, table, where
from .machine import Machine, current
from .rows import gather, scatter
from .tiles import correlate, products

WEIGHT_PIXELS = 1536
"""Pixels of one unit of a weight gradient: each unit ends by adding up the lanes of its sums."""
SPLIT_FLOATS = 1 << 19
"""From here on the threads share the rows of a weight gradient; below, each has all of it."""
PACKED_ALONE = 1 << 16
"""Weights up to this many are brought into order by one thread."""


def forward(x: np.ndarray, w: np.ndarray, b: np.ndarray | None, spec: ConvSpec,
            relu: bool = False) -> np.ndarray:  # fmt: skip
    """The convolution of float32 N×C×size with O×(C/groups)×kernel, plus a bias; its ReLU."""
    return _prepared(_forward, x.shape, w.shape, spec, x.shape[2:]).run(x, w, b, relu)


def input_grad(y: np.ndarray, w: np.ndarray, spec: ConvSpec, size: Sizes) -> np.ndarray:
    """The transpose in the input: float32 N×O×out back to N×C×size."""
    return _prepared(_transposed, y.shape, w.shape, spec, size).run(y, w, None)


def weight_grad(x: np.ndarray, y: np.ndarray, spec: ConvSpec, kernel: Sizes) -> np.ndarray:
    """The transpose in the filters: float32 N×C×size and N×O×out to O×(C/groups)×kernel."""
    shape = (y.shape[1], x.shape[1] // spec.groups, *kernel)
    return _prepared(_of_weights, x.shape, shape, spec, y.shape[2:]).run(x, y)


def describe(kernel: str, *arrays: np.ndarray, spec: ConvSpec, size: Sizes = ()) -> str:
    """Which tiles would run, on how much work at a time, in how many threads."""
    first, second = arrays[:2]
    if kernel in ("conv", "conv_relu"):
        prepared = _prepared(_forward, first.shape, second.shape, spec, first.shape[2:])
    elif kernel == "conv_input_grad":
        prepared = _prepared(_transposed, first.shape, second.shape, spec, size)
    else:
        shape = (second.shape[1], first.shape[1] // spec.groups, *size)
        prepared = _prepared(_of_weights, first.shape, shape, spec, second.shape[2:])
    return prepared.describe()


def _prepared(kind, images: Sizes, w: Sizes, spec: ConvSpec, size: Sizes):
    exact = get_float32_matmul_precision() == "highest"
    return _prepare(kind, images, w, spec, tuple(size), threads.get_num_threads(), current(), exact)


@lru_cache(maxsize=512)
def _prepare(kind, images, w, spec, size, threads, machine, exact):
    return kind(images, w, spec, size, threads, machine, exact)


def _forward(images: Sizes, w: Sizes, spec: ConvSpec, size: Sizes, threads: int, machine: Machine,
             exact: bool):  # fmt: skip
    (n, channels), filters, groups, kernel = images[:2], w[0], spec.groups, w[2:]
    out, taps = spec.output_size(size, kernel), prod(w[2:])
    source, target = (n, channels, *size), (n, filters, *out)
    workers = launch.workers(n * prod(out) * prod(w), threads)
    why_not = winograd.obstacle(source, target, kernel, spec, machine, exact)
    if not why_not:
        before = tuple(before for before, _ in spec.padding)
        order = (channels * taps, taps)
        return winograd.Winograd(source, target, before, order, False, workers, machine)
    if filterwise.fits(target, spec, machine):
        return filterwise.forward(source, target, w, spec, workers, machine, why_not)
    rows = even(filters // groups, machine.filters)
    slack = machine.columns(rows) * machine.lanes
    layout = plan.forward(n, channels, size, kernel, out, spec, workers, slack)
    order = (w[1] * taps, taps, filters // groups * w[1] * taps)
    return Correlation(layout, source, target, kernel, groups, order, workers, machine, why_not)


def _transposed(images: Sizes, w: Sizes, spec: ConvSpec, size: Sizes, threads: int,
                machine: Machine, exact: bool):  # fmt: skip
    n, filters, groups, kernel, out = images[0], w[0], spec.groups, w[2:], images[2:]
    taps, target = prod(kernel), (n, groups * w[1], *size)
    workers = launch.workers(n * prod(out) * prod(w), threads)
    why_not = winograd.obstacle(images, target, kernel, spec, machine, exact)
    if not why_not:
        before = tuple(2 - before for before, _ in spec.padding)
        order = (taps, w[1] * taps)
        return winograd.Winograd(images, target, before, order, True, workers, machine)
    if filterwise.fits(target, spec, machine):
        return filterwise.transposed(images, target, w, spec, workers, machine, why_not)
    slack = machine.columns(even(w[1], machine.filters)) * machine.lanes
    layout = plan.transposed(n, filters, size, kernel, out, spec, workers, slack)
    order = (taps, w[1] * taps, filters // groups * w[1] * taps)
    return Correlation(layout, images, target, kernel, groups, order, workers, machine, why_not)


def _of_weights(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes, threads: int, machine: Machine,
                exact: bool):  # fmt: skip
    y = (x[0], w[0], *out)
    workers = launch.workers(prod(y) * prod(w[1:]), threads)
    why_not = winograd.obstacle(x, y, w[2:], spec, machine, exact, workers)
    if not why_not:
        before = tuple(before for before, _ in spec.padding)
        return winograd.WinogradWeights(x, y, before, workers, machine)
    if filterwise_weights.fits(x, y, w[2:], spec, machine):
        return filterwise_weights.FilterwiseWeights(x, y, w[2:], spec, workers, machine, why_not)
    return WeightGradient(x, w, spec, out, workers, machine, why_not)


class Correlation:
    """A convolution or its transpose in the input, prepared for one shape.

    `filters` are the channels that come out, `channels` those that go in; `order` says how far
    apart neighbours of both, and of the groups, are among the weights.
    """

    def __init__(self, layout: plan.Plan, source: Sizes, target: Sizes, kernel: Sizes, groups: int,
                 order: tuple[int, int, int], workers: int, machine: Machine,
                 why_not: str) -> None:  # fmt: skip
        self.machine, self.target, self.why_not = machine, target, why_not
        self.workers = min(workers, layout.units)
        channels, filters = source[1], target[1]
        self.rows = even(filters // groups, machine.filters)
        self.widest = machine.columns(self.rows)
        blocks = -(-(filters // groups) // self.rows)
        spare = self.widest * machine.lanes
        flat_size = 0 if layout.direct else channels * layout.channel_stride + spare
        z_stride = plan.odd_lines(layout.longest + spare)
        self.z_place = self.workers * flat_size
        self.packed_place = self.z_place + self.workers * self.rows * z_stride
        block_floats = blocks * self.rows * channels
        starts = np.cumsum([0, *(taps.size * block_floats for taps in layout.taps)]).tolist()
        self.scratch = self.packed_place + starts[-1]
        self.bias = np.zeros(filters, np.float32)
        self.tables = {
            "bounds": share_out(layout.units, self.workers),
            "strip_table": strip_table(layout),
            "step_table": self._steps(layout, starts),
        }
        self.words = table(
            CONVOLVE, **self.tables, images=source[0], together=layout.together,
            strips=layout.strips, channels=channels, filters=filters, in_plane=prod(source[2:]),
            out_plane=prod(target[2:]), channel_stride=layout.channel_stride,
            image_stride=layout.image_stride, direct=int(layout.direct is not None),
            gather=address(machine, gather, layout.load_stride),
            scatter=address(machine, scatter, layout.store_stride, False), jobs=len(layout.taps),
            groups=groups, rows=self.rows, blocks=blocks, z_size=self.rows * z_stride,
            z_stride=z_stride, flat_size=flat_size, x=0, y=0, flat=0, z=0, bias=0, packed=0,
        )  # fmt: skip
        one, both = share_out(groups * blocks, 1), share_out(groups * blocks, self.workers)
        self.pack_bounds = {1: one, self.workers: both}
        self.layout = layout
        self.packs = []
        for start, numbers in zip(starts, layout.tap_numbers, strict=False):
            places = np.ascontiguousarray(numbers @ _steps_of(kernel))
            words = table(
                PACK, taps=places, tap_count=len(places), rows=self.rows, blocks=blocks,
                group_filters=filters // groups, channels=channels // groups,
                filter_stride=order[0], channel_stride=order[1], group_stride=order[2],
                w=0, packed=0, bounds=0,
            )  # fmt: skip
            self.packs.append((words, places, start))

    def run(self, images: np.ndarray, w: np.ndarray, b: np.ndarray | None,
            relu: bool = False) -> np.ndarray:  # fmt: skip
        result = memory.empty(self.target)
        with threads.pool() as pool:
            scratch = pool.scratch(self.scratch)
            packed = scratch + 4 * self.packed_place
            self._pack(pool, w, packed)
            words = fill(
                CONVOLVE, self.words, x=where(images), y=where(result), flat=scratch,
                z=scratch + 4 * self.z_place, bias=where(self.bias if b is None else b),
                packed=packed,
                scatter=address(self.machine, scatter, self.layout.store_stride, relu),
            )  # fmt: skip
            launch.run(pool, self.machine, convolve, words, self.workers)
        return result

    def describe(self) -> str:
        return _described(self)

    def _pack(self, pool: threads.Pool, w: np.ndarray, packed: int) -> None:
        workers = self.workers if w.size > PACKED_ALONE else 1
        bounds = where(self.pack_bounds[workers])
        for words, _, start in self.packs:
            words = fill(PACK, words, w=where(w), packed=packed + 4 * start, bounds=bounds)
            launch.run(pool, self.machine, pack, words, workers)

    def _steps(self, layout: plan.Plan, starts: list[int]) -> np.ndarray:
        lanes = self.machine.lanes
        rows = []
        for strip in layout.steps:
            for step, taps, start in zip(strip, layout.taps, starts, strict=False):
                vectors = -(-step.length // lanes)
                tiles = -(-vectors // self.widest)
                wide = -(-vectors // max(1, tiles))
                narrow = max(1, wide - 1)
                small = tiles * wide - vectors
                rows.append(table(
                    STEP, run=step.run, length=step.image_length, big=tiles - small, small=small,
                    big_pixels=wide * lanes, small_pixels=narrow * lanes,
                    big_limit=max(0, step.length - wide * lanes),
                    small_limit=max(0, step.length - narrow * lanes),
                    big_tile=address(self.machine, correlate, self.rows, max(1, wide)),
                    small_tile=address(self.machine, correlate, self.rows, narrow),
                    table=step.rows, count=len(step.rows), taps=taps, tap_count=len(taps),
                    weights=start,
                ))  # fmt: skip
        return np.array(rows)


class WeightGradient:
    """The gradient of the weights, prepared for one shape."""

    def __init__(self, x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes, workers: int,
                 machine: Machine, why_not: str) -> None:  # fmt: skip
        self.machine, self.shape, self.why_not = machine, w, why_not
        n, groups, filters = x[0], spec.groups, w[0]
        entries = prod(w[1:])
        split = filters * entries > SPLIT_FLOATS
        self.layout = layout = plan.forward(
            n,
            x[1],
            x[2:],
            w[2:],
            out,
            spec,
            1 if split else workers,
            machine.lanes,
            WEIGHT_PIXELS,
        )
        rows = blocks(filters // groups, machine.filters)
        columns = blocks(entries, machine.columns(max(size for _, size in rows)))
        row_blocks = np.array([
            (group * (filters // groups) + first, group * w[1] * layout.channel_stride,
             2 * (size != rows[0][1]))
            for group in range(groups) for first, size in rows
        ])  # fmt: skip
        column_blocks = np.array([(first, size != columns[0][1]) for first, size in columns])
        tiles = np.array([
            address(machine, products, height, width)
            for height in (rows[0][1], rows[-1][1]) for width in (columns[0][1], columns[-1][1])
        ])  # fmt: skip
        self.rows, self.widest = rows[0][1], columns[0][1]
        split = split and len(row_blocks) > 1
        self.workers = min(workers, len(row_blocks) if split else layout.units)
        self.parts = 1 if split else self.workers
        everything = np.zeros((self.workers, 1), np.int64)
        units, all_blocks = (
            np.hstack([everything, everything + count]) for count in (layout.units, len(row_blocks))
        )
        channel = np.arange(w[1])[:, None] * layout.channel_stride
        self.tables = {
            "bounds": units if split else share_out(layout.units, self.workers),
            "block_bounds": share_out(len(row_blocks), self.workers) if split else all_blocks,
            "row_blocks": row_blocks.astype(np.int64),
            "column_blocks": column_blocks.astype(np.int64),
            "offsets": np.ascontiguousarray((channel + layout.taps[0]).ravel()),
            "tiles": tiles,
            "strip_table": strip_table(layout),
            "step_table": self._steps(layout),
        }
        line_stride = plan.odd_lines(layout.longest + machine.lanes)
        flat_size = x[1] * layout.channel_stride + machine.lanes
        self.lines_place = self.workers * flat_size
        self.scratch = self.lines_place + self.workers * filters * line_stride
        self.words = table(
            WEIGH, **self.tables, images=n, together=layout.together, strips=layout.strips,
            channels=x[1], filters=filters, in_plane=prod(x[2:]), out_plane=prod(out),
            channel_stride=layout.channel_stride, image_stride=layout.image_stride, direct=0,
            gather=address(machine, gather, layout.load_stride), flat_size=flat_size,
            lines_size=filters * line_stride, line_stride=line_stride,
            fetch=address(machine, gather, 1), dw_size=0 if split else filters * entries,
            entries=entries, column_count=len(columns), x=0, y=0, flat=0, lines=0, dw=0,
        )  # fmt: skip

    def run(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        dw = np.zeros((self.parts, *self.shape), np.float32)
        with threads.pool() as pool:
            scratch = pool.scratch(self.scratch)
            words = fill(
                WEIGH, self.words, x=where(x), y=where(y), flat=scratch,
                lines=scratch + 4 * self.lines_place, dw=where(dw),
            )  # fmt: skip
            launch.run(pool, self.machine, weigh, words, self.workers)
        return dw[0] if self.parts == 1 else dw.sum(axis=0)

    def describe(self) -> str:
        return _described(self)

    def _steps(self, layout: plan.Plan) -> np.ndarray:
        self.fetches, rows = [], []
        unused = dict.fromkeys(
            "big small big_pixels small_pixels big_limit small_limit big_tile small_tile weights "
            "taps tap_count".split(), 0,
        )  # fmt: skip
        for (step,) in layout.steps:
            # a shorter strip leaves no entries of the one before it in its last vector
            rest = np.array([(step.image_length, -1, self.machine.lanes)])
            fetch = np.vstack([step.rows, rest]) if layout.strips > 1 else step.rows
            self.fetches.append(fetch)
            rows.append(table(
                STEP, run=step.run, length=step.image_length, table=fetch, count=len(fetch),
                **unused,
            ))  # fmt: skip
        return np.array(rows)


def _described(prepared: Correlation | WeightGradient) -> str:
    machine, layout = prepared.machine, prepared.layout
    return (
        f"{machine.name} tiles of {prepared.rows}×{prepared.widest} vectors of {machine.lanes}, "
        f"{layout.units} units of {layout.longest:,} pixels"
        f"{' read in place' if layout.direct else ''}, {prepared.workers} thread(s); "
        f"not Winograd: {prepared.why_not}"
    )


def strip_table(layout: plan.Plan) -> np.ndarray:
    """How each strip is loaded."""
    starts = layout.direct or (0,) * layout.strips
    return np.array([
        table(STRIP, load_table=load, load_count=len(load), direct_offset=start)
        for load, start in zip(layout.loads, starts, strict=True)
    ])  # fmt: skip


def _steps_of(kernel: Sizes) -> np.ndarray:
    """How far apart neighbouring taps of the three axes are."""
    return np.array([prod(kernel[1:]), kernel[-1] if len(kernel) == 3 else 0, 1], np.int64)
