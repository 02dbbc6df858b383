"""Training against attacks: adversarial training, TRADES, label smoothing, augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..data import batches
from ..nn import Module
from ..optim import Adam, Optimizer
from ..tensor import Tensor, tensor
from .attack import Attack
from .bounds import BoundedModel, as_bounded
from .criteria import Criterion, Misclassification
from .evaluation import logits_of
from .first_order import LinfPGD

BatchLoss = Callable[[Any, Tensor, np.ndarray], Tensor]
Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def adversarial_training(
    model: Module | BoundedModel,
    train_data: tuple[Any, Any],
    epsilon: float,
    *,
    attack: Attack | None = None,
    label_smoothing: float = 0.0,
    **settings: Any,
) -> list[float]:
    """Train on the worst images in the ball: min_w Σ max_{‖δ‖≤ε} CE(x + δ, y) (Madry et al. 2018).

    `attack` looks for them (seven steps of L∞ PGD unless given), with the model in evaluation
    mode; every sample is moved, also one that is misclassified already. `settings` are those of
    `train_with`. Returns the mean loss of each epoch.

    Raises ValueError for a negative epsilon.
    """
    attack = _checked(attack, epsilon)
    worst = _WorstImages(attack, epsilon)

    def loss(net: BoundedModel, x: Tensor, labels: np.ndarray) -> Tensor:
        moved = worst(net, x, Misclassification(labels))
        return ops.cross_entropy(net(moved), labels, label_smoothing=label_smoothing)

    return train_with(model, train_data, loss, **settings)


def trades(
    model: Module | BoundedModel,
    train_data: tuple[Any, Any],
    epsilon: float,
    *,
    beta: float = 6.0,
    attack: Attack | None = None,
    **settings: Any,
) -> list[float]:
    """CE(x, y) + β·max_{‖δ‖≤ε} KL(p(x) ‖ p(x + δ)): accuracy against stability (Zhang et al. 2019).

    The worst image is where the answer differs most from that at x, whatever the label. `attack`
    and `settings` are those of `adversarial_training`. Returns the mean loss of each epoch.

    Raises ValueError for a negative epsilon or β.
    """
    if not beta >= 0:
        raise ValueError(f"trades: beta is at least 0, got {beta}")
    worst = _WorstImages(_checked(attack, epsilon), epsilon)

    def loss(net: BoundedModel, x: Tensor, labels: np.ndarray) -> Tensor:
        moved = worst(net, x, None)
        clean, shifted = net(x), net(moved)
        return ops.cross_entropy(clean, labels) + beta * ops.mean(_divergence(clean, shifted))

    return train_with(model, train_data, loss, **settings)


def train_with(
    model: Module | BoundedModel,
    train_data: tuple[Any, Any],
    loss: BatchLoss,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    optimizer: Optimizer | None = None,
    augmentation: Augmentation | None = None,
    seed: int = 0,
) -> list[float]:
    """Train with a loss(model, x, labels) of a batch; the mean loss of each epoch.

    The optimizer is Adam unless given. `augmentation(x, rng)` makes new images of each batch, as
    `shifts_and_noise` does. A `bounded` model trains what is inside it. The model is left in
    evaluation mode.

    Raises ValueError for fewer than one epoch.
    """
    if epochs < 1:
        raise ValueError(f"train_with: epochs={epochs} must be at least 1")
    net = model if isinstance(model, BoundedModel) else BoundedModel(model, (0.0, 1.0), None, None)
    inner: Module = net.model  # type: ignore[assignment]
    optimizer = Adam(inner.parameters()) if optimizer is None else optimizer
    first = next(inner.parameters())
    losses = []
    for epoch in range(epochs):
        order, noise = np.random.SeedSequence((seed, epoch)).spawn(2)
        draw = np.random.default_rng(noise)
        ops.seed(int(noise.generate_state(1, np.uint64)[0]))
        total = 0.0
        for x, labels in batches(*map(np.asarray, train_data), batch_size, True, order):
            x = x if augmentation is None else augmentation(x, draw).clip(*net.bounds)
            inner.train()
            optimizer.zero_grad()
            value = loss(net, tensor(x, dtype=first.dtype, device=first.device), labels)
            value.backward()
            optimizer.step()
            total += float(value) * len(labels)
        losses.append(total / len(train_data[0]))
    optimizer.zero_grad()
    inner.eval()
    return losses


def smoothed_cross_entropy(amount: float = 0.1) -> Callable[[Any, Any], Any]:
    """Cross-entropy against labels that keep 1 − amount and share the rest (Szegedy et al. 2016).

    For `ag.train.fit(..., loss=smoothed_cross_entropy(0.1))`.

    Raises ValueError for an amount outside [0, 1).
    """
    if not 0.0 <= amount < 1.0:
        raise ValueError(f"the amount of smoothing is within [0, 1), got {amount}")
    return lambda logits, labels: ops.cross_entropy(logits, labels, label_smoothing=amount)


def shifts_and_noise(pixels: int = 1, sigma: float = 0.1) -> Augmentation:
    """Each image moved by up to `pixels` either way, then Gaussian noise: new ones each time.

    >>> import numpy as np, autograd_cnn as ag
    >>> augment = ag.attacks.shifts_and_noise(pixels=1, sigma=0.0)
    >>> x = np.eye(4).reshape(1, 1, 4, 4)
    >>> augment(x, np.random.default_rng(0)).shape
    (1, 1, 4, 4)
    """
    if pixels < 0 or sigma < 0:
        raise ValueError(f"pixels and sigma must be at least 0, got {pixels} and {sigma}")

    def augment(x: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        height, width = x.shape[2:]
        padded = np.pad(x, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)))
        corners = draw.integers(0, 2 * pixels + 1, (len(x), 2))
        moved = [
            image[:, i : i + height, j : j + width]
            for image, (i, j) in zip(padded, corners, strict=True)
        ]
        return np.stack(moved) + sigma * draw.standard_normal(x.shape).astype(x.dtype)

    return augment


def _checked(attack: Attack | None, epsilon: float) -> Attack:
    if not epsilon >= 0:
        raise ValueError(f"an epsilon is a distance ≥ 0, got {epsilon}")
    return LinfPGD(steps=7, step_size=0.25) if attack is None else attack


class _WorstImages:
    """The images in the ball with the largest loss, with the model in evaluation mode meanwhile."""

    def __init__(self, attack: Attack, epsilon: float) -> None:
        self.attack, self.epsilon = attack, epsilon

    def __call__(self, net: BoundedModel, x: Tensor, criterion: Criterion | None) -> Tensor:
        net.model.eval()
        model = as_bounded(net)
        if criterion is None:
            criterion = _Drift(logits_of(model, x).detach())
        moved = self.attack.run(model, x, criterion, np.full(len(x), self.epsilon)).detach()
        net.model.train()
        return moved


class _Drift(Criterion):
    """Never met; the loss is KL(p ‖ p′) from the clean answers p of the batch."""

    def __init__(self, clean: Tensor) -> None:
        self.clean = clean

    def select(self, places: np.ndarray) -> _Drift:
        return _Drift(self.clean[tensor(places, device=self.clean.device)])

    def is_met(self, logits: Tensor) -> np.ndarray:
        return np.zeros(len(logits), bool)

    def loss(self, logits: Tensor) -> Tensor:
        return _divergence(self.clean, logits)

    def margin(self, logits: Tensor) -> Tensor:
        return self.loss(logits)


def _divergence(clean: Tensor, shifted: Tensor) -> Tensor:
    """KL(softmax(clean) ‖ softmax(shifted)) of each sample (N)."""
    p, q = ops.log_softmax(clean, 1), ops.log_softmax(shifted, 1)
    return ops.sum(ops.exp(p) * (p - q), 1)
