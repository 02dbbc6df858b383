"""An ensemble of attacks without settings, and checks for gradients that mislead them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from .apgd import APGD
from .attack import Attack, Result
from .bounds import BoundedModel, as_bounded, as_images
from .criteria import Criterion, Misclassification, as_criterion
from .evaluation import choose, logits_of, pick, put, scored
from .fmn import FMN
from .norms import L2, Linf, as_norm
from .square import Square


class MaskedGradientWarning(UserWarning):
    """A model whose gradients do not say how robust it is."""


class AutoAttack(Attack):
    """APGD-CE, APGD-DLR, FMN and Square in turn, each on what still stands (Croce and Hein 2020).

    The targeted DLR loss is used with labels, the untargeted one with other criteria. FMN takes
    the place of the paper's FAB. Square is left out for images that are not N×C×H×W, the DLR loss
    for fewer than three classes. `attacks` replaces the list. When called it warns, with
    MaskedGradientWarning, of what `masked_gradients` finds.

    Raises ValueError for another norm than "linf" and "l2".
    """

    def __init__(
        self,
        norm: str = "linf",
        steps: int = 100,
        queries: int = 5000,
        attacks: Sequence[Attack] | None = None,
        seed: int = 0,
    ) -> None:
        self.norm = as_norm(norm, {"linf": Linf, "l2": L2}, "AutoAttack")
        self._name, self.steps, self.queries = norm, steps, queries
        self.attacks, self.seed = attacks, seed

    def __call__(self, model: Callable, x: Any, criterion: Any, epsilons: Any = None) -> Result:
        for message in masked_gradients(model, x, criterion):
            warnings.warn(message, MaskedGradientWarning, stacklevel=2)
        return super().__call__(model, x, criterion, epsilons)

    def run(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: np.ndarray
    ) -> Tensor:
        best, pending = x, np.arange(len(x))
        for attack in self.attacks or self._attacks(model, x, criterion):
            part, wanted = pick(x, pending), criterion.select(pending)
            moved = attack.run(model, part, wanted, epsilon[pending])
            near = self.norm.distance(moved, part) <= epsilon[pending] * (1 + 1e-6)
            moved = choose(near, moved, part)
            fooled = wanted.is_met(logits_of(model, moved))
            best = put(best, pending[fooled], pick(moved, np.flatnonzero(fooled)))
            pending = pending[~fooled]
            if not pending.size:
                break
        return best

    def _attacks(self, model: BoundedModel, x: Tensor, criterion: Criterion) -> list[Attack]:
        classes = logits_of(model, x[:1]).shape[1]
        chosen: list[Attack] = [APGD(self._name, "ce", self.steps, seed=self.seed)]
        if classes >= 3:
            loss = "dlr-targeted" if isinstance(criterion, Misclassification) else "dlr"
            chosen.append(APGD(self._name, loss, self.steps, seed=self.seed))
        chosen.append(FMN(self._name, self.steps))
        if x.ndim == 4:
            chosen.append(Square(self._name, self.queries, seed=self.seed))
        return chosen


def masked_gradients(model: Callable, x: Any, criterion: Any) -> list[str]:
    """What suggests that gradient attacks would overstate robustness; empty where nothing does.

    Outputs that differ from call to call, outputs that are probabilities (the loss takes their
    softmax again, which flattens it), and samples whose loss has a gradient of exactly zero
    (Carlini et al. 2019, Croce and Hein 2020).

    >>> import autograd_cnn as ag
    >>> steps = lambda x: ag.sign(x - 0.5) @ ag.tensor([[1.0, -1.0]])
    >>> ag.attacks.masked_gradients(steps, ag.tensor([[0.7]]), [0])
    ['the gradient is exactly zero for 1 of 1 samples: the loss is flat or saturated there']
    """
    model = as_bounded(model)
    x = as_images(x, model)
    logits = logits_of(model, x)
    criterion = as_criterion(criterion, logits)
    found = []
    if not np.array_equal(logits.numpy(), logits_of(model, x).numpy()):
        found.append("the outputs differ from call to call: the model is random, average over it")
    values = logits.numpy().astype(np.float64)
    if values.size and values.min() >= 0 and np.abs(values.sum(axis=1) - 1).max() < 1e-4:
        found.append("the outputs are probabilities: attack the logits before the softmax")
    gradient = scored(model, x, criterion.loss).gradient.numpy().reshape(len(x), -1)
    flat = int((gradient == 0).all(axis=1).sum())
    if flat:
        found.append(
            f"the gradient is exactly zero for {flat} of {len(x)} samples: "
            "the loss is flat or saturated there"
        )
    return found
