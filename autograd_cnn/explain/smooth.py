"""SmoothGrad and VarGrad: an explanation's mean and variance over noisy copies of the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor, tensor
from .chunks import tracked
from .gradient import Saliency
from .method import Method
from .target import Target


class SmoothGrad(Method):
    """The mean of another method's attributions at x + noise (Smilkov et al. 2017).

    The noise is Gaussian with standard deviation `noise`·(max x − min x) of each sample, drawn
    from `seed`: the same seed gives the same map. The target is the one of the clean x. A model in
    place of a method stands for its `Saliency`.

    >>> import autograd_cnn as ag
    >>> smooth = ag.explain.SmoothGrad(ag.explain.Saliency(lambda x: 3 * x.sum(axis=1)), samples=2)
    >>> smooth.attribute(ag.tensor([[1.0, 2.0]])).numpy().tolist()
    [[3.0, 3.0]]

    Raises ValueError for fewer than one sample or a negative noise.
    """

    def __init__(
        self,
        method: Method | Callable,
        samples: int = 25,
        noise: float = 0.15,
        seed: int = 0,
        progress: bool | None = None,
    ) -> None:
        method = method if isinstance(method, Method) else Saliency(method)
        super().__init__(method.model, method.score)
        if samples < 1:
            raise ValueError(f"{type(self).__name__} needs at least one sample, got {samples}")
        if not noise >= 0:
            raise ValueError(f"the noise is a standard deviation ≥ 0, got {noise}")
        self.method, self.samples, self.noise, self.seed = method, samples, noise, seed
        self.progress = progress

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        return self._moments(x, target)[0]

    def _moments(self, x: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        """Mean and Σ(a − mean)² of the attributions a, in one pass (Welford 1962)."""
        target = self.fixed_target(x, target)
        generator = np.random.default_rng(self.seed)
        values = x.numpy().reshape(x.shape[0], -1)
        spread = self.noise * (values.max(axis=1) - values.min(axis=1))
        spread = spread.reshape(-1, *(1,) * (x.ndim - 1))
        mean = squares = None
        numbers = range(1, self.samples + 1)
        for number in tracked(numbers, self.samples, type(self).__name__, self.progress):
            noise = generator.standard_normal(x.shape) * spread
            moved = x + tensor(noise, dtype=x.dtype, device=x.device)
            attribution = self.method.attribute(moved, target)
            if mean is None or squares is None:
                mean, squares = attribution, attribution * 0.0
                continue
            change = attribution - mean
            mean = mean + change / float(number)
            squares = squares + change * (attribution - mean)
        assert mean is not None and squares is not None  # there is at least one sample
        return mean, squares


class VarGrad(SmoothGrad):
    """The variance of another method's attributions at x + noise (Adebayo et al. 2018).

    Formula: Σ(a − ā)²/n over the n noisy copies of `SmoothGrad`: large where the explanation is
    unsteady; 0 on a linear model.

    >>> import autograd_cnn as ag
    >>> var = ag.explain.VarGrad(ag.explain.Saliency(lambda x: 3 * x.sum(axis=1)), samples=2)
    >>> var.attribute(ag.tensor([[1.0, 2.0]])).numpy().tolist()
    [[0.0, 0.0]]
    """

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        return self._moments(x, target)[1] / float(self.samples)


def smooth_grad(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`SmoothGrad(Saliency(model), **options).attribute(x, target)` in one call."""
    return SmoothGrad(Saliency(model), **options).attribute(x, target)


def var_grad(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`VarGrad(Saliency(model), **options).attribute(x, target)` in one call."""
    return VarGrad(Saliency(model), **options).attribute(x, target)
