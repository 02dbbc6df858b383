"""Integrated gradients: the gradient averaged along the way from a baseline to the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..tensor import Tensor, tensor
from .chunks import MAX_BYTES, joined, samples_that_fit, scores, slices, tiled, tracked
from .layers import Layer, activation
from .method import Method
from .record import record
from .target import Target, part_of


class IntegratedGradients(Method):
    """(x − x′)·∫₀¹ ∂S/∂x(x′ + t(x − x′)) dt (Sundararajan, Taly and Yan 2017).

    The integral has `steps` points, as many of them in one pass as fit the memory: `quadrature` is
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
        progress: bool | None = None,
    ) -> None:
        super().__init__(model, score)
        if steps < 1:
            raise ValueError(f"integrated gradients need at least one step, got {steps}")
        if quadrature not in _QUADRATURES:
            raise ValueError(f'quadrature "{quadrature}" is not one of {", ".join(_QUADRATURES)}')
        self.baseline, self.steps, self.layer = baseline, steps, layer
        self.copies_bytes, self.progress = max_bytes, progress
        self.points, self.weights = _QUADRATURES[quadrature](steps)

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        start = self._baseline(x)
        target = self.fixed_target(x, target)
        way, share = x - start, self._of_input if self.layer is None else self._of_layer
        pieces, found = self._pieces(x, target), {}
        for rows, part in tracked(pieces, len(pieces), "integrating", self.progress):
            one = share(start[rows], way[rows], part, part_of(target, rows))
            found[rows.start] = found[rows.start] + one if rows.start in found else one
        return joined(list(found.values()))

    def _of_input(self, start: Tensor, way: Tensor, part: slice, target: Target) -> Tensor:
        """What some points of the way add to the integral."""
        points, weights = self.points[part], self.weights[part]
        copies, targets = _between(start, way, points), tiled(target, len(points))
        gradient = record(self.model, copies, targets, self.score).gradient()
        row = tensor(weights[None], dtype=way.dtype, device=way.device)
        total = ops.matmul(row, ops.reshape(gradient, (len(points), -1)))
        return way * ops.reshape(total, way.shape)

    def _of_layer(self, start: Tensor, way: Tensor, part: slice, target: Target) -> Tensor:
        """What some steps of the way add to the conductance."""
        ends = np.arange(part.start, part.stop + 1) / self.steps
        copies = _between(start, way, (ends[1:] + ends[:-1]) / 2)
        targets = tiled(target, len(ends) - 1)
        gradient = record(self.model, copies, targets, self.score).gradient(layer=self.layer)
        values, count = activation(self.model, _between(start, way, ends), self.layer), len(way)
        share = gradient * (values[count:] - values[:-count])
        return ops.sum(ops.reshape(share, (-1, count, *values.shape[1:])), 0)

    def _pieces(self, x: Tensor, target: Target) -> list[tuple[slice, slice]]:
        """Which samples and which points of their way run at once: as many as fit the memory."""
        count = max(1, x.shape[0])
        limit = MAX_BYTES if self.copies_bytes is None else self.copies_bytes
        size = samples_that_fit(self.model, x, limit)
        points = max(1, size // count)
        if callable(target):  # it may mean places in the batch: no copies
            size, points = count if self.copies_bytes is None else size, 1
        return [(r, p) for r in slices(count, size) for p in slices(self.steps, points)]

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


def _between(start: Tensor, way: Tensor, points: np.ndarray) -> Tensor:
    """A batch for each point of the way, one after the other."""
    shares = tensor(points.reshape(-1, *(1,) * way.ndim), dtype=way.dtype, device=way.device)
    return ops.reshape(start + way * shares, (-1, *way.shape[1:]))


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
