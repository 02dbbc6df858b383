"""Optimizers with a learning rate for each weight: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optimizer import Array, Optimizer, blend, decayed


class Adagrad(Optimizer):
    """w ← w − lr/(1 + (t − 1)·lr_decay)·g/(√Σg² + eps) (Duchi et al. 2011)."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, lr_decay: float = 0.0,
        weight_decay: float = 0.0, initial_accumulator_value: float = 0.0, eps: float = 1e-10,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
            },
        )

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        first, second = spare
        if not state:
            state.update(step=0, sum=xp.full_like(w, group["initial_accumulator_value"]))
        state["step"] += 1
        g = decayed(w, g, group["weight_decay"], xp, first)
        state["sum"] += xp.multiply(g, g, out=second)
        xp.sqrt(state["sum"], out=second)
        second += group["eps"]
        xp.divide(g, second, out=second)
        second *= group["lr"] / (1.0 + (state["step"] - 1) * group["lr_decay"])
        return xp.subtract(w, second, out=second)


class Adadelta(Optimizer):
    """w ← w − lr·Δ, Δ = √(E[Δ²] + eps)/√(E[g²] + eps)·g, E decaying by rho (Zeiler 2012)."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        first, second = spare
        if not state:
            state.update(square_avg=xp.zeros_like(w), acc_delta=xp.zeros_like(w))
        g = decayed(w, g, group["weight_decay"], xp, first)
        rho, eps = group["rho"], group["eps"]
        blend(state["square_avg"], g * g, rho, xp, second)
        xp.add(state["acc_delta"], eps, out=second)
        xp.sqrt(second, out=second)
        second /= xp.sqrt(state["square_avg"] + eps)
        delta = second
        delta *= g
        blend(state["acc_delta"], delta * delta, rho, xp, first)
        delta *= group["lr"]
        return xp.subtract(w, delta, out=delta)


class RMSprop(Optimizer):
    """w ← w − lr·g/(√E[g²] + eps), E decaying by alpha (Hinton 2012, lecture 6e).

    `centered` subtracts E[g]² under the root; `momentum` gathers the steps as SGD does. The
    lecture's own settings are alpha=0.9, lr=0.001.
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
            },
        )

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        first, second = spare
        if not state:
            names = ["square_avg"]
            names += ["momentum_buffer"] if group["momentum"] else []
            names += ["grad_avg"] if group["centered"] else []
            state.update({name: xp.zeros_like(w) for name in names})
        g = decayed(w, g, group["weight_decay"], xp, first)
        alpha = group["alpha"]
        blend(state["square_avg"], g * g, alpha, xp, second)
        square = state["square_avg"]
        if group["centered"]:
            blend(state["grad_avg"], g, alpha, xp, second)
            square = square - state["grad_avg"] ** 2
        xp.sqrt(square, out=second)
        second += group["eps"]
        xp.divide(g, second, out=second)
        if group["momentum"]:
            velocity = state["momentum_buffer"]
            velocity *= group["momentum"]
            velocity += second
            xp.multiply(velocity, group["lr"], out=second)
        else:
            second *= group["lr"]
        return xp.subtract(w, second, out=second)
