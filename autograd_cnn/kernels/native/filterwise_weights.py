"""The gradient of the weights with vectors along the filters.

A tile is a few entries of a filter × a few vectors of filters. Entries that are neighbours in a
row of the kernel see neighbouring pixels: a tile has a few such rows, of any channels. The
gradient of the output is turned first, so that its pixels hold all filters.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from ..specs import ConvSpec, Sizes
from . import launch, threads
from .assembly import INTEGER, Function, Variable
from .blocks import even, filter_vectors, places, tallest
from .compiler import address
from .drivers import COMMON, STRIP, Share
from .filterwise import columns_seen, cut_strips, forward_runs, load, rows_seen
from .launch import fill, share_out, table, where
from .machine import Machine
from .plan import odd_lines
from .rows import gather
from .winograd_tiles import spread

FEWEST, MOST = 64, 1 << 20
"""Outputs of an image, and weights, from which and up to which this is the faster way."""
POINTERS = 6
"""Rows of a kernel in a tile, each with a register that points to its pixels."""
WEIGH = f"""{COMMON} places* spread* z* z_size d* d_size d_stride offsets* row_blocks tile_rows
    tile_entries blocks tile_filters tile* line z_line width"""
LINES = "first count lines"
TILE = "x* z* d* offsets* lines line z_line width pixel d_stride"


def weigh_filters(machine: Machine, name: str, rows: int, taps: int, dilation: int, columns: int,
                  stride: int) -> Function:  # fmt: skip
    """d[r, t] += Σ over pixels of x[offset r + t·dilation + pixel·stride]·z[pixel]."""
    f = Function(name, TILE, machine.lanes)
    x, z, d, offsets, lines, line, z_line, width, pixel, d_stride = f.arguments
    sums = [[Variable(f, f.zeros()) for _ in range(columns)] for _ in range(rows * taps)]
    seen = [x + f.load(f.step(offsets, row, INTEGER), INTEGER) for row in range(rows)]
    with f.loop(lines) as number:
        gradient = Variable(f, z + number * z_line)
        with f.loop(width) as place:
            here = number * line + place * stride
            filters = [f.load(gradient.get() + c * f.lanes, f.vector) for c in range(columns)]
            for entry, totals in enumerate(sums):
                row, tap = divmod(entry, taps)
                value = f.splat(f.load(seen[row] + here + tap * dilation))
                for total, filter_ in zip(totals, filters, strict=True):
                    total.set(f.multiply_add(value, filter_, total.get()))
            gradient.set(gradient.get() + pixel)
    for entry, totals in enumerate(sums):
        for column, total in enumerate(totals):
            target = d + d_stride * entry + column * f.lanes
            f.store(f.load(target, f.vector) + total.get(), target)
    return f


def add_up_filters(machine: Machine, name: str) -> Function:
    """Load a strip of an image and of its gradient, and run the tiles; for each unit."""
    share = Share(machine, name, WEIGH)
    f, a = share.function, share.arguments
    z, d = a["z"] + share.worker * a["z_size"], a["d"] + share.worker * a["d_size"]
    with share.units() as (image, strip):
        source = share.load_images(image, f.integer(1), strip)
        part = share.record("step_table", strip, LINES)
        gradient = a["y"] + image * a["filters"] * a["out_plane"] + part["first"]
        f.call(
            a["spread"], gradient, z, a["places"], a["out_plane"], part["count"], a["filters"]
        )  # fmt: skip
        with f.loop(a["blocks"]) as block, f.loop(a["row_blocks"]) as number:
            filter_ = block * a["tile_filters"]
            target = d + number * a["tile_entries"] * a["d_stride"] + filter_
            f.call(
                a["tile"], source, z + filter_, target,
                f.step(a["offsets"], number * a["tile_rows"], INTEGER), part["lines"], a["line"],
                a["z_line"], a["width"], a["filters"], a["d_stride"],
            )  # fmt: skip
    return f


class FilterwiseWeights:
    """The gradient of the weights of a convolution with two axes and one group, for one shape."""

    def __init__(self, x: Sizes, y: Sizes, kernel: Sizes, spec: ConvSpec, workers: int,
                 machine: Machine, why_not: str) -> None:  # fmt: skip
        self.machine, self.why_not = machine, why_not
        (n, channels, height, width), filters = x, y[1]
        self.shape = (filters, channels, *kernel)
        lanes, before = machine.lanes, [before for before, _ in spec.padding]
        axes = zip(kernel, spec.stride, spec.dilation, before, y[2:], strict=True)
        down, across = (forward_runs(*axis)[0] for axis in axes)
        strips = cut_strips(x, y, workers, lanes)
        self.units = n * len(strips)
        self.workers = min(workers, self.units)
        left, pitch = columns_seen([across], width)
        boxes = [rows_seen([down], strip) for strip in strips]
        inside = left == 0 and pitch == width and all(0 <= a <= b <= height for a, b in boxes)
        lines = max(high - low for low, high in boxes)
        channel_stride = height * width if inside else odd_lines(lines * pitch)
        loads = [load(box, x, left, pitch) for box in boxes]
        taps, most = kernel[1], _most(filters, machine)
        self.columns = filter_vectors(filters, lanes)
        all_rows = channels * kernel[0]
        rows = even(all_rows, min(POINTERS, most // taps))
        self.rows, row_blocks = rows * taps, -(-all_rows // rows)
        block = self.columns * lanes
        blocks = -(-filters // block)
        # beyond the last row and the last filter lie other numbers; their sums are not read
        self.sums = (self.workers, row_blocks * self.rows, blocks * block)
        flat_size = 0 if inside else channels * channel_stride
        self.longest = max((b - a) * y[3] for a, b in strips)
        self.places, self.scratch = places(
            self.workers * self.longest * filters, self.workers * flat_size, block
        )
        offsets = [
            c * channel_stride + i * spec.dilation[0] * pitch
            for c, i in product(range(channels), range(kernel[0]))
        ]
        spare = [offsets[-1]] * (row_blocks * rows - all_rows)
        self.kept = loads
        self.tables = {
            "bounds": share_out(self.units, self.workers),
            "strip_table": np.array([
                table(STRIP, load_table=runs, load_count=len(runs),
                      direct_offset=low * width if inside else 0)
                for runs, (low, _) in zip(loads, boxes, strict=True)
            ]),
            "step_table": np.array([
                table(LINES, first=a * y[3], count=(b - a) * y[3], lines=b - a) for a, b in strips
            ]),
            "places": np.arange(self.longest, dtype=np.int64) * filters,
            "offsets": np.array(offsets + spare, np.int64),
        }  # fmt: skip
        self.words = table(
            WEIGH, **self.tables, images=n, together=1, strips=len(strips), channels=channels,
            filters=filters, in_plane=height * width, out_plane=prod(y[2:]),
            channel_stride=channel_stride, image_stride=0, gather=address(machine, gather, 1),
            direct=int(inside), spread=address(machine, spread), z_size=self.longest * filters,
            d_size=prod(self.sums[1:]), d_stride=self.sums[2], row_blocks=row_blocks,
            tile_rows=rows, tile_entries=self.rows, blocks=blocks, tile_filters=block,
            tile=address(machine, weigh_filters, rows, taps, spec.dilation[1], self.columns,
                         spec.stride[1]),
            line=spec.stride[0] * pitch, z_line=y[3] * filters, width=y[3], flat_size=flat_size,
            x=0, y=0, flat=0, z=0, d=0,
        )  # fmt: skip

    def run(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        sums = np.zeros(self.sums, np.float32)
        with threads.pool() as pool:
            scratch = pool.scratch(self.scratch)
            z, flat, _ = (scratch + 4 * place for place in self.places)
            words = fill(
                WEIGH, self.words, x=where(x), y=where(y), flat=flat, z=z, d=where(sums)
            )  # fmt: skip
            launch.run(pool, self.machine, add_up_filters, words, self.workers)
        total = sums[0] if self.workers == 1 else sums.sum(axis=0)
        filters = self.shape[0]
        entries = total[: prod(self.shape[1:]), :filters]
        return np.ascontiguousarray(entries.T).reshape(self.shape)

    def describe(self) -> str:
        return (
            f"{self.machine.name} tiles of {self.rows} entries × {self.columns} vectors of "
            f"{self.machine.lanes} filters, {self.units} units of up to {self.longest:,} pixels, "
            f"{self.workers} thread(s); not Winograd: {self.why_not}"
        )


def fits(x: Sizes, y: Sizes, kernel: Sizes, spec: ConvSpec, machine: Machine) -> bool:
    """Whether a tile can hold a row of the kernel, outputs fill vectors, and it is faster.

    The sums of all weights are read and written once a strip: they should be few, or pixels many.
    """
    if spec.ndim != 2 or spec.groups != 1 or min(y[1], prod(y[2:])) < machine.lanes:
        return False
    few = prod(y[2:]) >= FEWEST and y[1] * x[1] * prod(kernel) <= MOST
    return few and kernel[1] <= _most(y[1], machine)


def _most(filters: int, machine: Machine) -> int:
    return tallest(filter_vectors(filters, machine.lanes), machine)
