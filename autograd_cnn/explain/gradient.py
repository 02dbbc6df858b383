"""Explanations that are one backward pass: they differ in the rules they go back under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..errors import ShapeError, shape_text
from ..tensor import Tensor
from .layers import Layer
from .method import Method
from .record import Recording, Rules, record
from .target import Target

_REDUCTIONS: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: lambda gradient: gradient,
    "signed": lambda gradient: ops.sum(gradient, 1, keepdims=True),
    "max": lambda gradient: ops.max(ops.abs(gradient), 1, keepdims=True),
    "sum": lambda gradient: ops.sum(ops.abs(gradient), 1, keepdims=True),
}


class GradientMethod(Method):
    """The gradient of a score with respect to the input, under the backward rules `rules`.

    `score` is "logit", "softmax", "log_softmax" or "loss". `reduce` joins the channels (axis 1,
    kept with length 1): None leaves them, "signed" is Σ, "max" is max|·|, "sum" is Σ|·|. With
    `layer`, a name, a module or (layer, number of its call), the attribution is that of the
    layer's output instead of the input.

    Raises ValueError for a score or a reduction that is not known.
    """

    rules: Rules = None

    def __init__(
        self,
        model: Callable,
        score: str = "logit",
        reduce: str | None = None,
        layer: Layer = None,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(model, score, max_bytes)
        if reduce not in _REDUCTIONS:
            raise ValueError(f"reduce {reduce!r} is not one of {', '.join(map(repr, _REDUCTIONS))}")
        self.reduce, self.layer = reduce, layer

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        tape = record(self.model, x, target, self.score)
        return self.reduced(self.from_tape(tape))

    def from_tape(self, tape: Recording) -> Tensor:
        """The attribution, read from a recorded forward pass."""
        return tape.gradient(self.rules, self.layer)

    def reduced(self, attribution: Tensor) -> Tensor:
        """The attribution with its channels joined."""
        if self.reduce is not None and attribution.ndim < 2:
            raise ShapeError(
                f"reduce={self.reduce!r} joins axis 1, the attribution is "
                f"{shape_text(attribution.shape)}"
            )
        return _REDUCTIONS[self.reduce](attribution)


class Saliency(GradientMethod):
    """The gradient of a class score: w = ∂S/∂x (Simonyan, Vedaldi and Zisserman 2014).

    >>> import autograd_cnn as ag
    >>> model = lambda x: ag.flatten(x, 1) @ ag.tensor([[1.0, 0.0], [-5.0, 0.0]])
    >>> x = ag.tensor([[[1.0], [1.0]]])
    >>> ag.explain.Saliency(model, reduce="max").attribute(x, target=0).numpy().tolist()
    [[[5.0]]]

    At a kink it is what the operation documents: the derivative of ReLU at 0 is 0.
    """


class GuidedBackprop(GradientMethod):
    """The gradient with negative gradients stopped at every ReLU (Springenberg et al. 2015).

    A ReLU passes g·[g > 0]·[x > 0]. The gradients of all consumers of a ReLU's output are summed
    before the rule is applied, so shared and reused ReLUs are right.
    """

    rules = "guided"


class Deconvnet(GradientMethod):
    """The deconvolutional network read from the tape (Zeiler and Fergus 2014).

    A ReLU passes g·[g > 0] whatever its input was; max-pooling unpools to its switches and
    convolutions use their filters transposed, as in the gradient. Without a ReLU it is the
    gradient.
    """

    rules = "deconvnet"


class RedirectedReLU(GradientMethod):
    """The gradient where a ReLU that is off still passes what would turn it on (Olah et al. 2017).

    A ReLU passes g where it is on, or where g > 0: so that a unit that starts dead can be excited.
    """

    rules = "redirected"


class InputXGradient(GradientMethod):
    """x·∂S/∂x (Shrikumar et al. 2016); on a linear model it sums to S(x) − S(0)."""

    def from_tape(self, tape: Recording) -> Tensor:
        return tape.output(self.layer).detach() * tape.gradient(self.rules, self.layer)


def saliency(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`Saliency(model, **options).attribute(x, target)` in one call."""
    return Saliency(model, **options).attribute(x, target)


def guided_backprop(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`GuidedBackprop(model, **options).attribute(x, target)` in one call."""
    return GuidedBackprop(model, **options).attribute(x, target)


def deconvnet(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`Deconvnet(model, **options).attribute(x, target)` in one call."""
    return Deconvnet(model, **options).attribute(x, target)


def redirected_relu(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`RedirectedReLU(model, **options).attribute(x, target)` in one call."""
    return RedirectedReLU(model, **options).attribute(x, target)


def input_x_gradient(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`InputXGradient(model, **options).attribute(x, target)` in one call."""
    return InputXGradient(model, **options).attribute(x, target)
