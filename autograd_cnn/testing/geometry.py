"""Drawn geometries of convolutions and poolings: small, and always with an output."""

from __future__ import annotations

from typing import NamedTuple

from ..kernels.specs import ConvSpec, PoolSpec
from .draw import Draw


class ConvGeometry(NamedTuple):
    """Shapes of the input and the filters, and how they are convolved."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def spec(self) -> ConvSpec:
        return ConvSpec(self.stride, self.padding, self.dilation, self.groups)


def draw_conv(draw: Draw, ndim: int) -> ConvGeometry:
    """A convolution in `ndim` dimensions: any stride, padding on each side, dilation and groups."""
    side = {1: 8, 2: 5, 3: 3}[ndim]
    groups = draw.choice([1, 1, 2, 3])
    channels, filters = groups * draw.integer(1, 2), groups * draw.integer(1, 2)
    kernel = tuple(draw.integer(1, min(3, side)) for _ in range(ndim))
    stride = tuple(draw.integer(1, 3) for _ in range(ndim))
    dilation = tuple(draw.integer(1, 2) for _ in range(ndim))
    padding = tuple((draw.integer(0, 2), draw.integer(0, 2)) for _ in range(ndim))
    size = tuple(
        max(1, (k - 1) * d + 1 - before - after) + draw.integer(0, side - 1)
        for k, d, (before, after) in zip(kernel, dilation, padding, strict=True)
    )
    x = (draw.integer(1, 2), channels, *size)
    w = (filters, channels // groups, *kernel)
    return ConvGeometry(x, w, stride, padding, dilation, groups)


def draw_pool(draw: Draw, ndim: int) -> tuple[tuple[int, ...], PoolSpec]:
    """An input shape and a pooling of it: padding up to half the window, ceil mode or not."""
    side = {1: 7, 2: 4, 3: 2}[ndim]
    kernel = tuple(draw.integer(1, 3) for _ in range(ndim))
    stride = tuple(draw.integer(1, 3) for _ in range(ndim))
    dilation = tuple(draw.integer(1, 2) for _ in range(ndim))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    # a window must not lie wholly in the padding, dilated ones neither
    padding = tuple(
        (draw.integer(0, k // 2),) * 2 if d == 1 else (0, 0)
        for k, d in zip(kernel, dilation, strict=True)
    )
    size = tuple(
        max(1, extent - 2 * before) + draw.integer(0, side)
        for extent, (before, _) in zip(extents, padding, strict=True)
    )
    spec = PoolSpec(kernel, stride, padding, dilation, bool(draw.integer(0, 1)))
    return (draw.integer(1, 2), draw.integer(1, 2), *size), spec
