"""Winograd's F(4×4, 3×3) for the three passes of a convolution: when, and what is prepared."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ..specs import ConvSpec, Sizes
from . import launch, threads
from .blocks import even, filter_vectors, places, tallest
from .compiler import address
from .launch import fill, share_out, table, where
from .machine import Machine
from .memory import empty
from .plan import odd_lines
from .winograd_drivers import (
    PACK,
    UNPACK,
    WINOGRAD,
    WINOGRAD_WEIGH,
    winograd,
    winograd_pack,
    winograd_unpack,
    winograd_weigh,
)  # fmt: skip
from .winograd_plan import Cut, Operand, Result, cut, strip_table, too_short
from .winograd_tiles import (
    POINTS,
    accumulate,
    collect,
    filters_from_points,
    filters_to_points,
    from_points,
    gradient_to_points,
    multiply,
    spread,
    to_points,
)  # fmt: skip

UNIT_FLOATS = 192 << 10
"""Entries at the points of one unit, of both operands or of one and the products."""
FEWEST, MOST = 16, 128
"""Tiles of one unit."""
MOST_COPIED = 1 << 26
"""Entries of filters at the points, all copies together."""
FILTER_COST, PATCH_COST = 240, 120
"""Multiplications that take as long as moving one channel of a filter, or of a tile, to points."""


def obstacle(source: Sizes, target: Sizes, kernel: Sizes, spec: ConvSpec, machine: Machine,
             exact: bool, copies: int = 1) -> str:  # fmt: skip
    """Why a convolution from `source` to `target` is not done this way; empty if it is.

    `copies` of the filters at the points are kept: one a worker for their gradient.
    """
    if kernel != (3, 3) or spec.stride != (1, 1) or spec.dilation != (1, 1) or spec.groups != 1:
        return "that is for 3×3 filters with stride 1, no dilation, and one group"
    if exact:
        return 'float32_matmul_precision is "highest"'
    channels, filters, lanes = source[1], target[1], machine.lanes
    if min(channels, filters) < lanes:
        return f"{min(channels, filters)} channels do not fill a vector of {lanes}"
    if min(*source[2:], *target[2:]) < 4 or min(prod(source[2:]), prod(target[2:])) < lanes:
        return "images are smaller than a tile"
    if any(before > 2 for before, _ in spec.padding):
        return "padding is beyond 2"
    direct = 9 * source[0] * prod(target[2:])
    tiles = source[0] * prod(-(-size // 4) for size in target[2:])
    cost = tiles * (POINTS + PATCH_COST / channels + PATCH_COST / filters) + FILTER_COST * copies
    if cost >= direct:
        return f"{cost:,.0f} multiplications for each channel of a filter instead of {direct:,}"
    if copies * POINTS * channels * filters > MOST_COPIED:
        return f"{copies} × {POINTS} × {channels} × {filters} numbers at the points are too many"
    return ""


class Winograd:
    """A convolution of N×C×H×W with 3×3 filters, prepared for one shape.

    `before` are the zeros above and left; `order` says how far apart filters and channels are
    among the weights, and `flipped` whether taps look backwards, as in a gradient.
    """

    def __init__(self, source: Sizes, target: Sizes, before: Sizes, order: tuple[int, int],
                 flipped: bool, workers: int, machine: Machine) -> None:  # fmt: skip
        self.machine, self.target = machine, target
        (n, channels), filters, size = source[:2], target[1], target[2:]
        width = max(size[1] + 2, before[1] + source[3])
        self.cut = cut(n, size, workers, _wanted(channels + filters))
        operand = Operand(channels, source[2:], before, 6, width, self.cut)
        result = Result(filters, size, self.cut)
        if too_short(self.cut, operand, result, machine.lanes):
            operand, result = _whole(operand), _whole(result)
            self.cut = operand.cut
        self.workers = min(workers, self.cut.units)
        self.columns = filter_vectors(filters, machine.lanes)
        self.rows = even(self.cut.tiles, tallest(self.columns, machine))
        block = self.columns * machine.lanes
        blocks = -(-filters // block)
        x = operand.words("x", 0, address(machine, to_points), self.rows)
        m_stride = odd_lines(filters)
        m_point = odd_lines(max(self.cut.tiles, self.rows) * m_stride)
        u_block = channels * block
        u_point = odd_lines(blocks * u_block)
        self.places, self.scratch = places(
            self.workers * operand.flat_size, self.workers * x["x_size"],
            self.workers * POINTS * m_point, self.workers * result.flat_size, POINTS * u_point,
        )  # fmt: skip
        self.bias = np.zeros(filters, np.float32)
        tiles = [_tiles(self.cut, bound, operand, result) for bound in self.cut.strips]
        strips, self.records = strip_table(self.cut, operand, result, tiles)
        self.tables = {"bounds": share_out(self.cut.units, self.workers), "strip_table": strips}
        self.words = table(
            WINOGRAD, **self.tables, **x, images=n, together=self.cut.together, strips=len(strips),
            flat=0, flat_size=operand.flat_size, spread=address(machine, spread), y=0,
            filters=filters, out_plane=prod(size), z=0, z_size=result.flat_size, z_row=result.row,
            m=0, m_size=POINTS * m_point, m_point=m_point, m_stride=m_stride, u=0,
            u_point=u_point, u_block=u_block, bias=0, tile_rows=self.rows, tile_filters=block,
            blocks=blocks,
            multiply=address(machine, multiply, self.rows, self.columns, operand.stride),
            from_points=address(machine, from_points), collect=address(machine, collect, False),
        )  # fmt: skip
        vectors = blocks * self.columns
        self.packers = min(workers, vectors)
        self.pack_bounds = share_out(vectors, self.packers)
        self.pack_words = table(
            PACK, bounds=self.pack_bounds, channels=channels, filters=filters,
            filter_stride=order[0], channel_stride=order[1], tile_filters=block,
            columns=self.columns, u_point=u_point, u_block=u_block,
            transform=address(machine, filters_to_points, flipped), w=0, u=0,
        )  # fmt: skip

    def run(self, images: np.ndarray, w: np.ndarray, b: np.ndarray | None,
            relu: bool = False) -> np.ndarray:  # fmt: skip
        result = empty(self.target)
        with threads.pool() as pool:
            scratch = pool.scratch(self.scratch)
            flat, v, m, z, u = (scratch + 4 * place for place in self.places)
            packing = fill(PACK, self.pack_words, w=where(w), u=u)
            launch.run(pool, self.machine, winograd_pack, packing, self.packers)
            words = fill(
                WINOGRAD, self.words, x=where(images), y=where(result), flat=flat, x_points=v, m=m,
                z=z, u=u, bias=where(self.bias if b is None else b),
                collect=address(self.machine, collect, relu),
            )  # fmt: skip
            launch.run(pool, self.machine, winograd, words, self.workers)
        return result

    def describe(self) -> str:
        return _described(self)


class WinogradWeights:
    """The gradient of 3×3 filters, prepared for one shape."""

    def __init__(self, x: Sizes, y: Sizes, before: Sizes, workers: int, machine: Machine) -> None:
        self.machine, self.shape = machine, (y[1], x[1], 3, 3)
        n, channels, filters, lanes = x[0], x[1], y[1], machine.lanes
        # the sums of all filters are read and written once a unit
        wanted = max(_wanted(channels + filters), channels * filters // (channels + filters))
        self.cut = cut(n, y[2:], workers, min(wanted, MOST))
        width = max(4 * self.cut.across + 2, before[1] + x[3])
        seen = Operand(channels, x[2:], before, 6, width, self.cut)
        got = Operand(filters, y[2:], (0, 0), 4, 4 * self.cut.across, self.cut)
        if too_short(self.cut, seen, got, lanes):
            seen, got = _whole(seen), _whole(got)
            self.cut = seen.cut
        self.workers = workers = min(workers, self.cut.units)
        self.columns = min(2, -(-filters // lanes))
        self.rows = even(channels, tallest(self.columns, machine))
        row_blocks, blocks = -(-channels // self.rows), -(-filters // (self.columns * lanes))
        x_words = seen.words("x", 0, address(machine, to_points))
        y_words = got.words("y", seen.flat_size, address(machine, gradient_to_points))
        d_stride = odd_lines(blocks * self.columns * lanes)
        d_point = odd_lines(row_blocks * self.rows * d_stride)
        flat_size, d_size = seen.flat_size + got.flat_size, POINTS * d_point
        vectors = -(-filters // lanes)
        self.unpackers = min(workers, vectors)
        self.places, self.scratch = places(
            workers * flat_size, workers * x_words["x_size"], workers * y_words["y_size"],
            workers * d_size, self.unpackers * channels * 9 * lanes,
        )  # fmt: skip
        tiles = [_gradient_tiles(self.cut, bound, seen, got) for bound in self.cut.strips]
        strips, self.records = strip_table(self.cut, seen, got, tiles)
        self.tables = {"bounds": share_out(self.cut.units, workers), "strip_table": strips}
        self.words = table(
            WINOGRAD_WEIGH, **self.tables, **x_words, **y_words, images=n,
            together=self.cut.together, strips=len(strips), flat=0, flat_size=flat_size,
            spread=address(machine, spread), d=0, d_size=d_size, d_point=d_point,
            d_stride=d_stride, tile_rows=self.rows, row_blocks=row_blocks,
            tile_filters=self.columns * lanes, blocks=blocks,
            accumulate=address(machine, accumulate, self.rows, self.columns),
        )  # fmt: skip
        self.unpack_tables = {
            "places": np.arange(lanes, dtype=np.int64) * (channels * 9),
            "bounds": share_out(vectors, self.unpackers),
        }
        self.unpack_words = table(
            UNPACK, **self.unpack_tables, d=0, dw=0, w=0, workers=workers, filters=filters,
            channels=channels, d_size=d_size, d_point=d_point, d_stride=d_stride,
            transform=address(machine, filters_from_points), spread=address(machine, spread),
        )  # fmt: skip

    def run(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        result = empty(self.shape)
        with threads.pool() as pool:
            scratch = pool.scratch(self.scratch)
            flat, v, z, d, w = (scratch + 4 * place for place in self.places)
            words = fill(
                WINOGRAD_WEIGH, self.words, x=where(x), y=where(y), flat=flat, x_points=v,
                y_points=z, d=d,
            )  # fmt: skip
            launch.run(pool, self.machine, winograd_weigh, words, self.workers)
            words = fill(UNPACK, self.unpack_words, d=d, dw=where(result), w=w)
            launch.run(pool, self.machine, winograd_unpack, words, self.unpackers)
        return result

    def describe(self) -> str:
        return _described(self)


def _described(prepared: Winograd | WinogradWeights) -> str:
    machine, cut = prepared.machine, prepared.cut
    return (
        f"Winograd F(4,3): {machine.name} tiles of {prepared.rows}×{prepared.columns} vectors of "
        f"{machine.lanes}, {cut.units} units of {cut.tiles} patches, {prepared.workers} thread(s)"
    )


def _tiles(cut: Cut, bound: tuple[int, int], x: Operand, y: Result) -> np.ndarray:
    """For each tile of a strip what it sees and where it is written.

    The last tile of a row is moved back to end with the row; what it shares with the one before is
    written twice.
    """
    starts = [min(4 * c, y.size[1] - 4) for c in range(cut.across)]
    return np.array([
        (4 * r * x.row + c * x.channels, 4 * r * y.row + c * y.channels)
        for r in range(bound[1] - bound[0]) for c in starts
    ], np.int64)  # fmt: skip


def _gradient_tiles(cut: Cut, bound: tuple[int, int], x: Operand, y: Operand) -> np.ndarray:
    """For each tile of a strip what it sees of both operands."""
    return np.array([
        (4 * (r * x.row + c * x.channels), 4 * (r * y.row + c * y.channels))
        for r in range(bound[1] - bound[0]) for c in range(cut.across)
    ], np.int64)  # fmt: skip


def _wanted(channels: int) -> int:
    return min(max(UNIT_FLOATS // (POINTS * channels), FEWEST), MOST)


def _whole(operand):
    """The same with whole images as units."""
    return replace(operand, cut=replace(operand.cut, rows=operand.cut.down))
