"""One recorded forward pass, run back as often as one likes, under any rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from ..engine import gradients
from ..inspection import as_variable, check_evaluating
from ..rules import override
from ..tape import enable_grad
from ..tensor import Tensor
from .target import Target, check_score, score_of


def record(model: Callable, x: Any, target: Target = None, score: str = "logit") -> Recording:
    """Run a model on a batch once, so that several explanations can be read from the tape.

    `target` is the class to explain: a number, one for each sample, None for the largest output,
    or a function from the outputs to a score for each sample. `score` is what is differentiated:
    the class's "logit", "softmax", "log_softmax" or "loss" (the cross-entropy).

    >>> import autograd_cnn as ag
    >>> tape = ag.explain.record(lambda x: (2 * ag.relu(x) - 3 * x).sum(), ag.tensor([1.0, -1.0]))
    >>> [tape.gradient(rules).numpy().tolist() for rules in (None, "deconvnet", "guided")]
    [[-1.0, -3.0], [-1.0, -1.0], [-1.0, -3.0]]

    Raises ValueError when the model is in training mode, DTypeError and ShapeError for an input
    that is not a batch of floating-point numbers or a target that does not fit.
    """
    check_score(score)
    check_evaluating(model, "explain")
    variable = as_variable(x)
    with enable_grad():
        return Recording(variable, model(variable), target, score)


class Recording:
    """A forward pass: `x`, the `outputs`, and the `score` of each sample."""

    def __init__(self, x: Tensor, outputs: Tensor, target: Target, score: str) -> None:
        self.x, self.outputs = x, outputs
        self.score = score_of(outputs, target, score)

    def gradient(self, rules: str | Mapping[str, Any] | None = None) -> Tensor:
        """∂score/∂x of every sample, in the shape of x.

        `rules` replaces backward rules: "guided", "deconvnet", any set given to
        `ag.register_rule`, or {operation: formula}. None is the plain gradient.
        """
        with override(rules) if rules is not None else nullcontext():
            return gradients(self.score.sum(), self.x)

    def towards(self, target: Target, score: str = "logit") -> Recording:
        """The same forward pass with another target: nothing but the score is computed again."""
        check_score(score)
        with enable_grad():
            return Recording(self.x, self.outputs, target, score)
