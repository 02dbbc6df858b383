"""Networks of the literature."""

from .digits import DigitsNet
from .lenet import LeNet5
from .resnet import BasicBlock, CifarResNet, PaddedShortcut, ResNet, resnet18, resnet20
from .vgg import VGGLike, vgg_like

__all__ = [
    "BasicBlock",
    "CifarResNet",
    "DigitsNet",
    "LeNet5",
    "PaddedShortcut",
    "ResNet",
    "VGGLike",
    "resnet18",
    "resnet20",
    "vgg_like",
]
