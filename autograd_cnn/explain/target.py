"""What is explained: one score for each sample, made from the outputs of a model or a layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_classes
from ..tensor import Tensor, tensor
from .layers import Layer, Layers

Target = Any  # None | int | array of int | Callable[[Tensor], Tensor] | Unit

_OF_LOGITS: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda logits: logits,
    "softmax": lambda logits: ops.softmax(logits, 1),
    "log_softmax": lambda logits: ops.log_softmax(logits, 1),
    "loss": lambda logits: -ops.log_softmax(logits, 1),
}


@dataclass(frozen=True, eq=False)
class Unit:
    """Units of a layer as a target: the score is the sum of their activations.

    `channel` is a number or one for each sample, `position` the place in the channel (one number
    an axis), a row of them for each sample, or "max" for each sample's strongest place. `mask`
    instead weighs the entries of one sample: a direction in the space of channels is a mask
    C×1×1. With none of them it is the whole layer.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import explain, nn
    >>> model = nn.Sequential(square=nn.ReLU()).eval()
    >>> x = ag.tensor([[[1.0, 2.0], [3.0, -4.0]]])
    >>> explain.saliency(model, x, explain.Unit("square", channel=1)).tolist()
    [[[0.0, 0.0], [1.0, 0.0]]]

    Raises ValueError for a mask beside a channel or position, and later ShapeError for what does
    not fit the layer.
    """

    layer: Layer
    channel: Any = None
    position: Any = None
    mask: Any = None

    def __post_init__(self) -> None:
        if self.mask is not None and (self.channel is not None or self.position is not None):
            raise ValueError("a unit is given by a mask, or by a channel and a position")

    def of(self, activations: Tensor) -> Tensor:
        """The score of each sample (N) from the activations N×… of the layer."""
        if self.mask is not None:
            return self._masked(activations)
        count, picked = activations.shape[0], activations
        unit = self.at(activations)
        rows = np.arange(count)
        if unit.channel is not None:
            channels = as_classes(unit.channel, count, activations.shape[1], "unit")
            picked = picked[(rows, channels)]
        if unit.position is not None:
            before = () if unit.channel is not None else (slice(None),)
            picked = picked[(rows, *before, *unit.position.T)]
        return picked if picked.ndim == 1 else ops.flatten(picked, 1).sum(axis=1)

    def at(self, activations: Tensor) -> Unit:
        """The unit with its position as numbers, one row for each sample."""
        if self.position is None:
            return self
        count, axes = activations.shape[0], activations.ndim - 2
        if isinstance(self.position, str):
            return replace(self, position=self._strongest(activations))
        position = np.asarray(self.position)
        if position.ndim == 1:
            position = np.broadcast_to(position, (count, len(position)))
        size = activations.shape[2:]
        if position.shape != (count, axes) or (position >= size).any() or (position < 0).any():
            raise ShapeError(
                f"unit: position {np.asarray(self.position).tolist()} in channels of "
                f"{shape_text(size)} of {count} samples"
            )
        return replace(self, position=position)

    def part(self, samples: slice) -> Unit:
        """The unit for some of the samples."""
        channel, position = self.channel, self.position
        if channel is not None and np.ndim(channel):
            channel = np.asarray(channel)[samples]
        if position is not None and not isinstance(position, str) and np.ndim(position) > 1:
            position = np.asarray(position)[samples]
        return replace(self, channel=channel, position=position)

    def _strongest(self, activations: Tensor) -> np.ndarray:
        if self.position != "max" or self.channel is None:
            raise ValueError(f'position "max" needs a channel; got position {self.position!r}')
        count, size = activations.shape[0], activations.shape[2:]
        channels = as_classes(self.channel, count, activations.shape[1], "unit")
        values = activations.detach().numpy()[np.arange(count), channels]
        flat = values.reshape(count, -1).argmax(axis=1)
        return np.stack(np.unravel_index(flat, size), axis=1)

    def _masked(self, activations: Tensor) -> Tensor:
        mask = tensor(self.mask, dtype=activations.dtype, device=activations.device)
        sample = activations.shape[1:]
        try:
            weights = ops.broadcast_to(mask, sample)
        except ShapeError as error:
            raise ShapeError(
                f"unit: a mask of {shape_text(mask.shape)} does not broadcast to the layer's "
                f"{shape_text(sample)}"
            ) from error
        return ops.flatten(activations * weights, 1).sum(axis=1)


def check_score(score: str) -> None:
    """ValueError for a score that is not known."""
    if score not in _OF_LOGITS:
        raise ValueError(f'score "{score}" is not one of {", ".join(_OF_LOGITS)}')


def score_of(outputs: Tensor, target: Target, score: str, layers: Layers | None = None) -> Tensor:
    """The score of each sample (N), or one for all.

    A function as target is applied to the outputs, a unit to its layer. Otherwise N×C outputs are
    taken as logits, and the score of class `target` is picked (the largest when None). Outputs
    with no class axis are the score themselves.
    """
    of_class = not (
        callable(target) or isinstance(target, Unit) or (target is None and outputs.ndim < 2)
    )
    if not of_class and score != "logit":
        raise ValueError(
            f'score "{score}" is made from N×C outputs and a class; the outputs here are '
            f"{shape_text(outputs.shape)} and the target is {target}"
        )
    if isinstance(target, Unit):
        if layers is None:
            layers = Layers(lambda x: x)
        return target.of(layers.output(target.layer))
    if not of_class:
        return target(outputs) if callable(target) else outputs
    classes = classes_of(outputs, target)
    _warn_of_probabilities(outputs)
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


def part_of(target: Target, samples: slice) -> Target:
    """The target of some of the samples."""
    if target is None or callable(target):
        return target
    if isinstance(target, Unit):
        return target.part(samples)
    values = np.asarray(target.numpy() if isinstance(target, Tensor) else target)
    return values[samples] if values.ndim else target


def _warn_of_probabilities(outputs: Tensor) -> None:
    values = outputs.detach().numpy()
    if values.shape[1] < 2 or not values.size or values.min() < 0:
        return
    if np.allclose(values.sum(axis=1), 1.0, atol=1e-4):
        warnings.warn(
            "the outputs look like probabilities: explain the logits instead, a softmax that is "
            "nearly sure has hardly any gradient",
            stacklevel=2,
        )
