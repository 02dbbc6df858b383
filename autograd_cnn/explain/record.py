"""One recorded forward pass, run back as often as one likes, under any rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from ..engine import gradients
from ..errors import TapeError
from ..inspection import as_variable, check_evaluating
from ..rules import override
from ..tape import enable_grad, observe
from ..tensor import Tensor
from .layers import Layer, Layers
from .target import Target, check_score, score_of

Rules = str | Mapping[str, Any] | None


def record(
    model: Callable, x: Any, target: Target = None, score: str = "logit", rules: Rules = None
) -> Recording:
    """Run a model on a batch once, so that several explanations can be read from the tape.

    `target` is the class to explain: a number, one for each sample, None for the largest output,
    a function from the outputs to a score for each sample, or a `Unit` of a layer. `score` is what
    is differentiated: the class's "logit", "softmax", "log_softmax" or "loss" (the cross-entropy).
    Rules that read more than the gradient does (those of LRP) are named already here.

    >>> import autograd_cnn as ag
    >>> tape = ag.explain.record(lambda x: (2 * ag.relu(x) - 3 * x).sum(), ag.tensor([1.0, -1.0]))
    >>> [tape.gradient(rules).numpy().tolist() for rules in (None, "deconvnet", "guided")]
    [[-1.0, -3.0], [-1.0, -1.0], [-1.0, -3.0]]

    Raises ValueError when the model is in training mode, DTypeError and ShapeError for an input
    that is not a batch of floating-point numbers or a target that does not fit.
    """
    check_score(score)
    check_evaluating(model, "explain")
    variable, layers = as_variable(x), Layers(model)
    with enable_grad(), observe(layers), under(rules):
        outputs = model(variable)
    with enable_grad(), under(rules):
        return Recording(variable, outputs, target, score, layers)


class Recording:
    """A forward pass: `x`, the `outputs`, and the `score` of each sample."""

    def __init__(
        self,
        x: Tensor,
        outputs: Tensor,
        target: Target = None,
        score: str = "logit",
        layers: Layers | None = None,
    ) -> None:
        self.x, self.outputs = x, outputs
        self._layers = layers
        self.score = score_of(outputs, target, score, layers)

    def output(self, layer: Layer = None) -> Tensor:
        """What a layer gave, on the tape; the input when None."""
        if layer is None:
            return self.x
        return (self._layers or Layers(lambda x: x)).output(layer)

    def gradient(self, rules: Rules = None, layer: Layer = None) -> Tensor:
        """∂score/∂x of every sample, in the shape of x, or of the output of a layer.

        `rules` replaces backward rules: "guided", "deconvnet", "redirected", any set given to
        `ag.register_rule`, or {operation: formula}. None is the plain gradient.
        """
        return self.going_back(None, rules, layer)

    def going_back(self, seeds: Any, rules: Rules = None, layer: Layer = None) -> Tensor:
        """What reaches x, or a layer, when the scores start from `seeds` (ones when None)."""
        wanted = self.output(layer)
        if not wanted.requires_grad:
            raise TapeError(f"layer {layer!r} does not depend on the input")
        with under(rules):
            if seeds is None:
                return gradients(self.score.sum(), wanted)
            return gradients(self.score, wanted, seeds)

    def towards(self, target: Target, score: str = "logit") -> Recording:
        """The same forward pass with another target: nothing but the score is computed again."""
        check_score(score)
        with enable_grad():
            return Recording(self.x, self.outputs, target, score, self._layers)


def under(rules: Rules) -> Any:
    """The context in which other rules are in force; none when None."""
    return nullcontext() if rules is None else override(rules)
