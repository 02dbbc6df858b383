"""What every explanation method has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ..inspection import as_variable, check_evaluating
from ..tape import no_grad, observe
from ..tensor import Tensor
from .chunks import joined, samples_that_fit, slices
from .layers import Layers
from .target import Target, Unit, check_score, classes_of, part_of


class Method(ABC):
    """A way to explain a model: a `score` of its outputs, attributed to the entries of its input.

    With `max_bytes` a batch is worked on in pieces whose intermediate results fit into that.

    Raises ValueError for a score that is not known.
    """

    def __init__(self, model: Callable, score: str = "logit", max_bytes: int | None = None) -> None:
        check_score(score)
        self.model, self.score, self.max_bytes = model, score, max_bytes

    def attribute(self, x: Any, target: Target = None) -> Tensor:
        """The share of each entry of a batch x in the score; not normalised, off the tape."""
        check_evaluating(self.model, "explain")
        x = as_variable(x).detach()
        if self.max_bytes is None:
            return self._attribute(x, target)
        size = samples_that_fit(self.model, x, self.max_bytes)
        parts = slices(x.shape[0], size)
        return joined([self._attribute(x[part], part_of(target, part)) for part in parts])

    @abstractmethod
    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        """The attribution of a batch that fits the memory."""

    def score_for(self, target: Target) -> str:
        """The score of a class as asked; a unit or a function has an activation only."""
        of_class = not (target is None or callable(target) or isinstance(target, Unit))
        return self.score if of_class else "logit"

    def fixed_target(self, x: Tensor, target: Target) -> Target:
        """The target as it stands at x, for methods that evaluate the model elsewhere too.

        Without this, None would mean another class at another point, and the strongest place of a
        channel would move.
        """
        moving = isinstance(target, Unit) and isinstance(target.position, str)
        if target is not None and not moving:
            return target
        check_evaluating(self.model, "explain")
        layers = Layers(self.model)
        with no_grad(), observe(layers):
            outputs = self.model(x)
        if isinstance(target, Unit):
            return target.at(layers.output(target.layer))
        return None if outputs.ndim < 2 else classes_of(outputs, None)
