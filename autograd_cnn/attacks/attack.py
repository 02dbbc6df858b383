"""What every attack has in common: how it is called, and the search for the least epsilon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, shape_text
from ..ops import stack
from ..tensor import Tensor
from .bounds import BoundedModel, as_bounded, as_images
from .criteria import Criterion, as_criterion
from .evaluation import choose, column, logits_of, pick, put


class Result(NamedTuple):
    """What an attack found: `raw`, the same `clipped` into ball and bounds, and `is_adv`.

    N×… images and N truths for one epsilon, K×N×… and K×N for K epsilons.
    """

    raw: Tensor
    clipped: Tensor
    is_adv: np.ndarray


class Attack(ABC):
    """An attack; a subclass gives `run` and a norm.

    Called with epsilons: a number, several, or None for the least one that fools each sample.
    A sample that is fooled already, and any sample at epsilon 0, comes back bit for bit.

    Raises ValueError for images outside the bounds, labels out of range, a negative epsilon, or a
    model in training mode; ShapeError and DTypeError for labels that do not fit.
    """

    norm: Any

    @abstractmethod
    def run(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: np.ndarray
    ) -> Tensor:
        """The mathematics alone: images within `epsilon` (N) of x that may meet the criterion."""

    def __call__(self, model: Callable, x: Any, criterion: Any, epsilons: Any = None) -> Result:
        radii = None if epsilons is None else _as_epsilons(epsilons)
        model = as_bounded(model)
        x = as_images(x, model)
        logits = logits_of(model, x)
        criterion = as_criterion(criterion, logits)
        fooled = criterion.is_met(logits)
        if radii is None:
            return self._least(model, x, criterion, fooled)
        results = self._at(model, x, criterion, fooled, radii.ravel())
        if radii.ndim == 0:
            return results[0]
        raw, clipped, is_adv = zip(*results, strict=True)
        return Result(stack(raw), stack(clipped), np.stack(is_adv))

    def _at(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        fooled: np.ndarray,
        radii: np.ndarray,
    ) -> list[Result]:
        """One result for each epsilon; `fooled` are the samples that are so already."""
        return [
            self._within(model, x, criterion, fooled, np.full(len(x), radius)) for radius in radii
        ]

    def _within(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        fooled: np.ndarray,
        epsilon: np.ndarray,
    ) -> Result:
        """Attack the samples that are not fooled yet."""
        raw, pending = x, np.flatnonzero(~fooled & (epsilon > 0))
        if pending.size:
            part = pick(x, pending)
            found = self.run(model, part, criterion.select(pending), epsilon[pending])
            raw = put(x, pending, found)
        clipped = self.project(raw, x, column(epsilon, x), model.bounds)
        return Result(raw, clipped, criterion.is_met(logits_of(model, clipped)))

    def _least(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, fooled: np.ndarray
    ) -> Result:
        """Double each sample's epsilon until the attack succeeds, then bisect to 0.1 %."""
        largest, best = self.norm.largest(x, model.bounds), x
        low, high = np.zeros(len(x)), np.where(fooled, 0.0, np.inf)
        trial = np.full(len(x), largest / 2**7)
        for _ in range(32):
            unsettled = np.isinf(high) | (high - low > 1e-3 * high)
            pending = np.flatnonzero(unsettled & (trial <= largest))
            if not pending.size:
                break
            part = pick(x, pending)
            wanted, radius = criterion.select(pending), trial[pending]
            found = self._within(model, part, wanted, fooled[pending], radius)
            done, failed = pending[found.is_adv], pending[~found.is_adv]
            reached = self.norm.distance(found.clipped, part)[found.is_adv]
            best = put(best, done, pick(found.clipped, np.flatnonzero(found.is_adv)))
            high[done] = np.minimum(trial[done], reached)
            low[failed] = trial[failed]
            bracketed = np.isfinite(high)
            trial = np.where(bracketed, (low + np.where(bracketed, high, 0.0)) / 2, 2 * low)
        return Result(best, best, np.isfinite(high))

    def project(
        self, moved: Tensor, x: Tensor, radius: Tensor, bounds: tuple[float, float]
    ) -> Tensor:
        """The nearest image inside the ball around x, brought within the bounds."""
        return self.norm.onto_ball(moved, x, radius).clip(*bounds)


class MinimalAttack(Attack):
    """An attack that looks for the nearest image that fools; a subclass gives `run` and a norm.

    It runs once, however many epsilons are asked about: `raw` is what it found, at any distance,
    and `clipped` the same brought into each ball, so that a sample counts as fooled at an epsilon
    that its distance does not exceed.
    """

    @abstractmethod
    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        """The mathematics alone: the nearest images found that meet the criterion."""

    def _at(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        fooled: np.ndarray,
        radii: np.ndarray,
    ) -> list[Result]:
        raw = self._nearest(model, x, criterion, fooled)
        distance = self.norm.distance(raw, x)
        results = []
        for radius in radii:
            inside = self.project(raw, x, column(np.full(len(x), radius), x), model.bounds)
            clipped = choose(distance <= radius, raw, inside)
            results.append(Result(raw, clipped, criterion.is_met(logits_of(model, clipped))))
        return results

    def _least(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, fooled: np.ndarray
    ) -> Result:
        raw = self._nearest(model, x, criterion, fooled)
        return Result(raw, raw, criterion.is_met(logits_of(model, raw)))

    def _nearest(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, fooled: np.ndarray
    ) -> Tensor:
        """What the attack makes of the samples that are not fooled yet, beside the others."""
        pending = np.flatnonzero(~fooled)
        if not pending.size:
            return x
        return put(x, pending, self.run(model, pick(x, pending), criterion.select(pending)))


def _as_epsilons(epsilons: Any) -> np.ndarray:
    """One epsilon, or several, as numbers ≥ 0."""
    radii = np.asarray(epsilons, float)
    if radii.ndim > 1:
        raise ShapeError(f"epsilons are a number or a list of them, got {shape_text(radii.shape)}")
    if not (radii >= 0).all():
        raise ValueError(f"an epsilon is a distance ≥ 0, got {epsilons}")
    return radii
