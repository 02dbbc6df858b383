"""APGD: projected gradient that finds its own step size, and the losses it climbs."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..tensor import Tensor
from .bounds import BoundedModel
from .criteria import Criterion, Misclassification, logit_of
from .evaluation import choose, column, logits_of, pick, put, scored
from .first_order import FirstOrder
from .norms import L2, Linf, as_norm

_NORMS = {"linf": Linf, "l2": L2}
_RISES = 0.75  # a smaller part of rising steps halves the step size
_MOMENTUM = 0.75


class APGD(FirstOrder):
    """Projected gradient with momentum that halves its step where the loss stops rising.

    The step starts at 2ε. At checkpoints that come closer and closer it is halved, and the climb
    goes on from its best point, when fewer than 75 % of the steps since the last one rose or when
    the best loss has not changed at the same step size (Croce and Hein 2020, algorithm 1).

    `loss` is "ce" (the criterion's own), "dlr" (the difference of logits ratio, which does not
    vanish when logits are scaled), or "dlr-targeted": one climb towards each of the `targets` most
    likely wrong classes, for labels only.

    Raises ValueError for a loss or a norm that is not known, and for a loss that does not suit
    the criterion or needs more classes.
    """

    def __init__(
        self,
        norm: str = "linf",
        loss: str = "ce",
        steps: int = 100,
        restarts: int = 1,
        targets: int = 9,
        seed: int = 0,
    ) -> None:
        if loss not in ("ce", "dlr", "dlr-targeted"):
            raise ValueError(f'APGD: loss {loss!r} is not one of "ce", "dlr", "dlr-targeted"')
        if targets < 1:
            raise ValueError(f"APGD: at least 1 target class, got {targets}")
        super().__init__(steps, 2.0, random_start=True, restarts=restarts, seed=seed)
        self.norm, self.loss, self.targets = as_norm(norm, _NORMS, "APGD"), loss, targets

    def run(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: np.ndarray
    ) -> Tensor:
        if self.loss == "ce":
            return super().run(model, x, criterion, epsilon)
        logits = logits_of(model, x)
        if logits.shape[1] < 3:
            raise ValueError("APGD: the DLR loss divides by a difference to the third class; "
                             f'the model has {logits.shape[1]}: use loss="ce"')  # fmt: skip
        if self.loss == "dlr":
            return super().run(model, x, DifferenceOfLogits(criterion), epsilon)
        if not isinstance(criterion, Misclassification):
            raise ValueError('APGD: loss="dlr-targeted" tries the wrong classes in turn, so it '
                             'needs labels; towards one class use loss="dlr"')  # fmt: skip
        return self._towards_each(model, x, criterion, epsilon, logits.numpy())

    def _towards_each(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Misclassification,
        epsilon: np.ndarray,
        logits: np.ndarray,
    ) -> Tensor:
        """One run towards each likely wrong class, with the samples that still stand."""
        wrong = logits.astype(np.float64)
        wrong[np.arange(len(x)), criterion.labels] = -np.inf
        order = np.argsort(-wrong, axis=1, kind="stable")[:, : logits.shape[1] - 1]
        best, pending = x, np.arange(len(x))
        for place in range(min(self.targets, order.shape[1])):
            towards = TowardsClass(criterion.labels, order[:, place]).select(pending)
            part = pick(x, pending)
            moved = super().run(model, part, towards, epsilon[pending])
            best = put(best, pending, moved)
            pending = pending[~towards.is_met(logits_of(model, moved))]
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
        """The images with the largest loss on the way, or the first that met the criterion."""
        moved = previous = best = start
        here = scored(model, moved, criterion.loss)
        fooled = criterion.is_met(here.logits)
        highest, best_gradient = here.values, here.gradient
        step_size = size * np.ones(len(x))
        rises, last, length = np.zeros(len(x)), 0, max(int(0.22 * steps), 1)
        before_size, before_highest = step_size, highest
        for k in range(1, steps + 1):
            direction = self.normalise(here.gradient, None)
            target = self.step(moved, direction, radius * column(step_size, x))
            target = self.project(target, x, radius, model.bounds)
            if k > 1:
                target = moved + _MOMENTUM * (target - moved) + (1 - _MOMENTUM) * (moved - previous)
                target = self.project(target, x, radius, model.bounds)
            previous, moved, before = moved, target, here.values
            here = scored(model, moved, criterion.loss)
            met = criterion.is_met(here.logits)
            # a sample that is fooled stays at the first point that fooled it
            better = ~fooled & (met | (here.values > highest))
            best = choose(better, moved, best)
            best_gradient = choose(better, here.gradient, best_gradient)
            highest, fooled = np.where(better, here.values, highest), fooled | met
            if fooled.all():
                break
            rises += here.values > before
            if k - last == length:
                stuck = rises < _RISES * length
                stuck |= (step_size == before_size) & (highest == before_highest)
                before_size, before_highest = step_size, highest
                step_size = np.where(stuck, step_size / 2, step_size)
                moved = choose(stuck, best, moved)
                here = here._replace(
                    values=np.where(stuck, highest, here.values),
                    gradient=choose(stuck, best_gradient, here.gradient),
                )
                rises, last = np.zeros(len(x)), k
                length = max(length - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
        return best


class _OtherLoss(Criterion):
    """A criterion that is met as another one is, and climbs a loss of its own."""

    inner: Criterion

    @property
    def plain(self) -> Criterion:
        return self.inner

    def is_met(self, logits: Tensor) -> np.ndarray:
        return self.inner.is_met(logits)

    def margin(self, logits: Tensor) -> Tensor:
        return self.inner.margin(logits)


class DifferenceOfLogits(_OtherLoss):
    """margin/(z₍₁₎ − z₍₃₎), with z₍ₖ₎ the k-th largest logit (Croce and Hein 2020)."""

    def __init__(self, inner: Criterion) -> None:
        self.inner = inner

    def select(self, places: np.ndarray) -> DifferenceOfLogits:
        return DifferenceOfLogits(self.inner.select(places))

    def loss(self, logits: Tensor) -> Tensor:
        ordered = ops.sort(logits, 1, descending=True)
        return self.margin(logits) / ops.maximum(ordered[:, 0] - ordered[:, 2], 1e-12)


class TowardsClass(_OtherLoss):
    """(z_t − z_y)/(z₍₁₎ − ½(z₍₃₎ + z₍₄₎)) from the label y towards t (Croce and Hein 2020)."""

    def __init__(self, labels: np.ndarray, targets: np.ndarray) -> None:
        self.inner, self.labels, self.targets = Misclassification(labels), labels, targets

    def select(self, places: np.ndarray) -> TowardsClass:
        return TowardsClass(self.labels[places], self.targets[places])

    def loss(self, logits: Tensor) -> Tensor:
        ordered = ops.sort(logits, 1, descending=True)
        lower = ops.mean(ordered[:, 2:4], 1)
        rise = logit_of(logits, self.targets) - logit_of(logits, self.labels)
        return rise / ops.maximum(ordered[:, 0] - lower, 1e-12)
