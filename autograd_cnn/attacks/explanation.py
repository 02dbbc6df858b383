"""Explanations under attack: the saliency map moves while the prediction stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine import gradients
from ..inspection import as_variable, one_hot
from ..rules import override
from ..tape import enable_grad
from ..tensor import Tensor
from .bounds import as_bounded, as_images
from .criteria import logit_of
from .evaluation import choose, column, logits_of
from .norms import Linf


class Moved(NamedTuple):
    """Images whose prediction stayed, and what became of their saliency maps.

    `images` N×…; `before` and `after` are |∂z/∂x| N×pixels at the class predicted; `overlap` (N)
    is the part of the k most salient pixels that both maps share; `correlation` (N) is Spearman's.
    """

    images: Tensor
    before: np.ndarray
    after: np.ndarray
    overlap: np.ndarray
    correlation: np.ndarray


class SaliencyAttack:
    """Push the k most salient pixels out of the map, without changing the answer (Ghorbani 2019).

    Each step lowers Σ |∂z/∂x| over the pixels that were the k most salient, as a part of the whole
    map's, by the sign of its gradient, inside the L∞ ball of epsilon; steps that change the
    prediction are not taken. The gradient of a gradient vanishes through a ReLU, so while it is
    computed the derivative of a ReLU is a steep logistic curve instead of a step (`softness`,
    as a part of the typical activation, is its width); the maps themselves are the true ones.

    >>> import autograd_cnn as ag
    >>> attack = ag.attacks.SaliencyAttack(k=1, steps=20)
    >>> model = lambda x: ag.tanh(x * 4) @ ag.tensor([[1.0, 0.0], [0.9, 0.0]])
    >>> moved = attack(model, ag.tensor([[0.30, 0.31]]), epsilon=0.05)
    >>> float(moved.overlap[0])
    0.0

    Raises ValueError for k, steps or a step size out of range, or a negative epsilon.
    """

    def __init__(
        self, k: int = 8, steps: int = 50, step_size: float = 0.1, softness: float = 0.1
    ) -> None:
        if k < 1 or steps < 1 or not step_size > 0 or not softness > 0:
            raise ValueError(
                "SaliencyAttack: k and steps at least 1, step_size and softness above 0, got "
                f"{k}, {steps}, {step_size} and {softness}"
            )
        self.k, self.steps, self.step_size, self.softness = k, steps, step_size, softness

    def __call__(self, model: Callable, x: Any, epsilon: float) -> Moved:
        if not epsilon >= 0:
            raise ValueError(f"an epsilon is a distance ≥ 0, got {epsilon}")
        model = as_bounded(model)
        x = as_images(x, model)
        classes = logits_of(model, x).numpy().argmax(axis=1)
        before = _saliency(model, x, classes)
        k = min(self.k, before.shape[1])
        top = np.zeros(before.shape)
        np.put_along_axis(top, np.argsort(-before, axis=1, kind="stable")[:, :k], 1.0, 1)
        best, best_map = x, before
        moved, norm = x, Linf()
        radius = column(np.full(len(x), float(epsilon)), x)
        for _ in range(self.steps if epsilon > 0 else 0):
            slope = self._slope(model, moved, classes, top)
            trial = norm.onto_ball(moved - self.step_size * radius * ops.sign(slope), x, radius)
            trial = trial.clip(*model.bounds)
            stays = logits_of(model, trial).numpy().argmax(axis=1) == classes
            moved = choose(stays, trial, moved)
            after = _saliency(model, moved, classes)
            better = _overlap(after, top) < _overlap(best_map, top)
            tied = _overlap(after, top) == _overlap(best_map, top)
            better |= tied & (_share(after, top) < _share(best_map, top))
            best = choose(better, moved, best)
            best_map = np.where(better[:, None], after, best_map)
        correlation = np.array([_spearman(*maps) for maps in zip(before, best_map, strict=True)])
        return Moved(best, before, best_map, _overlap(best_map, top), correlation)

    def _slope(self, model, x: Tensor, classes: np.ndarray, top: np.ndarray) -> Tensor:
        """∂/∂x of the salient pixels' share in the map, through the derivative of the gradient."""
        variable = as_variable(x)
        width = self.softness

        def soft(g: Any, x: Any) -> Any:
            scale = 4.0 / (
                width * (ops.max(ops.abs(x.detach() if isinstance(x, Tensor) else x)) + 1e-12)
            )
            return g * ops.sigmoid(x * scale)

        with enable_grad(), override({"relu": soft}):
            score = logit_of(model(variable), classes).sum()
            map_ = ops.abs(gradients(score, variable, create_graph=True))
            map_ = _by_pixel(map_)
            salient = ops.sum(map_ * Tensor(top.astype(x.dtype)).to(x.device), 1)
            share = (salient / (ops.sum(map_, 1) + 1e-12)).sum()
            return gradients(share, variable)


def _saliency(model, x: Tensor, classes: np.ndarray) -> np.ndarray:
    """Σ over channels of |∂z/∂x| at each sample's class, N×pixels."""
    variable = as_variable(x)
    with enable_grad():
        logits = model(variable)
    gradient = gradients(logits, variable, one_hot(classes, logits))
    return _by_pixel(ops.abs(gradient)).numpy().astype(np.float64)


def _by_pixel(map_: Tensor) -> Tensor:
    return ops.flatten(ops.sum(map_, 1), 1) if map_.ndim > 2 else map_


def _overlap(map_: np.ndarray, top: np.ndarray) -> np.ndarray:
    """The part of the pixels in `top` that are still the most salient."""
    k = int(top[0].sum())
    now = np.argsort(-map_, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(top, now, 1).sum(axis=1) / k


def _share(map_: np.ndarray, top: np.ndarray) -> np.ndarray:
    return (map_ * top).sum(axis=1) / np.maximum(map_.sum(axis=1), 1e-30)


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    """The correlation of ranks; 0 for a flat map."""
    ranks = [np.argsort(np.argsort(v, kind="stable")).astype(float) for v in (first, second)]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])
