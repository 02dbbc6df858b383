"""A model and the range its images live in, so that epsilons are in the units of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..tensor import Tensor, tensor


def bounded(
    model: Callable, bounds: tuple[float, float] = (0.0, 1.0), mean: Any = None, std: Any = None
) -> BoundedModel:
    """A model of images within `bounds`, with its normalisation (x − mean)/std inside.

    `mean` and `std` are numbers, one for each channel (axis 1), or None. A plain model is attacked
    as if it were `bounded(model)`: images within 0 … 1, no normalisation.

    Raises ValueError for bounds in the wrong order or a standard deviation that is not positive.
    """
    return BoundedModel(model, bounds, mean, std)


class BoundedModel:
    """A model of images within `bounds`. See `bounded`."""

    def __init__(self, model: Callable, bounds: tuple, mean: Any, std: Any) -> None:
        low, high = float(bounds[0]), float(bounds[1])
        if not low < high:
            raise ValueError(f"bounds ({low:g}, {high:g}): the lower one must be below the upper")
        if std is not None and not (np.asarray(std) > 0).all():
            raise ValueError(f"std must be positive, got {std}")
        self.model, self.bounds, self.mean, self.std = model, (low, high), mean, std

    def __call__(self, x: Tensor) -> Tensor:
        if self.mean is not None:
            x = x - self._column(self.mean, x)
        if self.std is not None:
            x = x / self._column(self.std, x)
        return self.model(x)

    def named_modules(self) -> Iterable:
        """The modules of the model inside."""
        return getattr(self.model, "named_modules", tuple)()

    @staticmethod
    def _column(values: Any, x: Tensor) -> Tensor:
        """A number, or one for each channel, where it meets axis 1 of x."""
        column = tensor(values, dtype=x.dtype, device=x.device)
        return column.reshape(-1, *(1,) * (x.ndim - 2)) if column.ndim else column


def as_bounded(model: Callable) -> BoundedModel:
    """A model that is ready to be attacked.

    Raises ValueError when its batch norm or dropout is in training mode.
    """
    check_evaluating(model, "attack")
    return model if isinstance(model, BoundedModel) else bounded(model)


def as_images(x: Any, model: BoundedModel) -> Tensor:
    """A batch of images off the tape.

    Raises ValueError for one outside the bounds, DTypeError for whole numbers.
    """
    x = as_variable(x).detach()
    if x.ndim < 2:
        raise ShapeError(f"the images must be a batch N×…, got {shape_text(x.shape)}")
    low, high = model.bounds
    if x.size:
        least, most = float(x.min()), float(x.max())
        if not (low <= least and most <= high):
            raise ValueError(
                f"the images lie within {least:g} … {most:g}, the bounds are {low:g} … {high:g}; "
                "say bounded(model, bounds=…)"
            )
    return x
