"""What every explanation method has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ..inspection import check_evaluating
from ..tape import no_grad
from ..tensor import Tensor
from .target import Target, check_score, classes_of


class Method(ABC):
    """A way to explain a model: a `score` of its outputs, attributed to the entries of its input.

    Raises ValueError for a score that is not known.
    """

    def __init__(self, model: Callable, score: str = "logit") -> None:
        check_score(score)
        self.model, self.score = model, score

    @abstractmethod
    def attribute(self, x: Any, target: Target = None) -> Tensor:
        """The share of each entry of a batch x in the score; not normalised, off the tape."""

    def fixed_target(self, x: Tensor, target: Target) -> Target:
        """The target as it stands at x, for methods that evaluate the model elsewhere too.

        Without this, None would mean another class at another point.
        """
        if target is not None:
            return target
        check_evaluating(self.model, "explain")
        with no_grad():
            outputs = self.model(x)
        return None if outputs.ndim < 2 else classes_of(outputs, None)
