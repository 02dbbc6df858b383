"""Plain loops of scans and orders, of windows as columns, of losses and norms with statistics."""

from __future__ import annotations

import math
from math import prod
from typing import Any

from .arrays import Array
from .base import Kernels
from .reference_loops import every, groups_of, inside, seen_pixel
from .specs import ConvSpec, Sizes


class WidenedLoops(Kernels):
    """One entry after another, in the words of each definition."""

    # scans and orders, along one line after another

    def cumsum(self, x: Array, *, axis: int) -> Array:
        return self._carried(x, axis, lambda so_far, value, _: so_far + value)

    def cumprod(self, x: Array, *, axis: int) -> Array:
        return self._carried(x, axis, lambda so_far, value, _: so_far * value)

    def linear_recurrence(self, x: Array, a: Array, *, axis: int) -> Array:
        return self._carried(x, axis, lambda so_far, value, place: value + a[place] * so_far, a)

    def argsort(self, x: Array, *, axis: int, descending: bool) -> Array:
        order = self.xp.zeros(x.shape, self.xp.int64)
        for line in groups_of(x.shape, (axis % x.ndim,)):
            values = [v.item() for v in x.real[line].reshape(-1)]
            key = lambda k, values=values: (values[k] != values[k], values[k])
            found = sorted(range(len(values)), key=key, reverse=descending)
            order[line] = self.xp.reshape(found, order[line].shape)
        return order

    def _carried(self, x: Array, axis: int, step: Any, other: Any = None) -> Array:
        y = self.xp.array(x, dtype=None if other is None else self.xp.result_type(x, other))
        axis %= x.ndim
        for place in every(x.shape):
            if place[axis]:
                before = (*place[:axis], place[axis] - 1, *place[axis + 1 :])
                y[place] = step(y[before], x[place], place)
        return y

    # windows: column (c, tap) of a window holds the pixel that the tap sees, or 0 outside

    def unfold(self, x: Array, *, spec: ConvSpec, kernel: Sizes) -> Array:
        out, size = spec.output_size(x.shape[2:], kernel), x.shape[2:]
        y = self.xp.zeros((*x.shape[:2], prod(kernel), prod(out)), x.dtype)
        for window, place in enumerate(every(out)):
            for tap, offset in enumerate(every(kernel)):
                pixel = seen_pixel(spec, place, offset)
                if inside(pixel, size):
                    y[:, :, tap, window] = x[(..., *pixel)]
        return y.reshape(x.shape[0], x.shape[1] * prod(kernel), prod(out))

    def fold(self, y: Array, *, spec: ConvSpec, kernel: Sizes, size: Sizes) -> Array:
        out, channels = spec.output_size(size, kernel), y.shape[1] // prod(kernel)
        x = self.xp.zeros((y.shape[0], channels, *size), y.dtype)
        for window, place in enumerate(every(out)):
            for tap, offset in enumerate(every(kernel)):
                pixel = seen_pixel(spec, place, offset)
                for c in range(channels if inside(pixel, size) else 0):
                    x[:, c, *pixel] += y[:, c * prod(kernel) + tap, window]
        return x

    def adaptive_max_pool(self, x: Array, *, out: Sizes) -> tuple[Array, Array]:
        size = x.shape[2:]
        best = self.xp.zeros((*x.shape[:2], *out), x.dtype)
        places = self.xp.zeros(best.shape, self.xp.int64)
        numbers = self.xp.arange(prod(size)).reshape(size)
        for n, c, *place in every(best.shape):
            window = tuple(
                slice(i * length // o, math.ceil((i + 1) * length / o))
                for i, o, length in zip(place, out, size, strict=True)
            )
            seen = [*zip(x[n, c, *window].reshape(-1), numbers[window].reshape(-1), strict=True)]
            winner = max(seen, key=lambda pair: (pair[0] != pair[0], pair[0].real))
            best[n, c, *place], places[n, c, *place] = winner
        return best, places

    # norms with given statistics, and over channels

    def batch_norm_inference(
        self, x: Array, mean: Array, var: Array, weight: Any, bias: Any, *, shape: tuple, eps: float
    ) -> Array:
        one, zero = self.xp.ones_like(mean), self.xp.zeros_like(mean)
        mean, var, w, b = (
            self.xp.broadcast_to(p.reshape(shape), x.shape)
            for p in (mean, var, one if weight is None else weight, zero if bias is None else bias)
        )
        y = self.xp.zeros(x.shape, x.dtype)
        for place in every(x.shape):
            unit = (x[place] - mean[place]) / self.xp.sqrt(var[place] + eps)
            y[place] = unit * w[place] + b[place]
        return y

    def local_response_norm(
        self, x: Array, *, before: int, after: int, alpha: float, beta: float, k: float
    ) -> Array:
        y = self.xp.zeros(x.shape, x.dtype)
        for n, c, *place in every(x.shape):
            around = range(max(0, c - before), min(x.shape[1], c + after + 1))
            total = sum(x[n, other, *place] ** 2 for other in around)
            y[n, c, *place] = x[n, c, *place] / (k + alpha * total) ** beta
        return y

    # losses, one term at a time

    def nll_loss(self, x: Array, target: Array, *, axis: int, scale: float | None) -> Array:
        terms = self.xp.zeros(x.shape, self.xp.result_type(x, target))
        for place in every(x.shape):
            if target[place] != 0:
                terms[place] = -target[place] * x[place]
        losses = terms.sum(axis=axis)
        return losses if scale is None else losses.sum() * scale

    def mse_loss(self, x: Array, y: Array, *, scale: float | None) -> Array:
        return self._losses(x, y, lambda a, b: (a - b) * (a - b), scale)

    def bce_with_logits(self, x: Array, y: Array, *, scale: float | None) -> Array:
        """−y·ln σ(x) − (1 − y)·ln σ(−x), each logarithm from its own side."""
        if self.xp.result_type(x, y).kind != "f":
            return super().bce_with_logits(x, y, scale=scale)

        def loss(logit: Any, target: Any) -> float:
            logit, target = float(logit), float(target)
            tail = math.log1p(math.exp(-abs(logit)))
            return target * (max(-logit, 0) + tail) + (1 - target) * (max(logit, 0) + tail)

        return self._losses(x, y, loss, scale)

    def _losses(self, x: Array, y: Array, loss: Any, scale: float | None) -> Array:
        x, y = self.xp.broadcast_arrays(x, y)
        losses = self.xp.zeros(x.shape, self.xp.result_type(x, y))
        for place in every(x.shape):
            losses[place] = loss(x[place], y[place])
        return losses if scale is None else losses.sum() * scale
