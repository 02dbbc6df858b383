"""Networks of the literature."""

from .digits import DigitsNet
from .lenet import LeNet5
from .resnet import BasicBlock, CifarResNet, PaddedShortcut, resnet20

__all__ = ["DigitsNet", "BasicBlock", "CifarResNet", "LeNet5", "PaddedShortcut", "resnet20"]
