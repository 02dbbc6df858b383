"""Pooling layers: maximum, average, adaptive, global, and unpooling."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..kernels.specs import per_axis
from .module import Module


class _MaxPool(Module):
    ndim: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        pool = getattr(ops, f"max_pool{self.ndim}d")
        return pool(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The maximum of windows of sequences, as `ag.max_pool1d`."""

    ndim = 1


class MaxPool2d(_MaxPool):
    """The maximum of windows of images, as `ag.max_pool2d`; a tie goes to the first entry."""

    ndim = 2


class MaxPool3d(_MaxPool):
    """The maximum of windows of volumes, as `ag.max_pool3d`."""

    ndim = 3


class _AvgPool(Module):
    ndim: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        if self.ndim == 1:  # tuples, as PyTorch has them
            self.kernel_size = per_axis(self.kernel_size, 1, "kernel_size", 1)
            self.stride = per_axis(self.stride, 1, "stride", 1)
            self.padding = per_axis(self.padding, 1, "padding", 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Any) -> Any:
        pool = getattr(ops, f"avg_pool{self.ndim}d")
        return pool(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of windows of sequences, as `ag.avg_pool1d`."""

    ndim = 1


class AvgPool2d(_AvgPool):
    """The mean of windows of images, as `ag.avg_pool2d`."""

    ndim = 2


class AvgPool3d(_AvgPool):
    """The mean of windows of volumes, as `ag.avg_pool3d`."""

    ndim = 3


class _AdaptiveAvgPool(Module):
    ndim: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return getattr(ops, f"adaptive_avg_pool{self.ndim}d")(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The mean of windows that share a sequence out, as `ag.adaptive_avg_pool1d`."""

    ndim = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The mean of windows that share the image out to a given size, as `ag.adaptive_avg_pool2d`."""

    ndim = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The mean of windows that share the volume out, as `ag.adaptive_avg_pool3d`."""

    ndim = 3


class GlobalAvgPool(Module):
    """The mean of each channel: N×C×… to N×C (Lin et al. 2014)."""

    def forward(self, x: Any) -> Any:
        return ops.global_avg_pool(x)


class MaxUnpool2d(Module):
    """Each entry put back where a max pool with `return_indices` found it, zeros elsewhere."""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        stride = kernel_size if stride is None else stride
        self.kernel_size = per_axis(kernel_size, 2, "kernel_size", 1)
        self.stride = per_axis(stride, 2, "stride", 1)
        self.padding = per_axis(padding, 2, "padding", 0)

    def forward(self, x: Any, indices: Any, output_size: Any = None) -> Any:
        return ops.max_unpool2d(
            x, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
