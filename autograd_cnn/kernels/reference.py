"""The obvious loops: one output at a time, straight from the formula. The oracle of the tests.

Slow on purpose. Nothing here is shared with the other providers but the output sizes in `specs`.
"""

from __future__ import annotations

from typing import Any

from .arrays import Array, Axes
from .reference_entries import EntryLoops
from .reference_loops import (
    divisor,
    every,
    filters_and_channels,
    groups_of,
    is_nan,
    powers,
    sightings,
    window,
)
from .reference_matrices import MatrixLoops
from .reference_widened import WidenedLoops
from .specs import ConvSpec, PoolSpec, Sizes


class ReferenceKernels(EntryLoops, MatrixLoops, WidenedLoops):
    """Kernels to check the others against; what is not here is a single call of NumPy anyway."""

    name = "reference"

    # convolution: y[n, o, p] = Σ over c, t of x[n, c, p·stride + t·dilation − before]·w[o, c, t]

    def conv(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        out = spec.output_size(x.shape[2:], w.shape[2:])
        y = self.xp.zeros((x.shape[0], w.shape[0], *out), self.xp.result_type(x, w))
        for o, channels in filters_and_channels(w.shape, spec.groups):
            for place, tap, pixel in sightings(spec, x.shape[2:], w.shape[2:], out):
                for c, channel in enumerate(channels):
                    y[:, o, *place] += x[:, channel, *pixel] * w[o, c, *tap]
        return y if b is None else y + b.reshape(-1, *(1,) * spec.ndim)

    def conv_input_grad(self, y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        shape = (y.shape[0], w.shape[1] * spec.groups, *size)
        x = self.xp.zeros(shape, self.xp.result_type(y, w))
        for o, channels in filters_and_channels(w.shape, spec.groups):
            for place, tap, pixel in sightings(spec, size, w.shape[2:], y.shape[2:]):
                for c, channel in enumerate(channels):
                    x[:, channel, *pixel] += y[:, o, *place] * w[o, c, *tap]
        return x

    def conv_weight_grad(self, x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        shape = (y.shape[1], x.shape[1] // spec.groups, *size)
        w = self.xp.zeros(shape, self.xp.result_type(x, y))
        for o, channels in filters_and_channels(shape, spec.groups):
            for place, tap, pixel in sightings(spec, x.shape[2:], size, y.shape[2:]):
                for c, channel in enumerate(channels):
                    w[o, c, *tap] += (x[:, channel, *pixel] * y[:, o, *place]).sum()
        return w

    # pooling: the pixels a window sees, taps in row-major order; those outside do not exist

    def max_pool(self, x: Array, *, spec: PoolSpec) -> tuple[Array, Array]:
        out = spec.output_size(x.shape[2:])
        best = self.xp.zeros((*x.shape[:2], *out), x.dtype)
        switches = self.xp.zeros(best.shape, self.switch_dtype(spec))
        for n, c, *place in every(best.shape):
            winner = None
            for number, pixel in window(spec, place, x.shape[2:]):
                value = x[n, c, *pixel]
                if winner is None or value.real > winner.real or is_nan(value) > is_nan(winner):
                    winner = value
                    best[n, c, *place], switches[n, c, *place] = value, number
        return best, switches

    def pool_gather(self, x: Array, switches: Array, *, spec: PoolSpec) -> Array:
        y = self.xp.zeros(switches.shape, x.dtype)
        for n, c, *place in every(y.shape):
            for number, pixel in window(spec, place, x.shape[2:]):
                if number == switches[n, c, *place]:
                    y[n, c, *place] = x[n, c, *pixel]
        return y

    def pool_scatter(self, y: Array, switches: Array, *, spec: PoolSpec, size: Sizes) -> Array:
        x = self.xp.zeros((*y.shape[:2], *size), y.dtype)
        for n, c, *place in every(y.shape):
            for number, pixel in window(spec, place, size):
                if number == switches[n, c, *place]:
                    x[n, c, *pixel] += y[n, c, *place]
        return x

    def avg_pool(self, x: Array, *, spec: PoolSpec, count_include_pad: bool) -> Array:
        size = x.shape[2:]
        y = self.xp.zeros((*x.shape[:2], *spec.output_size(size)), x.dtype)
        for n, c, *place in every(y.shape):
            total = sum(x[n, c, *pixel] for _, pixel in window(spec, place, size))
            y[n, c, *place] = total / divisor(spec, place, size, count_include_pad)
        return y

    def avg_pool_grad(
        self, y: Array, *, spec: PoolSpec, size: Sizes, count_include_pad: bool
    ) -> Array:
        x = self.xp.zeros((*y.shape[:2], *size), y.dtype)
        for n, c, *place in every(y.shape):
            share = y[n, c, *place] / divisor(spec, place, size, count_include_pad)
            for _, pixel in window(spec, place, size):
                x[n, c, *pixel] += share
        return x

    # normalisation: each group of entries that share a mean, on its own

    def normalize(
        self, x: Array, weight: Any, bias: Any, *, axes: Axes, shape: tuple, eps: float
    ) -> tuple[Array, Array, Array]:
        mean, inverse_std = self._statistics(x, axes, eps)
        y = self.xp.zeros(x.shape, x.dtype)
        weights, biases = self._spread(weight, 1, x, shape), self._spread(bias, 0, x, shape)
        for group in groups_of(x.shape, axes):
            unit = (x[group] - mean[group].ravel()[0]) * inverse_std[group].ravel()[0]
            y[group] = unit * weights[group] + biases[group]
        return y, *(self._one_each(array, axes) for array in (mean, inverse_std))

    def norm_input_grad(
        self, g: Array, x: Array, weight: Any, mean: Array, inverse_std: Array,
        *, axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        """With u the normalised x and h = g·weight: (h − mean(h) − u·mean(h·u))·inverse_std."""
        result = self.xp.zeros(x.shape, self.xp.result_type(g, x))
        weights = self._spread(weight, 1, x, shape)
        means, scales = (self.xp.broadcast_to(array, x.shape) for array in (mean, inverse_std))
        for group in groups_of(x.shape, axes):
            u = (x[group] - means[group]) * scales[group]
            h = g[group] * weights[group]
            result[group] = (h - h.sum() / h.size - u * ((h * u).sum() / h.size)) * scales[group]
        return result

    def norm_weight_grad(
        self, g: Array, x: Array, mean: Array, inverse_std: Array,
        *, axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        """Σ of g·(x − mean)·inverse_std over the entries that share a weight."""
        total = self.xp.zeros(shape, self.xp.result_type(g, x))
        means, scales = (self.xp.broadcast_to(array, x.shape) for array in (mean, inverse_std))
        lead = (1,) * (x.ndim - len(shape)) + tuple(shape)
        flat = total.reshape(lead)
        for place in every(x.shape):
            own = tuple(0 if n == 1 else i for i, n in zip(place, lead, strict=True))
            flat[own] += g[place] * (x[place] - means[place]) * scales[place]
        return total

    def channel_window_sum(self, x: Array, *, before: int, after: int) -> Array:
        y = self.xp.zeros(x.shape, x.dtype)
        for c in range(x.shape[1]):
            for other in range(max(0, c - before), min(x.shape[1] - 1, c + after) + 1):
                y[:, c] += x[:, other]
        return y

    # products and losses

    def matmul(self, x: Array, y: Array) -> Array:
        """Entry (i, j) is Σ over k of x[…, i, k]·y[…, k, j]; a vector is one row or one column."""
        xp = self.xp
        left = x[None, :] if x.ndim == 1 else x
        right = y[:, None] if y.ndim == 1 else y
        if left.shape[-1] != right.shape[-2]:
            return xp.matmul(x, y)  # raises NumPy's own error
        lead = xp.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        left = xp.broadcast_to(left, lead + left.shape[-2:])
        right = xp.broadcast_to(right, lead + right.shape[-2:])
        result = xp.zeros((*lead, left.shape[-2], right.shape[-1]), xp.result_type(x, y))
        for *index, i, j in every(result.shape):
            for k in range(left.shape[-1]):
                result[*index, i, j] += left[*index, i, k] * right[*index, k, j]
        result = result[..., 0, :] if x.ndim == 1 else result
        return result[..., 0] if y.ndim == 1 else result

    def linear(self, x: Array, w: Array, b: Array | None = None) -> Array:
        y = self.matmul(x, w.T)
        return y if b is None else y + b

    def softmax(self, x: Array, *, axis: int) -> Array:
        return self._along(
            axis, x, lambda line: powers(self.xp, line) / powers(self.xp, line).sum()
        )

    def log_softmax(self, x: Array, *, axis: int) -> Array:
        return self._along(axis, x, self._shifted_minus_log_sum)

    def logsumexp(self, x: Array, *, axes: Axes, keepdims: bool) -> Array:
        result = self.xp.zeros(x.shape, x.dtype)
        for group in groups_of(x.shape, axes):
            result[group] = self._log_sum(x[group])
        result = self._one_each(result, axes)
        return result if keepdims else result.squeeze(axes)

    def cross_entropy(self, x: Array, target: Array, *, axis: int, scale: float | None) -> Array:
        """−Σ target·log p for each sample, a target of zero counting as nothing."""
        log_p = self.log_softmax(x, axis=axis)
        terms = self.xp.zeros(x.shape, self.xp.result_type(x, target))
        for place in every(x.shape):
            if target[place] != 0:
                terms[place] = target[place] * log_p[place]
        losses = -terms.sum(axis=axis)
        return losses if scale is None else losses.sum() * scale

    # helpers

    def _statistics(self, x: Array, axes: Axes, eps: float) -> tuple[Array, Array]:
        """The mean and 1/√(variance + eps) at every entry; half precision in single."""
        wide = x.astype("float32") if x.dtype.itemsize == 2 else x
        mean, inverse_std = self.xp.zeros_like(wide), self.xp.zeros_like(wide)
        for group in groups_of(x.shape, axes):
            values = wide[group]
            mean[group] = values.sum() / values.size
            variance = ((values - mean[group]) ** 2).sum() / values.size
            inverse_std[group] = 1 / self.xp.sqrt(variance + eps)
        return mean, inverse_std

    def _one_each(self, x: Array, axes: Axes) -> Array:
        return x[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(x.ndim))]

    def _spread(self, parameter: Any, default: int, x: Array, shape: tuple) -> Array:
        if parameter is None:
            return self.xp.full(x.shape, default, x.dtype)
        return self.xp.broadcast_to(parameter.reshape(shape), x.shape)

    def _along(self, axis: int, x: Array, function: Any) -> Array:
        result = self.xp.zeros(x.shape, x.dtype)
        for line in groups_of(x.shape, (axis % x.ndim,)):
            result[line] = function(x[line])
        return result

    def _shifted_minus_log_sum(self, values: Array) -> Array:
        shifted = values - values.real.max()
        return shifted - self.xp.log(self.xp.exp(shifted).sum())

    def _log_sum(self, values: Array) -> Array:
        top = values.real.max()
        top = top if self.xp.isfinite(top) else 0 * values.real.dtype.type(1)
        return self.xp.log(self.xp.exp(values - top).sum()) + top
