"""Which poolings are native: float32 sequences and images that are large enough."""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod
from types import ModuleType

import numpy as np

from ..arrays import Array
from ..numpy import NumpyKernels
from ..specs import PoolSpec, Sizes
from .elementwise import NativeElementwise
from .machine import unusable

TINY = 20_000
"""Entries below which a native call does not pay."""


class NativePools(NativeElementwise):
    """Max and average pooling in native threads; the rest to `super()`."""

    def max_pool(self, x: Array, *, spec: PoolSpec) -> tuple[Array, Array]:
        if obstacle("max_pool", x, spec=spec):
            return super().max_pool(x, spec=spec)
        return _native().max_pool(np.ascontiguousarray(x), spec)

    def pool_scatter(self, y: Array, switches: Array, *, spec: PoolSpec, size: Sizes) -> Array:
        if obstacle("pool_scatter", y, switches, spec=spec, size=size):
            return super().pool_scatter(y, switches, spec=spec, size=size)
        y, switches = np.ascontiguousarray(y), np.ascontiguousarray(switches)
        return _native().scatter(y, switches, spec, tuple(size))

    def avg_pool(self, x: Array, *, spec: PoolSpec, count_include_pad: bool) -> Array:
        if obstacle("avg_pool", x, spec=spec):
            return super().avg_pool(x, spec=spec, count_include_pad=count_include_pad)
        counts = _counts(spec, x.shape[2:], count_include_pad)
        return _native().average(np.ascontiguousarray(x), spec, counts)

    def avg_pool_grad(
        self, y: Array, *, spec: PoolSpec, size: Sizes, count_include_pad: bool
    ) -> Array:
        if obstacle("avg_pool_grad", y, spec=spec, size=size):
            return super().avg_pool_grad(
                y, spec=spec, size=size, count_include_pad=count_include_pad
            )
        return _native().spread(np.ascontiguousarray(y), spec, tuple(size))


NATIVE = ("max_pool", "pool_scatter", "avg_pool", "avg_pool_grad")


def obstacle(
    kernel: str, x: Array, switches: Array | None = None, *, spec: PoolSpec, size: Sizes = (), **_
) -> str:
    """Why the native code does not take a pooling; empty if it does."""
    if x.dtype != np.float32:
        return f"{x.dtype} is not float32"
    if switches is not None and switches.dtype != np.uint8:
        return f"switches in {switches.dtype}"
    size = tuple(size) or x.shape[2:]
    entries = prod(x.shape[:2]) * prod(size)
    if entries < TINY:
        return f"{entries:,} entries are fewer than {TINY:,}"
    why_not = _native().obstacle(spec, size) or unusable()
    if not why_not and kernel == "avg_pool_grad" and not _native().is_doubling(spec, size):
        return "windows are not 2×2 side by side"
    return why_not


@lru_cache(maxsize=512)
def _counts(spec: PoolSpec, size: Sizes, include_pad: bool) -> Array:
    """The divisor of each window."""
    counts = NumpyKernels(np).window_counts(spec, size, include_pad, np.dtype(np.float32))
    return np.ascontiguousarray(np.broadcast_to(counts, spec.output_size(size)))


@cache
def _native() -> ModuleType:
    from . import pooling

    return pooling
