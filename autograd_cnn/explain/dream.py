"""DeepDream: more of whatever a layer sees; and inversion: back from a layer to an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import ops
from ..engine import gradients
from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..optim import Optimizer
from ..tape import no_grad
from ..tensor import Tensor
from .chunks import tracked
from .images import Movement, Pixels, total_variation, warped
from .layers import Layer, activation
from .synthesis import Synthesis, ascend
from .target import Unit


def deep_dream(
    model: Callable,
    image: Any,
    layer: Layer | Unit,
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 10,
    step_size: float = 0.02,
    jitter: float = 8.0,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    seed: int = 0,
    progress: bool | None = None,
) -> Tensor:
    """What a layer sees in an image, made stronger (Mordvintsev, Olah and Tyka 2015).

    Each step adds the gradient of ½‖a‖², the activations a themselves sent back from the layer,
    divided by its mean |·|, times `step_size`. It begins at the smallest of `octaves` sizes, each
    `octave_scale` times the one before, and takes what it added along to the next. A `Unit` as
    layer dreams of that alone. Only the layers before it run, so any size of image will do.

    The image N×C×H×W is within `bounds`. Raises ShapeError for another rank, ValueError for
    settings out of range.
    """
    image = as_variable(image).detach()
    _check(model, image, octaves, octave_scale, steps)
    generator, move = np.random.default_rng(seed), Movement(jitter)
    sizes = [
        tuple(max(1, round(n / octave_scale**k)) for n in image.shape[2:])
        for k in reversed(range(octaves))
    ]
    added: Tensor | None = None
    dream = image
    for size in tracked(sizes, len(sizes), "dreaming", progress):
        base = ops.interpolate(image, size, mode="bilinear")
        dream = base if added is None else base + ops.interpolate(added, size, mode="bilinear")
        for _ in range(steps):
            dream = _stronger(model, dream, layer, step_size, move, generator)
            dream = dream if bounds is None else ops.clip(dream, *bounds)
        added = dream - base
    return dream.detach()


def dream_zoom(
    model: Callable,
    image: Any,
    layer: Layer | Unit,
    frames: int,
    zoom: float = 1.05,
    **options: Any,
) -> Iterator[Tensor]:
    """Dream, go `zoom` times closer to the middle, and dream again: one image a frame.

    `options` are those of `deep_dream`.
    """
    image = as_variable(image).detach()
    seed = options.pop("seed", 0)
    for frame in range(frames):
        image = deep_dream(model, image, layer, seed=seed + frame, **options)
        yield image
        image = warped(image, zoom=zoom).detach()


def invert(
    model: Callable,
    features: Any,
    layer: Layer,
    shape: tuple[int, ...],
    *,
    steps: int = 200,
    optimizer: Callable[[list[Tensor]], Optimizer] | None = None,
    norm_weight: float = 0.0,
    norm_power: float = 6.0,
    total_variation_weight: float = 0.0,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Synthesis:
    """An image whose features in a layer are the given ones (Mahendran and Vedaldi 2015).

    Minimised is ‖Φ(I) − Φ₀‖²/‖Φ₀‖² + norm_weight·Σ|I|^norm_power + total_variation_weight·TV(I),
    from noise; the objectives returned are its negative. `features` are what `activation` gave.

    Raises ShapeError for features of another shape than the layer gives.
    """
    check_evaluating(model, "explain")
    wanted = features if isinstance(features, Tensor) else Tensor(np.asarray(features))
    noise = 0.01 * np.random.default_rng(seed).standard_normal(shape)
    image = Tensor(noise.astype(wanted.dtype))
    found = activation(model, image, layer)
    if found.shape != wanted.shape:
        raise ShapeError(
            f"the features are {shape_text(wanted.shape)}, layer {layer!r} gives "
            f"{shape_text(found.shape)}"
        )
    size = float(ops.sum(wanted * wanted)) or 1.0

    def objective(image: Tensor, generator: np.random.Generator) -> Tensor:
        difference = activation(model, image, layer, recorded=True) - wanted.detach()
        loss = ops.sum(ops.flatten(difference * difference, 1), 1) / size
        if norm_weight:
            powers = ops.power(ops.abs(image), norm_power)
            loss = loss + norm_weight * ops.sum(ops.flatten(powers, 1), 1)
        if total_variation_weight:
            loss = loss + total_variation_weight * total_variation(image)
        return -loss

    kept = None if bounds is None else (lambda image: ops.clip(image, *bounds))
    return ascend(
        objective, image, Pixels(), kept, steps=steps, optimizer=optimizer, seed=seed,
        progress=progress,
    )  # fmt: skip


def _stronger(
    model: Callable,
    image: Tensor,
    layer: Layer | Unit,
    step_size: float,
    move: Movement,
    generator: np.random.Generator,
) -> Tensor:
    """One step up the gradient of ½‖a‖²."""
    variable = as_variable(image)
    moved = move(variable, generator)
    where = layer.layer if isinstance(layer, Unit) else layer
    a = activation(model, moved, where, recorded=True)
    if isinstance(layer, Unit):
        gradient = gradients(ops.sum(layer.of(a)), variable)
    else:
        gradient = gradients(a, variable, a.detach())
    mean = float(ops.mean(ops.abs(gradient)))
    with no_grad():
        return image + gradient * (step_size / mean if mean else 0.0)


def _check(model: Callable, image: Tensor, octaves: int, octave_scale: float, steps: int) -> None:
    check_evaluating(model, "explain")
    if image.ndim != 4:
        raise ShapeError(f"the image must be N×C×H×W, got {shape_text(image.shape)}")
    if octaves < 1 or steps < 1 or not octave_scale > 1:
        raise ValueError(
            f"DeepDream needs octaves ≥ 1, steps ≥ 1 and octave_scale > 1, got {octaves}, {steps} "
            f"and {octave_scale}"
        )
