"""The first attack: a box-constrained quasi-Newton search for the least change (Szegedy 2013)."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..errors import require
from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import like, logits_of, pick, put, scored
from .line import drawn_back
from .norms import L2


class LBFGS(MinimalAttack):
    """min c‖δ‖₂² + ln(1 + e^−margin) within the bounds, the largest c that fools (Szegedy 2013).

    SciPy's L-BFGS-B minimises, `steps` iterations at most, one image at a time; c falls from
    `initial_const` by tens until the image is fooled and is then bisected on a logarithmic scale,
    each minimisation starting where the last one ended.
    What was found is drawn back towards x as far as it still fools. The loss is the cross-entropy
    between the class wanted and its strongest rival, so that labels serve as well as targets; the
    paper has |δ| where the square is here, which is smooth at 0.

    Raises MissingDependencyError without SciPy, ValueError for fewer than one step.
    """

    norm = L2()

    def __init__(
        self, binary_search_steps: int = 12, steps: int = 100, initial_const: float = 100.0
    ) -> None:
        if steps < 1 or binary_search_steps < 1 or not initial_const > 0:
            raise ValueError(
                "LBFGS: steps and binary_search_steps must be at least 1 and initial_const "
                f"above 0, got {steps}, {binary_search_steps} and {initial_const}"
            )
        self.steps, self.binary_search_steps = steps, binary_search_steps
        self.initial_const = initial_const

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        minimise = require("scipy.optimize", "attack").minimize
        found = x
        for place in range(len(x)):
            here = np.array([place])
            image = self._search(minimise, model, pick(x, here), criterion.select(here))
            found = put(found, here, image)
        return found

    def _search(self, minimise, model: BoundedModel, x: Tensor, criterion: Criterion) -> Tensor:
        """The nearest of the minima for several constants."""
        const, high, low = self.initial_const, np.inf, 0.0
        best, nearest, moved = x, np.inf, x
        for _ in range(self.binary_search_steps):
            moved = self._minimum(minimise, model, x, moved, criterion, const)
            if criterion.is_met(logits_of(model, moved))[0]:
                moved = drawn_back(model, x, moved, criterion)
                distance = float(self.norm.distance(moved, x)[0])
                if distance < nearest:
                    best, nearest = moved, distance
                low = const
            else:
                high = const
            if low == 0.0:
                const = high / 10.0
            else:
                const = 10.0 * low if np.isinf(high) else (low * high) ** 0.5
        return best

    def _minimum(
        self,
        minimise,
        model: BoundedModel,
        x: Tensor,
        start: Tensor,
        criterion: Criterion,
        const: float,
    ) -> Tensor:
        original = x.numpy().astype(np.float64).ravel()
        loss = lambda logits: ops.softplus(-criterion.margin(logits))

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            at = scored(model, like(flat.reshape(x.shape), x), loss)
            change = flat - original
            slope = 2.0 * const * change + at.gradient.numpy().astype(np.float64).ravel()
            return const * float(change @ change) + float(at.values[0]), slope

        answer = minimise(
            objective,
            start.numpy().astype(np.float64).ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=[model.bounds] * original.size,
            options={"maxiter": self.steps, "gtol": 1e-9, "ftol": 1e-7},
        )
        return like(answer.x.reshape(x.shape), x).clip(*model.bounds)
