"""The balls an attack stays in: for each norm, how to step, project, start and measure.

Radii are N×1×…, one for each sample, so that they broadcast to the images.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..tensor import Tensor
from .evaluation import like

_TINY = 1e-30  # a length below this counts as none


class Linf:
    """max|δ|: no pixel changes by more than epsilon."""

    def normalise(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        """The direction of steepest ascent: sign g, 0 where g is 0."""
        return ops.sign(gradient)

    def onto_ball(self, moved: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        return x + ops.minimum(ops.maximum(moved - x, -radius), radius)

    def start(self, x: Tensor, radius: Tensor, draw: np.random.Generator) -> Tensor:
        """Uniform in the ball around one sample x."""
        return x + radius * like(draw.uniform(-1.0, 1.0, x.shape), x)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """The norm of each sample's change (N)."""
        return np.abs(_rows(moved) - _rows(x)).max(axis=1, initial=0.0)

    def dual(self, gradient: Tensor) -> np.ndarray:
        """How fast a linear function with this gradient can rise for each unit of the norm (N)."""
        return np.abs(_rows(gradient)).sum(axis=1)

    def largest(self, x: Tensor, bounds: tuple[float, float]) -> float:
        """The largest distance between two images within the bounds."""
        return bounds[1] - bounds[0]


class L2:
    """√Σδ²: the whole change is no longer than epsilon."""

    def normalise(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        """The direction of steepest ascent: g/‖g‖₂, 0 where g is 0."""
        return gradient / ops.maximum(_length(gradient), _TINY)

    def onto_ball(self, moved: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        change = moved - x
        length = _length(change)
        shrink = radius / ops.maximum(length, _TINY)
        return ops.where(length > radius, x + change * shrink, moved)

    def start(self, x: Tensor, radius: Tensor, draw: np.random.Generator) -> Tensor:
        """Uniform in the ball around one sample x: a direction, and a radius of density rⁿ⁻¹."""
        direction = draw.standard_normal(x.shape)
        direction *= draw.uniform() ** (1.0 / x.size) / np.linalg.norm(direction)
        return x + radius * like(direction, x)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """The norm of each sample's change (N)."""
        return np.sqrt(np.square(_rows(moved) - _rows(x)).sum(axis=1))

    def dual(self, gradient: Tensor) -> np.ndarray:
        """How fast a linear function with this gradient can rise for each unit of the norm (N)."""
        return np.sqrt(np.square(_rows(gradient)).sum(axis=1))

    def largest(self, x: Tensor, bounds: tuple[float, float]) -> float:
        """The largest distance between two images within the bounds."""
        return (bounds[1] - bounds[0]) * prod(x.shape[1:]) ** 0.5


class L1:
    """Σ|δ|: a step goes along the few pixels (a `share` of them) with the largest gradient.

    Steepest ascent in this ball moves a single pixel; a share of 1 % (at least one pixel) is the
    sparse step of Tramèr and Boneh 2019.
    """

    def __init__(self, share: float = 0.01) -> None:
        if not 0.0 < share <= 1.0:
            raise ValueError(f"the share of the pixels that a step moves is in (0, 1], got {share}")
        self.share = share

    def normalise(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        """sign g at the largest |g|, divided by how many they are; 0 where g is 0."""
        size = ops.flatten(ops.abs(gradient), 1)
        count = max(1, int(self.share * size.shape[1]))
        least = ops.sort(size, 1, descending=True)[:, count - 1 : count]
        chosen = ops.where(size >= least, ops.flatten(ops.sign(gradient), 1), 0.0)
        many = ops.maximum(ops.sum(ops.abs(chosen), 1, keepdims=True), 1.0)
        return (chosen / many).reshape(gradient.shape)

    def onto_ball(self, moved: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        """The nearest point in L2: |δ| lowered by one θ, and at 0 where it is less (Duchi 2008).

        θ = (Σ_{i≤ρ} u_i − r)/ρ with u the |δ| in falling order and ρ the last place where
        u_ρ·ρ > Σ_{i≤ρ} u_i − r.
        """
        change = ops.flatten(moved - x, 1)
        r, size = radius.reshape(-1, 1), ops.abs(change)
        falling = ops.sort(size, 1, descending=True)
        sums = ops.cumsum(falling, 1)
        counts = like(np.arange(1, change.shape[1] + 1), x)
        kept = ops.sum((falling * counts > sums - r).astype("int64"), 1, keepdims=True)
        last = ops.maximum(kept, 1)
        theta = (ops.take_along_axis(sums, last - 1, 1) - r) / last.astype(x.dtype)
        lowered = ops.sign(change) * ops.maximum(size - theta, 0.0)
        outside = sums[:, -1:] > r
        inside = ops.flatten(moved, 1)
        return ops.where(outside, ops.flatten(x, 1) + lowered, inside).reshape(x.shape)

    def start(self, x: Tensor, radius: Tensor, draw: np.random.Generator) -> Tensor:
        """Uniform in the ball around one sample x: parts of a stick broken at random, and signs."""
        parts = draw.exponential(size=x.size + 1)
        values = draw.choice([-1.0, 1.0], x.size) * parts[:-1] / parts.sum()
        return x + radius * like(values.reshape(x.shape), x)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """The norm of each sample's change (N)."""
        return np.abs(_rows(moved) - _rows(x)).sum(axis=1)

    def dual(self, gradient: Tensor) -> np.ndarray:
        """How fast a linear function with this gradient can rise for each unit of the norm (N)."""
        return np.abs(_rows(gradient)).max(axis=1, initial=0.0)

    def largest(self, x: Tensor, bounds: tuple[float, float]) -> float:
        """The largest distance between two images within the bounds."""
        return (bounds[1] - bounds[0]) * prod(x.shape[1:])


class L0:
    """How many pixels change; a pixel with several channels (axis 1 of N×C×…) counts once."""

    def onto_ball(self, moved: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        """Only the pixels that changed most: as many as the radius, rounded down."""
        change = self._by_pixel(moved, x)
        rank = np.argsort(np.argsort(-change, axis=1, kind="stable"), axis=1)
        kept = rank < np.floor(radius.numpy().reshape(-1, 1))
        shape = (x.shape[0], 1, *x.shape[2:]) if x.ndim > 2 else x.shape
        return ops.where(like(kept.reshape(shape), x) > 0, moved, x)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """How many pixels of each sample changed (N)."""
        return (self._by_pixel(moved, x) > 0).sum(axis=1).astype(float)

    def largest(self, x: Tensor, bounds: tuple[float, float]) -> float:
        """How many pixels an image has."""
        return float(prod(x.shape[2:] if x.ndim > 2 else x.shape[1:]))

    @staticmethod
    def _by_pixel(moved: Tensor, x: Tensor) -> np.ndarray:
        """Σ|δ| over the channels of each pixel, N×pixels."""
        change = np.abs(moved.numpy().astype(np.float64) - x.numpy())
        return (change.sum(axis=1) if x.ndim > 2 else change).reshape(len(x), -1)


def as_norm(name: str, allowed: dict[str, Any], who: str) -> Any:
    """The norm of a name; ValueError that lists the allowed ones."""
    if name not in allowed:
        raise ValueError(f"{who}: norm {name!r} is not one of {', '.join(map(repr, allowed))}")
    return allowed[name]()


def _rows(x: Tensor) -> np.ndarray:
    return x.numpy().reshape(x.shape[0], -1).astype(np.float64)


def _length(x: Tensor) -> Tensor:
    """‖x‖₂ of each sample, N×1×…."""
    return ops.sqrt(ops.sum(x * x, tuple(range(1, x.ndim)), keepdims=True))
