"""SmoothGrad: an explanation averaged over noisy copies of the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..inspection import as_variable
from ..tensor import Tensor, tensor
from .gradient import Saliency
from .method import Method
from .target import Target


class SmoothGrad(Method):
    """The mean of another method's attributions at x + noise (Smilkov et al. 2017).

    The noise is Gaussian with standard deviation `noise`·(max x − min x) of each sample, drawn
    from `seed`: the same seed gives the same map. The target is the one of the clean x.

    >>> import autograd_cnn as ag
    >>> smooth = ag.explain.SmoothGrad(ag.explain.Saliency(lambda x: 3 * x.sum(axis=1)), samples=2)
    >>> smooth.attribute(ag.tensor([[1.0, 2.0]])).numpy().tolist()
    [[3.0, 3.0]]

    Raises ValueError for fewer than one sample or a negative noise.
    """

    def __init__(
        self, method: Method, samples: int = 25, noise: float = 0.15, seed: int = 0
    ) -> None:
        super().__init__(method.model, method.score)
        if samples < 1:
            raise ValueError(f"smoothgrad needs at least one sample, got {samples}")
        if not noise >= 0:
            raise ValueError(f"the noise is a standard deviation ≥ 0, got {noise}")
        self.method, self.samples, self.noise, self.seed = method, samples, noise, seed

    def attribute(self, x: Any, target: Target = None) -> Tensor:
        """The mean attribution, in the shape the method gives."""
        x = as_variable(x).detach()
        target = self.fixed_target(x, target)
        generator = np.random.default_rng(self.seed)
        values = x.numpy().reshape(x.shape[0], -1)
        spread = self.noise * (values.max(axis=1) - values.min(axis=1))
        spread = spread.reshape(-1, *(1,) * (x.ndim - 1))
        total = None
        for _ in range(self.samples):
            noise = generator.standard_normal(x.shape) * spread
            moved = x + tensor(noise, dtype=x.dtype, device=x.device)
            attribution = self.method.attribute(moved, target)
            total = attribution if total is None else total + attribution
        assert total is not None  # there is at least one sample
        return total / float(self.samples)


def smooth_grad(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`SmoothGrad(Saliency(model), **options).attribute(x, target)` in one call."""
    return SmoothGrad(Saliency(model), **options).attribute(x, target)
