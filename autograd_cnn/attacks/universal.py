"""One change for many images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..tensor import Tensor
from .attack import Attack, Result
from .bounds import BoundedModel, as_bounded, as_images
from .criteria import Criterion, as_criterion
from .evaluation import column, logits_of, pick, scored
from .norms import L2, Linf, as_norm


class Universal(Attack):
    """One perturbation that fools as many of the images as it can (Moosavi-Dezfooli et al. 2017).

    Each step follows the sum of the gradients of the samples that still stand and projects onto
    the ball, as Shafahi et al. 2020 do where the first paper ran DeepFool sample by sample; the
    perturbation that fooled most is kept. `perturbation` gives it alone, for other images.

    By its nature the result for one image depends on the others in the batch, and an epsilon must
    be given. Raises ValueError without one, and for settings out of range.
    """

    def __init__(self, norm: str = "linf", steps: int = 100, step_size: float = 0.1) -> None:
        if steps < 1 or not step_size > 0:
            raise ValueError(f"Universal: steps ≥ 1, step_size > 0, got {steps} and {step_size}")
        self.norm = as_norm(norm, {"linf": Linf, "l2": L2}, "Universal")
        self.steps, self.step_size = steps, step_size

    def __call__(self, model: Callable, x: Any, criterion: Any, epsilons: Any = None) -> Result:
        if epsilons is None:
            raise ValueError("Universal: one perturbation for all images needs an epsilon")
        return super().__call__(model, x, criterion, epsilons)

    def perturbation(self, model: Callable, x: Any, criterion: Any, epsilon: float) -> Tensor:
        """The change itself, 1×…, found on the images x."""
        model = as_bounded(model)
        x = as_images(x, model)
        criterion = as_criterion(criterion, logits_of(model, x))
        return self._search(model, x, criterion, epsilon)

    def run(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: np.ndarray
    ) -> Tensor:
        return (x + self._search(model, x, criterion, float(epsilon[0]))).clip(*model.bounds)

    def _search(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: float
    ) -> Tensor:
        nothing = pick(x, np.array([0])) * 0.0
        radius = column(np.array([epsilon]), x)
        change = best = nothing
        most = -1
        for step in range(self.steps + 1):
            moved = (x + change).clip(*model.bounds)
            at = scored(model, moved, criterion.loss)
            fooled = criterion.is_met(at.logits)
            if fooled.sum() > most:
                best, most = change, int(fooled.sum())
            if fooled.all() or step == self.steps:
                break
            standing = pick(at.gradient, np.flatnonzero(~fooled))
            slope = ops.sum(standing, 0, keepdims=True)
            change = change + self.step_size * radius * self.norm.normalise(slope, None)
            change = self.norm.onto_ball(change, nothing, radius)
        return best
