"""What every attack does with a model: ask it, differentiate it, draw for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

import numpy as np

from ..engine import gradients
from ..inspection import as_variable
from ..tape import enable_grad, no_grad
from ..tensor import Tensor, tensor


class Scored(NamedTuple):
    """The logits N×C, a score of each sample (N), and the score's gradient at the images."""

    logits: Tensor
    values: np.ndarray
    gradient: Tensor


def scored(model: Callable, x: Tensor, score: Callable[[Tensor], Tensor]) -> Scored:
    """One forward and one backward pass: `score` makes N numbers of the logits."""
    variable = as_variable(x)
    with enable_grad():
        logits = model(variable)
        values = score(logits)
        total = values.sum()
    gradient = gradients(total, variable)
    return Scored(logits.detach(), values.numpy().astype(np.float64), gradient)


def logits_of(model: Callable, x: Tensor) -> Tensor:
    """One forward pass, off the tape."""
    with no_grad():
        return model(x)


def generators(x: Tensor, *seed: int) -> list[np.random.Generator]:
    """A generator for each image, from the seed and the image itself.

    An image is drawn for alike wherever it stands in a batch.
    """
    return [np.random.default_rng([*seed, crc32(image.tobytes())]) for image in x.numpy()]


def column(values: np.ndarray, x: Tensor) -> Tensor:
    """N numbers as N×1×…, to meet the images x."""
    return like(np.reshape(values, (-1, *(1,) * (x.ndim - 1))), x)


def like(values: object, x: Tensor) -> Tensor:
    """Numbers in the dtype and on the device of x."""
    return tensor(values, dtype=x.dtype, device=x.device)


def pick(x: Tensor, places: np.ndarray) -> Tensor:
    """Some of the samples."""
    return x[tensor(places, device=x.device)]


def put(x: Tensor, places: np.ndarray, values: Tensor) -> Tensor:
    """x with some of its samples replaced."""
    return x.at[tensor(places, device=x.device)].set(values)


def choose(which: np.ndarray, yes: Tensor, no: Tensor) -> Tensor:
    """The samples of `yes` where `which` (N) holds, of `no` elsewhere."""
    places = np.flatnonzero(which)
    return put(no, places, pick(yes, places)) if places.size else no
