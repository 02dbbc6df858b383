"""Layers around a layer that write one of its weights through other parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..tensor import Tensor
from . import init
from .module import Module, Parameter, parameters_replaced


class _Parametrized(Module):
    """A layer whose weight is no parameter any more but computed anew for every call."""

    def __init__(self, layer: Module, name: str) -> None:
        super().__init__()
        weight = getattr(layer, name)
        self.name, self.layer = name, layer
        delattr(layer, name)
        layer.register_buffer(name, Tensor(weight._data), persistent=False)

    def weight(self) -> Any:
        """The weight as the layer will use it."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        with parameters_replaced(self.layer, {self.name: self.weight()}):
            return self.layer(*inputs)

    def extra_repr(self) -> str:
        return f"name={self.name!r}"


class WeightNorm(_Parametrized):
    """A layer whose weight is g·v/‖v‖: its length and its direction are learned apart.

    `dim` is the axis of the weight that keeps a length for each entry, None one for all. At first
    the layer computes what it did. Its state has `g`, `v` and what else the layer has.

    Source: Salimans and Kingma 2016. Raises AttributeError when the layer has no such weight.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> layer = nn.WeightNorm(nn.Linear(3, 2))
    >>> {name: p.shape for name, p in layer.named_parameters()}
    {'g': (2, 1), 'v': (2, 3), 'layer.bias': (2,)}
    """

    def __init__(self, layer: Module, name: str = "weight", dim: int | None = 0) -> None:
        v = getattr(layer, name)._data
        super().__init__(layer, name)
        self.dim = dim
        others = tuple(i for i in range(v.ndim) if dim is None or i != dim % v.ndim)
        self.g = Parameter(ops.norm(v, axis=others, keepdims=True))
        self.v = Parameter(v)

    def weight(self) -> Any:
        return ops.weight_norm(self.v, self.g, self.dim)


class SpectralNorm(_Parametrized):
    """A layer whose weight is divided by its largest singular value, for Lipschitz constant 1.

    `dim` is the axis of the rows: 0, and 1 for transposed convolutions. In training every call
    makes `n_power_iterations` more steps towards the singular vector, kept in the buffer `u`.

    Source: Miyato et al. 2018. Raises AttributeError when the layer has no such weight.

    >>> import numpy as np
    >>> from autograd_cnn import nn
    >>> layer = nn.SpectralNorm(nn.Linear(3, 2, rng=0), n_power_iterations=50, rng=0)
    >>> round(float(np.linalg.norm(layer.weight().numpy(), 2)), 4)
    1.0
    """

    def __init__(
        self, layer: Module, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, *,
        rng: Any = None,
    ) -> None:  # fmt: skip
        w = getattr(layer, name)._data
        super().__init__(layer, name)
        self.n_power_iterations, self.dim = n_power_iterations, dim
        self.original = Parameter(w)
        start = init.generator(rng).standard_normal(w.shape[dim])
        self.register_buffer("u", Tensor((start / np.linalg.norm(start)).astype(w.dtype)))

    def weight(self) -> Any:
        divided, u = ops.spectral_norm(self.original, self.u, self.n_power_iterations, self.dim)
        if self.training:
            self.u.assign(u)
        return divided
