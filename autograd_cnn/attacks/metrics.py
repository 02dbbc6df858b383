"""How robust a model is, in numbers: curves, distances, classes, transfer, queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, shape_text
from ..tensor import Tensor
from .attack import Attack
from .bounds import BoundedModel, as_bounded, as_images
from .criteria import as_criterion
from .evaluation import logits_of, pick
from .measure import Minimal, robust_accuracy
from .norms import L0, L1, L2, Linf


class Curve(NamedTuple):
    """Robust accuracy at rising epsilons, and the area under it as a part of the rectangle."""

    epsilons: np.ndarray
    accuracy: np.ndarray
    area: float


def robustness_curve(
    model: Callable, x: Any, labels: Any, attack: Attack, epsilons: Sequence[float]
) -> Curve:
    """Robust accuracy at each epsilon, sorted, with 0 added, and the area under it.

    The area is ∫ accuracy dε / ε_max by trapezia: 1 for a model that nothing changes.

    >>> import autograd_cnn as ag
    >>> model = ag.attacks.bounded(lambda x: x @ ag.tensor([[1.0, -1.0]]), mean=0.5)
    >>> x = ag.tensor([[0.6], [0.9]])
    >>> curve = ag.attacks.robustness_curve(model, x, [0, 0], ag.attacks.FGSM(), [0.2, 0.5])
    >>> curve.accuracy.tolist(), round(curve.area, 6)  # (0.2·¾ + 0.3·¼)/0.5
    ([1.0, 0.5, 0.0], 0.45)

    Raises ValueError without a positive epsilon. See `robust_accuracy`.
    """
    radii = np.unique(np.concatenate([[0.0], np.asarray(epsilons, float)]))
    if len(radii) < 2:
        raise ValueError(f"a curve needs an epsilon above 0, got {list(epsilons)}")
    accuracy = robust_accuracy(model, x, labels, attack, list(radii))
    return Curve(radii, accuracy, float(np.trapezoid(accuracy, radii) / radii[-1]))


class Distances(NamedTuple):
    """The least, the median and the mean distance of a set of samples, and the part fooled.

    The median counts a sample that was not fooled as infinitely far; the mean leaves it out.
    """

    least: float
    median: float
    mean: float
    success: float


def distances(found: Minimal) -> Distances:
    """What `minimal` found, in four numbers.

    Raises ValueError for no samples.
    """
    if not len(found.distance):
        raise ValueError("distances of no samples")
    reached = found.distance[found.is_adv]
    mean = float(reached.mean()) if reached.size else float("inf")
    # the middle of infinite numbers is infinite, which NumPy's median would warn of
    ordered, half = np.sort(found.distance), len(found.distance) // 2
    pair = ordered[half], ordered[~half]
    median = float("inf") if np.isinf(pair).any() else float(np.mean(pair))
    return Distances(float(ordered[0]), median, mean, float(found.is_adv.mean()))


def success_by_class(is_adv: Any, labels: Any, classes: int) -> np.ndarray:
    """The part of each class that is fooled (C); NaN for a class without samples.

    >>> import autograd_cnn as ag
    >>> ag.attacks.success_by_class([True, False, True], [0, 0, 2], 3).tolist()
    [0.5, nan, 1.0]
    """
    fooled, labels = np.asarray(is_adv, float), np.asarray(labels)
    if fooled.shape != labels.shape:
        raise ShapeError(f"{shape_text(fooled.shape)} results, {shape_text(labels.shape)} labels")
    count = np.bincount(labels, minlength=classes)
    total = np.bincount(labels, weights=fooled, minlength=classes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def change_norms(moved: Any, x: Any) -> dict[str, np.ndarray]:
    """The "l0", "l1", "l2" and "linf" norms of each sample's change (N each).

    l0 counts pixels: one with several channels counts once.
    """
    moved, x = (v if isinstance(v, Tensor) else Tensor(np.asarray(v)) for v in (moved, x))
    if moved.shape != x.shape:
        raise ShapeError(f"images of {shape_text(moved.shape)} and of {shape_text(x.shape)}")
    norms = {"l0": L0(), "l1": L1(), "l2": L2(), "linf": Linf()}
    return {name: norm.distance(moved, x) for name, norm in norms.items()}


def transfer_matrix(
    models: Sequence[Callable], x: Any, labels: Any, attack: Attack, epsilon: float
) -> np.ndarray:
    """How often images made against one model fool another: row, the source; column, the victim.

    Of the samples that all models classify rightly, so that nothing is fooled beforehand.

    Raises ValueError when there is no such sample.
    """
    victims = [as_bounded(model) for model in models]
    x, labels = as_images(x, victims[0]), np.asarray(labels)
    criteria = [as_criterion(labels, logits_of(victim, x)) for victim in victims]
    wrong = [c.is_met(logits_of(v, x)) for c, v in zip(criteria, victims, strict=True)]
    right = np.flatnonzero(~np.any(wrong, axis=0))
    if not right.size:
        raise ValueError("no sample is classified rightly by all the models")
    part, wanted = pick(x, right), criteria[0].select(right)
    rows = []
    for source in victims:
        moved = attack(source, part, wanted, epsilon).clipped
        rows.append([wanted.is_met(logits_of(victim, moved)).mean() for victim in victims])
    return np.array(rows)


class Counted(BoundedModel):
    """A model that counts the images it is shown, and how many of them were on the tape.

    `queries` is every image, `differentiated` those whose gradient may be asked for.
    """

    def __init__(self, model: Callable) -> None:
        inner = as_bounded(model)
        super().__init__(inner.model, inner.bounds, inner.mean, inner.std)
        self.queries = self.differentiated = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.queries += len(x)
        self.differentiated += len(x) if x.requires_grad else 0
        return super().__call__(x)


def queries_used(
    attack: Attack, model: Callable, x: Any, criterion: Any, epsilons: Any = None
) -> np.ndarray:
    """How many images the attack shows the model for each sample (N), attacked one by one.

    The checks before and after are counted too: whether a sample is fooled already, and whether
    it is in the end.
    """
    counted = Counted(model)
    x = as_images(x, counted)
    criterion = as_criterion(criterion, logits_of(model, x))
    used = []
    for place in range(len(x)):
        before, here = counted.queries, np.array([place])
        attack(counted, pick(x, here), criterion.select(here), epsilons)
        used.append(counted.queries - before)
    return np.array(used)
