"""Locally connected layers: convolutions whose weights are not shared between places."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import ops
from ..kernels.specs import conv_spec, per_axis
from . import init
from .module import Module, Parameter


class _LocallyConnected(Module):
    ndim: int

    def __init__(
        self, in_channels: int, out_channels: int, input_size: Any, kernel_size: Any,
        stride: Any = 1, padding: Any = 0, dilation: Any = 1, bias: bool = True, *,
        rng: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.input_size = per_axis(input_size, self.ndim, "input_size", 1)
        self.kernel_size = per_axis(kernel_size, self.ndim, "kernel_size", 1)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        inputs = (in_channels, *self.kernel_size)
        spec = conv_spec(
            type(self).__name__, (1, in_channels, *self.input_size), (out_channels, *inputs),
            stride, padding, dilation,
        )  # fmt: skip
        units = (out_channels, *spec.output_size(self.input_size, self.kernel_size))
        rng = init.generator(rng)
        self.weight = Parameter(init.fan_in_uniform((*units, *inputs), prod(inputs), rng))
        self.bias = Parameter(init.fan_in_uniform(units, prod(inputs), rng)) if bias else None

    def forward(self, x: Any) -> Any:
        connect = getattr(ops, f"locally_connected{self.ndim}d")
        return connect(x, self.weight, self.bias, self.stride, self.padding, self.dilation)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, input_size={self.input_size}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        )


class LocallyConnected1d(_LocallyConnected):
    """A convolution of sequences of a fixed length whose weights are not shared."""

    ndim = 1


class LocallyConnected2d(_LocallyConnected):
    """A convolution of images of a fixed size whose weights are not shared (Taigman et al. 2014).

    Its weights are O×OH×OW×C×KH×KW and its bias O×OH×OW: a filter and a bias for every unit. See
    `ag.locally_connected2d`.

    >>> from autograd_cnn import nn
    >>> layer = nn.LocallyConnected2d(3, 2, input_size=5, kernel_size=3)
    >>> sum(p.size for p in layer.parameters())  # 2·3·3 units of 3·3·3 weights and a bias
    504
    """

    ndim = 2
