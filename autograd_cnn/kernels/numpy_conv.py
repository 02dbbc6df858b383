"""Convolution as matrix products, on NumPy and BLAS alone: four ways, and the choice among them.

* pointwise: a 1×1 kernel is a matrix product with no copy at all.
* columns: each tap of the kernel sees a contiguous run of the padded image laid out flat, so the
  taps are unrolled by long copies and one product does the rest. The runs cross image borders:
  the few outputs computed there are dropped. Stride splits the image into phases, dilation moves
  the runs; neither costs anything else.
* rows: channels last, where what a window sees is short runs but no output is wasted. Wins on
  small images with many channels.
* spread: the transpose of columns. One product computes every tap's share and shifted additions
  gather them. Wins where there are fewer outputs than inputs, and does strided input gradients.

The batch is cut into blocks whose unrolled taps stay in the cache.
Sources: K. Chellapilla, S. Puri and P. Simard, "High performance convolutional neural networks for
document processing", 2006; A. Vasudevan, A. Anderson and D. Gregg, "Parallel multi channel
convolution using general matrix multiplication", 2017.
"""

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


def correlate(
    x: np.ndarray, w: np.ndarray, b: np.ndarray | None, spec: ConvSpec, out: Sizes
) -> np.ndarray:
    """The convolution of N×C×size with O×(C/groups)×kernel, by whichever way is estimated fastest.

    `out` says how many outputs to compute; what lies outside `x` counts as zero and a negative
    padding cuts `x`, so that the input gradient is this function too.
    """
    return _WAYS[choose(x.shape, w.shape, spec, out)](x, w, b, spec, out)


def input_grad(y: np.ndarray, w: np.ndarray, spec: ConvSpec, size: Sizes) -> np.ndarray:
    """The transpose of `correlate` in its input: at stride 1, a convolution with turned filters."""
    if max(spec.stride) == 1:
        return correlate(y, *mirrored(w, spec), size)
    if _is_pointwise(w.shape, spec):
        result = np.zeros((y.shape[0], w.shape[1] * spec.groups, *size), y.dtype)
        steps = tuple(slice(None, None, s) for s in spec.stride)
        result[(..., *steps)] = _pointwise(y, *mirrored(w, spec), y.shape[2:])
        return result
    return _spread(y, w, spec, size)


def weight_grad(x: np.ndarray, y: np.ndarray, spec: ConvSpec, kernel: Sizes) -> np.ndarray:
    """The transpose of `correlate` in its filters."""
    shape = (y.shape[1], x.shape[1] // spec.groups, *kernel)
    ways = {"columns": _weight_columns, "rows": _weight_rows}
    return ways[choose_weight(x.shape, shape, spec, y.shape[2:])](x, y, spec, kernel)


def mirrored(w: np.ndarray, spec: ConvSpec) -> tuple[np.ndarray, None, ConvSpec]:
    """Filters turned by 180° with inputs and outputs exchanged, no bias, and their geometry."""
    kernel, groups = w.shape[2:], spec.groups
    split = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    turned = np.flip(split, tuple(range(3, split.ndim)))
    return turned.reshape(groups * w.shape[1], -1, *kernel), None, mirrored_spec(spec, kernel)


@lru_cache(maxsize=1024)
def mirrored_spec(spec: ConvSpec, kernel: Sizes) -> ConvSpec:
    """The geometry that undoes `spec` at stride 1."""
    padding = tuple(
        ((k - 1) * d - before, (k - 1) * d - after)
        for k, d, (before, after) in zip(kernel, spec.dilation, spec.padding, strict=True)
    )
    return ConvSpec((1,) * spec.ndim, padding, spec.dilation, spec.groups)


# The choice. Nanoseconds for one float32 number, measured on two Zen 5 cores with OpenBLAS; only
# their ratios matter here. A copy that goes line by line pays for the start of each line.

FLOP = 1 / 215
"""One floating-point operation of a large matrix product."""
RUN_COPY, RUN_ADD = 0.08, 0.35
"""One number of a long copy and of a long addition inside the cache."""
LINE_COPY, LINE_START = 0.12, 3.0
"""One number of an image line, and the start of the line."""
TRANSPOSE, PIXEL_START = 0.35, 3.0
"""One number moved between channels first and last, and the start of one pixel's channels."""
WINDOW_COPY, WINDOW_START = 0.05, 4.0
"""One number of a window with channels last, and the start of each of its runs."""
CALL = 1500.0
"""One call of NumPy."""


def choose(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes) -> str:
    """The cheapest way to convolve arrays of these shapes."""
    ways = costs(x, w, spec, out)
    return min(ways, key=ways.__getitem__)


def choose_weight(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes) -> str:
    """The cheapest way to the gradient of the filters."""
    ways = weight_costs(x, w, spec, out)
    return min(ways, key=ways.__getitem__)


@lru_cache(maxsize=1024)
def costs(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes) -> dict[str, float]:
    """Estimated milliseconds of each way that can do this convolution."""
    if _is_pointwise(w, spec):
        time = x[0] * spec.groups * _product_time(w[0] // spec.groups, w[1], prod(out))
        return {"pointwise": time / 1e6}
    ways = weight_costs(x, w, spec, out)
    if max(spec.stride) > 1:
        return ways
    n, filters, taps = x[0], w[0], prod(w[2:])
    grid = _grid(mirrored_spec(spec, w[2:]), out, w[2:], x[2:])
    spread = (
        spec.groups * _product_time(filters // spec.groups * taps, w[1], n * grid.length)
        + _line_time(n * x[1], x[2:])
        + n * grid.length * filters * taps * RUN_ADD
        + _line_time(n * filters, out)
        + _block_count(n, filters * taps * grid.length * 4) * taps * CALL
    )
    return {**ways, "spread": spread / 1e6}


@lru_cache(maxsize=1024)
def weight_costs(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes) -> dict[str, float]:
    """Estimated milliseconds of each way to the gradient of the filters."""
    n, channels, filters, groups = x[0], x[1], w[0], spec.groups
    taps, pixels, positions = prod(w[2:]), n * prod(x[2:]), n * prod(out)
    length = _grid(spec, x[2:], w[2:], out).length
    columns = (
        groups * _product_time(filters // groups, w[1] * taps, n * length)
        + _line_time(n * channels, x[2:]) * max(spec.stride)
        + n * length * channels * taps * RUN_COPY
        + _line_time(n * filters, out)
        + _block_count(n, channels * taps * length * 4) * taps * CALL
    )
    if groups > 1:
        return {"columns": columns / 1e6}
    run = channels * (w[-1] if spec.dilation[-1] == 1 else 1)
    rows = (
        _product_time(filters, channels * taps, positions)
        + pixels * (channels * TRANSPOSE + PIXEL_START)
        + positions * (filters * TRANSPOSE + PIXEL_START)
        + positions * channels * taps * (WINDOW_COPY + WINDOW_START / run)
        + _block_count(n, channels * taps * prod(out) * 4) * 5 * CALL
    )
    return {"columns": columns / 1e6, "rows": rows / 1e6}


def _product_time(m: int, k: int, n: int) -> float:
    """An m×k by k×n product: narrow ones do not reach the full rate."""
    return 2 * m * k * n * FLOP * (1 + 10 / m) * (1 + 5 / k) * (1 + 10 / n)


def _line_time(images: int, size: Sizes) -> float:
    return images * prod(size) * (LINE_COPY + LINE_START / size[-1])


# The ways.


def _is_pointwise(w: Sizes, spec: ConvSpec) -> bool:
    return prod(w[2:]) == 1 and not any(map(any, spec.padding))


def _pointwise(x, w, b, spec, out):
    n, groups = x.shape[0], spec.groups
    seen = x[(..., *(slice(0, (o - 1) * s + 1, s) for o, s in zip(out, spec.stride, strict=True)))]
    filters = w.reshape(groups, w.shape[0] // groups, w.shape[1])
    y = np.matmul(filters, seen.reshape(n, groups, w.shape[1], prod(out)))
    y = y.reshape(n, w.shape[0], *out)
    return y if b is None else np.add(y, _per_filter(b, spec), out=y)


def _columns(x, w, b, spec, out):
    n, groups, dtype = x.shape[0], spec.groups, x.dtype
    grid = _grid(spec, x.shape[2:], w.shape[2:], out)
    filters = w.reshape(groups, w.shape[0] // groups, -1)
    y = np.empty((n, w.shape[0], *out), dtype)
    for images, block in _blocks(n, x.shape[1] * grid.taps * grid.length * dtype.itemsize):
        if block is not None:
            columns = _Columns(grid, x.shape[1], block, groups, dtype)
            wide = _Wide(grid, w.shape[0], block, groups, dtype)
        columns.load(x[images])
        for run in columns.runs:
            np.matmul(filters, columns.unroll(run), out=wide.matrix[..., run])
        wide.store(y[images], b)
    return y


def _weight_columns(x, y, spec, kernel):
    n, groups, dtype = x.shape[0], spec.groups, x.dtype
    grid = _grid(spec, x.shape[2:], kernel, y.shape[2:])
    channels, filters = x.shape[1] // groups, y.shape[1] // groups
    total = np.zeros((groups, channels * grid.taps, filters), dtype)
    part = np.empty_like(total)
    for images, block in _blocks(n, x.shape[1] * grid.taps * grid.length * dtype.itemsize):
        if block is not None:
            columns = _Columns(grid, x.shape[1], block, groups, dtype)
            wide = _Wide(grid, y.shape[1], block, groups, dtype)
        columns.load(x[images])
        wide.load(y[images])
        for run in columns.runs:
            total += np.matmul(columns.unroll(run), wide.matrix[..., run].swapaxes(1, 2), out=part)
    return np.ascontiguousarray(total.swapaxes(1, 2)).reshape(groups * filters, channels, *kernel)


def _spread(y, w, spec, size):
    n, groups, dtype = y.shape[0], spec.groups, y.dtype
    grid = _grid(spec, size, w.shape[2:], y.shape[2:])
    filters = w.reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2)
    channels = groups * w.shape[1]
    result = np.zeros((n, channels, *size), dtype)
    for images, block in _blocks(n, channels * grid.taps * grid.length * dtype.itemsize):
        if block is not None:
            columns = _Columns(grid, channels, block, groups, dtype)
            wide = _Wide(grid, y.shape[1], block, groups, dtype)
        wide.load(y[images])
        columns.clear()
        for run in columns.runs:
            np.matmul(filters, wide.matrix[..., run], out=columns.matrix(run))
            columns.add_up(run)
        columns.store(result[images])
    return result


def _spread_turned(x, w, b, spec, out):
    turned, _, geometry = mirrored(w, spec)
    y = _spread(x, turned, geometry, out)
    return y if b is None else np.add(y, _per_filter(b, spec), out=y)


def _rows(x, w, b, spec, out):
    n, filters = x.shape[0], w.shape[0]
    matrix = np.moveaxis(w, (0, 1), (-1, -2)).reshape(-1, filters)
    y = np.empty((n, filters, *out), x.dtype)
    last = np.moveaxis(y, 1, -1)
    for images, block in _blocks(n, prod(out) * w[0].size * x.dtype.itemsize):
        if block is not None:
            rows = _Rows(x, w.shape[2:], spec, out, block)
            result = np.empty((block, *out, filters), x.dtype)
        np.matmul(rows.unroll(x[images]), matrix, out=result.reshape(-1, filters))
        if b is None:
            last[images] = result
        else:
            np.add(result, b, out=last[images])
    return y


def _weight_rows(x, y, spec, kernel):
    n, channels, filters = x.shape[0], x.shape[1], y.shape[1]
    out, taps = y.shape[2:], prod(kernel)
    total = np.zeros((taps * channels, filters), x.dtype)
    part = np.empty_like(total)
    last = np.moveaxis(y, 1, -1)
    for images, block in _blocks(n, prod(out) * channels * taps * x.dtype.itemsize):
        if block is not None:
            rows = _Rows(x, kernel, spec, out, block)
            outputs = np.empty((block, *out, filters), x.dtype)
        outputs[...] = last[images]
        total += np.matmul(rows.unroll(x[images]).T, outputs.reshape(-1, filters), out=part)
    return np.ascontiguousarray(np.moveaxis(total.reshape(*kernel, channels, filters), (-1, -2), (0, 1)))


_WAYS = {
    "pointwise": _pointwise,
    "columns": _columns,
    "rows": _rows,
    "spread": _spread_turned,
}


# The buffers.


def _per_filter(b: np.ndarray, spec: ConvSpec) -> np.ndarray:
    return b.reshape(-1, *(1,) * spec.ndim)


def _blocks(n: int, image_bytes: int) -> Iterator[tuple[slice, int | None]]:
    """The batch in even blocks: which images, and how many where that changes."""
    size = -(-n // _block_count(n, image_bytes))
    for start in range(0, n, size):
        here = min(size, n - start)
        yield slice(start, start + here), here if start == 0 or here != size else None


def _block_count(n: int, image_bytes: int) -> int:
    return max(1, min(n, -(-n * image_bytes // BLOCK_BYTES)))


@dataclass(frozen=True, slots=True)
class _Grid:
    """The flat layout in which every tap sees one contiguous run.

    With stride s an axis is split into s phases, the places p, p + s, p + 2s, …; tap t of dilation
    d reads phase t·d mod s from place t·d div s on.
    """

    places: Sizes  # of one phase, one entry an axis
    phases: tuple[tuple[int, tuple, tuple], ...]  # number, where to put, what to take of the image
    offsets: tuple[tuple[int, int], ...]  # for each tap: the number of its phase and its first place
    out: Sizes

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
def _grid(spec: ConvSpec, size: Sizes, kernel: Sizes, out: Sizes) -> _Grid:
    reach = [[divmod(t * d, s) for t in range(k)]
             for k, d, s in zip(kernel, spec.dilation, spec.stride, strict=True)]  # fmt: skip
    places = tuple(o + max(q for q, _ in axis) for o, axis in zip(out, reach, strict=True))
    used = list(product(*(sorted({phase for _, phase in axis}) for axis in reach)))
    numbers = {phase: number for number, phase in enumerate(used)}
    phases = []
    for phase, number in numbers.items():
        pairs = [
            _meet(n, q, before - r, s)
            for n, q, (before, _), r, s in zip(
                size, places, spec.padding, phase, spec.stride, strict=True
            )
        ]
        phases.append((number, tuple(p for p, _ in pairs), tuple(i for _, i in pairs)))
    offsets = [
        (numbers[tuple(phase for _, phase in tap)], _flat([q for q, _ in tap], places))
        for tap in product(*reach)
    ]
    return _Grid(places, tuple(phases), tuple(offsets), out)


def _meet(size: int, places: int, before: int, stride: int) -> tuple[slice, slice]:
    """Which of `places` lie inside the image, place q being pixel q·stride − before."""
    first = max(0, -(-before // stride))
    last = max(first, min(places, -(-(size + before) // stride)))
    start = first * stride - before
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride) \
        if last > first else slice(0, 0)


class _Columns:
    """A block of images laid out by `grid`, and the matrix of its unrolled taps."""

    def __init__(self, grid: _Grid, channels: int, images: int, groups: int, dtype) -> None:
        self.grid, self.groups, self.images = grid, groups, images
        self.flat = np.zeros((len(grid.phases), channels, images, prod(grid.places)), dtype)
        self.framed = self.flat.reshape(*self.flat.shape[:3], *grid.places)
        pieces = 1
        if images == 1:
            image_bytes = channels * grid.taps * grid.length * dtype.itemsize
            pieces = min(grid.length, -(-image_bytes // BLOCK_BYTES))
        step = -(-grid.length // pieces)
        self.unrolled = np.empty(channels * grid.taps * images * step, dtype)
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
        channels, width = self.flat.shape[1], run.stop - run.start
        used = self.unrolled[: channels * self.grid.taps * width]
        return used.reshape(self.groups, channels // self.groups * self.grid.taps, width)

    def _shifted(self, run: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each tap, its rows of the matrix and what it sees of the images."""
        length = (run.stop - run.start) // self.images
        matrix = self.matrix(run).reshape(-1, self.grid.taps, self.images, length)
        for tap, (phase, offset) in enumerate(self.grid.offsets):
            start = offset + run.start
            yield matrix[:, tap], self.flat[phase][..., start : start + length]

    def unroll(self, run: slice) -> np.ndarray:
        for rows, seen in self._shifted(run):
            rows[...] = seen
        return self.matrix(run)

    def add_up(self, run: slice) -> None:
        for rows, seen in self._shifted(run):
            seen += rows


class _Wide:
    """A block of outputs as groups × O/G × (images·places), with gaps where no output lies."""

    def __init__(self, grid: _Grid, filters: int, images: int, groups: int, dtype) -> None:
        flat = np.zeros((filters, images, grid.length), dtype)
        self.matrix = flat.reshape(groups, filters // groups, images * grid.length)
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


class _Rows:
    """A block of images with channels last, and the matrix of what each window sees."""

    def __init__(self, x: np.ndarray, kernel: Sizes, spec: ConvSpec, out: Sizes, images: int):
        channels, dtype = x.shape[1], x.dtype
        wide = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(
            out, spec.stride, kernel, spec.dilation, strict=True)]  # fmt: skip
        pairs = [
            _meet(n, q, before, 1)
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
