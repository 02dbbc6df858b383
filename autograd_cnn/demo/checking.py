"""Step 2: hold the trained network's gradients to the laws of differentiation."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from .. import nn, testing
from .study import Study

SAMPLES = 4
NOISE = 0.01
DERIVATIVES = (2, 3, 5, 6)  # the laws whose error is one of a derivative; others count bounds


def allowance(law: dict[str, Any]) -> str:
    """What an entry of `laws` allows: nothing, an error, or its own derived bound."""
    if not law["allowed"]:
        return "exact"
    return "1 bound" if law["allowed"] == 1.0 else f"{law['allowed']:.0e}"


def check(study: Study) -> dict[str, Any]:
    """Check ∂logits/∂image and ∂logits/∂parameter in double precision, first and second order.

    The logits, not the loss: of a network that is sure, softmax − target is a difference of
    nearly equal numbers, which no formula computes to the last digits. Raises GradientError where
    a law is broken.
    """
    net = deepcopy(study.net).to("cpu", "float64").eval()
    names, parameters = zip(*net.named_parameters(), strict=True)

    def logits(images: Any, *values: Any) -> Any:
        with nn.parameters_replaced(net, dict(zip(names, values, strict=True))):
            return net(images)

    # on blank paper all pixels under a max-pool window are equal, which is a kink
    noise = NOISE * np.random.default_rng(study.seed).standard_normal(study.test.x[:SAMPLES].shape)
    images = study.test.x[:SAMPLES].astype(np.float64) + noise
    report = testing.check(
        logits, images, *(parameter.numpy() for parameter in parameters), order=2, seed=study.seed
    )
    return {
        "laws": [
            {
                "law": law.number,
                "name": law.name,
                "worst_error": float(law.worst),
                "allowed": None if law.tolerance is None else float(law.tolerance),
                "comparisons": law.comparisons,
                "why_not": law.why_not if not law.comparisons else None,
            }
            for law in sorted(report.laws.values(), key=lambda law: law.number)
        ],
        "laws_held": sum(law.comparisons > 0 for law in report.laws.values()),
        "worst_error": max(float(report.laws[number].worst) for number in DERIVATIVES),
        "parameters_checked": sum(parameter.size for parameter in parameters),
    }
