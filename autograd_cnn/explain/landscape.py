"""The loss around trained weights, along one or two directions in the space of weights."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..inspection import check_evaluating
from ..nn import Module
from ..tape import no_grad
from ..tensor import Tensor, tensor
from .chunks import MAX_BYTES, samples_that_fit, slices, tracked
from .display import figure


class Landscape(NamedTuple):
    """The loss on a grid of steps, in units of the filters' own norms."""

    steps: np.ndarray
    """The steps along each direction; 0 is the network as it is."""
    losses: np.ndarray
    """steps, or steps×steps with the first direction along the rows."""

    def show(self, ax: Any = None) -> Any:
        """A curve, or contours about the network as it is; returns the matplotlib axes."""
        ax = ax if ax is not None else figure(3.6, 3.0).subplots()
        if self.losses.ndim == 1:
            ax.plot(self.steps, self.losses, color="#0072B2")
            ax.set_ylabel("loss", fontsize=8)
        else:
            lines = ax.contour(self.steps, self.steps, self.losses, 14, cmap="viridis")
            ax.clabel(lines, fontsize=6, fmt="%.2g")
            ax.plot(0.0, 0.0, "+", color="#D55E00", markersize=10)
            ax.set_ylabel("first direction", fontsize=8)
        ax.set_xlabel("second direction" if self.losses.ndim == 2 else "step", fontsize=8)
        ax.tick_params(labelsize=7)
        return ax


def loss_landscape(
    model: Module,
    x: Any,
    labels: Any,
    directions: int = 1,
    reach: float = 1.0,
    points: int = 21,
    loss: Callable[[Tensor, Tensor], Tensor] = ops.cross_entropy,
    seed: int = 0,
    max_bytes: int = MAX_BYTES,
    progress: bool | None = None,
) -> Landscape:
    """The mean loss at θ + a·d₁ (+ b·d₂), with a and b from −reach to reach.

    The directions are random, each filter of them scaled to the norm of the filter of θ that it
    is added to, and 0 for biases and norms: so that landscapes of networks with other scales can be
    compared. The model itself is left alone: a copy moves. Source: Li, Xu, Taylor, Studer and
    Goldstein 2018.

    >>> import numpy as np, autograd_cnn as ag
    >>> model = ag.nn.Linear(2, 3, rng=0).eval()
    >>> x = np.ones((3, 2), np.float32)
    >>> found = ag.explain.loss_landscape(model, x, [0, 1, 2], points=5)
    >>> found.steps.tolist(), found.losses.shape
    ([-1.0, -0.5, 0.0, 0.5, 1.0], (5,))

    Raises ValueError for a model in training mode, other than one or two directions, or an even
    number of points (0 would not be among them).
    """
    check_evaluating(model, "loss landscape")
    if directions not in (1, 2) or points < 1 or points % 2 == 0 or not reach > 0:
        raise ValueError(
            "loss_landscape needs 1 or 2 directions, an odd number of points and reach > 0, got "
            f"{directions}, {points} and {reach}"
        )
    x = x if isinstance(x, Tensor) else Tensor(np.asarray(x))
    labels = np.asarray(labels.numpy() if isinstance(labels, Tensor) else labels)
    moving, generator = deepcopy(model), np.random.default_rng(seed)
    start = {name: value.numpy().copy() for name, value in model.named_parameters()}
    ways = [filter_directions(start, generator) for _ in range(directions)]
    steps = np.linspace(-reach, reach, points)
    size = samples_that_fit(model, x, max_bytes)
    losses = np.empty((points,) * directions)
    places = list(np.ndindex(*losses.shape))
    for place in tracked(places, len(places), "walking around", progress):
        for name, parameter in moving.named_parameters():
            move = sum(steps[i] * way[name] for i, way in zip(place, ways, strict=True))
            parameter.assign((start[name] + move).astype(parameter.dtype))
        losses[place] = _mean_loss(moving, x, labels, loss, size)
    return Landscape(steps, losses)


def filter_directions(
    weights: dict[str, np.ndarray], generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """A random direction in which every filter has the norm of the one it is added to."""
    found = {}
    for name, values in weights.items():
        if values.ndim < 2:
            found[name] = np.zeros(values.shape)
            continue
        drawn = generator.standard_normal(values.shape)
        axes = tuple(range(1, values.ndim))
        own, its = (
            np.sqrt((a.astype(np.float64) ** 2).sum(axes, keepdims=True)) for a in (values, drawn)
        )
        found[name] = drawn * (own / its)
    return found


def _mean_loss(model: Module, x: Tensor, labels: np.ndarray, loss: Callable, size: int) -> float:
    total = 0.0
    with no_grad():
        for part in slices(x.shape[0], size):
            wanted = tensor(labels[part], device=x.device)
            total += float(loss(model(x[part]), wanted)) * (part.stop - part.start)
    return total / x.shape[0]
