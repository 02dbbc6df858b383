"""What is explained: one score for each sample, made from the outputs of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_classes
from ..tensor import Tensor, tensor

Target = Any  # None | int | array of int | Callable[[Tensor], Tensor]

_OF_LOGITS: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda logits: logits,
    "softmax": lambda logits: ops.softmax(logits, 1),
    "log_softmax": lambda logits: ops.log_softmax(logits, 1),
    "loss": lambda logits: -ops.log_softmax(logits, 1),
}


def check_score(score: str) -> None:
    """ValueError for a score that is not known."""
    if score not in _OF_LOGITS:
        raise ValueError(f'score "{score}" is not one of {", ".join(_OF_LOGITS)}')


def score_of(outputs: Tensor, target: Target, score: str) -> Tensor:
    """The score of each sample (N), or one for all.

    A function as target is applied to the outputs. Otherwise N×C outputs are taken as logits, and
    the score of class `target` is picked (the largest when None). Outputs with no class axis are
    the score themselves.
    """
    if callable(target) or (target is None and outputs.ndim < 2):
        if score != "logit":
            raise ValueError(
                f'score "{score}" is made from N×C outputs and a class; the outputs here are '
                f"{shape_text(outputs.shape)} and the target is {target}"
            )
        return target(outputs) if callable(target) else outputs
    classes = classes_of(outputs, target)
    places = tensor(classes.reshape(-1, 1), device=outputs.device)
    picked = ops.take_along_axis(_OF_LOGITS[score](outputs), places, 1)
    return picked.reshape(len(classes))


def classes_of(outputs: Tensor, target: Target) -> np.ndarray:
    """The class explained for each sample of N×C outputs; the largest output when None.

    Raises ShapeError for outputs of another shape, DTypeError, ShapeError or ValueError for
    classes that do not fit.
    """
    if outputs.ndim != 2:
        raise ShapeError(
            f"a class as target needs N×C outputs, the model gave {shape_text(outputs.shape)}; "
            "give a function of the outputs as target"
        )
    if target is None:
        return ops.argmax(outputs, axis=1).numpy()
    return as_classes(target, *outputs.shape, who="target")
