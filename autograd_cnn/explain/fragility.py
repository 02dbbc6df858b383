"""A small change of the image that keeps the answer and moves its explanation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine import gradients
from ..inspection import as_variable, check_evaluating
from ..rules import override
from ..tape import enable_grad, no_grad, observe
from ..tensor import Tensor, tensor
from .chunks import tracked
from .gradient import Saliency
from .layers import Layers
from .randomisation import spearman
from .target import Target, classes_of, score_of


class Fragility(NamedTuple):
    """Images that get the same answer for, it seems, another reason."""

    images: Tensor
    """The changed images, within epsilon of the original ones."""
    before: Tensor
    """The saliency max|∂S/∂x| of the originals, N×1×H×W."""
    after: Tensor
    """That of the changed images."""
    kept: np.ndarray
    """The share of the `top` pixels that are still among the top, for each sample."""
    correlations: np.ndarray
    """Spearman's correlation of the maps before and after, for each sample."""


def fragility(
    model: Callable,
    x: Any,
    target: Target = None,
    epsilon: float = 0.03,
    steps: int = 20,
    top: float = 0.1,
    softness: float = 10.0,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    progress: bool | None = None,
) -> Fragility:
    """Move the image by at most `epsilon` a pixel so that its most salient pixels lose their mass.

    Each step goes down the gradient of Σ|∂S/∂x| over the `top` share of the pixels, divided by the
    sum over all; a step that would change the predicted class is not made. The second derivative of
    a ReLU is 0, so it is taken with ReLU's derivative softened to σ(softness·x); the maps compared
    are the true ones. Source: Ghorbani, Abid and Zou 2019.

    Raises ValueError for settings out of range.
    """
    if not epsilon > 0 or steps < 1 or not 0 < top < 1:
        raise ValueError(
            f"fragility needs epsilon > 0, steps ≥ 1 and 0 < top < 1, got {epsilon}, {steps}, {top}"
        )
    check_evaluating(model, "explain")
    x = as_variable(x).detach()
    with no_grad():
        answers = classes_of(model(x), None)
    target = answers if target is None else target
    saliency = Saliency(model, reduce="max")
    before = saliency.attribute(x, target)
    salient = _strongest(before, top)
    moved, step = x.numpy().copy(), 2.0 * epsilon / steps
    for _ in tracked(range(steps), steps, "moving the explanation", progress):
        slope = _slope(model, tensor(moved, device=x.device), target, salient, softness)
        candidate = np.clip(moved - step * np.sign(slope), x.numpy() - epsilon, x.numpy() + epsilon)
        candidate = candidate if bounds is None else np.clip(candidate, *bounds)
        with no_grad():
            same = classes_of(model(tensor(candidate, device=x.device)), None) == answers
        moved[same] = candidate[same]
    images = tensor(moved, dtype=x.dtype, device=x.device)
    after = saliency.attribute(images, target)
    kept = (salient & _strongest(after, top)).reshape(len(salient), -1).sum(axis=1)
    correlations = [spearman(a, b) for a, b in zip(before.numpy(), after.numpy(), strict=True)]
    return Fragility(
        images, before, after, kept / salient.reshape(len(salient), -1).sum(axis=1),
        np.array(correlations),
    )  # fmt: skip


def _slope(
    model: Callable, x: Tensor, target: Target, salient: np.ndarray, softness: float
) -> np.ndarray:
    """The gradient of the share of saliency that lies in the salient pixels."""

    def softened(g: Any, x: Any) -> Any:
        return g * ops.sigmoid(x * softness)

    variable, layers = as_variable(x), Layers(model)
    with enable_grad(), override({"relu": softened}):
        with observe(layers):
            outputs = model(variable)
        score = score_of(outputs, target, "logit", layers)
        first = gradients(ops.sum(score), variable, create_graph=True)
        maps = ops.sum(ops.abs(first), 1, True)
        inside = ops.sum(maps * salient.astype(maps.dtype), (1, 2, 3))
        share = inside / (ops.sum(maps, (1, 2, 3)) + 1e-12)
        return gradients(ops.sum(share), variable).numpy()


def _strongest(maps: Tensor, top: float) -> np.ndarray:
    """The `top` share of each map's pixels, at least one."""
    flat = maps.numpy().reshape(maps.shape[0], -1)
    count = max(1, round(top * flat.shape[1]))
    chosen = np.zeros(flat.shape, bool)
    np.put_along_axis(chosen, np.argsort(-flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return chosen.reshape(maps.shape)
