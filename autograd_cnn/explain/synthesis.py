"""Images made by ascent: what excites a unit, what a class looks like to the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import ops
from ..engine import gradients
from ..errors import ShapeError, shape_text
from ..inspection import check_evaluating
from ..nn import Module
from ..optim import Adam, Optimizer
from ..tape import enable_grad, no_grad, observe
from ..tensor import Tensor, tensor
from .chunks import tracked
from .images import Fourier, Movement, Pixels, blurred, total_variation
from .layers import Layers
from .record import Rules, under
from .target import Target, score_of


@dataclass(frozen=True)
class Synthesis:
    """The images that were found, N×C×H×W, and the objective of each at every step."""

    images: Tensor
    objectives: np.ndarray = field(repr=False)


def maximise(
    model: Callable,
    target: Target,
    shape: tuple[int, ...] | None = None,
    start: Any = "noise",
    *,
    steps: int = 128,
    optimizer: Callable[[list[Tensor]], Optimizer] | None = None,
    parametrisation: str = "pixels",
    l2: float = 0.0,
    total_variation_weight: float = 0.0,
    blur: float = 0.0,
    jitter: float = 0.0,
    scale: float = 0.0,
    rotate: float = 0.0,
    bounds: tuple[float, float] | None = None,
    rules: Rules = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Synthesis:
    """Images that make a score as large as possible: activation maximisation (Erhan et al. 2009).

    Maximised is S(I) − l2·‖I‖² − total_variation_weight·TV(I), where the target is a class, a
    `Unit` (a unit, a channel, or a mask for a direction) or a function of the outputs. The image
    of `shape` N×C×H×W starts from "zero", "noise" (standard deviation 0.01) or an image. Adam with
    step 0.05 makes the steps unless `optimizer`, a function of a list of parameters, says
    otherwise; `parametrisation` is "pixels" or "fourier" (Olah et al. 2017). The image is blurred
    by `blur` pixels after each step (Yosinski et al. 2015), shown to the network shifted, enlarged
    and turned at random (`jitter` pixels, `scale` as a share, `rotate` degrees), and kept within
    `bounds`. Under the `rules` "redirected" a unit whose ReLU is off at the start can be excited
    too, where its gradient is 0 (Olah et al. 2017).

    >>> import autograd_cnn as ag
    >>> model = lambda x: ag.flatten(x, 1) @ ag.tensor([[1.0], [-1.0]])
    >>> found = ag.explain.maximise(model, 0, (1, 1, 1, 2), "zero", steps=20, bounds=(0.0, 1.0))
    >>> found.images.numpy().round(3).tolist()
    [[[[1.0, 0.0]]]]

    Raises ValueError for settings that are not known, ShapeError where there is no N×C×H×W.
    """
    check_evaluating(model, "explain")
    image = _start(model, start, shape, seed)
    if parametrisation not in ("pixels", "fourier"):
        raise ValueError(f'parametrisation "{parametrisation}" is not one of pixels, fourier')
    space = Pixels() if parametrisation == "pixels" else Fourier(image.shape[2:], image)
    move = Movement(jitter, scale, rotate)

    def objective(image: Tensor, generator: np.random.Generator) -> Tensor:
        value = _score(model, move(image, generator), target)
        if l2:
            value = value - l2 * ops.sum(ops.flatten(image * image, 1), 1)
        if total_variation_weight:
            value = value - total_variation_weight * total_variation(image)
        return value

    def kept(image: Tensor) -> Tensor:
        image = blurred(image, blur)
        return image if bounds is None else ops.clip(image, *bounds)

    bounded = blur > 0 or bounds is not None
    return ascend(
        objective, image, space, kept if bounded else None, steps=steps, optimizer=optimizer,
        rules=rules, seed=seed, progress=progress,
    )  # fmt: skip


def class_model(
    model: Callable, target: Target, shape: tuple[int, ...], l2: float = 0.01, **options: Any
) -> Synthesis:
    """argmax S_c(I) − λ‖I‖² from the zero image (Simonyan, Vedaldi and Zisserman 2014).

    S is the logit, not the probability, which can be raised by lowering other classes. With a
    linear score w·I it is w/(2λ). `options` are those of `maximise`.
    """
    return maximise(model, target, shape, options.pop("start", "zero"), l2=l2, **options)


def ascend(
    objective: Callable[[Tensor, np.random.Generator], Tensor],
    image: Tensor,
    space: Pixels | Fourier,
    kept: Callable[[Tensor], Tensor] | None,
    *,
    steps: int,
    optimizer: Callable[[list[Tensor]], Optimizer] | None,
    rules: Rules = None,
    seed: int,
    progress: bool | None,
) -> Synthesis:
    """Steps up the gradient of an objective, one number an image; `kept` is applied after each."""
    if steps < 1:
        raise ValueError(f"there must be at least one step, got {steps}")
    generator = np.random.default_rng(seed)
    parameter = tensor(space.of(image.detach()), requires_grad=True)
    moving = (optimizer or (lambda parameters: Adam(parameters, lr=0.05)))([parameter])
    values = []
    for _ in tracked(range(steps), steps, "ascending", progress):
        with enable_grad():
            value = objective(space.image(parameter), generator)
            # rules act on what is to be raised; optimizers descend
            with under(rules):
                parameter.grad = -gradients(ops.sum(value), parameter)
        values.append(value.detach().numpy())
        moving.step()
        if kept is not None:
            with no_grad():
                parameter.assign(space.of(kept(space.image(parameter.detach()))))
    with no_grad():
        return Synthesis(space.image(parameter.detach()).detach(), np.stack(values))


def _score(model: Callable, images: Tensor, target: Target) -> Tensor:
    layers = Layers(model)
    with observe(layers):
        outputs = model(images)
    return score_of(outputs, target, "logit", layers)


def _start(model: Callable, start: Any, shape: tuple[int, ...] | None, seed: int) -> Tensor:
    """The image to begin with, in the dtype and on the device of the model."""
    first = next(model.parameters(), None) if isinstance(model, Module) else None
    dtype = np.float32 if first is None else first.dtype
    device = "cpu" if first is None else first.device
    if isinstance(start, str):
        if start not in ("zero", "noise"):
            raise ValueError(f'start "{start}" is neither "zero" nor "noise" nor an image')
        if shape is None or len(shape) != 4:
            given = "none" if shape is None else shape_text(shape)
            raise ShapeError(f"an image N×C×H×W needs its shape, got {given}")
        values = np.zeros(shape)
        if start == "noise":
            values += 0.01 * np.random.default_rng(seed).standard_normal(shape)
    else:
        values = start.numpy() if isinstance(start, Tensor) else np.asarray(start)
        if values.ndim != 4:
            raise ShapeError(f"the image must be N×C×H×W, got {shape_text(values.shape)}")
    return tensor(values, dtype=dtype, device=device)
