"""Where drawn numbers come from: a seed here, Hypothesis in `strategies`; makers see neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Draw:
    """Draws small numbers, choices and arrays from a generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def choice(self, options: Sequence[Any]) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def generator(self) -> np.random.Generator:
        """Where array entries come from."""
        return self.rng

    def shape(self, low: int = 0, high: int = 3, side: int = 4) -> tuple[int, ...]:
        """A shape of `low` to `high` axes, each 1 to `side` long."""
        return tuple(self.integer(1, side) for _ in range(self.integer(low, high)))

    def normal(self, shape: Sequence[int]) -> np.ndarray:
        return np.asarray(self.generator().standard_normal(tuple(shape)))

    def uniform(self, shape: Sequence[int], low: float, high: float) -> np.ndarray:
        return np.asarray(self.generator().uniform(low, high, tuple(shape)))

    def apart(self, shape: Sequence[int], gap: float = 0.2) -> np.ndarray:
        """Distinct entries at least about `gap` apart and from 0, in random order."""
        size = int(np.prod(shape))
        order = self.generator().permutation(size) - size // 2
        noise = self.generator().uniform(0.3, 0.7, size)
        return ((order + noise) * gap * 2).reshape(tuple(shape))

    def broadcastable(self, count: int = 2) -> list[tuple[int, ...]]:
        """Shapes that broadcast together."""
        joint = self.shape(0, 3)
        shapes = []
        for _ in range(count):
            kept = joint[self.integer(0, len(joint)) :]
            shapes.append(tuple(1 if self.integer(0, 3) == 0 else n for n in kept))
        return shapes
