"""Class activation maps: where in the image the channels of a layer speak for a class.

Every map is Σ_k weight_k·A_k over the channels A_k of a layer; the methods differ in the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..nn import Linear, Module
from ..tape import no_grad
from ..tensor import Tensor, tensor
from .chunks import MAX_BYTES, joined, samples_that_fit, scores, slices, tiled, tracked
from .layers import Layer, activation, found
from .method import Method
from .record import Recording, record
from .target import Target, classes_of, part_of


class ActivationMap(Method):
    """A map N×1×H×W over the image, from a layer's activations N×K×h×w.

    It is brought to the image's size by bilinear interpolation, unless `upsample` is False. With
    `relu` only what speaks for the class is kept.
    """

    def __init__(
        self,
        model: Callable,
        layer: Layer,
        relu: bool = True,
        upsample: bool = True,
        score: str = "logit",
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(model, score, max_bytes)
        self.layer, self.relu, self.upsample = layer, relu, upsample

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        tape = record(self.model, x, target, self.score)
        return self.finished(self.from_tape(tape), x)

    def from_tape(self, tape: Recording) -> Tensor:
        """The map at the layer's size, before ReLU and upsampling."""
        activations = tape.output(self.layer)
        check_maps(activations, self.layer)
        gradient = tape.gradient(layer=self.layer)
        return self.combined(activations.detach(), gradient)

    def combined(self, activations: Tensor, gradient: Tensor) -> Tensor:
        """The map N×1×h×w from activations and their gradients."""
        raise NotImplementedError

    def finished(self, maps: Tensor, x: Tensor) -> Tensor:
        """The map with its ReLU, at the image's size."""
        maps = ops.relu(maps) if self.relu else maps
        return upsampled(maps, x) if self.upsample else maps


class GradCAM(ActivationMap):
    """Σ_k α_k·A_k with α_k the mean over the map of ∂S/∂A_k (Selvaraju et al. 2017).

    On a network that ends in global average pooling and a linear layer, Z·Grad-CAM = CAM without
    `relu`, Z being the number of positions.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import explain, nn
    >>> model = nn.Sequential(maps=nn.ReLU(), pool=nn.GlobalAvgPool()).eval()
    >>> x = ag.tensor([[[[1.0, 3.0]]]])
    >>> explain.GradCAM(model, "maps").attribute(x, 0).tolist()
    [[[[0.5, 1.5]]]]
    """

    def combined(self, activations: Tensor, gradient: Tensor) -> Tensor:
        weights = ops.mean(gradient, tuple(range(2, gradient.ndim)), True)
        return ops.sum(weights * activations, 1, True)


class GradCAMPlusPlus(ActivationMap):
    """Grad-CAM with weights Σ α·ReLU(g), g = ∂S/∂A (Chattopadhay et al. 2018).

    α = g²/(2g² + g³·Σ A) where that is not 0/0: each place of a channel counts as much as it takes
    to explain the class, so several objects of it all show.
    """

    def combined(self, activations: Tensor, gradient: Tensor) -> Tensor:
        axes = tuple(range(2, gradient.ndim))
        squared = gradient * gradient
        below = 2.0 * squared + squared * gradient * ops.sum(activations, axes, True)
        empty = ops.compare("equal", below, 0.0)
        alpha = ops.where(empty, squared * 0.0, squared / ops.where(empty, squared + 1.0, below))
        weights = ops.sum(alpha * ops.relu(gradient), axes, True)
        return ops.sum(weights * activations, 1, True)


class LayerCAM(ActivationMap):
    """Σ_k ReLU(∂S/∂A_k)·A_k, place by place (Jiang et al. 2021): sharp in early layers too."""

    def combined(self, activations: Tensor, gradient: Tensor) -> Tensor:
        return ops.sum(ops.relu(gradient) * activations, 1, True)


class CAM(ActivationMap):
    """Σ_k w_ck·A_k with the weights of the last linear layer (Zhou et al. 2016).

    For networks that end in global average pooling and a linear layer: there mean(CAM) + b is the
    logit of the class, which is checked. `layer` is what is pooled, `head` the linear layer (the
    last one unless given).

    Raises ValueError for a network that does not end so: use `GradCAM` there.
    """

    def __init__(
        self,
        model: Callable,
        layer: Layer,
        head: Layer = None,
        relu: bool = False,
        upsample: bool = True,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(model, layer, relu, upsample, "logit", max_bytes)
        self.head = _last_linear(model) if head is None else found(model, head)[0]

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        with no_grad():
            tape = record(self.model, x, target)
        activations = tape.output(self.layer).detach()
        check_maps(activations, self.layer)
        head: Any = self.head
        weights, bias = head.weight.detach(), head.bias
        if weights.shape[1] != activations.shape[1]:
            raise ValueError(
                f"CAM needs a linear layer over the {activations.shape[1]} pooled channels, this "
                f"one takes {weights.shape[1]} features; use GradCAM"
            )
        classes = classes_of(tape.outputs.detach(), target)
        chosen = weights.numpy()[classes]
        maps = ops.sum(_columns(chosen, activations) * activations, 1, True)
        logits = maps.numpy().mean(axis=(1, 2, 3))
        logits = logits if bias is None else logits + bias.numpy()[classes]
        if not np.allclose(logits, tape.score.detach().numpy(), rtol=1e-3, atol=1e-3):
            raise ValueError(
                "CAM needs global average pooling between the layer and the linear layer: here "
                f"mean(CAM) + b is {logits[0]:.4g} and the logit "
                f"{float(tape.score.detach().numpy()[0]):.4g}; use GradCAM"
            )
        return self.finished(maps, x)


class ScoreCAM(ActivationMap):
    """Σ_k w_k·A_k without gradients (Wang et al. 2020).

    w is the softmax over the channels of the score that the image gets when it is masked with that
    channel alone (upsampled and scaled to 0 … 1), less the score of the black image. One forward
    pass a channel.
    """

    def __init__(
        self,
        model: Callable,
        layer: Layer,
        relu: bool = True,
        upsample: bool = True,
        score: str = "logit",
        max_bytes: int | None = None,
        progress: bool | None = None,
    ) -> None:
        super().__init__(model, layer, relu, upsample, score, max_bytes)
        self.progress = progress

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        target = self.fixed_target(x, target)
        activations = activation(self.model, x, self.layer)
        check_maps(activations, self.layer)
        black = scores(self.model, x * 0.0, target, self.score).numpy()
        parts, numbers = [], range(x.shape[0])
        for number in tracked(numbers, len(numbers), "Score-CAM", self.progress):
            one = slice(number, number + 1)
            masked = self._scores(x[one], activations[one], part_of(target, one))
            weights = np.exp(masked - black[number] - (masked - black[number]).max())
            weights = _columns(weights[None] / weights.sum(), activations)
            parts.append(ops.sum(weights * activations[one], 1, True))
        return self.finished(joined(parts), x)

    def _scores(self, x: Tensor, activations: Tensor, target: Target) -> np.ndarray:
        masks = ops.moveaxis(activations, 1, 0)
        low = ops.min(masks, (1, 2, 3), True)
        span = ops.max(masks, (1, 2, 3), True) - low
        masks = (masks - low) / ops.where(ops.compare("equal", span, 0.0), span + 1.0, span)
        size = samples_that_fit(self.model, x, self.max_bytes or MAX_BYTES)
        found = []
        for part in slices(masks.shape[0], size):
            copies = x * upsampled(masks[part], x)
            classes = tiled(target, copies.shape[0])
            found.append(scores(self.model, copies, classes, self.score).numpy())
        return np.concatenate(found)


class GuidedGradCAM(ActivationMap):
    """Guided backprop times the upsampled Grad-CAM (Selvaraju et al. 2017), in the input's shape.

    Both from one recorded forward pass.
    """

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        tape = record(self.model, x, target, self.score)
        grad_cam = GradCAM(self.model, self.layer, self.relu, score=self.score)
        return tape.gradient("guided") * grad_cam.finished(grad_cam.from_tape(tape), x)


def upsampled(maps: Tensor, like: Tensor) -> Tensor:
    """Maps N×1×h×w at the size of the images `like`, by bilinear interpolation."""
    with no_grad():
        return ops.interpolate(maps.detach(), tuple(like.shape[2:]), mode="bilinear")


def check_maps(activations: Tensor, layer: Layer) -> None:
    """ShapeError for a layer whose output is no stack of maps."""
    if activations.ndim != 4:
        raise ShapeError(
            f"an activation map needs a layer that gives N×K×H×W, {layer!r} gives "
            f"{shape_text(activations.shape)}"
        )


def _columns(weights: np.ndarray, like: Tensor) -> Tensor:
    """N×K weights as N×K×1×1."""
    return tensor(weights[:, :, None, None], dtype=like.dtype, device=like.device)


def _last_linear(model: Callable) -> Module:
    layers = model.modules() if isinstance(model, Module) else ()
    linear = [module for module in layers if isinstance(module, Linear)]
    if not linear:
        raise ValueError("CAM needs a model that ends in a linear layer; give it as head=, or use "
                         "GradCAM")  # fmt: skip
    return linear[-1]


def cam(model: Callable, x: Any, layer: Layer, target: Target = None, **options: Any) -> Tensor:
    """`CAM(model, layer, **options).attribute(x, target)` in one call."""
    return CAM(model, layer, **options).attribute(x, target)


def grad_cam(
    model: Callable, x: Any, layer: Layer, target: Target = None, **options: Any
) -> Tensor:
    """`GradCAM(model, layer, **options).attribute(x, target)` in one call."""
    return GradCAM(model, layer, **options).attribute(x, target)


def grad_cam_plus_plus(
    model: Callable, x: Any, layer: Layer, target: Target = None, **options: Any
) -> Tensor:
    """`GradCAMPlusPlus(model, layer, **options).attribute(x, target)` in one call."""
    return GradCAMPlusPlus(model, layer, **options).attribute(x, target)


def layer_cam(
    model: Callable, x: Any, layer: Layer, target: Target = None, **options: Any
) -> Tensor:
    """`LayerCAM(model, layer, **options).attribute(x, target)` in one call."""
    return LayerCAM(model, layer, **options).attribute(x, target)


def score_cam(
    model: Callable, x: Any, layer: Layer, target: Target = None, **options: Any
) -> Tensor:
    """`ScoreCAM(model, layer, **options).attribute(x, target)` in one call."""
    return ScoreCAM(model, layer, **options).attribute(x, target)


def guided_grad_cam(
    model: Callable, x: Any, layer: Layer, target: Target = None, **options: Any
) -> Tensor:
    """`GuidedGradCAM(model, layer, **options).attribute(x, target)` in one call."""
    return GuidedGradCAM(model, layer, **options).attribute(x, target)
