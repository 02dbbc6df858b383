"""Integrated gradients: the gradient averaged along the way from a baseline to the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..tensor import Tensor, tensor
from .chunks import scores
from .layers import Layer, activation
from .method import Method
from .record import record
from .target import Target


class IntegratedGradients(Method):
    """(x − x′)·∫₀¹ ∂S/∂x(x′ + t(x − x′)) dt (Sundararajan, Taly and Yan 2017).

    The integral has `steps` points, each one forward and backward pass: `quadrature` is
    "gauss-legendre" or "trapezoid". `baseline` x′ is a number or an array that broadcasts to the
    input. Completeness: the sum over a sample's entries tends to S(x) − S(x′) as the steps grow;
    `delta` says how far it is.

    With `layer` the share is that of the layer's entries h in the same difference, their
    conductance ∫ ∂S/∂h·dh/dt dt (Dhamdhere, Sundararajan and Yan 2019): gradients at the middle of
    each step times what h changes by along it.

    >>> import autograd_cnn as ag
    >>> explain = ag.explain.IntegratedGradients(lambda x: (x * x).sum(axis=1), steps=2)
    >>> explain.attribute(ag.tensor([[1.0, 2.0]])).numpy().round(6).tolist()
    [[1.0, 4.0]]

    Raises ValueError for too few steps or an unknown quadrature, ShapeError for a baseline that
    does not broadcast.
    """

    def __init__(
        self,
        model: Callable,
        score: str = "logit",
        baseline: Any = 0.0,
        steps: int = 32,
        quadrature: str = "gauss-legendre",
        layer: Layer = None,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(model, score, max_bytes)
        if steps < 1:
            raise ValueError(f"integrated gradients need at least one step, got {steps}")
        if quadrature not in _QUADRATURES:
            raise ValueError(f'quadrature "{quadrature}" is not one of {", ".join(_QUADRATURES)}')
        self.baseline, self.steps, self.layer = baseline, steps, layer
        self.points, self.weights = _QUADRATURES[quadrature](steps)

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        start = self._baseline(x)
        target = self.fixed_target(x, target)
        way = x - start
        if self.layer is not None:
            return self._conductance(start, way, target)
        total = x * 0.0
        for point, weight in zip(self.points, self.weights, strict=True):
            tape = record(self.model, start + way * float(point), target, self.score)
            total = total + tape.gradient() * float(weight)
        return way * total

    def _conductance(self, start: Tensor, way: Tensor, target: Target) -> Tensor:
        before = activation(self.model, start, self.layer)
        total = before * 0.0
        for step in range(1, self.steps + 1):
            tape = record(self.model, start + way * ((step - 0.5) / self.steps), target, self.score)
            after = activation(self.model, start + way * (step / self.steps), self.layer)
            total = total + tape.gradient(layer=self.layer) * (after - before)
            before = after
        return total

    def delta(self, attribution: Tensor, x: Any, target: Target = None) -> Tensor:
        """How far each sample's sum is from completeness: Σ attribution − (S(x) − S(x′))."""
        x = as_variable(x).detach()
        target = self.fixed_target(x, target)
        check_evaluating(self.model, "explain")
        end = scores(self.model, x, target, self.score)
        start = scores(self.model, self._baseline(x), target, self.score)
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


def _gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact for polynomials of degree 2·steps − 1."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (points + 1) / 2, weights / 2


def _trapezoid(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced, the ends with half the weight."""
    if steps < 2:
        raise ValueError(f"the trapezoid rule needs at least 2 points, got {steps}")
    weights = np.full(steps, 1.0 / (steps - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0.0, 1.0, steps), weights


_QUADRATURES = {"gauss-legendre": _gauss_legendre, "trapezoid": _trapezoid}


def integrated_gradients(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`IntegratedGradients(model, **options).attribute(x, target)` in one call."""
    return IntegratedGradients(model, **options).attribute(x, target)
