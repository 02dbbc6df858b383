"""Stochastic gradient descent, with momentum, Nesterov's variant and weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optimizer import Array, Optimizer, decayed


class SGD(Optimizer):
    """w ← w − lr·v with v ← momentum·v + (1 − dampening)·(g + weight_decay·w).

    The first v is the first gradient, undamped. With `nesterov` the step is lr·(g + momentum·v).
    `weight_decay` λ adds ½λ‖w‖² to the loss. Sources: Polyak 1964, Sutskever et al. 2013; the form
    is PyTorch's.

    >>> import autograd_cnn as ag
    >>> w = ag.tensor([1.0], requires_grad=True)
    >>> optimizer = ag.optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5]

    Raises ValueError for Nesterov without momentum or with dampening.
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0,
        dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def check(self, group: Any) -> None:
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov needs momentum above 0 and no dampening, got "
                f"momentum={group['momentum']}, dampening={group['dampening']}"
            )

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        first, second = spare
        g = decayed(w, g, group["weight_decay"], xp, first)
        momentum = group["momentum"]
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = g.copy()
            else:
                velocity *= momentum
                velocity += xp.multiply(g, 1.0 - group["dampening"], out=second)
            if group["nesterov"]:
                xp.multiply(velocity, momentum, out=second)
                g = xp.add(g, second, out=second)
            else:
                g = velocity
        xp.multiply(g, group["lr"], out=second)
        return xp.subtract(w, second, out=second)
