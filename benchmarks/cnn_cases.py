"""The networks of `benchmarks.cnn`, and everyone who trains them: ours and the peers.

A contestant trains one network on one batch, or takes the gradient of its loss with respect to the
images. All start with the same weights and see the same images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import autograd_cnn as ag

OURS, EAGER = "compiled", "eager"
LEARNING_RATE, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True)
class Case:
    """A network and its batch."""

    title: str
    shape: tuple[int, int, int, int]
    build: Callable[..., ag.nn.Module]
    classes: int
    peer: str  # its name in pytorch_models and jax_models
    learning_rate: float = LEARNING_RATE

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels, always the same."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal(self.shape, dtype=np.float32)
        return images, rng.integers(0, self.classes, self.shape[0])


CASES = {
    "lenet": Case("LeNet-5", (64, 1, 28, 28), ag.models.LeNet5, 10, "LeNet5"),
    "resnet20": Case("ResNet-20", (128, 3, 32, 32), ag.models.resnet20, 10, "ResNet20"),
    "vgg": Case("VGG-like", (32, 3, 32, 32), ag.models.vgg_like, 10, "VGGLike", 0.001),
    "resnet18": Case("ResNet-18", (8, 3, 224, 224), ag.models.resnet18, 1000, "ResNet18", 0.001),
}


@dataclass(frozen=True)
class Training:
    """`step` updates the weights and returns the loss; `gradients` are those of the last step."""

    step: Callable[[], float]
    gradients: Callable[[], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Saliency:
    """`run` takes one input gradient; `result` runs and gives (loss, gradient) as arrays."""

    run: Callable[[], Any]
    result: Callable[[], tuple[float, np.ndarray]]


def ours_training(case: Case, compiled: bool, dtype: type = np.float32) -> Training:
    """A training step of ours, compiled or eager; in float64 it is the reference of the checks."""
    images, labels = case.data()
    model = case.build(rng=0)
    if dtype is not np.float32:
        model = model.to(dtype)
    optimizer = ag.optim.SGD(model.parameters(), lr=case.learning_rate, momentum=MOMENTUM)
    samples = ag.Tensor(images.astype(dtype))

    def step() -> ag.Tensor:
        optimizer.zero_grad()
        loss = ag.cross_entropy(model(samples), labels)
        loss.backward()
        optimizer.step()
        return loss

    run = ag.compile(step) if compiled else step
    return Training(
        lambda: float(run()),
        lambda: {name: p.grad.numpy() for name, p in model.named_parameters()},
    )


def ours_saliency(case: Case, compiled: bool, dtype: type = np.float32) -> Saliency:
    """The gradient of the loss with respect to the images, the network in evaluation mode."""
    images, labels = case.data()
    model = case.build(rng=0).eval().requires_grad_(False)
    if dtype is not np.float32:
        model = model.to(dtype)
    samples = ag.tensor(images.astype(dtype), requires_grad=True)

    def gradient() -> tuple[ag.Tensor, ag.Tensor]:
        loss = ag.cross_entropy(model(samples), labels)
        return loss.detach(), ag.gradients(loss, samples)

    run = ag.compile(gradient) if compiled else gradient

    def result() -> tuple[float, np.ndarray]:
        loss, found = run()
        return float(loss), found.numpy()

    return Saliency(run, result)


def pytorch_training(case: Case, layout: str, compiled: bool = False) -> Training:
    """The same step in PyTorch; `layout` is contiguous_format or channels_last."""
    import torch

    model, images, labels = _pytorch(case, layout)
    # fused: one call for all parameters, the fastest of PyTorch's forms
    optimizer = torch.optim.SGD(
        model.parameters(), lr=case.learning_rate, momentum=MOMENTUM, fused=True
    )

    def loss_of() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(images), labels)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> float:
        optimizer.zero_grad()
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training(step, lambda: {n: p.grad.numpy() for n, p in model.named_parameters()})


def pytorch_saliency(case: Case, layout: str, compiled: bool = False) -> Saliency:
    """The same input gradient in PyTorch."""
    import torch

    model, images, labels = _pytorch(case, layout)
    model = model.eval().requires_grad_(False)
    images = images.requires_grad_()

    def loss_of() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(images), labels)

    forward = torch.compile(loss_of) if compiled else loss_of

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        loss = forward()
        return loss.detach(), torch.autograd.grad(loss, images)[0]

    def result() -> tuple[float, np.ndarray]:
        loss, gradient = run()
        return loss.item(), gradient.numpy()

    return Saliency(run, result)


def _pytorch(case: Case, layout: str) -> tuple:
    import torch

    from . import pytorch_models

    form = getattr(torch, layout)
    name, _, blocks = case.peer.partition(":")
    model = getattr(pytorch_models, name)(*([int(blocks)] if blocks else []))
    weights = {k: torch.from_numpy(v) for k, v in starting_weights(case).items()}
    model.load_state_dict(weights)
    images, labels = case.data()
    samples = torch.from_numpy(images).clone(memory_format=form)
    return model.to(memory_format=form), samples, torch.from_numpy(labels)


def starting_weights(case: Case) -> dict[str, np.ndarray]:
    """Copies of the weights and running statistics that every contestant starts from."""
    return {k: v.numpy().copy() for k, v in case.build(rng=0).state_dict().items()}
