"""The balls an attack stays in: for each norm, how to step, project, start and measure.

Radii are N×1×…, one for each sample, so that they broadcast to the images.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..tensor import Tensor, tensor

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
        return x + radius * _as(draw.uniform(-1.0, 1.0, x.shape), x)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """The norm of each sample's change (N)."""
        return np.abs(_rows(moved) - _rows(x)).max(axis=1, initial=0.0)

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
        return x + radius * _as(direction, x)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """The norm of each sample's change (N)."""
        return np.sqrt(np.square(_rows(moved) - _rows(x)).sum(axis=1))

    def largest(self, x: Tensor, bounds: tuple[float, float]) -> float:
        """The largest distance between two images within the bounds."""
        return (bounds[1] - bounds[0]) * prod(x.shape[1:]) ** 0.5


def _as(values: Any, like: Tensor) -> Tensor:
    return tensor(values, dtype=like.dtype, device=like.device)


def _rows(x: Tensor) -> np.ndarray:
    return x.numpy().reshape(x.shape[0], -1).astype(np.float64)


def _length(x: Tensor) -> Tensor:
    """‖x‖₂ of each sample, N×1×…."""
    return ops.sqrt(ops.sum(x * x, tuple(range(1, x.ndim)), keepdims=True))
