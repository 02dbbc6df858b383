"""Attacks that follow the gradient: one loop with four small steps that a subclass may replace."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..tensor import Tensor
from .attack import Attack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import column, generators, logits_of, pick, put, scored
from .norms import L1, L2, Linf


class FirstOrder(Attack):
    """Climb the criterion's loss: gradient → normalise → step → project, `steps` times.

    `step_size` is a part of epsilon. With `random_start` a climb begins anywhere in the ball,
    drawn from `seed` and the image itself, not from its place in the batch; `restarts` climbs are
    made, the later ones for samples that none has fooled yet. What still stands is tried with one
    step of the whole epsilon, so that no attack here is weaker than the single-step one.

    Raises ValueError for fewer than one step or restart, or a step size that is not positive.
    """

    def __init__(
        self,
        steps: int,
        step_size: float,
        random_start: bool = False,
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        if steps < 1 or restarts < 1:
            raise ValueError(f"steps and restarts must be at least 1, got {steps} and {restarts}")
        if not step_size > 0:
            raise ValueError(f"the step size is a part of epsilon > 0, got {step_size}")
        self.steps, self.step_size, self.random_start = steps, step_size, random_start
        self.restarts, self.seed = restarts, seed

    def run(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: np.ndarray
    ) -> Tensor:
        """Climb from each start in turn, with the samples that still stand."""
        best, pending = x, np.arange(len(x))
        single = (self.steps, self.step_size) == (1, 1.0) and not self.random_start
        for attempt in range(self.restarts + (not single)):
            part, radius = pick(x, pending), column(epsilon[pending], x)
            wanted = criterion.select(pending)
            if attempt < self.restarts:
                start = self.start(part, radius, attempt, model)
                moved = self.climb(model, part, start, wanted, radius, self.steps, self.step_size)
            else:
                moved = FirstOrder.climb(self, model, part, part, wanted.plain, radius, 1, 1.0)
            fooled = wanted.is_met(logits_of(model, moved))
            kept = fooled if attempt else np.full(len(pending), True)
            best = put(best, pending[kept], pick(moved, np.flatnonzero(kept)))
            pending = pending[~fooled]
            if not pending.size:
                break
        return best

    def climb(
        self,
        model: BoundedModel,
        x: Tensor,
        start: Tensor,
        criterion: Criterion,
        radius: Tensor,
        steps: int,
        size: float,
    ) -> Tensor:
        """The loop: the images after `steps` steps from `start`."""
        moved, direction = start, None
        for _ in range(steps):
            gradient = self.gradient(model, moved, criterion)
            direction = self.normalise(gradient, direction)
            moved = self.step(moved, direction, radius * size)
            moved = self.project(moved, x, radius, model.bounds)
        return moved

    # the four steps

    def gradient(self, model: BoundedModel, moved: Tensor, criterion: Criterion) -> Tensor:
        """∂loss/∂image of every sample."""
        return scored(model, moved, criterion.loss).gradient

    def normalise(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        """The direction to go; `previous` is the last one, for attacks with momentum."""
        return self.norm.normalise(gradient, previous)

    def step(self, moved: Tensor, direction: Tensor, size: Tensor) -> Tensor:
        return moved + size * direction

    # the fourth, project(moved, x, radius, bounds), is every attack's

    def start(self, x: Tensor, radius: Tensor, attempt: int, model: BoundedModel) -> Tensor:
        """Where a climb begins: x, or a point of the ball."""
        if not self.random_start:
            return x
        points = []
        for place, draw in enumerate(generators(x, self.seed, attempt)):
            here = slice(place, place + 1)
            points.append(self.norm.start(x[here], radius[here], draw))
        return self.project(ops.concatenate(points), x, radius, model.bounds)


class FGSM(FirstOrder):
    """One step to the corner of the ball: x + ε·sign ∂loss/∂x (Goodfellow et al. 2015).

    A pixel whose gradient is 0 does not move.
    """

    norm = Linf()

    def __init__(self) -> None:
        super().__init__(steps=1, step_size=1.0)


class FGM(FirstOrder):
    """One step to the rim of the L2 ball: x + ε·g/‖g‖₂ (Goodfellow et al. 2015)."""

    norm = L2()

    def __init__(self) -> None:
        super().__init__(steps=1, step_size=1.0)


class BIM(FirstOrder):
    """FGSM in small steps, each one back into the L∞ ball (Kurakin et al. 2017)."""

    norm = Linf()

    def __init__(self, steps: int = 10, step_size: float = 0.2) -> None:
        super().__init__(steps, step_size)


class MIFGSM(BIM):
    """BIM along a momentum: v ← decay·v + g/‖g‖₁, step along sign v (Dong et al. 2018)."""

    def __init__(self, steps: int = 10, step_size: float = 0.1, decay: float = 1.0) -> None:
        super().__init__(steps, step_size)
        if not decay >= 0:
            raise ValueError(f"the decay of the momentum is ≥ 0, got {decay}")
        self.decay = decay

    def normalise(self, gradient: Tensor, previous: Tensor | None) -> Tensor:
        length = ops.sum(ops.abs(gradient), tuple(range(1, gradient.ndim)), keepdims=True)
        scaled = gradient / ops.maximum(length, 1e-30)
        return scaled if previous is None else self.decay * previous + scaled

    def step(self, moved: Tensor, direction: Tensor, size: Tensor) -> Tensor:
        return moved + size * ops.sign(direction)


class LinfPGD(FirstOrder):
    """Projected gradient in the L∞ ball, from random starts (Madry et al. 2018).

    >>> import autograd_cnn as ag
    >>> model = ag.attacks.bounded(lambda x: x @ ag.tensor([[1.0, -1.0]]), mean=0.5)
    >>> found = ag.attacks.LinfPGD(steps=5)(model, ag.tensor([[0.75]]), [0], epsilons=0.5)
    >>> found.is_adv.tolist()
    [True]
    """

    norm = Linf()

    def __init__(
        self,
        steps: int = 40,
        step_size: float = 0.01 / 0.3,
        random_start: bool = True,
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(steps, step_size, random_start, restarts, seed)


class L2PGD(LinfPGD):
    """Projected gradient in the L2 ball, from random starts (Madry et al. 2018)."""

    norm = L2()

    def __init__(
        self,
        steps: int = 50,
        step_size: float = 0.025,
        random_start: bool = True,
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(steps, step_size, random_start, restarts, seed)


class L1PGD(LinfPGD):
    """Projected gradient in the L1 ball, by sparse steps (Tramèr and Boneh 2019).

    A step moves the `share` of the pixels (at least one) with the largest gradient, among those
    that are not already at the bound they are pushed to; the projection onto the ball is the true
    Euclidean one (Duchi et al. 2008).
    """

    def __init__(
        self,
        steps: int = 50,
        step_size: float = 0.05,
        share: float = 0.01,
        random_start: bool = True,
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(steps, step_size, random_start, restarts, seed)
        self.norm = L1(share)

    def gradient(self, model: BoundedModel, moved: Tensor, criterion: Criterion) -> Tensor:
        gradient = super().gradient(model, moved, criterion)
        low, high = model.bounds
        free = ops.where(gradient > 0, moved < high, moved > low)
        return ops.where(free, gradient, 0.0)
