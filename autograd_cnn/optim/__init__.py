"""Optimizers and schedules, named as in PyTorch."""

from .adam import Adam, Adamax, AdamW, NAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .optimizer import Optimizer, clip_grad_norm
from .schedules import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)
from .sgd import SGD

__all__ = [
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "CosineAnnealingLR", "LambdaLR", "LinearLR",
    "NAdam", "Optimizer", "RMSprop", "ReduceLROnPlateau", "SGD", "Schedule", "StepLR",
    "clip_grad_norm",
]  # fmt: skip
