"""Normalisation, losses and dropout: several steps in one pass over the data, against `self.xp`."""

from __future__ import annotations

from typing import Any

from .arrays import Array, ArrayKernels, Axes, widened


class FusedKernels(ArrayKernels):
    """`shape` is how a parameter is laid out against the input, as in (1, C, 1, 1)."""

    # normalisation

    def normalize(
        self, x: Array, weight: Any, bias: Any, *, axes: Axes, shape: tuple, eps: float
    ) -> tuple[Array, Array, Array]:
        """(x − mean)/√(var + eps)·weight + bias, with the mean and 1/√(var + eps).

        The variance takes a second pass over x − mean: one pass is fast and wrong. Half precision
        is summed in single.
        """
        wide = x.astype("float32") if x.dtype.itemsize == 2 else x
        mean = wide.mean(axis=axes, keepdims=True)
        centred = wide - mean
        variance = (centred * centred).mean(axis=axes, keepdims=True)
        inverse_std = 1.0 / self.xp.sqrt(variance + eps)
        y = centred * inverse_std
        if weight is not None:
            y = y * weight.reshape(shape)
        if bias is not None:
            y = y + bias.reshape(shape)
        return y.astype(x.dtype, copy=False), mean, inverse_std

    def norm_input_grad(
        self, g: Array, x: Array, weight: Any, mean: Array, inverse_std: Array,
        *, axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        unit = (x - mean) * inverse_std
        g = g if weight is None else g * weight.reshape(shape)
        along = g.mean(axis=axes, keepdims=True)
        across = (g * unit).mean(axis=axes, keepdims=True)
        return inverse_std * (g - along - unit * across)

    def norm_weight_grad(
        self, g: Array, x: Array, mean: Array, inverse_std: Array,
        *, axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        return self.sum_to(g * ((x - mean) * inverse_std), shape=shape)

    def batch_norm_inference(
        self, x: Array, mean: Array, var: Array, weight: Any, bias: Any, *, shape: tuple, eps: float
    ) -> Array:
        scale = 1.0 / self.xp.sqrt(var + eps)
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        scale, shift = (each.reshape(shape).astype(x.dtype, copy=False) for each in (scale, shift))
        return self.scale_shift(x, scale, shift)

    def scale_shift(self, x: Array, scale: Array, shift: Array) -> Array:
        """x·scale + shift."""
        return x * scale + shift

    def channel_window_sum(self, x: Array, *, before: int, after: int) -> Array:
        """Σ of channels c − before … c + after around each channel c, cut at the borders."""
        widths = ((0, 0), (before, after)) + ((0, 0),) * (x.ndim - 2)
        padded = self.xp.pad(widened(x), widths)
        total = padded[:, : x.shape[1]]
        for shift in range(1, before + after + 1):
            total = total + padded[:, shift : shift + x.shape[1]]
        return total.astype(x.dtype, copy=False)

    def local_response_norm(
        self, x: Array, *, before: int, after: int, alpha: float, beta: float, k: float
    ) -> Array:
        total = self.channel_window_sum(x * x, before=before, after=after)
        return x * (alpha * total + k) ** -beta

    # losses: `scale` is 1 for a sum and 1/Σ(weights) for a mean; None keeps one loss a sample

    def cross_entropy(self, x: Array, target: Array, *, axis: int, scale: float | None) -> Array:
        log_p = self.log_softmax(x, axis=axis)
        losses = -(target * self.xp.where(target == 0, x.dtype.type(0), log_p)).sum(axis=axis)
        return losses if scale is None else losses.sum() * scale

    def nll_loss(self, x: Array, target: Array, *, axis: int, scale: float | None) -> Array:
        losses = -(target * self.xp.where(target == 0, x.dtype.type(0), x)).sum(axis=axis)
        return losses if scale is None else losses.sum() * scale

    def mse_loss(self, x: Array, y: Array, *, scale: float | None) -> Array:
        losses = self.xp.square(x - y)
        return losses if scale is None else losses.sum() * scale

    def bce_with_logits(self, x: Array, y: Array, *, scale: float | None) -> Array:
        xp = self.xp
        positive = xp.where(x.real > 0, x, x.dtype.type(0))
        size = xp.where(x.real > 0, x, -x)
        losses = positive - x * y + xp.log1p(xp.exp(-size))
        return losses if scale is None else losses.sum() * scale

    # noise

    def dropout(self, x: Array, *, seed: int, p: float, shape: tuple) -> Array:
        """x·mask/(1 − p), the mask drawn over `shape` from `seed` alone and broadcast."""
        keep = self.uniform(seed, shape) >= p
        return x * (keep * x.dtype.type(1.0 / (1.0 - p)))

    def uniform(self, seed: int, shape: tuple) -> Array:
        """Float32 numbers in [0, 1), the same for the same seed."""
        generator = self.xp.random.default_rng(seed)
        return generator.random(shape, dtype="float32")
