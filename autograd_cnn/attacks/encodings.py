"""How an evolving image is written down: pixel by pixel, or as a pattern of coordinates."""

from __future__ import annotations

import numpy as np

_SHAPES = (
    np.sin,
    np.cos,
    np.tanh,
    np.abs,
    lambda t: np.exp(-(t**2)),
    lambda t: t,
)


class PixelEncoding:
    """The direct encoding: a genome is the image itself; a mutation draws some pixels anew."""

    def __init__(self, shape: tuple[int, int, int], bounds: tuple[float, float]) -> None:
        self.shape, self.bounds = shape, bounds

    def random(self, count: int, draw: np.random.Generator) -> np.ndarray:
        return draw.uniform(*self.bounds, (count, *self.shape))

    def mutated(self, genomes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Each pixel with a probability between 1 % and 20 %, by a normal step."""
        low, high = self.bounds
        share = draw.uniform(0.01, 0.2, (len(genomes), 1, 1, 1))
        steps = 0.3 * (high - low) * draw.standard_normal(genomes.shape)
        return np.where(draw.random(genomes.shape) < share, genomes + steps, genomes).clip(
            low, high
        )

    def images(self, genomes: np.ndarray) -> np.ndarray:
        return genomes


class PatternEncoding:
    """A compositional pattern-producing network: pixels are a function of their coordinates.

    Two hidden layers of `units` units read (x, y, distance from the middle, 1). A genome holds the
    weights, and for each unit which function it applies: sine, cosine, tanh, |·|, a bell, or none
    (Stanley 2007). Topology is fixed, where the original also evolves it.
    """

    def __init__(
        self, shape: tuple[int, int, int], bounds: tuple[float, float], units: int = 12
    ) -> None:
        self.shape, self.bounds, self.units = shape, bounds, units
        channels, height, width = shape
        y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
        ones = np.ones_like(x)
        self.coordinates = np.stack([x, y, np.hypot(x, y), ones]).reshape(4, -1)
        self.sizes = (4 * units, units * units, units * channels)

    def random(self, count: int, draw: np.random.Generator) -> np.ndarray:
        """Rows of weights, followed by the number of the function of each unit."""
        weights = draw.standard_normal((count, sum(self.sizes)))
        kinds = draw.integers(0, len(_SHAPES), (count, 2 * self.units))
        return np.concatenate([weights, kinds], axis=1)

    def mutated(self, genomes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        count, weights = len(genomes), sum(self.sizes)
        steps = draw.standard_normal((count, weights)) * draw.choice([0.03, 0.2, 1.0], (count, 1))
        steps *= draw.random((count, weights)) < draw.choice([0.01, 0.05, 0.3], (count, 1))
        kinds = genomes[:, weights:]
        drawn = draw.integers(0, len(_SHAPES), kinds.shape)
        kinds = np.where(draw.random(kinds.shape) < 0.02, drawn, kinds)
        return np.concatenate([genomes[:, :weights] + steps, kinds], axis=1)

    def images(self, genomes: np.ndarray) -> np.ndarray:
        first, second, last, kinds = np.split(genomes, np.cumsum(self.sizes), axis=1)
        count, units = len(genomes), self.units
        hidden = np.broadcast_to(self.coordinates, (count, *self.coordinates.shape))
        for weights, inputs, functions in (
            (first, 4, kinds[:, :units]),
            (second, units, kinds[:, units:]),
        ):
            weights = weights.reshape(count, units, inputs)
            hidden = _applied(weights @ hidden / inputs**0.5, functions)
        out = last.reshape(count, self.shape[0], units) @ hidden
        low, high = self.bounds
        # a logistic curve written with tanh, which never overflows
        values = low + (high - low) * (1 + np.tanh(out)) / 2
        return values.reshape(count, *self.shape)


def _applied(values: np.ndarray, functions: np.ndarray) -> np.ndarray:
    """Each unit's own function of its row."""
    result = np.empty_like(values)
    for number, function in enumerate(_SHAPES):
        chosen = functions == number
        result[chosen] = function(values[chosen])
    return result
