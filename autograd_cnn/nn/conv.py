"""Convolution layers in 1, 2 and 3 dimensions, and their transposes."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import ops
from ..errors import ShapeError
from ..kernels.specs import conv_spec, per_axis
from . import init
from .module import Module, Parameter


class _Convolution(Module):
    """What all convolutions share: geometry, parameters and their printing."""

    ndim: int
    transposed = False

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
        padding_mode, output_padding=0, rng=None,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(f'{name}: padding_mode "{padding_mode}" is none of {", ".join(modes)}')
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(
                f"{name}: groups={groups} must divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.padding_mode = padding_mode
        self.kernel_size = per_axis(kernel_size, self.ndim, "kernel_size", 1)
        self.stride = per_axis(stride, self.ndim, "stride", 1)
        self.dilation = per_axis(dilation, self.ndim, "dilation", 1)
        self.padding = (padding,) * self.ndim if isinstance(padding, int) else padding
        self.output_padding = per_axis(output_padding, self.ndim, "output_padding", 0)
        first, second = out_channels, in_channels // groups
        if self.transposed:
            first, second = in_channels, out_channels // groups
        shape = (first, second, *self.kernel_size)
        rng, n_in = init.generator(rng), prod(shape[1:])
        self.weight = Parameter(init.fan_in_uniform(shape, n_in, rng))
        self.bias = Parameter(init.fan_in_uniform(out_channels, n_in, rng)) if bias else None

    def forward(self, x: Any) -> Any:
        convolve, padding = getattr(ops, f"conv{self.ndim}d"), self.padding
        if self.padding_mode != "zeros":
            shapes, rest = (x.shape, self.weight.shape), (self.dilation, self.groups)
            spec = conv_spec(type(self).__name__, *shapes, self.stride, padding, *rest)
            x = ops.pad(x, ((0, 0), (0, 0), *spec.padding), mode=self.padding_mode)
            padding = 0
        return convolve(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        ones, none = (1,) * self.ndim, (0,) * self.ndim
        parts = [f"{self.in_channels}, {self.out_channels}"]
        parts += [f"kernel_size={self.kernel_size}, stride={self.stride}"]
        parts += [f"padding={self.padding}"] if self.padding != none else []
        parts += [f"dilation={self.dilation}"] if self.dilation != ones else []
        parts += [f"output_padding={self.output_padding}"] if self.output_padding != none else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class _Conv(_Convolution):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", *, rng: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, rng=rng,
        )  # fmt: skip


class Conv1d(_Conv):
    """Convolution of sequences N×C×L. See `Conv2d`."""

    ndim = 1


class Conv2d(_Conv):
    """Convolution of images N×C×H×W with learned filters out×(in/groups)×KH×KW, as `ag.conv2d`.

    >>> import numpy as np, autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> layer = nn.Conv2d(3, 96, kernel_size=11, stride=4, rng=0)
    >>> layer(ag.tensor(np.zeros((1, 3, 227, 227), np.float32))).shape
    (1, 96, 55, 55)

    `padding_mode` is "zeros", "reflect", "replicate" or "circular", as for `ag.pad`.

    Raises ShapeError for groups that do not divide the channels, ValueError for another padding
    mode.
    """

    ndim = 2


class Conv3d(_Conv):
    """Convolution of volumes N×C×D×H×W. See `Conv2d`."""

    ndim = 3


class _ConvTranspose(_Convolution):
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1, padding_mode: str = "zeros", *, rng: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, output_padding, rng,
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        convolve = getattr(ops, f"conv_transpose{self.ndim}d")
        return convolve(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of sequences. See `ConvTranspose2d`."""

    ndim = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of images, filters in×(out/groups)×KH×KW, as `ag.conv_transpose2d`."""

    ndim = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of volumes. See `ConvTranspose2d`."""

    ndim = 3
