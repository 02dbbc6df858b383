"""How images are laid out so that convolution becomes a matrix product: the buffers of its ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .specs import ConvSpec, Sizes

BLOCK_BYTES = 3 << 20
"""Unrolled taps of one block of images; measured best between 2 and 4 MiB."""


def is_pointwise(w: Sizes, spec: ConvSpec) -> bool:
    """Whether the kernel has one tap and nothing is padded."""
    return prod(w[2:]) == 1 and not any(map(any, spec.padding))


@lru_cache(maxsize=1024)
def mirrored_spec(spec: ConvSpec, kernel: Sizes) -> ConvSpec:
    """The geometry that undoes `spec` at stride 1."""
    padding = tuple(
        ((k - 1) * d - before, (k - 1) * d - after)
        for k, d, (before, after) in zip(kernel, spec.dilation, spec.padding, strict=True)
    )
    return ConvSpec((1,) * spec.ndim, padding, spec.dilation, spec.groups)


def blocks(n: int, image_bytes: int) -> Iterator[tuple[slice, int | None]]:
    """The batch in even blocks: which images, and how many where that changes."""
    size = -(-n // block_count(n, image_bytes))
    for start in range(0, n, size):
        here = min(size, n - start)
        yield slice(start, start + here), here if start == 0 or here != size else None


def block_count(n: int, image_bytes: int) -> int:
    """How many blocks a batch is cut into."""
    return max(1, min(n, -(-n * image_bytes // BLOCK_BYTES)))


def eights(rows: int) -> int:
    """The next multiple of eight, what BLAS computes at once: it takes longer over fewer rows."""
    return -(-rows // 8) * 8


@dataclass(frozen=True, slots=True)
class Grid:
    """The flat layout in which every tap sees one contiguous run.

    With stride s an axis is split into s phases, the places p, p + s, p + 2s, …; tap t of dilation
    d reads phase t·d mod s from place t·d div s on.
    """

    out: Sizes
    places: Sizes  # of one phase, one entry an axis
    phases: tuple[tuple[int, tuple, tuple], ...]  # number, where to put, what to take of the image
    offsets: tuple[tuple[int, int], ...]  # of each tap: the number of its phase, its first place

    @property
    def taps(self) -> int:
        return len(self.offsets)

    @property
    def length(self) -> int:
        """Places from the first output to the last."""
        return _flat([o - 1 for o in self.out], self.places) + 1


def _flat(place: list[int], sizes: Sizes) -> int:
    result = 0
    for p, n in zip(place, sizes, strict=True):
        result = result * n + p
    return result


@lru_cache(maxsize=1024)
def grid_of(spec: ConvSpec, size: Sizes, kernel: Sizes, out: Sizes) -> Grid:
    """The flat layout for a convolution of `size` with `kernel` to `out`."""
    reach = [[divmod(t * d, s) for t in range(k)]
             for k, d, s in zip(kernel, spec.dilation, spec.stride, strict=True)]  # fmt: skip
    places = tuple(o + max(q for q, _ in axis) for o, axis in zip(out, reach, strict=True))
    used = list(product(*(sorted({phase for _, phase in axis}) for axis in reach)))
    numbers = {phase: number for number, phase in enumerate(used)}
    phases = []
    for phase, number in numbers.items():
        pairs = [
            meet(n, q, before - r, s)
            for n, q, (before, _), r, s in zip(
                size, places, spec.padding, phase, spec.stride, strict=True
            )
        ]
        phases.append((number, tuple(p for p, _ in pairs), tuple(i for _, i in pairs)))
    offsets = [
        (numbers[tuple(phase for _, phase in tap)], _flat([q for q, _ in tap], places))
        for tap in product(*reach)
    ]
    return Grid(out, places, tuple(phases), tuple(offsets))


def meet(size: int, places: int, before: int, stride: int) -> tuple[slice, slice]:
    """Which of `places` lie inside the image, place q being pixel q·stride − before."""
    first = max(0, -(-before // stride))
    last = max(first, min(places, -(-(size + before) // stride)))
    if first == last:
        return slice(0, 0), slice(0, 0)
    start = first * stride - before
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


class Columns:
    """A block of images laid out by `grid`, and the matrix of its unrolled taps."""

    def __init__(self, grid: Grid, channels: int, images: int, groups: int, dtype) -> None:
        self.grid, self.groups, self.images = grid, groups, images
        self.flat = np.zeros((len(grid.phases), channels, images, prod(grid.places)), dtype)
        self.framed = self.flat.reshape(*self.flat.shape[:3], *grid.places)
        pieces = 1
        if images == 1:
            image_bytes = channels * grid.taps * grid.length * dtype.itemsize
            pieces = min(grid.length, -(-image_bytes // BLOCK_BYTES))
        step = -(-grid.length // pieces)
        self.rows = channels * grid.taps
        self.spare = eights(self.rows) - self.rows if groups == 1 else 0
        self.unrolled = np.empty((self.rows + self.spare) * images * step, dtype)
        starts = range(0, grid.length, step)
        self.runs = [slice(a, min(a + step, grid.length)) for a in starts]
        if pieces == 1:
            self.runs = [slice(0, images * grid.length)]

    def load(self, x: np.ndarray) -> None:
        x = x.swapaxes(0, 1)
        for number, inside, seen in self.grid.phases:
            self.framed[(number, slice(None), slice(None), *inside)] = x[(..., *seen)]

    def clear(self) -> None:
        self.flat[...] = 0

    def store(self, x: np.ndarray) -> None:
        x = x.swapaxes(0, 1)
        for number, inside, seen in self.grid.phases:
            x[(..., *seen)] = self.framed[(number, slice(None), slice(None), *inside)]

    def matrix(self, run: slice) -> np.ndarray:
        """Where the unrolled taps of the places in `run` are kept: groups × (C/G·taps) × places."""
        width = run.stop - run.start
        return self.unrolled[: self.rows * width].reshape(self.groups, -1, width)

    def padded_matrix(self, run: slice) -> np.ndarray:
        """The same with rows of zeros up to a multiple of eight, where there is one group."""
        width = run.stop - run.start
        used = self.unrolled[: (self.rows + self.spare) * width]
        used[self.rows * width :] = 0
        return used.reshape(self.groups, -1, width)

    def _shifted(self, run: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each tap, its rows of the matrix and what it sees of the images."""
        length = (run.stop - run.start) // self.images
        matrix = self.matrix(run).reshape(-1, self.grid.taps, self.images, length)
        for tap, (phase, offset) in enumerate(self.grid.offsets):
            start = offset + run.start
            yield matrix[:, tap], self.flat[phase][..., start : start + length]

    def unroll(self, run: slice) -> np.ndarray:
        """Fill the matrix of the places in `run`."""
        for rows, seen in self._shifted(run):
            rows[...] = seen
        return self.matrix(run)

    def add_up(self, run: slice) -> None:
        """The transpose of `unroll`: add the matrix to the images."""
        for rows, seen in self._shifted(run):
            seen += rows


class Wide:
    """A block of outputs as groups × O/G × (images·places), with gaps where no output lies.

    A single group gets rows of zeros up to a multiple of eight.
    """

    def __init__(self, grid: Grid, filters: int, images: int, groups: int, dtype) -> None:
        rows = eights(filters) if groups == 1 else filters
        flat = np.zeros((rows, images, grid.length), dtype)
        self.padded_matrix = flat.reshape(groups, rows // groups, images * grid.length)
        self.matrix = self.padded_matrix[:, : filters // groups]
        steps = [prod(grid.places[axis + 1 :]) * dtype.itemsize for axis in range(len(grid.out))]
        strides = (flat.strides[1], flat.strides[0], *steps)
        self.outputs = as_strided(flat, (images, filters, *grid.out), strides)

    def load(self, y: np.ndarray) -> None:
        self.outputs[...] = y

    def store(self, y: np.ndarray, b: np.ndarray | None) -> None:
        if b is None:
            y[...] = self.outputs
        else:
            np.add(self.outputs, b.reshape(-1, *(1,) * (y.ndim - 2)), out=y)


class Rows:
    """A block of images with channels last, and the matrix of what each window sees."""

    def __init__(self, x: np.ndarray, kernel: Sizes, spec: ConvSpec, out: Sizes, images: int):
        channels, dtype = x.shape[1], x.dtype
        wide = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(
            out, spec.stride, kernel, spec.dilation, strict=True)]  # fmt: skip
        pairs = [
            meet(n, q, before, 1)
            for n, q, (before, _) in zip(x.shape[2:], wide, spec.padding, strict=True)
        ]
        padded = np.zeros((images, *wide, channels), dtype)
        self.inside = padded[(slice(None), *(place for place, _ in pairs))]
        self.seen = (..., *(pixels for _, pixels in pairs))
        image, *steps, one = padded.strides
        windows = (*(t * s for t, s in zip(steps, spec.stride, strict=True)),
                   *(t * d for t, d in zip(steps, spec.dilation, strict=True)))  # fmt: skip
        shape = (images, *out, *kernel, channels)
        self.windows = as_strided(padded, shape, (image, *windows, one))
        self.unrolled = np.empty(shape, dtype)

    def unroll(self, x: np.ndarray) -> np.ndarray:
        """Images in, (images·positions) × (taps·C) out."""
        self.inside[...] = np.moveaxis(x[self.seen], 1, -1)
        self.unrolled[...] = self.windows
        ndim = x.ndim - 2
        rows = prod(self.unrolled.shape[: ndim + 1])
        return self.unrolled.reshape(rows, -1)
