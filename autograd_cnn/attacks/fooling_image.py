"""Images that mean nothing to us and about which the model is sure (Nguyen et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..tensor import Tensor, tensor
from .attack import MinimalAttack, Result
from .bounds import BoundedModel, as_bounded
from .criteria import All, Confidence, Criterion, Targeted
from .encodings import PatternEncoding, PixelEncoding
from .evaluation import column, like, logits_of, pick, put, scored
from .norms import L2

_ENCODINGS = {"direct": PixelEncoding, "cppn": PatternEncoding}
_LIFETIME = 150  # generations after which a line that has not arrived makes way for a new one


class FoolingImage(MinimalAttack):
    """An image of which the model is `confidence` sure that it is a class (Nguyen et al. 2015).

    Classes given as numbers are the targets. `encoding`:

    * "gradient" climbs the log-probability of the target from x; a step that does not rise is
      halved;
    * "direct" evolves pixels and "cppn" patterns drawn by a small network of coordinates. One
      population serves all classes: of every image made, each class keeps the one it is surest of
      (MAP-Elites), and parents are drawn from among those; a line that has not arrived after 150
      generations makes way for a new one. x gives the shape only.

    `steps` is the limit: of gradient steps, or of generations of `population` images.

    Raises ValueError for an encoding that is not known or a confidence outside (0, 1), TypeError
    for a criterion without target classes, ShapeError for images that are not N×C×H×W.
    """

    norm = L2()

    def __init__(
        self,
        encoding: str = "gradient",
        confidence: float = 0.99995,
        steps: int = 5000,
        population: int = 100,
        seed: int = 0,
    ) -> None:
        if encoding != "gradient" and encoding not in _ENCODINGS:
            raise ValueError(
                f'FoolingImage: encoding {encoding!r} is not one of "gradient", "direct", "cppn"'
            )
        if not 0 < confidence < 1 or steps < 1 or population < 2:
            raise ValueError(
                "FoolingImage: confidence within (0, 1), at least 1 step and a population of 2, "
                f"got {confidence}, {steps} and {population}"
            )
        self.encoding, self.confidence, self.steps = encoding, confidence, steps
        self.population, self.seed = population, seed

    def __call__(self, model: Callable, x: Any, criterion: Any, epsilons: Any = None) -> Result:
        if not isinstance(criterion, Criterion):
            criterion = Targeted(criterion)
        return super().__call__(model, x, criterion & Confidence(self.confidence), epsilons)

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        if x.ndim != 4:
            raise ShapeError(f"FoolingImage: images are N×C×H×W, got {shape_text(x.shape)}")
        if self.encoding == "gradient":
            return self._climb(model, x, criterion)
        return self._evolve(model, x, _target_classes(criterion), criterion)

    def _climb(self, model: BoundedModel, x: Tensor, criterion: Criterion) -> Tensor:
        best = moved = x
        slope, highest = x * 0.0, np.full(len(x), -np.inf)
        size = np.full(len(x), 0.02 * self.norm.largest(x, model.bounds))
        pending = np.arange(len(x))
        for _ in range(self.steps):
            part, wanted = pick(moved, pending), criterion.select(pending)
            at = scored(model, part, wanted.loss)
            rising = at.values > highest[pending]
            risen = pending[rising]
            best = put(best, risen, pick(part, np.flatnonzero(rising)))
            slope = put(slope, risen, pick(at.gradient, np.flatnonzero(rising)))
            highest[risen] = at.values[rising]
            # a step too far is taken back and tried again at half the length
            size[pending] *= np.where(rising, 1.1, 0.5)
            pending = pending[~(rising & wanted.is_met(at.logits)) & (size[pending] > 1e-9)]
            if not pending.size:
                break
            direction = self.norm.normalise(pick(slope, pending), None)
            trial = pick(best, pending) + column(size[pending], x) * direction
            moved = put(moved, pending, trial.clip(*model.bounds))
        return best

    def _evolve(
        self, model: BoundedModel, x: Tensor, targets: np.ndarray, criterion: Criterion
    ) -> Tensor:
        """Of all images made, the one that each class is surest of."""
        encoding = _ENCODINGS[self.encoding](x.shape[1:], model.bounds)
        draw = np.random.default_rng(self.seed)
        classes = logits_of(model, x[:1]).shape[1]
        kept, elites = Elites(classes), Elites(classes)
        young = encoding.random(self.population, draw)
        for generation in range(1, self.steps + 1):
            sure = ops.log_softmax(logits_of(model, like(encoding.images(young), x)), 1).numpy()
            elites.take(young, sure)
            kept.take(young, sure)
            if (kept.best[targets] >= np.log(self.confidence)).all():
                break
            wanting = np.unique(targets[kept.best[targets] < np.log(self.confidence)])
            if generation % _LIFETIME == 0:
                elites.forget(wanting)
                young = encoding.random(self.population, draw)
                continue
            # one child in five has another class's parent: what serves one may lead to the other
            own = draw.choice(wanting, self.population)
            other = draw.integers(0, classes, self.population)
            parents = np.where(draw.random(self.population) < 0.8, own, other)
            young = encoding.mutated(elites.genomes[parents], draw)
        return pick(like(encoding.images(kept.genomes), x), targets)


class Elites:
    """For each class the genome it is surest of, and how sure it is."""

    def __init__(self, classes: int) -> None:
        self.genomes, self.best = np.zeros(0), np.full(classes, -np.inf)

    def take(self, genomes: np.ndarray, sure: np.ndarray) -> None:
        """Keep the new genomes (P×…) that beat the old ones; `sure` is P×C."""
        if not len(self.genomes):
            self.genomes = np.repeat(genomes[:1], len(self.best), axis=0)
        better = np.flatnonzero(sure.max(axis=0) > self.best)
        leader = sure.argmax(axis=0)[better]
        self.genomes[better], self.best[better] = genomes[leader], sure[leader, better]

    def forget(self, classes: np.ndarray) -> None:
        """Let any newcomer win these classes."""
        self.best[classes] = -np.inf


def fooling_images(
    model: Callable,
    shape: tuple[int, int, int],
    classes: int | Sequence[int] = 10,
    encoding: str = "gradient",
    confidence: float = 0.99995,
    seed: int = 0,
    **options: Any,
) -> Result:
    """One fooling image for each class, from uniform noise of shape C×H×W.

    `classes` is their number, or a list of them; `options` are those of `FoolingImage`.
    """
    wanted = np.arange(classes) if isinstance(classes, int) else np.asarray(classes)
    bounds = as_bounded(model).bounds
    noise = np.random.default_rng(seed).uniform(*bounds, (len(wanted), *shape))
    noise = tensor(noise.astype(_dtype(model)))
    attack = FoolingImage(encoding, confidence, seed=seed, **options)
    return attack(model, noise, Targeted(wanted))


def _dtype(model: Any) -> Any:
    """The dtype of the model's first parameter, float32 without one."""
    inner = getattr(model, "model", model)
    first = next(iter(getattr(inner, "parameters", tuple)()), None)
    return np.float32 if first is None else first.dtype


def _target_classes(criterion: Criterion) -> np.ndarray:
    if isinstance(criterion, Targeted):
        return criterion.classes
    for part in criterion.criteria if isinstance(criterion, All) else ():
        if isinstance(part, Targeted):
            return part.classes
    raise TypeError(
        "FoolingImage evolves images of chosen classes: give them, or Targeted(classes)"
    )
