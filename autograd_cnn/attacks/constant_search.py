"""Attacks that weigh distance against success: ‖δ‖ + c·f(x + δ), with c found by bisection."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from .. import ops
from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import choose, column, like, pick, put, scored
from .norms import L1, L2

_LARGEST = 1e10  # of the constant


class ConstantSearch(MinimalAttack):
    """Minimise distance + c·max(0, confidence − margin), for the least c that succeeds.

    c starts at `initial_const`, is multiplied by ten until a sample is fooled, and then bisected:
    `binary_search_steps` minimisations of `steps` steps. A sample whose objective no longer falls
    is dropped from a minimisation. The nearest image ever seen to fool is kept.

    Raises ValueError for numbers of steps, a learning rate or a constant that are not positive.
    """

    def __init__(
        self,
        steps: int,
        learning_rate: float,
        binary_search_steps: int,
        initial_const: float,
        confidence: float,
    ) -> None:
        if steps < 1 or binary_search_steps < 1:
            raise ValueError(
                f"steps and binary_search_steps must be at least 1, got {steps} and "
                f"{binary_search_steps}"
            )
        if not (learning_rate > 0 and initial_const > 0 and confidence >= 0):
            raise ValueError(
                "learning_rate and initial_const must be above 0 and confidence at least 0, got "
                f"{learning_rate}, {initial_const} and {confidence}"
            )
        self.steps, self.learning_rate, self.confidence = steps, learning_rate, confidence
        self.binary_search_steps, self.initial_const = binary_search_steps, initial_const

    @abstractmethod
    def descend(self, search: Search, const: np.ndarray) -> np.ndarray:
        """One minimisation for each sample; whether it was fooled on the way (N)."""

    @abstractmethod
    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        """What is minimised and compared, for each sample (N)."""

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        search = Search(model, x, criterion, self)
        const = np.full(len(x), self.initial_const)
        low, high = np.zeros(len(x)), np.full(len(x), np.inf)
        for _ in range(self.binary_search_steps):
            fooled = self.descend(search, const)
            high, low = np.where(fooled, const, high), np.where(fooled, low, const)
            middle = (low + np.where(np.isinf(high), low, high)) / 2
            const = np.minimum(np.where(np.isinf(high), 10 * const, middle), _LARGEST)
        return search.best


class Search:
    """What a minimisation looks at, and the nearest images that fooled so far."""

    def __init__(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, attack: ConstantSearch
    ) -> None:
        self.model, self.x, self.criterion, self.attack = model, x, criterion, attack
        self.best, self.nearest = x, np.full(len(x), np.inf)

    def shortfall(self, moved: Tensor, places: np.ndarray) -> tuple[np.ndarray, Tensor, np.ndarray]:
        """f = max(0, confidence − margin) (N), its gradient, and who is fooled; keeps the best."""
        criterion, confidence = self.criterion.select(places), self.attack.confidence
        at = scored(
            self.model,
            moved,
            lambda logits: ops.maximum(confidence - criterion.margin(logits), 0.0),
        )
        fooled = criterion.is_met(at.logits) & (at.values <= 0 if confidence else True)
        distance = self.attack.distance(moved, pick(self.x, places))
        better = fooled & (distance < self.nearest[places])
        self.best = put(self.best, places, choose(better, moved, pick(self.best, places)))
        self.nearest[places] = np.where(better, distance, self.nearest[places])
        return at.values, at.gradient, fooled


class CarliniWagnerL2(ConstantSearch):
    """‖δ‖₂² + c·max(0, κ − margin) by Adam, inside the bounds by a tanh (Carlini and Wagner 2017).

    The image is x = mid + half·tanh(w), so that w is free; κ is `confidence`, by how much the
    margin of the logits must be exceeded.
    """

    norm = L2()

    def __init__(
        self,
        binary_search_steps: int = 9,
        steps: int = 1000,
        learning_rate: float = 0.01,
        confidence: float = 0.0,
        initial_const: float = 1e-3,
    ) -> None:
        super().__init__(steps, learning_rate, binary_search_steps, initial_const, confidence)

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        return self.norm.distance(moved, x)

    def descend(self, search: Search, const: np.ndarray) -> np.ndarray:
        low, high = search.model.bounds
        middle, half = (low + high) / 2, (high - low) / 2
        start = _arctanh((search.x - middle) / half * 0.999999)
        original = middle + half * ops.tanh(start)
        change, first, second = search.x * 0.0, search.x * 0.0, search.x * 0.0
        places, fooled = np.arange(len(const)), np.zeros(len(const), bool)
        before, lowest = np.full(len(const), np.inf), np.full(len(const), np.inf)
        for step in range(self.steps):
            squashed = ops.tanh(pick(start, places) + change)
            moved = middle + half * squashed
            values, gradient, now = search.shortfall(moved, places)
            fooled[places] |= now
            c, offset = const[places], moved - pick(original, places)
            slope = (column(c, moved) * gradient + 2.0 * offset) * (half * (1.0 - squashed**2))
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope * slope
            rate = self.learning_rate * (1 - 0.999 ** (step + 1)) ** 0.5 / (1 - 0.9 ** (step + 1))
            change = change - rate * first / (ops.sqrt(second) + 1e-8)
            # one sample's objective rises and falls; the least of a tenth of the steps tells more
            length = offset.numpy().reshape(len(places), -1).astype(np.float64)
            objective = c * values + np.square(length).sum(axis=1)
            lowest[places] = np.minimum(lowest[places], objective)
            if step % max(self.steps // 10, 1) == 0:
                falling = np.flatnonzero(lowest[places] < 0.9999 * before[places])
                if not falling.size:
                    break
                before[places] = lowest[places]
                if falling.size < len(places):
                    change, first, second = (pick(v, falling) for v in (change, first, second))
                    places = places[falling]
        return fooled


class EAD(ConstantSearch):
    """Elastic net: ‖δ‖₂² + β‖δ‖₁ + c·max(0, κ − margin), by shrinking steps (Chen et al. 2018).

    Each step goes down the smooth part and then moves every pixel by β towards the original, which
    leaves most pixels as they were; so β weighs more where the steps are short. `decision` is what
    makes one image nearer than another: "l1", or "en" for the elastic net ‖δ‖₂² + β‖δ‖₁.
    """

    norm = L1()

    def __init__(
        self,
        beta: float = 1e-2,
        binary_search_steps: int = 9,
        steps: int = 1000,
        learning_rate: float = 0.01,
        confidence: float = 0.0,
        initial_const: float = 1e-3,
        decision: str = "l1",
    ) -> None:
        super().__init__(steps, learning_rate, binary_search_steps, initial_const, confidence)
        if decision not in ("l1", "en"):
            raise ValueError(f'EAD: decision {decision!r} is not "l1" or "en"')
        if not beta >= 0:
            raise ValueError(f"EAD: beta is at least 0, got {beta}")
        self.beta, self.decision = beta, decision

    def distance(self, moved: Tensor, x: Tensor) -> np.ndarray:
        length = L1().distance(moved, x)
        return (
            length if self.decision == "l1" else L2().distance(moved, x) ** 2 + self.beta * length
        )

    def descend(self, search: Search, const: np.ndarray) -> np.ndarray:
        places, fooled = np.arange(len(const)), np.zeros(len(const), bool)
        x, before = search.x, np.full(len(const), np.inf)
        moved = ahead = x
        for step in range(self.steps):
            _, gradient, now = search.shortfall(ahead, places)
            fooled[places] |= now
            # the learning rate falls as a square root, as in the authors' code
            rate = self.learning_rate * (1.0 - step / self.steps) ** 0.5
            slope = column(const[places], x) * gradient + 2.0 * (ahead - x)
            shrunk = self._shrink(ahead - rate * slope, x).clip(*search.model.bounds)
            ahead, moved = shrunk + step / (step + 3.0) * (shrunk - moved), shrunk
            ahead = ahead.clip(*search.model.bounds)
            if step % max(self.steps // 10, 1) == 0:
                values, _, now = search.shortfall(moved, places)
                fooled[places] |= now
                elastic = L2().distance(moved, x) ** 2 + self.beta * L1().distance(moved, x)
                objective = const[places] * values + elastic
                falling = np.flatnonzero(objective < 0.9999 * before[places])
                if not falling.size:
                    break
                before[places] = objective
                if falling.size < len(places):
                    x, moved, ahead = (pick(v, falling) for v in (x, moved, ahead))
                    places = places[falling]
        _, _, now = search.shortfall(moved, places)
        fooled[places] |= now
        return fooled

    def _shrink(self, moved: Tensor, x: Tensor) -> Tensor:
        change = moved - x
        shorter = ops.maximum(ops.abs(change) - self.beta, 0.0)
        return x + ops.sign(change) * shorter


def _arctanh(x: Tensor) -> Tensor:
    values = x.numpy().astype(np.float64)
    return like(np.arctanh(values), x)
