"""Layers without parameters that resample, unfold and pool in further ways."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..kernels.specs import per_axis
from .module import Module


class Upsample(Module):
    """N×C×… at another size, as `ag.interpolate`."""

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Any) -> Any:
        return ops.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        how = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{how}, mode={self.mode!r}"


class Unfold(Module):
    """The windows of N×C×… as columns, as `ag.unfold`."""

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Any) -> Any:
        return ops.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Unfold):
    """Columns added up where `Unfold` takes them from, as `ag.fold`."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
        stride: Any = 1,
    ) -> None:  # fmt: skip
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return ops.fold(
            x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"


class _LPPool(Module):
    ndim: int

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, x: Any) -> Any:
        pool = getattr(ops, f"lp_pool{self.ndim}d")
        return pool(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The norm of windows of sequences, as `ag.lp_pool1d`."""

    ndim = 1


class LPPool2d(_LPPool):
    """The norm of windows of images, as `ag.lp_pool2d`."""

    ndim = 2


class LPPool3d(_LPPool):
    """The norm of windows of volumes, as `ag.lp_pool3d`."""

    ndim = 3


class _AdaptiveMaxPool(Module):
    ndim: int

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, x: Any) -> Any:
        pool = getattr(ops, f"adaptive_max_pool{self.ndim}d")
        return pool(x, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maximum of windows that share a sequence out, as `ag.adaptive_max_pool1d`."""

    ndim = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maximum of windows that share the image out, as `ag.adaptive_max_pool2d`."""

    ndim = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maximum of windows that share the volume out, as `ag.adaptive_max_pool3d`."""

    ndim = 3


class _MaxUnpool(Module):
    ndim: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = per_axis(kernel_size, self.ndim, "kernel_size", 1)
        stride = kernel_size if stride is None else stride
        self.stride = per_axis(stride, self.ndim, "stride", 1)
        self.padding = per_axis(padding, self.ndim, "padding", 0)

    def forward(self, x: Any, indices: Any, output_size: Any = None) -> Any:
        unpool = getattr(ops, f"max_unpool{self.ndim}d")
        return unpool(x, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Each entry of a sequence put back where a max pool found it, as `ag.max_unpool1d`."""

    ndim = 1


class MaxUnpool3d(_MaxUnpool):
    """Each entry of a volume put back where a max pool found it, as `ag.max_unpool3d`."""

    ndim = 3
