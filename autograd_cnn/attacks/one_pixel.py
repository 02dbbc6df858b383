"""One pixel: an evolution of where to put it and what value to give it."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError, require, shape_text
from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import generators, like, logits_of, pick, put
from .norms import L0


class OnePixel(MinimalAttack):
    """Change one pixel, or a few, found by differential evolution (Su, Vargas and Sakurai 2019).

    A candidate is `pixels` times (row, column, value of each channel); SciPy's
    `differential_evolution` raises the margin of the logits over `generations` generations of
    about `population` candidates, and stops when the image is fooled. No gradients are used.

    Raises MissingDependencyError without SciPy, ShapeError for images that are not N×C×H×W,
    ValueError for settings below 1.
    """

    norm = L0()

    def __init__(
        self, pixels: int = 1, generations: int = 75, population: int = 400, seed: int = 0
    ) -> None:
        if pixels < 1 or generations < 1 or population < 5:
            raise ValueError(
                "OnePixel: at least 1 pixel, 1 generation and a population of 5, got "
                f"{pixels}, {generations} and {population}"
            )
        self.pixels, self.generations = pixels, generations
        self.population, self.seed = population, seed

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        if x.ndim != 4:
            raise ShapeError(f"OnePixel: images are N×C×H×W, got {shape_text(x.shape)}")
        evolve = require("scipy.optimize", "attack").differential_evolution
        found = x
        for place, draw in enumerate(generators(x, self.seed)):
            here = np.array([place])
            image, wanted = pick(x, here), criterion.select(here)
            found = put(found, here, self._evolve(evolve, model, image, wanted, draw))
        return found

    def _evolve(self, evolve, model, x: Tensor, criterion: Criterion, draw) -> Tensor:
        channels, height, width = x.shape[1:]
        one = [(0.0, height), (0.0, width), *[model.bounds] * channels]
        original = x.numpy()[0]

        def margins(candidates: np.ndarray) -> np.ndarray:
            images = like(_painted(original, candidates.T, self.pixels), x)
            many = criterion.select(np.zeros(len(images), int))
            return -many.margin(logits_of(model, images)).numpy().astype(np.float64)

        answer = evolve(
            margins,
            one * self.pixels,
            maxiter=self.generations,
            popsize=max(1, self.population // (len(one) * self.pixels)),
            recombination=1.0,
            mutation=0.5,
            tol=-1.0,  # never for lack of variety: only when fooled, or after all generations
            polish=False,
            vectorized=True,
            updating="deferred",
            init="random",
            rng=draw,
            callback=lambda intermediate_result: bool(intermediate_result.fun < 0),
        )
        return like(_painted(original, answer.x[None], self.pixels), x)


def _painted(image: np.ndarray, candidates: np.ndarray, pixels: int) -> np.ndarray:
    """The image C×H×W with each candidate's pixels in it."""
    images = np.repeat(image[None], len(candidates), axis=0)
    rows = np.arange(len(candidates))
    for spot in np.split(candidates, pixels, axis=1):
        i = np.minimum(spot[:, 0].astype(int), image.shape[1] - 1)
        j = np.minimum(spot[:, 1].astype(int), image.shape[2] - 1)
        images[rows, :, i, j] = spot[:, 2:]
    return images
