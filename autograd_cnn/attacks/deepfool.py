"""DeepFool: step to the nearest boundary of the model made linear, again and again."""

from __future__ import annotations

import numpy as np

from ..engine import gradients
from ..errors import ShapeError
from ..inspection import as_variable, one_hot
from ..tape import enable_grad
from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion, Misclassification, Targeted
from .evaluation import choose, column, pick, put
from .norms import L2, Linf, as_norm

_NORMS = {"l2": L2, "linf": Linf}
_TINY = 1e-8  # keeps a gradient of 0 from dividing


class DeepFool(MinimalAttack):
    """The shortest step to the nearest boundary of the model made linear (Moosavi-Dezfooli 2016).

    With f_k = z_k − z_y and w_k its gradient, the nearest boundary is that of the k with the least
    |f_k|/‖w_k‖ in the dual norm (‖·‖₂ for "l2", ‖·‖₁ for "linf"); the step is that distance plus
    `nudge`, along w_k/‖w_k‖₂ or sign w_k. All steps together are lengthened by `overshoot`. Each
    step is one forward pass and one backward pass for every class on the same tape. `candidates`
    limits the classes to the most likely ones.

    On an affine model the distance found is (1 + overshoot)·(|f|/‖w‖ + nudge). Labels and target
    classes can be given: towards a class, only its own boundary counts.

    >>> import autograd_cnn as ag
    >>> model = ag.attacks.bounded(lambda x: x @ ag.tensor([[3.0, 0.0], [4.0, 0.0]]), mean=0.5)
    >>> attack = ag.attacks.DeepFool(overshoot=0.001, nudge=0.0)
    >>> found = attack(model, ag.tensor([[0.7, 0.6]]), [0])
    >>> [round(v, 2) for v in found.raw.numpy()[0].tolist()]  # 0.2 along (0.6, 0.8)
    [0.58, 0.44]

    Raises ValueError for another norm or fewer than one step or two candidates, TypeError for
    another criterion.
    """

    def __init__(
        self,
        norm: str = "l2",
        steps: int = 50,
        overshoot: float = 0.02,
        candidates: int | None = None,
        nudge: float = 1e-4,
    ) -> None:
        self.norm = as_norm(norm, _NORMS, "DeepFool")
        if steps < 1 or (candidates is not None and candidates < 2):
            raise ValueError(
                f"DeepFool: at least 1 step and 2 candidates, got {steps} and {candidates}"
            )
        if overshoot < 0 or nudge < 0:
            raise ValueError(f"DeepFool: overshoot {overshoot} and nudge {nudge} must be ≥ 0")
        self.steps, self.overshoot, self.nudge = steps, overshoot, nudge
        self.candidates = candidates

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        if not isinstance(criterion, (Misclassification, Targeted)):
            raise TypeError(
                "DeepFool works with labels or target classes: the boundaries of other criteria "
                f"are not known, got {type(criterion).__name__}"
            )
        found, pending = x, np.arange(len(x))
        total, pairs = x * 0.0, None
        for _ in range(self.steps):
            part = pick(found, pending)
            variable = as_variable(part)
            with enable_grad():
                logits = model(variable)
            if pairs is None:
                pairs = self._order(logits.numpy(), criterion)
            standing = ~criterion.select(pending).is_met(logits)
            if not standing.any():
                break
            move = self._step(variable, logits, criterion, pending, pairs[pending])
            total = put(total, pending, pick(total, pending) + move)
            lengthened = pick(x, pending) + (1.0 + self.overshoot) * pick(total, pending)
            moved = choose(standing, lengthened.clip(*model.bounds), part)
            found, pending = put(found, pending, moved), pending[standing]
        return found

    def _order(self, logits: np.ndarray, criterion: Criterion) -> np.ndarray:
        """The classes of each sample whose boundaries are tried."""
        if isinstance(criterion, Targeted):
            return criterion.classes[:, None]
        if logits.shape[1] < 2:
            raise ShapeError("DeepFool needs at least 2 classes, the model has 1")
        others = logits.astype(np.float64)
        others[np.arange(len(others)), criterion.labels] = -np.inf
        count = min(self.candidates or logits.shape[1], logits.shape[1]) - 1
        return np.argsort(-others, axis=1, kind="stable")[:, :count]

    def _step(
        self,
        variable: Tensor,
        logits: Tensor,
        criterion: Criterion,
        places: np.ndarray,
        rivals: np.ndarray,
    ) -> Tensor:
        """To the nearest boundary: the backward passes share the tape that gave the logits."""
        if isinstance(criterion, Targeted):
            own = np.where(one_hot(rivals[:, 0], logits).numpy() > 0, -np.inf, logits.numpy())
            own = own.argmax(axis=1)
        else:
            own = criterion.labels[places]
        own_gradient = gradients(logits, variable, one_hot(own, logits))
        least, best, samples = np.full(len(places), np.inf), own_gradient, np.arange(len(places))
        for rival in rivals.T:
            gradient = gradients(logits, variable, one_hot(rival, logits)) - own_gradient
            gap = (logits.numpy()[samples, rival] - logits.numpy()[samples, own]).astype(float)
            distance = np.abs(gap) / (self.norm.dual(gradient) + _TINY)
            best = choose(distance < least, gradient, best)
            least = np.minimum(distance, least)
        direction = self.norm.normalise(best, None)
        if isinstance(self.norm, L2):
            direction = best / column(self.norm.dual(best) + _TINY, best)
        return column(least + self.nudge, best) * direction
