"""Sliding windows: convolution in its three passes, max and average pooling, any number of axes.

Each tap of the kernel sees the padded input through one strided view, so stride and dilation cost
nothing beyond the view: `y += w[tap] · view(tap)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

from .specs import ConvSpec, PoolSpec, Sizes, Spec, padded_pairs

Array = Any


def taps(spec: Spec, kernel: Sizes, out: Sizes) -> Iterator[tuple[Sizes, tuple]]:
    """Each tap of the kernel with the index of what it sees in the padded input."""
    for tap in product(*map(range, kernel)):
        yield (
            tap,
            (
                Ellipsis,
                *(
                    slice(t * d, t * d + (o - 1) * s + 1, s)
                    for t, d, s, o in zip(tap, spec.dilation, spec.stride, out, strict=True)
                ),
            ),
        )


class WindowKernels:
    """Arrays are N×C×spatial; filters O×(C/groups)×kernel."""

    xp: Any

    def conv(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        xp, groups = self.xp, spec.groups
        n, kernel = x.shape[0], w.shape[2:]
        out = spec.output_size(x.shape[2:], kernel)
        padded = self.pad_windows(x, spec, kernel, out, 0)
        filters = w.reshape(groups, w.shape[0] // groups, w.shape[1], *kernel)
        shape = (n, groups, w.shape[0] // groups, prod(out))
        y = xp.zeros(shape, xp.result_type(x, w))
        for tap, seen in taps(spec, kernel, out):
            view = padded[seen].reshape(n, groups, w.shape[1], shape[-1])
            y += xp.matmul(filters[(slice(None),) * 3 + tap], view)
        y = y.reshape(n, w.shape[0], *out)
        return y if b is None else y + b.reshape(-1, *(1,) * spec.ndim)

    def conv_input_grad(self, y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        """The transpose of `conv` in its input: from N×O×out back to N×C×size."""
        xp, groups = self.xp, spec.groups
        n, kernel, out = y.shape[0], w.shape[2:], y.shape[2:]
        pairs = padded_pairs(spec, size, kernel, out)
        filters = w.reshape(groups, w.shape[0] // groups, w.shape[1], *kernel)
        rows = y.reshape(n, groups, w.shape[0] // groups, prod(out))
        wide = tuple(s + before + after for s, (before, after) in zip(size, pairs, strict=True))
        result = xp.zeros((n, groups * w.shape[1], *wide), xp.result_type(y, w))
        for tap, seen in taps(spec, kernel, out):
            part = xp.matmul(filters[(slice(None),) * 3 + tap].swapaxes(1, 2), rows)
            result[seen] += part.reshape(n, groups * w.shape[1], *out)
        return result[self.inside(pairs, size)]

    def conv_weight_grad(self, x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        """The transpose of `conv` in its filters: from N×C×in and N×O×out to O×(C/groups)×size."""
        xp, groups = self.xp, spec.groups
        n, out = x.shape[0], y.shape[2:]
        channels, filters = x.shape[1] // groups, y.shape[1] // groups
        padded = self.pad_windows(x, spec, size, out, 0)
        rows = y.reshape(n, groups, filters, prod(out))
        result = xp.empty((groups, filters, channels, *size), xp.result_type(x, y))
        for tap, seen in taps(spec, size, out):
            view = padded[seen].reshape(n, groups, channels, prod(out))
            part = xp.matmul(rows, view.swapaxes(2, 3)).sum(axis=0)
            result[(slice(None),) * 3 + tap] = part
        return result.reshape(groups * filters, channels, *size)

    def max_pool(self, x: Array, *, spec: PoolSpec) -> tuple[Array, Array]:
        """The maximum of each window and its switch: the number of the first tap that holds it.

        NaN wins over everything, as in NumPy. Padding wins over nothing, −∞ included.
        """
        xp, out = self.xp, spec.output_size(x.shape[2:])
        lowest = -xp.inf if x.dtype.kind in "fc" else xp.iinfo(x.dtype).min
        padded = self.pad_windows(x, spec, spec.kernel, out, lowest)
        windows = [padded[seen] for _, seen in taps(spec, spec.kernel, out)]
        first = self.first_taps(spec, out).astype(self.switch_dtype(spec))
        best, switches = windows[0].copy(), xp.broadcast_to(first, windows[0].shape).copy()
        for number, view in enumerate(windows[1:], start=1):
            better = (view.real > best.real) | ((view != view) & (best == best))
            best = xp.where(better, view, best)
            switches = xp.where(better, switches.dtype.type(number), switches)
        return best, switches

    def pool_gather(self, x: Array, switches: Array, *, spec: PoolSpec) -> Array:
        """From each window the entry that its switch names."""
        xp, out = self.xp, switches.shape[2:]
        padded = self.pad_windows(x, spec, spec.kernel, out, 0)
        y = xp.zeros(x.shape[:2] + out, x.dtype)
        for number, (_, seen) in enumerate(taps(spec, spec.kernel, out)):
            y = xp.where(switches == number, padded[seen], y)
        return y

    def pool_scatter(self, y: Array, switches: Array, *, spec: PoolSpec, size: Sizes) -> Array:
        """The transpose of `pool_gather`: each entry goes to the place its switch names."""
        xp, out = self.xp, switches.shape[2:]
        pairs = padded_pairs(spec, size, spec.kernel, out)
        wide = tuple(s + before + after for s, (before, after) in zip(size, pairs, strict=True))
        result = xp.zeros(y.shape[:2] + wide, y.dtype)
        zero = y.dtype.type(0)
        for number, (_, seen) in enumerate(taps(spec, spec.kernel, out)):
            result[seen] += xp.where(switches == number, y, zero)
        return result[self.inside(pairs, size)]

    def avg_pool(self, x: Array, *, spec: PoolSpec, count_include_pad: bool) -> Array:
        out = spec.output_size(x.shape[2:])
        padded = self.pad_windows(x, spec, spec.kernel, out, 0)
        total = self.xp.zeros(x.shape[:2] + out, x.dtype)
        for _, seen in taps(spec, spec.kernel, out):
            total += padded[seen]
        return total / self.window_counts(spec, x.shape[2:], count_include_pad, x.dtype)

    def avg_pool_grad(
        self, y: Array, *, spec: PoolSpec, size: Sizes, count_include_pad: bool
    ) -> Array:
        """The transpose of `avg_pool`: each window spreads its share evenly."""
        xp, out = self.xp, y.shape[2:]
        share = y / self.window_counts(spec, size, count_include_pad, y.dtype)
        pairs = padded_pairs(spec, size, spec.kernel, out)
        wide = tuple(s + before + after for s, (before, after) in zip(size, pairs, strict=True))
        result = xp.zeros(y.shape[:2] + wide, y.dtype)
        for _, seen in taps(spec, spec.kernel, out):
            result[seen] += share
        return result[self.inside(pairs, size)]

    # helpers of this class and of its subclasses

    def pad_windows(self, x: Array, spec: Spec, kernel: Sizes, out: Sizes, value: float) -> Array:
        """`x` with its spatial axes padded so that every window lies inside."""
        pairs = padded_pairs(spec, x.shape[2:], kernel, out)
        if not any(map(any, pairs)):
            return x
        return self.xp.pad(x, ((0, 0), (0, 0), *pairs), constant_values=value)

    @staticmethod
    def inside(pairs: tuple, size: Sizes) -> tuple:
        """The index that undoes a padding."""
        return (
            Ellipsis,
            *(slice(before, before + s) for (before, _), s in zip(pairs, size, strict=True)),
        )

    def first_taps(self, spec: PoolSpec, out: Sizes) -> Array:
        """The number of the first tap of each window that lies in the image, over the output."""
        number = self.xp.zeros((), int)
        for axis, o in enumerate(out):
            outside = spec.padding[axis][0] - self.xp.arange(o) * spec.stride[axis]
            tap = self.xp.maximum(0, -(-outside // spec.dilation[axis]))
            number = number[..., None] * spec.kernel[axis] + tap
        return number

    @staticmethod
    def switch_dtype(spec: PoolSpec) -> str:
        return "uint8" if prod(spec.kernel) <= 256 else "int32"

    def window_counts(self, spec: PoolSpec, size: Sizes, include_pad: bool, dtype: Any) -> Array:
        """How many entries each window averages: its divisor, as an array over the output.

        With `include_pad` the declared padding counts and the rest of a partial window does not.
        """
        xp = self.xp
        counts = xp.ones((), dtype)
        for axis, o in enumerate(spec.output_size(size)):
            before, after = spec.padding[axis]
            low, high = (-before, size[axis] + after) if include_pad else (0, size[axis])
            starts = xp.arange(o) * spec.stride[axis] - before
            places = starts[:, None] + xp.arange(spec.kernel[axis]) * spec.dilation[axis]
            along = ((places >= low) & (places < high)).sum(axis=1).astype(dtype)
            counts = counts[..., None] * along
        return counts
