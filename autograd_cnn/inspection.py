"""A model seen from outside: what explanations and attacks ask of it.

Both treat a model as a function of its input, so it must give the same input the same output, and
neither may change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import DTypeError, ShapeError, shape_text
from .kernels.devices import is_cupy
from .tensor import Tensor, tensor

_CHANGED_BY_TRAINING = ("BatchNorm", "Dropout")


def as_variable(x: Any) -> Tensor:
    """A fresh leaf with the values of x, tracked, off whatever tape x was on.

    Raises DTypeError for whole numbers, ShapeError for a lone number.
    """
    if not isinstance(x, Tensor):
        x = Tensor(x if hasattr(x, "dtype") or is_cupy(x) else np.asarray(x))
    if x.dtype.kind != "f" and x.dtype.name != "bfloat16":
        raise DTypeError(f"the input must be floating-point, not {x.dtype}: scale the image first")
    if x.ndim == 0:
        raise ShapeError("the input must be a batch N×…, got a scalar")
    variable = x.detach()
    variable.requires_grad = True
    return variable


def check_evaluating(model: Callable, who: str) -> None:
    """Refuse a model whose batch norm or dropout is in training mode.

    Such a model is not a function of one image, and calling it changes its running statistics.
    Raises ValueError that names the modules.
    """
    if not hasattr(model, "named_modules"):
        return
    training = [
        f"{name or 'model'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if getattr(module, "training", False)
        and any(kind.__name__.startswith(_CHANGED_BY_TRAINING) for kind in type(module).__mro__)
    ]
    if training:
        more = f" and {len(training) - 3} more" if len(training) > 3 else ""
        raise ValueError(
            f"{who}: {', '.join(training[:3])}{more} in training mode, so the output is not a "
            "function of the input; call model.eval() first"
        )


def as_classes(labels: Any, samples: int, classes: int | None, who: str) -> np.ndarray:
    """Labels, or one label for all, as N whole numbers within 0 … classes − 1.

    Raises DTypeError for labels that are not whole, ShapeError for a wrong count, ValueError for
    one out of range. `classes` may be None when it is not known yet.
    """
    array = np.asarray(labels.numpy() if isinstance(labels, Tensor) else labels)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{who}: classes must be whole numbers, not {array.dtype}")
    if array.ndim == 0:
        array = np.full(samples, array)
    if array.shape != (samples,):
        raise ShapeError(f"{who}: {shape_text(array.shape)} classes for {samples} samples")
    wrong = array < 0
    if classes is not None:
        wrong = wrong | (array >= classes)
    if wrong.any():
        place = int(wrong.argmax())
        top = "" if classes is None else f", there are classes 0 … {classes - 1}"
        raise ValueError(f"{who}: class {array[place]} for sample {place}{top}")
    return array.astype(np.int64)


def one_hot(classes: np.ndarray, like: Tensor) -> Tensor:
    """N classes as an N×C tensor of zeros and ones, in the dtype and on the device of `like`."""
    return tensor(np.eye(like.shape[1])[classes], dtype=like.dtype, device=like.device)
