"""Layers, named as in PyTorch: parameters and buffers only, no gradient code."""

from . import init
from .activation import (
    ELU,
    GELU,
    SELU,
    Dropout,
    Dropout2d,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .containers import Flatten, Identity, ModuleList, Residual, Sequential
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .local import (
    LocallyConnected1d,
    LocallyConnected2d,
)
from .losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import LoadResult, Module, Parameter, parameters_replaced
from .norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, LayerNorm, LocalResponseNorm
from .parametrize import (
    SpectralNorm,
    WeightNorm,
)
from .pool import (
    AdaptiveAvgPool2d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    GlobalAvgPool,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    MaxUnpool2d,
)
from .resize import (
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    CircularPad2d,
    ConstantPad2d,
    Fold,
    LPPool1d,
    LPPool2d,
    LPPool3d,
    MaxUnpool1d,
    MaxUnpool3d,
    ReflectionPad2d,
    ReplicationPad2d,
    Unfold,
    Upsample,
    ZeroPad2d,
)

__all__ = [
    "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d",
    "AvgPool2d", "AvgPool3d", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d",
    "CircularPad2d", "ConstantPad2d", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d",
    "ConvTranspose2d", "ConvTranspose3d", "CrossEntropyLoss", "Dropout", "Dropout2d", "ELU",
    "Flatten", "Fold", "GELU", "GlobalAvgPool", "GroupNorm", "Hardswish", "Hardtanh", "HingeLoss",
    "HuberLoss", "Identity", "KLDivLoss", "LPPool1d", "LPPool2d", "LPPool3d", "LayerNorm",
    "LeakyReLU", "Linear", "LoadResult", "LocalResponseNorm", "LocallyConnected1d",
    "LocallyConnected2d", "LogSoftmax", "MSELoss", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "Mish", "Module", "ModuleList", "MultiMarginLoss",
    "NLLLoss", "PReLU", "Parameter", "ReLU", "ReLU6", "ReflectionPad2d", "ReplicationPad2d",
    "Residual", "SELU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus",
    "SpectralNorm", "Tanh", "Unfold", "Upsample", "WeightNorm", "ZeroPad2d", "init",
    "parameters_replaced",
]  # fmt: skip
