"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from ..ops import linear
from . import init
from .module import Module, Parameter


class Linear(Module):
    """x·weightᵀ + bias: x …×in_features, weight out_features×in_features.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> nn.Linear(3, 2, rng=0)(ag.tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, rng: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        rng = init.generator(rng)
        weight = init.fan_in_uniform((out_features, in_features), in_features, rng)
        self.weight = Parameter(weight)
        self.bias = Parameter(init.fan_in_uniform(out_features, in_features, rng)) if bias else None

    def forward(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
