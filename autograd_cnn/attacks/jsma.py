"""JSMA: change the pixels, two at a time, that the Jacobian says matter most."""

from __future__ import annotations

import numpy as np

from ..engine import gradients
from ..inspection import as_variable, one_hot
from ..tape import enable_grad
from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion, Misclassification, Targeted
from .evaluation import like, logits_of, pick, put
from .norms import L0

_CANDIDATES = 128  # values of an image among which pairs are formed


class JSMA(MinimalAttack):
    """Saturate the pair of values that raises the target most and lowers the rest (Papernot 2016).

    With α = ∂z_t/∂x and β = Σ_{k≠t} ∂z_k/∂x, the pair (p, q) with the largest
    −(α_p + α_q)(β_p + β_q) among those with α_p + α_q > 0 > β_p + β_q moves by `theta` of the
    range, up when it is positive, down when negative; at most the part `gamma` of the values is
    changed. A value that has reached its bound is left alone. Pairs are formed of the 128 values
    with the largest |α| + |β|. Labels aim at the class that is likeliest next.

    Raises TypeError for a criterion other than labels and target classes, ValueError for settings
    out of range.
    """

    norm = L0()

    def __init__(self, theta: float = 1.0, gamma: float = 0.2) -> None:
        if not 0 < abs(theta) <= 1 or not 0 < gamma <= 1:
            raise ValueError(
                "JSMA: theta is a part of the range within −1 … 1, not 0, and gamma a part of "
                f"the values in (0, 1], got {theta} and {gamma}"
            )
        self.theta, self.gamma = theta, gamma

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        targets = _targets(logits_of(model, x), criterion)
        low, high = model.bounds
        values = x.numpy().reshape(len(x), -1).astype(np.float64)
        start, limit = values.copy(), max(2, int(self.gamma * values.shape[1]))
        pending = np.arange(len(x))
        found = x
        while pending.size:
            part = pick(found, pending)
            rise, others, logits = _jacobian(model, part, targets[pending])
            standing = ~criterion.select(pending).is_met(logits)
            pending, rise, others = pending[standing], rise[standing], others[standing]
            going = np.full(len(pending), True)
            for row, place in enumerate(pending):
                image = values[place]
                free = image < high if self.theta > 0 else image > low
                changed = image != start[place]
                if changed.sum() >= limit - 1:
                    free &= changed
                pair = _best_pair(rise[row], others[row], free, self.theta > 0)
                if pair is None:
                    going[row] = False
                    continue
                image[pair] = np.clip(image[pair] + self.theta * (high - low), low, high)
            pending = pending[going]
            if pending.size:
                moved = like(values[pending].reshape(-1, *x.shape[1:]), x)
                found = put(found, pending, moved)
        return found


def _targets(logits: Tensor, criterion: Criterion) -> np.ndarray:
    if isinstance(criterion, Targeted):
        return criterion.classes
    if not isinstance(criterion, Misclassification):
        raise TypeError(
            f"JSMA works with labels or target classes, not with {type(criterion).__name__}"
        )
    others = logits.numpy().astype(np.float64)
    others[np.arange(len(others)), criterion.labels] = -np.inf
    return others.argmax(axis=1)


def _jacobian(model, x: Tensor, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """∂z_t/∂x and Σ_{k≠t} ∂z_k/∂x, flat, in two backward passes on one tape; and the logits."""
    variable = as_variable(x)
    with enable_grad():
        logits = model(variable)
    target = one_hot(targets, logits)
    rise, others = (
        gradients(logits, variable, seed).numpy().reshape(len(x), -1).astype(np.float64)
        for seed in (target, 1.0 - target)
    )
    return rise, others, logits


def _best_pair(
    rise: np.ndarray, others: np.ndarray, free: np.ndarray, upwards: bool
) -> np.ndarray | None:
    """The two places with the largest −(α_p + α_q)(β_p + β_q) of the right signs."""
    if not upwards:
        rise, others = -rise, -others
    weight = np.where(free, np.abs(rise) + np.abs(others), -1.0)
    places = np.argsort(-weight, kind="stable")[:_CANDIDATES]
    places = places[free[places]]
    if places.size < 2:
        return None
    first, second = np.triu_indices(places.size, 1)
    alpha = rise[places[first]] + rise[places[second]]
    beta = others[places[first]] + others[places[second]]
    gain = np.where((alpha > 0) & (beta < 0), -alpha * beta, -1.0)
    best = int(gain.argmax())
    return places[[first[best], second[best]]] if gain[best] > 0 else None
