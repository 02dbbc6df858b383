"""Integrated gradients: the gradient averaged along the way from a baseline to the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..tape import no_grad
from ..tensor import Tensor, tensor
from .method import Method
from .record import record
from .target import Target, score_of


class IntegratedGradients(Method):
    """(x − x′)·∫₀¹ ∂S/∂x(x′ + t(x − x′)) dt (Sundararajan, Taly and Yan 2017).

    The integral is Gauss–Legendre with `steps` points, each one forward and backward pass.
    `baseline` x′ is a number or an array that broadcasts to the input. Completeness: the sum
    over a sample's entries tends to S(x) − S(x′) as the steps grow; `delta` says how far it is.

    >>> import autograd_cnn as ag
    >>> explain = ag.explain.IntegratedGradients(lambda x: (x * x).sum(axis=1), steps=2)
    >>> explain.attribute(ag.tensor([[1.0, 2.0]])).numpy().round(6).tolist()
    [[1.0, 4.0]]

    Raises ValueError for fewer than one step, ShapeError for a baseline that does not broadcast.
    """

    def __init__(
        self, model: Callable, score: str = "logit", baseline: Any = 0.0, steps: int = 32
    ) -> None:
        super().__init__(model, score)
        if steps < 1:
            raise ValueError(f"integrated gradients need at least one step, got {steps}")
        self.baseline, self.steps = baseline, steps

    def attribute(self, x: Any, target: Target = None) -> Tensor:
        """The share of each entry in S(x) − S(x′), in the shape of x."""
        x = as_variable(x).detach()
        start = self._baseline(x)
        target = self.fixed_target(x, target)
        way = x - start
        points, weights = np.polynomial.legendre.leggauss(self.steps)
        total = x * 0.0
        for point, weight in zip(points, weights, strict=True):
            tape = record(self.model, start + way * float((point + 1) / 2), target, self.score)
            total = total + tape.gradient() * float(weight / 2)
        return way * total

    def delta(self, attribution: Tensor, x: Any, target: Target = None) -> Tensor:
        """How far each sample's sum is from completeness: Σ attribution − (S(x) − S(x′))."""
        x = as_variable(x).detach()
        target = self.fixed_target(x, target)
        check_evaluating(self.model, "explain")
        with no_grad():
            end = score_of(self.model(x), target, self.score)
            start = score_of(self.model(self._baseline(x)), target, self.score)
        return ops.flatten(attribution, 1).sum(axis=1) - (end - start)

    def _baseline(self, x: Tensor) -> Tensor:
        baseline = self.baseline
        if not isinstance(baseline, Tensor):
            baseline = tensor(baseline, dtype=x.dtype, device=x.device)
        try:
            return ops.broadcast_to(baseline.detach(), x.shape)
        except ShapeError as error:
            raise ShapeError(
                f"baseline {shape_text(baseline.shape)} does not broadcast to the input "
                f"{shape_text(x.shape)}"
            ) from error


def integrated_gradients(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`IntegratedGradients(model, **options).attribute(x, target)` in one call."""
    return IntegratedGradients(model, **options).attribute(x, target)
