"""autograd_cnn: a tape that differentiates, draws, explains, fools and checks CNNs.

>>> import autograd_cnn as ag
>>> x = ag.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> ag.sum(x * x).backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from importlib import import_module
from typing import Any

from . import errors, kernels, ops, tree
from .anomaly import detect_anomaly
from .checkpointing import checkpoint
from .engine import gradients
from .kernels.devices import device_scope
from .kernels.precision import get_float32_matmul_precision, set_float32_matmul_precision
from .ops import *  # noqa: F403
from .ops import __all__ as _operations
from .primitive import TABLE, custom_primitive
from .rules import override, register_rule
from .tape import enable_grad, no_grad, observe
from .tensor import Tensor, tensor
from .transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__version__ = "0.1.0"

del trace  # noqa: F821  (ag.trace records a function; of an array it is that operation still)

# Imported on first use: each may ask for an optional dependency when it is used.
_LAZY = ("attacks", "data", "explain", "graphs", "models", "nn", "optim", "testing", "train")
_LAZY_NAMES = dict(compile="program", trace="program", graph="graphs", save="train", load="train")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"{__name__}.{name}")
    if name in _LAZY_NAMES:
        return getattr(import_module(f"{__name__}.{_LAZY_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "TABLE",
    "Tensor",
    "checkpoint",
    "custom_primitive",
    "detect_anomaly",
    "device_scope",
    "enable_grad",
    "errors",
    "get_float32_matmul_precision",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "kernels",
    "no_grad",
    "observe",
    "ops",
    "override",
    "register_rule",
    "set_float32_matmul_precision",
    "tensor",
    "tree",
    "value_and_grad",
    "vjp",
    *_LAZY,
    *_LAZY_NAMES,
    *(name for name in _operations if name not in _LAZY_NAMES),
]
