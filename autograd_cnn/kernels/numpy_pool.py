"""Pooling on NumPy: one axis after the other where that can be, in blocks that stay in the cache.

Images come flat, as images×size: pooling treats every channel alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from .specs import PoolSpec, Sizes, padded_pairs
from .windows import WindowKernels, taps

BLOCK_BYTES = 1 << 16
"""Outputs of one block: with the places they see at 2×2 they fit a second-level cache."""


def max_pool(x: np.ndarray, spec: PoolSpec, out: Sizes, switch_dtype: str) -> tuple:
    """Maxima and switches of real x; a NaN gives a NaN and a wrong switch.

    The switch counts the leading taps that differ from the maximum: arithmetic on bytes, where a
    masked store would cost ten times as much.
    """
    best = np.empty((len(x), *out), x.dtype)
    switches = np.zeros(best.shape, switch_dtype)
    seen = [index for _, index in taps(spec, spec.kernel, out)]
    for images, padded in _blocks(x, spec, out, -np.inf):
        _separable(padded, spec, out, np.maximum, best[images])
        missing = np.ones(best[images].shape, bool)
        for index in seen[:-1]:
            missing &= padded[index] != best[images]
            switches[images] += missing
    return best, switches


def gather(x: np.ndarray, switches: np.ndarray, spec: PoolSpec) -> np.ndarray:
    """From each window the entry that its switch names, as bits: exact for any value."""
    out = switches.shape[1:]
    y = np.zeros(switches.shape, _bits(x))
    seen = [index for _, index in taps(spec, spec.kernel, out)]
    for images, padded in _blocks(x.view(_bits(x)), spec, out, 0):
        for number, index in enumerate(seen):
            y[images] |= padded[index] & _mask(switches[images], number)
    return y.view(x.dtype)


def scatter(y: np.ndarray, switches: np.ndarray, spec: PoolSpec, size: Sizes) -> np.ndarray:
    """The transpose of `gather`."""
    bits, disjoint = _bits(y), _disjoint(spec)
    result = np.zeros((len(y), *size), y.dtype)
    seen = [index for _, index in taps(spec, spec.kernel, y.shape[1:])]
    for images, padded in _transposed_blocks(result, spec, y.shape[1:]):
        for number, index in enumerate(seen):
            mask = _mask(switches[images], number)
            if disjoint:
                np.bitwise_and(y[images].view(bits), mask, out=padded.view(bits)[index])
            else:
                padded[index] += (y[images].view(bits) & mask).view(y.dtype)
    return result


def sum_pool(x: np.ndarray, spec: PoolSpec, out: Sizes) -> np.ndarray:
    """The sum over each window."""
    if _is_global(spec, x.shape[1:], out):
        return x.reshape(len(x), -1).sum(axis=1).reshape(len(x), *out)
    y = np.empty((len(x), *out), x.dtype)
    for images, padded in _blocks(x, spec, out, 0):
        _separable(padded, spec, out, np.add, y[images])
    return y


def spread_pool(y: np.ndarray, spec: PoolSpec, size: Sizes) -> np.ndarray:
    """The transpose of `sum_pool`."""
    if _is_global(spec, size, y.shape[1:]):
        return np.broadcast_to(y, (len(y), *size)).copy()
    result = np.zeros((len(y), *size), y.dtype)
    for images, padded in _transposed_blocks(result, spec, y.shape[1:]):
        part = y[images]
        for axis in range(spec.ndim, 1, -1):
            part = _spread_axis(part, axis, spec, padded.shape[axis], None)
        _spread_axis(part, 1, spec, padded.shape[1], padded)
    return result


def _is_global(spec: PoolSpec, size: Sizes, out: Sizes) -> bool:
    """Whether one window sees the whole image and nothing else."""
    plain = max(spec.dilation) == 1 and not any(map(any, spec.padding))
    return plain and spec.kernel == size and prod(out) == 1


def _bits(x: np.ndarray) -> str:
    return f"i{x.dtype.itemsize}"


def _mask(switches: np.ndarray, number: int) -> np.ndarray:
    """All ones where the switch is `number`, else all zeros; bytes, widened when used."""
    return np.negative(np.equal(switches, number).view("i1"))


def _disjoint(spec: PoolSpec) -> bool:
    return all(
        (k - 1) * d < s for k, d, s in zip(spec.kernel, spec.dilation, spec.stride, strict=True)
    )


def _steps(spec: PoolSpec, axis: int, out: int) -> Iterator[tuple]:
    """For each tap along one axis (1 is the first spatial one), the index of what it sees."""
    s, d = spec.stride[axis - 1], spec.dilation[axis - 1]
    for t in range(spec.kernel[axis - 1]):
        yield *(slice(None),) * axis, slice(t * d, t * d + (out - 1) * s + 1, s)


def _separable(x: np.ndarray, spec: PoolSpec, out: Sizes, combine: np.ufunc, y: np.ndarray) -> None:
    """Combine each window into `y`, one axis after the other."""
    for axis, o in enumerate(out, 1):
        views = [x[index] for index in _steps(spec, axis, o)]
        target = y if axis == len(out) else None
        if len(views) == 1:
            x = views[0]
            if target is not None:
                target[...] = x
            continue
        x = combine(views[0], views[1], out=target)
        for view in views[2:]:
            combine(x, view, out=x)


def _spread_axis(y, axis: int, spec: PoolSpec, size: int, result) -> np.ndarray:
    if result is None:
        result = np.zeros((*y.shape[:axis], size, *y.shape[axis + 1 :]), y.dtype)
    disjoint = (spec.kernel[axis - 1] - 1) * spec.dilation[axis - 1] < spec.stride[axis - 1]
    for index in _steps(spec, axis, y.shape[axis]):
        if disjoint:
            result[index] = y
        else:
            result[index] += y
    return result


def _slices(n: int, image_bytes: int) -> Iterator[slice]:
    step = max(1, BLOCK_BYTES // max(1, image_bytes))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _blocks(x: np.ndarray, spec: PoolSpec, out: Sizes, value: float) -> Iterator[tuple]:
    """Each block of images, padded with `value` so that every window lies inside."""
    size = x.shape[1:]
    pairs = padded_pairs(spec, size, spec.kernel, out)
    wide = tuple(s + before + after for s, (before, after) in zip(size, pairs, strict=True))
    buffer = None
    for images in _slices(len(x), prod(out) * x.dtype.itemsize):
        if wide == size:
            yield images, x[images]
            continue
        if buffer is None:
            buffer = np.full((images.stop, *wide), value, x.dtype)
        padded = buffer[: images.stop - images.start]
        padded[WindowKernels.inside(pairs, size)] = x[images]
        yield images, padded


def _transposed_blocks(result: np.ndarray, spec: PoolSpec, out: Sizes) -> Iterator[tuple]:
    """Each block of images of `result` with room around, to write to; the room is then dropped."""
    size = result.shape[1:]
    pairs = padded_pairs(spec, size, spec.kernel, out)
    wide = tuple(s + before + after for s, (before, after) in zip(size, pairs, strict=True))
    for images in _slices(len(result), prod(out) * result.dtype.itemsize):
        if wide == size:
            yield images, result[images]
            continue
        padded = np.zeros((images.stop - images.start, *wide), result.dtype)
        yield images, padded
        result[images] = padded[WindowKernels.inside(pairs, size)]
