"""What the plain loops of the reference kernels go through: indices, windows, groups of entries."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from .arrays import Array, Axes
from .specs import PoolSpec, Sizes, Spec


def every(shape: Sizes) -> Iterator[tuple[int, ...]]:
    """Every index of an array of this shape."""
    return product(*map(range, shape))


def filters_and_channels(w: Sizes, groups: int) -> Iterator[tuple[int, range]]:
    """Each filter with the input channels that its group sees."""
    for o in range(w[0]):
        first = o // (w[0] // groups) * w[1]
        yield o, range(first, first + w[1])


def sightings(spec: Spec, size: Sizes, kernel: Sizes, out: Sizes) -> Iterator[tuple]:
    """Every (output place, tap, input pixel) where the tap of that window sees a pixel inside."""
    for place, tap in product(every(out), every(kernel)):
        pixel = seen_pixel(spec, place, tap)
        if inside(pixel, size):
            yield place, tap, pixel


def window(spec: PoolSpec, place: list[int], size: Sizes) -> Iterator[tuple[int, tuple]]:
    """The number and the pixel of each tap that sees a pixel inside."""
    for number, tap in enumerate(every(spec.kernel)):
        pixel = seen_pixel(spec, place, tap)
        if inside(pixel, size):
            yield number, pixel


def divisor(spec: PoolSpec, place: list[int], size: Sizes, include_pad: bool) -> int:
    """How many entries a window averages; the declared padding counts with `include_pad`."""
    if not include_pad:
        return len(list(window(spec, place, size)))
    count = 0
    for tap in every(spec.kernel):
        pixel = seen_pixel(spec, place, tap)
        count += all(
            -before <= p < n + after
            for p, n, (before, after) in zip(pixel, size, spec.padding, strict=True)
        )
    return count


def seen_pixel(spec: Spec, place: Any, tap: Any) -> tuple[int, ...]:
    """Where a tap of the window at `place` looks: place·stride + tap·dilation − before."""
    return tuple(
        p * s + t * d - before
        for p, t, s, d, (before, _) in zip(
            place, tap, spec.stride, spec.dilation, spec.padding, strict=True
        )
    )


def inside(pixel: tuple[int, ...], size: Sizes) -> bool:
    """Whether a pixel lies in the image."""
    return all(0 <= p < n for p, n in zip(pixel, size, strict=True))


def groups_of(shape: Sizes, axes: Axes) -> Iterator[tuple]:
    """Indices of the groups of entries that differ only along `axes`."""
    kept = [1 if axis in axes else n for axis, n in enumerate(shape)]
    for place in every(tuple(kept)):
        yield tuple(
            slice(None) if axis in axes else slice(i, i + 1) for axis, i in enumerate(place)
        )


def powers(xp: Any, values: Array) -> Array:
    """The exponential of the values, the largest scaled to 1 so that none overflows."""
    return xp.exp(values - values.real.max())


def is_nan(value: Any) -> bool:
    """Whether a number differs from itself."""
    return bool(value != value)
