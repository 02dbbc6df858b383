"""Correct before fast: every contestant of `benchmarks.cnn` against float64.

| what | on | bound |
|---|---|---|
| loss of the first step | the full batch | 1e-5 of the loss |
| gradients of all weights together | the full batch | 2e-2 of their norm |
| input gradient, and its loss | the full batch | 2e-2 of its norm, 1e-5 |
| losses of ten training steps | an eighth of the batch | 1e-3 of each loss |

The reference is ours in float64 on the NumPy kernels, uncompiled; the test suite holds it against
PyTorch and finite differences. In float32 a value near the kink of a ReLU or a maximum may fall on
the other side, and then a whole path of the gradient differs: this, not rounding, is why the
bounds on gradients are wide. PyTorch is 1e-2 away on ResNet-18; its distance is printed too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

import autograd_cnn as ag

from .cnn_cases import Case, Saliency, Training, ours_saliency, ours_training

LOSS, GRADIENT, TEN_LOSSES = 1e-5, 2e-2, 1e-3
STEPS = 10


def check_training(case: Case, makers: dict[str, Callable[[Case], Training]]) -> dict[str, dict]:
    """Distances of each contestant from float64; SystemExit where one is beyond its bound."""
    small = replace(case, shape=(max(2, case.shape[0] // 8), *case.shape[1:]))
    with ag.kernels.use("numpy"):
        reference = ours_training(case, compiled=False, dtype=np.float64)
        loss, gradients = reference.step(), _kept(reference.gradients())
        path = ten_losses(ours_training(small, compiled=False, dtype=np.float64))
    del reference
    found = {}
    for label, make in makers.items():
        contestant = make(case)
        distances = {"loss": abs(contestant.step() - loss) / abs(loss)}
        distances["gradients"] = distance(contestant.gradients(), gradients)
        distances["ten losses"] = float(np.max(np.abs(ten_losses(make(small)) / path - 1)))
        found[label] = distances
        _require(label, distances, {"loss": LOSS, "gradients": GRADIENT, "ten losses": TEN_LOSSES})
    return found


def check_saliency(case: Case, makers: dict[str, Callable[[Case], Saliency]]) -> dict[str, dict]:
    """The same for input gradients."""
    with ag.kernels.use("numpy"):
        loss, gradient = ours_saliency(case, compiled=False, dtype=np.float64).result()
    found = {}
    for label, make in makers.items():
        own_loss, own = make(case).result()
        distances = {
            "loss": abs(own_loss - loss) / abs(loss),
            "gradients": distance({"images": own}, {"images": gradient}),
        }
        found[label] = distances
        _require(label, distances, {"loss": LOSS, "gradients": GRADIENT})
    return found


def ten_losses(contestant: Training) -> np.ndarray:
    """The losses of the first ten steps."""
    return np.array([contestant.step() for _ in range(STEPS)])


def distance(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """‖found − expected‖ / ‖expected‖ over all arrays together."""
    off = sum(np.sum((found[name] - array) ** 2, dtype=float) for name, array in expected.items())
    return float(np.sqrt(off / sum(np.sum(array**2) for array in expected.values())))


def _kept(gradients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in gradients.items()}


def _require(label: str, distances: dict[str, float], bounds: dict[str, float]) -> None:
    for what, bound in bounds.items():
        if not distances[what] <= bound:
            raise SystemExit(f"{label}: {what} is {distances[what]:.2e} from float64, over {bound}")
