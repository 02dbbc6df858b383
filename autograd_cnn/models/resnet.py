"""Residual networks: the block; networks for CIFAR images and for photographs (He et al. 2016)."""

from __future__ import annotations

from typing import Any

from .. import nn, ops
from ..errors import ShapeError
from ..nn.init import generator, he_normal


class BasicBlock(nn.Module):
    """relu(bn(conv(relu(bn(conv(x))))) + shortcut(x)), two 3×3 convolutions.

    The shortcut is the identity; where the shape changes it is subsampling with new channels of
    zeros (option A of the paper, no parameters), or any module given as `downsample`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        *,
        rng: Any = None,
    ) -> None:
        super().__init__()
        rng = generator(rng)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False, rng=rng)
        self.bn2 = nn.BatchNorm2d(channels)
        if downsample is None and (stride != 1 or in_channels != channels):
            downsample = PaddedShortcut(in_channels, channels, stride)
        self.downsample = downsample

    def forward(self, x: Any) -> Any:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = ops.relu(self.bn1(self.conv1(x)))
        return ops.relu(self.bn2(self.conv2(y)) + shortcut)


class PaddedShortcut(nn.Module):
    """Every stride-th pixel, with channels of zeros after the others: option A, no parameters."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        if channels < in_channels:
            raise ShapeError(f"a shortcut cannot pad {in_channels} channels to {channels}")
        self.extra, self.stride = channels - in_channels, stride

    def forward(self, x: Any) -> Any:
        x = x[:, :, :: self.stride, :: self.stride]
        return ops.pad(x, ((0, 0), (0, self.extra), (0, 0), (0, 0)))

    def extra_repr(self) -> str:
        return f"extra={self.extra}, stride={self.stride}"


class CifarResNet(nn.Module):
    """A stem and three stages of `blocks` blocks with 16, 32 and 64 channels, on N×C×32×32.

    6·blocks + 2 layers with weights: 3 blocks make ResNet-20, 9 make ResNet-56. Convolutions start
    as in the paper (He et al. 2015).
    """

    def __init__(
        self, blocks: int, num_classes: int = 10, in_channels: int = 3, *, rng: Any = None
    ) -> None:
        super().__init__()
        rng = generator(rng)
        self.conv1 = nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(blocks, 16, 16, 1, rng)
        self.layer2 = _stage(blocks, 16, 32, 2, rng)
        self.layer3 = _stage(blocks, 32, 64, 2, rng)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes, rng=rng)
        _start_as_he(self, rng)

    def forward(self, x: Any) -> Any:
        x = ops.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(ops.flatten(self.avgpool(x), 1))


class ResNet(nn.Module):
    """The residual network for photographs: a 7×7 stem and four stages of basic blocks.

    64, 128, 256 and 512 channels; where the shape changes the shortcut is a 1×1 convolution with
    batch norm (option B of the paper). Input N×C×224×224 or larger. The names are torchvision's,
    so its weights load.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        rng: Any = None,
    ) -> None:
        super().__init__()
        rng = generator(rng)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False, rng=rng)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(blocks[0], 64, 64, 1, rng, _projection)
        self.layer2 = _stage(blocks[1], 64, 128, 2, rng, _projection)
        self.layer3 = _stage(blocks[2], 128, 256, 2, rng, _projection)
        self.layer4 = _stage(blocks[3], 256, 512, 2, rng, _projection)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, num_classes, rng=rng)
        _start_as_he(self, rng)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(ops.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(ops.flatten(self.avgpool(x), 1))


def _start_as_he(model: nn.Module, rng: Any) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            he_normal(module.weight, rng)


def _projection(in_channels: int, channels: int, stride: int, rng: Any) -> nn.Module | None:
    """Option B: a 1×1 convolution with batch norm where the shape changes."""
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 1, stride, bias=False, rng=rng), nn.BatchNorm2d(channels)
    )


def _stage(
    blocks: int, in_channels: int, channels: int, stride: int, rng: Any, shortcut: Any = None
) -> nn.Sequential:
    downsample = shortcut(in_channels, channels, stride, rng) if shortcut else None
    first = BasicBlock(in_channels, channels, stride, downsample, rng=rng)
    rest = [BasicBlock(channels, channels, rng=rng) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def resnet20(num_classes: int = 10, in_channels: int = 3, *, rng: Any = None) -> CifarResNet:
    """ResNet-20 for CIFAR: 269,722 learned parameters (He et al. 2016, §4.2).

    >>> import autograd_cnn as ag
    >>> sum(p.size for p in ag.models.resnet20(rng=0).parameters())
    269722
    """
    return CifarResNet(3, num_classes, in_channels, rng=rng)


def resnet18(num_classes: int = 1000, in_channels: int = 3, *, rng: Any = None) -> ResNet:
    """ResNet-18 for photographs: 11,689,512 learned parameters (He et al. 2016, table 1).

    >>> import autograd_cnn as ag
    >>> sum(p.size for p in ag.models.resnet18(rng=0).parameters())
    11689512
    """
    return ResNet((2, 2, 2, 2), num_classes, in_channels, rng=rng)
