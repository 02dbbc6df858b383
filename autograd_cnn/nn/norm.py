"""Normalisation layers: batch, layer, group, instance, root mean square and local response."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..tensor import Tensor
from . import init
from .module import Module, Parameter


class _BatchNorm(Module):
    """Batch norm with learned weight and bias, and running statistics for evaluation."""

    ranks: tuple[int, ...]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(init.ones(num_features)) if affine else None
        self.bias = Parameter(init.zeros(num_features)) if affine and bias else None
        tracked = track_running_stats
        self.register_buffer("running_mean", init.zeros(num_features) if tracked else None)
        self.register_buffer("running_var", init.ones(num_features) if tracked else None)
        count = Tensor(np.array(0, np.int64)) if tracked else None
        self.register_buffer("num_batches_tracked", count)

    def forward(self, x: Any) -> Any:
        if x.ndim not in self.ranks:
            raise ShapeError(
                f"{type(self).__name__}: input must have {' or '.join(map(str, self.ranks))} axes, "
                f"got {shape_text(x.shape)}"
            )
        mean, var, momentum = self.running_mean, self.running_var, self.momentum
        if self.training and self.num_batches_tracked is not None:
            count = self.num_batches_tracked._data + 1
            if momentum is None:  # the mean over all batches so far
                momentum = 1.0 / float(count)
            y = ops.batch_norm(x, mean, var, self.weight, self.bias, True, momentum, self.eps)
            self.num_batches_tracked.assign(count)
            return y
        training = self.training or mean is None
        return ops.batch_norm(x, mean, var, self.weight, self.bias, training, 0.0, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of N×C or N×C×L. See `BatchNorm2d`."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of each channel of N×C×H×W, as `ag.batch_norm` (Ioffe and Szegedy 2015).

    In training the batch's statistics are used, and running ones are kept: they become
    (1 − momentum)·old + momentum·new, or with momentum None the mean over all batches. In
    evaluation the running ones are used.

    >>> from autograd_cnn import nn
    >>> list(nn.BatchNorm2d(8).state_dict())
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']

    Calling it raises ShapeError for another rank or number of channels.
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of N×C×D×H×W. See `BatchNorm2d`."""

    ranks = (5,)


class LayerNorm(Module):
    """Normalise each sample over its last axes, as `ag.layer_norm` (Ba et al. 2016).

    The same in training and evaluation.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape, self.eps = tuple(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(init.ones(self.normalized_shape)) if elementwise_affine else None
        learned = elementwise_affine and bias
        self.bias = Parameter(init.zeros(self.normalized_shape)) if learned else None

    def forward(self, x: Any) -> Any:
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalise groups of channels of each sample, as `ag.group_norm` (Wu and He 2018)."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ShapeError(
                f"GroupNorm: {num_groups} groups do not divide {num_channels} channels"
            )
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.affine = affine
        self.weight = Parameter(init.ones(num_channels)) if affine else None
        self.bias = Parameter(init.zeros(num_channels)) if affine and bias else None

    def forward(self, x: Any) -> Any:
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class _InstanceNorm(Module):
    ndim: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if track_running_stats:
            raise ValueError(f"{type(self).__name__}: there are no running statistics to track")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(init.ones(num_features)) if affine else None
        self.bias = Parameter(init.zeros(num_features)) if affine and bias else None

    def forward(self, x: Any) -> Any:
        if x.ndim != self.ndim + 2 or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: input must have {self.ndim + 2} axes and "
                f"{self.num_features} channels, got {shape_text(x.shape)}"
            )
        return ops.instance_norm(x, self.weight, self.bias, self.eps)

    extra_repr = _BatchNorm.extra_repr


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each sequence. See `InstanceNorm2d`."""

    ndim = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image, as `ag.instance_norm` (Ulyanov et al. 2016).

    The same in training and evaluation; weight and bias are learned with `affine`. `momentum` is
    there as in PyTorch and does nothing.

    >>> from autograd_cnn import nn
    >>> list(nn.InstanceNorm2d(8, affine=True).state_dict())
    ['weight', 'bias']

    Raises ValueError for `track_running_stats`. Calling it raises ShapeError for another rank or
    number of channels.
    """

    ndim = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each volume. See `InstanceNorm2d`."""

    ndim = 3


class RMSNorm(Module):
    """x/√(mean(x²) + eps)·weight over the last axes, as `ag.rms_norm` (Zhang and Sennrich 2019).

    Without `eps` it is the distance from 1 to the next number of x's type.
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape, self.eps = tuple(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(init.ones(self.normalized_shape)) if elementwise_affine else None

    def forward(self, x: Any) -> Any:
        eps = float(np.finfo(x.dtype).eps) if self.eps is None else self.eps
        return ops.rms_norm(x, self.normalized_shape, self.weight, eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LocalResponseNorm(Module):
    """x/(k + alpha/size·Σx²)^beta over `size` neighbouring channels (Krizhevsky et al. 2012).

    As in PyTorch alpha is divided by the size, which the paper and `ag.local_response_norm` do
    not: for the paper's α pass size·α.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Any) -> Any:
        if self.size % 2:
            return ops.local_response_norm(x, self.size, self.alpha / self.size, self.beta, self.k)
        # an even window leans to the lower channels, where the operation's is symmetric
        squares = ops.channel_window_sum(x * x, self.size // 2, self.size // 2 - 1)
        return x * ops.power(squares * (self.alpha / self.size) + self.k, -self.beta)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
