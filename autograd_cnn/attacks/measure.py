"""How robust a model is: the least change that fools it, and its accuracy under attack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .attack import Attack
from .bounds import as_bounded, as_images
from .evaluation import pick
from .first_order import LinfPGD


class Minimal(NamedTuple):
    """The nearest images found that fool a model, and how far away they are.

    `images` N×…; `distance` (N) in the attack's norm, infinite where nothing was found; `is_adv`.
    """

    images: Any
    distance: np.ndarray
    is_adv: np.ndarray


def minimal(model: Callable, x: Any, criterion: Any, attack: Attack | None = None) -> Minimal:
    """The least change of each image that meets a criterion, by bisection on epsilon.

    `attack` does the work at each epsilon (L∞ projected gradient when None). For a change towards
    a class give `Targeted(class)`.

    >>> import autograd_cnn as ag
    >>> model = ag.attacks.bounded(lambda x: x @ ag.tensor([[2.0, -2.0], [1.0, -1.0]]), mean=0.5)
    >>> found = ag.attacks.minimal(model, ag.tensor([[0.8, 0.5]]), ag.attacks.Targeted(1))
    >>> bool(abs(found.distance[0] - 0.2) < 1e-3)  # |f|/‖w‖₁ = 2·0.3/(2 + 1)
    True
    """
    attack = attack if attack is not None else LinfPGD(random_start=False)
    found = attack(model, x, criterion)
    images = as_images(x, as_bounded(model))
    distance = attack.norm.distance(found.raw, images)
    return Minimal(found.raw, np.where(found.is_adv, distance, np.inf), found.is_adv)


def robust_accuracy(
    model: Callable, x: Any, labels: Any, attack: Attack, epsilons: Sequence[float]
) -> np.ndarray:
    """The part of the samples still classified rightly at each epsilon, within 0 … 1.

    A sample fooled within a small ball is fooled within every larger one, so the curve never
    rises and only what still stands is attacked. At epsilon 0 it is the accuracy.

    Raises ValueError for a negative epsilon or no samples. See `Attack`.
    """
    model = as_bounded(model)
    x = as_images(x, model)
    labels = np.asarray(labels)
    if not len(x):
        raise ValueError("robust accuracy of no samples")
    standing = np.arange(len(x))
    parts = np.zeros(len(epsilons))
    for place in np.argsort(epsilons, kind="stable"):
        if standing.size:
            found = attack(model, pick(x, standing), labels[standing], float(epsilons[place]))
            standing = standing[~found.is_adv]
        parts[place] = standing.size / len(x)
    return parts
