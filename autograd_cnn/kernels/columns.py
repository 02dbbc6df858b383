"""Windows laid out as columns and put back, and windows that share an image out."""

from __future__ import annotations

from math import prod
from typing import Any

from .specs import ConvSpec, Sizes, padded_pairs
from .windows import WindowKernels, taps

Array = Any


class ColumnKernels(WindowKernels):
    """Arrays are N×C×spatial; columns are N×(C·taps)×windows."""

    def unfold(self, x: Array, *, spec: ConvSpec, kernel: Sizes) -> Array:
        """The windows of x as columns (im2col); the taps of one channel stand together."""
        out = spec.output_size(x.shape[2:], kernel)
        padded = self.pad_windows(x, spec, kernel, out, 0)
        columns = self.xp.stack([padded[seen] for _, seen in taps(spec, kernel, out)], axis=2)
        return columns.reshape(x.shape[0], x.shape[1] * prod(kernel), prod(out))

    def fold(self, y: Array, *, spec: ConvSpec, kernel: Sizes, size: Sizes) -> Array:
        """The transpose of `unfold`: columns added where they came from (col2im)."""
        out = spec.output_size(size, kernel)
        pairs = padded_pairs(spec, size, kernel, out)
        wide = tuple(n + before + after for n, (before, after) in zip(size, pairs, strict=True))
        channels = y.shape[1] // prod(kernel)
        columns = y.reshape(y.shape[0], channels, prod(kernel), *out)
        result = self.xp.zeros((*columns.shape[:2], *wide), y.dtype)
        for number, (_, seen) in enumerate(taps(spec, kernel, out)):
            result[seen] += columns[:, :, number]
        return result[self.inside(pairs, size)]

    def adaptive_max_pool(self, x: Array, *, out: Sizes) -> tuple[Array, Array]:
        """The maximum of window ⌊iH/O⌋ … ⌈(i + 1)H/O⌉ − 1, and its place in the flat image."""
        xp, size = self.xp, x.shape[2:]
        places = xp.arange(prod(size)).reshape(size)
        for axis, (n, o) in enumerate(zip(size, out, strict=True)):
            window = self._shared_out(n, o)
            x = xp.take(x, window, axis=2 + 2 * axis)
            places = xp.take(places, window, axis=2 * axis)
        windows, within = (tuple(range(k, 2 * len(out), 2)) for k in (0, 1))
        places = places.transpose(windows + within)
        count = prod(places.shape[len(out) :])
        rows = x.transpose(0, 1, *(k + 2 for k in windows + within))
        rows, places = rows.reshape(*x.shape[:2], *out, count), places.reshape(*out, count)
        best = xp.argmax(rows.real, axis=-1)[..., None]
        found = xp.take_along_axis(xp.broadcast_to(places, rows.shape), best, -1)
        return xp.take_along_axis(rows, best, -1)[..., 0], found[..., 0]

    def _shared_out(self, n: int, o: int) -> Array:
        """The entries of each window along one axis, o×longest; short ones repeat their last."""
        window = self.xp.arange(o)[:, None]
        start, stop = window * n // o, -(-(window + 1) * n // o)
        longest = max(-(-(i + 1) * n // o) - i * n // o for i in range(o))
        return self.xp.minimum(start + self.xp.arange(longest), stop - 1)
