"""What counts as fooled, and the loss whose rise leads there. Criteria are joined with `&`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_classes, one_hot
from ..tensor import Tensor


class Criterion(ABC):
    """A condition on the logits N×C of a model, one answer for each sample."""

    steers = True  # whether the loss says in which direction the condition lies

    @abstractmethod
    def is_met(self, logits: Tensor) -> np.ndarray:
        """Whether each sample is fooled (N)."""

    @abstractmethod
    def loss(self, logits: Tensor) -> Tensor:
        """What an attack raises to meet the condition, for each sample (N)."""

    @abstractmethod
    def margin(self, logits: Tensor) -> Tensor:
        """How far each sample (N) is beyond the condition: positive only where it is met."""

    @property
    def plain(self) -> Criterion:
        """The criterion with its own loss, for one that an attack has given another."""
        return self

    def checked(self, samples: int, classes: int) -> Criterion:
        """The criterion for N samples of C classes; an error where it does not fit."""
        return self

    def select(self, places: np.ndarray) -> Criterion:
        """The criterion for some of the samples."""
        return self

    def __and__(self, other: Criterion) -> Criterion:
        return All(self, other)


class Misclassification(Criterion):
    """The predicted class is not the label; the loss is the cross-entropy at the label."""

    def __init__(self, labels: Any) -> None:
        self.labels = labels

    def checked(self, samples: int, classes: int) -> Misclassification:
        return Misclassification(as_classes(self.labels, samples, classes, "labels"))

    def select(self, places: np.ndarray) -> Misclassification:
        return Misclassification(self.labels[places])

    def is_met(self, logits: Tensor) -> np.ndarray:
        return _predictions(logits) != self.labels

    def loss(self, logits: Tensor) -> Tensor:
        return -_log_probability(logits, self.labels)

    def margin(self, logits: Tensor) -> Tensor:
        return leading_other(logits, self.labels) - logit_of(logits, self.labels)


class Targeted(Criterion):
    """The predicted class is the one wanted; the loss is its log-probability."""

    def __init__(self, classes: Any) -> None:
        self.classes = classes

    def checked(self, samples: int, classes: int) -> Targeted:
        return Targeted(as_classes(self.classes, samples, classes, "target classes"))

    def select(self, places: np.ndarray) -> Targeted:
        return Targeted(self.classes[places])

    def is_met(self, logits: Tensor) -> np.ndarray:
        return _predictions(logits) == self.classes

    def loss(self, logits: Tensor) -> Tensor:
        return _log_probability(logits, self.classes)

    def margin(self, logits: Tensor) -> Tensor:
        return logit_of(logits, self.classes) - leading_other(logits, self.classes)


class Confidence(Criterion):
    """The predicted class, whichever it is, has probability p or more.

    >>> from autograd_cnn.attacks import Confidence, Misclassification
    >>> sure_and_wrong = Misclassification([3, 8]) & Confidence(0.99)

    Raises ValueError for p outside (0, 1].
    """

    steers = False

    def __init__(self, p: float) -> None:
        if not 0.0 < p <= 1.0:
            raise ValueError(f"a confidence is within (0, 1], got {p}")
        self.p = p

    def is_met(self, logits: Tensor) -> np.ndarray:
        return ops.softmax(logits, 1).numpy().max(axis=1) >= self.p

    def loss(self, logits: Tensor) -> Tensor:
        return ops.max(ops.log_softmax(logits, 1), 1)

    def margin(self, logits: Tensor) -> Tensor:
        return self.loss(logits) - float(np.log(self.p))


class All(Criterion):
    """Every one of several criteria; `first & second` makes it."""

    def __init__(self, *criteria: Criterion) -> None:
        self.criteria = criteria

    def checked(self, samples: int, classes: int) -> All:
        return All(*(criterion.checked(samples, classes) for criterion in self.criteria))

    def select(self, places: np.ndarray) -> All:
        return All(*(criterion.select(places) for criterion in self.criteria))

    def is_met(self, logits: Tensor) -> np.ndarray:
        return np.logical_and.reduce([criterion.is_met(logits) for criterion in self.criteria])

    def loss(self, logits: Tensor) -> Tensor:
        return reduce(ops.add, [criterion.loss(logits) for criterion in self._steering()])

    def margin(self, logits: Tensor) -> Tensor:
        first = reduce(ops.minimum, [criterion.margin(logits) for criterion in self._steering()])
        least = reduce(ops.minimum, [criterion.margin(logits) for criterion in self.criteria])
        return ops.where(first <= 0, first, least)

    def _steering(self) -> Sequence[Criterion]:
        # raising the confidence of whichever class leads would hold an attack at the right class
        return [criterion for criterion in self.criteria if criterion.steers] or self.criteria


def as_criterion(criterion: Any, logits: Tensor) -> Criterion:
    """A criterion (labels mean Misclassification) that fits the logits.

    Raises ShapeError, DTypeError or ValueError where it does not.
    """
    if logits.ndim != 2:
        raise ShapeError(f"an attack needs N×C logits, the model gave {shape_text(logits.shape)}")
    if not isinstance(criterion, Criterion):
        criterion = Misclassification(criterion)
    return criterion.checked(*logits.shape)


def logit_of(logits: Tensor, classes: np.ndarray) -> Tensor:
    """The logit of one class of each sample (N)."""
    return ops.sum(logits * one_hot(classes, logits), 1)


def leading_other(logits: Tensor, classes: np.ndarray) -> Tensor:
    """The largest logit of all but one class of each sample (N)."""
    return ops.max(ops.where(one_hot(classes, logits) > 0, float("-inf"), logits), 1)


def _predictions(logits: Tensor) -> np.ndarray:
    return ops.argmax(logits, 1).numpy()


def _log_probability(logits: Tensor, classes: np.ndarray) -> Tensor:
    return logit_of(ops.log_softmax(logits, 1), classes)
