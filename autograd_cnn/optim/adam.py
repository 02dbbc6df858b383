"""The Adam family: Adam (with AMSGrad), AdamW, Adamax and NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

from .optimizer import Array, Optimizer, blend, decayed


class _Moments(Optimizer):
    """Averages of the gradient and of its square, and the number of steps taken."""

    decoupled = False

    def prepare(self, w, g, state, group, xp, spare) -> tuple[Array, Array]:
        """Count the step and decay the weights: (w, g) to go on with; uses the first spare."""
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(w), **self.second_moment(w, group, xp))
        state["step"] += 1
        decay = group["weight_decay"]
        if not self.decoupled:
            return w, decayed(w, g, decay, xp, spare[0])
        return (xp.multiply(w, 1.0 - group["lr"] * decay, out=spare[0]) if decay else w), g

    def second_moment(self, w: Array, group: dict, xp: Any) -> dict[str, Array]:
        """What is kept beside the average of the gradient, at the start."""
        return {"exp_avg_sq": xp.zeros_like(w)}


class Adam(_Moments):
    """w ← w − lr·m̂/(√v̂ + eps), m and v running averages of g and g², m̂ = m/(1 − β₁ᵗ).

    `weight_decay` λ adds ½λ‖w‖² to the loss. With `amsgrad` v̂ is the largest so far (Reddi et al.
    2018). Source: Kingma and Ba 2015.

    >>> import autograd_cnn as ag
    >>> w = ag.tensor([1.0], requires_grad=True)
    >>> optimizer = ag.optim.Adam([w], lr=0.125)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.875]
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
            },
        )

    def second_moment(self, w: Array, group: dict, xp: Any) -> dict[str, Array]:
        names = ("exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg_sq",)
        return {name: xp.zeros_like(w) for name in names}

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        w, g = self.prepare(w, g, state, group, xp, spare)
        second, (beta1, beta2), t = spare[1], group["betas"], state["step"]
        blend(state["exp_avg"], g, beta1, xp, second)
        square = state["exp_avg_sq"]
        square *= beta2
        xp.multiply(g, g, out=second)
        second *= 1.0 - beta2
        square += second
        if group["amsgrad"]:
            square = xp.maximum(state["max_exp_avg_sq"], square, out=state["max_exp_avg_sq"])
        xp.sqrt(square, out=second)
        second /= sqrt(1.0 - beta2**t)
        second += group["eps"]
        xp.divide(state["exp_avg"], second, out=second)
        second *= group["lr"] / (1.0 - beta1**t)
        return xp.subtract(w, second, out=second)


class AdamW(Adam):
    """Adam with decoupled decay: first w ← (1 − lr·weight_decay)·w (Loshchilov and Hutter 2019)."""

    decoupled = True

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)


class Adamax(_Moments):
    """w ← w − lr/(1 − β₁ᵗ)·m/u, u ← max(β₂·u, |g| + eps) (Kingma and Ba 2015, §7.1)."""

    def __init__(
        self, params: Iterable[Any], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    def second_moment(self, w: Array, group: dict, xp: Any) -> dict[str, Array]:
        return {"exp_inf": xp.zeros_like(w)}

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        w, g = self.prepare(w, g, state, group, xp, spare)
        second, (beta1, beta2) = spare[1], group["betas"]
        blend(state["exp_avg"], g, beta1, xp, second)
        largest = state["exp_inf"]
        largest *= beta2
        xp.abs(g, out=second)
        second += group["eps"]
        xp.maximum(largest, second, out=largest)
        xp.divide(state["exp_avg"], largest, out=second)
        second *= group["lr"] / (1.0 - beta1 ** state["step"])
        return xp.subtract(w, second, out=second)


class NAdam(_Moments):
    """Adam with Nesterov's momentum, on the schedule μₜ = β₁·(1 − ½·0.96^(t·momentum_decay)).

    Source: Dozat 2016.
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
            },
        )

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        w, g = self.prepare(w, g, state, group, xp, spare)
        second, (beta1, beta2), t = spare[1], group["betas"], state["step"]
        decay = group["momentum_decay"]
        now = beta1 * (1.0 - 0.5 * 0.96 ** (t * decay))
        later = beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * decay))
        product = state["mu_product"] = state.get("mu_product", 1.0) * now
        blend(state["exp_avg"], g, beta1, xp, second)
        square = state["exp_avg_sq"]
        square *= beta2
        xp.multiply(g, g, out=second)
        second *= 1.0 - beta2
        square += second
        step = g * ((1.0 - now) / (1.0 - product))
        xp.multiply(state["exp_avg"], later / (1.0 - product * later), out=second)
        step += second
        xp.divide(square, 1.0 - beta2**t, out=second)
        xp.sqrt(second, out=second)
        second += group["eps"]
        step /= second
        step *= group["lr"]
        return xp.subtract(w, step, out=step)
