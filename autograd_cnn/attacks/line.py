"""Bisection on the straight way from an image to one that fools."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import choose, column, logits_of


def drawn_back(
    model: BoundedModel, x: Tensor, moved: Tensor, criterion: Criterion, steps: int = 20
) -> Tensor:
    """The point nearest to x on the way to each image of `moved` that still fools, by bisection."""
    low, high = np.zeros(len(x)), np.ones(len(x))
    best = moved
    for _ in range(steps):
        middle = (low + high) / 2
        trial = x + (moved - x) * column(middle, x)
        met = criterion.is_met(logits_of(model, trial))
        best = choose(met, trial, best)
        low, high = np.where(met, low, middle), np.where(met, middle, high)
    return best
