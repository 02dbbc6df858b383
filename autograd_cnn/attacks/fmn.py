"""FMN: a ball that shrinks where it holds a fooling image and grows where it does not."""

from __future__ import annotations

from math import cos, pi

import numpy as np

from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import choose, column, scored
from .norms import L1, L2, Linf, as_norm

_NORMS = {"l2": L2, "linf": Linf, "l1": L1}
_LAST_STEP, _LAST_GAMMA = 1e-3, 1e-3


class FMN(MinimalAttack):
    """Fast minimum norm: climb the margin inside a ball that adapts itself (Pintor et al. 2021).

    Until a sample is first fooled its ball reaches to the boundary of the linear model,
    ‖δ‖ + |margin|/‖∇margin‖ in the dual norm; later ε is multiplied by 1 − γ where it is fooled,
    and by 1 + γ where it is not. γ and the step size fall along a cosine. Norms: "l2", "linf" and
    "l1".

    Raises ValueError for another norm, fewer than one step, or settings out of range.
    """

    def __init__(
        self, norm: str = "l2", steps: int = 100, step_size: float = 1.0, gamma: float = 0.05
    ) -> None:
        self.norm = as_norm(norm, _NORMS, "FMN")
        if steps < 1 or not step_size > 0 or not 0 < gamma < 1:
            raise ValueError(
                "FMN: steps ≥ 1, step_size > 0 and gamma within (0, 1), got "
                f"{steps}, {step_size} and {gamma}"
            )
        self.steps, self.step_size, self.gamma = steps, step_size, gamma
        self._direction = Linf() if norm == "linf" else L2()

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        moved, best = x, x
        nearest, radius = np.full(len(x), np.inf), np.full(len(x), np.inf)
        largest = self.norm.largest(x, model.bounds)
        for step in range(self.steps + 1):
            at = scored(model, moved, criterion.margin)
            fooled, distance = criterion.is_met(at.logits), self.norm.distance(moved, x)
            better = fooled & (distance < nearest)
            best, nearest = choose(better, moved, best), np.where(better, distance, nearest)
            if step == self.steps:
                break
            falling = (1.0 + cos(pi * step / self.steps)) / 2
            gamma = _LAST_GAMMA + (self.gamma - _LAST_GAMMA) * falling
            boundary = distance + np.abs(at.values) / (self.norm.dual(at.gradient) + 1e-12)
            # a little beyond the boundary, which alone would be a tie
            grown = np.where(np.isinf(nearest), boundary, radius) * (1.0 + gamma)
            shrunk = np.minimum(radius * (1.0 - gamma), nearest)
            radius = np.minimum(np.where(fooled, shrunk, grown), largest)
            size = _LAST_STEP + (self.step_size - _LAST_STEP) * falling
            moved = moved + size * self._direction.normalise(at.gradient, None)
            moved = self.project(moved, x, column(radius, x), model.bounds)
        return best
