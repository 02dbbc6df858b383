"""Max and average pooling of sequences and images, forward and backward, a plane at a time."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from ..specs import PoolSpec, Sizes
from . import launch, memory, pool_code, threads
from .machine import Machine, current

WIDEST, STEEPEST = 16, 4
"""The longest window along a row, and the largest stride, for which code is generated."""
WORK = 64
"""An entry counts as so many multiplications when the threads are chosen."""


def obstacle(spec: PoolSpec, size: Sizes) -> str:
    """Why the native code does not take a geometry; empty if it does."""
    out = spec.output_size(size)
    if spec.ndim > 2:
        return f"{spec.ndim} spatial axes"
    if out[-1] < 4:
        return f"rows of {out[-1]} windows are shorter than 4"
    if spec.kernel[-1] > WIDEST or spec.stride[-1] > STEEPEST or prod(spec.kernel) > 256:
        return f"windows of {spec.kernel} with stride {spec.stride}"
    if not _all_see_something(spec, tuple(size)):
        return "a window sees nothing but padding"
    return ""


def max_pool(x: np.ndarray, spec: PoolSpec) -> tuple[np.ndarray, np.ndarray]:
    """The maxima of float32 windows and the numbers of the first taps that hold them."""
    shape = (*x.shape[:2], *spec.output_size(x.shape[2:]))
    y, switches = memory.empty(shape), memory.empty(shape, np.uint8)
    _run(pool_code.max_share, pool_code.MAX, x, y, spec, switches=switches)
    return y, switches


def scatter(y: np.ndarray, switches: np.ndarray, spec: PoolSpec, size: Sizes) -> np.ndarray:
    """Each entry where its switch points, added up, zeros elsewhere: float32 N×C×size."""
    return _scatter(y, switches, spec, size)


def spread(y: np.ndarray, spec: PoolSpec, size: Sizes) -> np.ndarray:
    """The transpose of `average` where `is_doubling`, each window counting all its entries."""
    return _scatter(y, None, spec, size)


def is_doubling(spec: PoolSpec, size: Sizes) -> bool:
    """Whether windows of 2×2 lie side by side, in rows that fill a vector."""
    geometry = _Geometry(spec, tuple(size), current())
    pairs = geometry.kernel == geometry.stride == (2, 2) and geometry.step == (1, 1)
    inside = 2 * geometry.rows <= geometry.height and 2 * geometry.columns <= geometry.width
    return pairs and inside and geometry.before == (0, 0) and geometry.lanes(geometry.columns) > 0


def _scatter(y: np.ndarray, switches: np.ndarray | None, spec: PoolSpec, size: Sizes) -> np.ndarray:
    x, machine = memory.empty((*y.shape[:2], *size)), current()
    geometry = _Geometry(spec, tuple(size), machine)
    lanes = geometry.lanes(geometry.columns) if is_doubling(spec, size) else 0
    taps = np.add.outer(
        np.arange(geometry.kernel[0]) * geometry.step[0] * geometry.width,
        np.arange(geometry.kernel[1]) * geometry.step[1],
    ).ravel()
    with threads.pool() as pool:
        bounds, workers = _shares(x, pool)
        words = launch.table(
            pool_code.SCATTER, x=x, y=y, bounds=bounds, height=geometry.height,
            width=geometry.width, rows=geometry.rows, columns=geometry.columns,
            stride_rows=geometry.stride[0], above=geometry.before[0], stride=geometry.stride[1],
            left=geometry.before[1], vectors=-(-geometry.columns // lanes) if lanes else 0,
            switches=y if switches is None else switches, taps=taps, count=prod(spec.kernel),
        )  # fmt: skip
        if lanes:
            doubling = pool_code.double_share, words, workers, lanes, switches is not None
            launch.run(pool, machine, *doubling)
        else:
            launch.run(pool, machine, pool_code.scatter_share, words, workers)
    return x


def average(x: np.ndarray, spec: PoolSpec, counts: np.ndarray) -> np.ndarray:
    """The sums of float32 windows over their counts."""
    y = memory.empty((*x.shape[:2], *spec.output_size(x.shape[2:])))
    _run(pool_code.average_share, pool_code.AVERAGE, x, y, spec, counts=counts)
    return y


def _run(share, names: str, x: np.ndarray, y: np.ndarray, spec: PoolSpec, **arrays) -> None:
    machine = current()
    geometry = _Geometry(spec, x.shape[2:], machine)
    with threads.pool() as pool:
        bounds, workers = _shares(x, pool)
        words = launch.table(names, x=x, y=y, bounds=bounds, **geometry.words, **arrays)
        launch.run(pool, machine, share, words, workers, geometry.line)


def _shares(x: np.ndarray, pool: threads.Pool) -> tuple[np.ndarray, int]:
    planes = prod(x.shape[:2])
    workers = min(launch.workers(x.size * WORK, pool.size), planes)
    return launch.share_out(planes, workers), workers


@lru_cache(maxsize=512)
class _Geometry:
    """A pooling of images of one size; sequences are images of one row."""

    def __init__(self, spec: PoolSpec, size: Sizes, machine: Machine) -> None:
        flat = spec.ndim == 1
        self.kernel, self.stride, self.step = (
            (1, *each) if flat else each for each in (spec.kernel, spec.stride, spec.dilation)
        )
        self.before = tuple([0] * flat + [before for before, _ in spec.padding])
        self.height, self.width = (1, *size) if flat else size
        out = spec.output_size(size)
        self.rows, self.columns = (1, *out) if flat else out
        self.machine = machine
        along = (self.kernel[1], self.stride[1], self.step[1], self.before[1], self.step[0])
        line = pool_code.Line(4, *along)
        low = max(0, -line.block(0) // self.stride[1])
        high = min(self.columns, (self.width - line.block(self.kernel[1] - 1)) // self.stride[1])
        lanes = self.lanes(high - low)
        low, high = (low, high) if lanes else (0, 0)
        self.line = pool_code.Line(lanes or 4, *along)
        self.words = {
            "height": self.height, "width": self.width, "rows": self.rows,
            "columns": self.columns, "kernel_rows": self.kernel[0], "stride_rows": self.stride[0],
            "above": self.before[0], "low": low, "high": high,
            "vectors": -(-(high - low) // lanes) if lanes else 0,
        }  # fmt: skip

    def lanes(self, windows: int) -> int:
        """The lanes of the widest vectors that so many windows fill; 0 where there are too few."""
        lanes = self.machine.lanes
        while lanes > windows:
            lanes //= 2
        return lanes if lanes >= 4 else 0


@lru_cache(maxsize=512)
def _all_see_something(spec: PoolSpec, size: Sizes) -> bool:
    for n, k, s, d, (before, _), out in zip(
        size, spec.kernel, spec.stride, spec.dilation, spec.padding, spec.output_size(size),
        strict=True,
    ):  # fmt: skip
        seen = np.arange(out)[:, None] * s - before + np.arange(k) * d
        if not ((seen >= 0) & (seen < n)).any(axis=1).all():
            return False
    return True
