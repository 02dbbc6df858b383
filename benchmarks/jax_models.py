"""The benchmark's networks in JAX, as functions of the same weights, and its contestants.

A network is a function of the weights by their names in our state dictionary, the images, and a
`Norm` that normalises: with statistics of the batch, which it keeps, or with running ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .cnn_cases import MOMENTUM, Case, Saliency, Training, starting_weights


class Norm:
    """Batch norm; in training it collects the new running statistics."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.running: dict[str, Any] = {}

    def __call__(self, weights: dict, name: str, x: Any) -> Any:
        mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        if self.training:
            old, count = (mean, var), x.size // x.shape[1]
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            unbiased = var * count / (count - 1)
            self.running[f"{name}.running_mean"] = 0.9 * old[0] + 0.1 * mean
            self.running[f"{name}.running_var"] = 0.9 * old[1] + 0.1 * unbiased
        scale = weights[f"{name}.weight"] / jnp.sqrt(var + 1e-5)
        shift = weights[f"{name}.bias"] - mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


def conv(weights: dict, name: str, x: Any, stride: int = 1, padding: int = 0) -> Any:
    names = ("NCHW", "OIHW", "NCHW")
    pads = ((padding, padding), (padding, padding))
    w, b = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    y = lax.conv_general_dilated(x, w, (stride, stride), pads, dimension_numbers=names)
    return y if b is None else y + b[:, None, None]


def linear(weights: dict, name: str, x: Any) -> Any:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def pool(x: Any, kernel: int, stride: int, padding: int, start: float, combine: Callable) -> Any:
    window, strides = (1, 1, kernel, kernel), (1, 1, stride, stride)
    pads = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return lax.reduce_window(x, start, combine, window, strides, pads)


def max_pool(x: Any, kernel: int = 2, stride: int = 2, padding: int = 0) -> Any:
    return pool(x, kernel, stride, padding, -jnp.inf, lax.max)


def lenet(weights: dict, x: Any, norm: Norm) -> Any:
    for name, padding in (("conv1", 2), ("conv2", 0)):
        x = pool(jnp.tanh(conv(weights, name, x, 1, padding)), 2, 2, 0, 0.0, lax.add) / 4
    x = x.reshape(len(x), -1)
    x = jnp.tanh(linear(weights, "fc1", x))
    return linear(weights, "fc3", jnp.tanh(linear(weights, "fc2", x)))


def vgg_like(weights: dict, x: Any, norm: Norm) -> Any:
    for first, second in ((0, 2), (5, 7), (10, 12)):
        for number in (first, second):
            x = jax.nn.relu(conv(weights, f"features.{number}", x, 1, 1))
        x = max_pool(x)
    x = jax.nn.relu(linear(weights, "classifier.1", x.reshape(len(x), -1)))
    return linear(weights, "classifier.3", x)


def block(weights: dict, name: str, x: Any, stride: int, norm: Norm) -> Any:
    y = jax.nn.relu(norm(weights, f"{name}.bn1", conv(weights, f"{name}.conv1", x, stride, 1)))
    y = norm(weights, f"{name}.bn2", conv(weights, f"{name}.conv2", y, 1, 1))
    extra = y.shape[1] - x.shape[1]
    if f"{name}.downsample.0.weight" in weights:
        x = conv(weights, f"{name}.downsample.0", x, stride)
        x = norm(weights, f"{name}.downsample.1", x)
    elif extra:
        x = jnp.pad(x[:, :, ::stride, ::stride], ((0, 0), (0, extra), (0, 0), (0, 0)))
    return jax.nn.relu(y + x)


def stages(weights: dict, x: Any, norm: Norm, count: int) -> Any:
    for stage in range(1, count + 1):
        number = 0
        while f"layer{stage}.{number}.conv1.weight" in weights:
            stride = 2 if stage > 1 and number == 0 else 1
            x = block(weights, f"layer{stage}.{number}", x, stride, norm)
            number += 1
    return linear(weights, "fc", x.mean((2, 3)))


def resnet20(weights: dict, x: Any, norm: Norm) -> Any:
    x = jax.nn.relu(norm(weights, "bn1", conv(weights, "conv1", x, 1, 1)))
    return stages(weights, x, norm, 3)


def resnet18(weights: dict, x: Any, norm: Norm) -> Any:
    x = jax.nn.relu(norm(weights, "bn1", conv(weights, "conv1", x, 2, 3)))
    return stages(weights, max_pool(x, 3, 2, 1), norm, 4)


NETWORKS = {"LeNet5": lenet, "VGGLike": vgg_like, "ResNet20": resnet20, "ResNet18": resnet18}


def _loss(network: Callable, weights: dict, images: Any, labels: Any, norm: Norm) -> Any:
    scores = jax.nn.log_softmax(network(weights, images, norm))
    return -jnp.take_along_axis(scores, labels[:, None], 1).mean()


def _inputs(case: Case) -> tuple[Callable, dict, dict, Any, Any]:
    """The network, its learned weights, its running statistics, images and labels."""
    images, labels = case.data()
    values = {k: jnp.asarray(v) for k, v in starting_weights(case).items()}
    learned = {k: v for k, v in values.items() if "running_" not in k and "num_batches" not in k}
    running = {k: v for k, v in values.items() if "running_" in k}
    return NETWORKS[case.peer], learned, running, jnp.asarray(images), jnp.asarray(labels)


def training(case: Case) -> Training:
    """A training step under jax.jit, its old weights given up to the new ones."""
    network, learned, running, images, labels = _inputs(case)

    def loss_of(learned: dict, running: dict) -> tuple[Any, dict]:
        norm = Norm(training=True)
        return _loss(network, {**learned, **running}, images, labels, norm), norm.running

    def update(learned: dict, running: dict, velocity: dict) -> tuple:
        (loss, running), found = jax.value_and_grad(loss_of, has_aux=True)(learned, running)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, found)
        moved = jax.tree.map(lambda w, v: w - case.learning_rate * v, learned, velocity)
        return moved, running, velocity, found, loss

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    state = {"now": (learned, running, jax.tree.map(jnp.zeros_like, learned))}

    def step() -> float:
        *state["now"], state["gradients"], loss = compiled(*state["now"])
        return float(loss)

    return Training(step, lambda: {k: np.asarray(v) for k, v in state["gradients"].items()})


def saliency(case: Case) -> Saliency:
    """An input gradient under jax.jit."""
    network, learned, running, images, labels = _inputs(case)

    def loss_of(images: Any) -> Any:
        return _loss(network, {**learned, **running}, images, labels, Norm(training=False))

    compiled = jax.jit(jax.value_and_grad(loss_of))

    def result() -> tuple[float, np.ndarray]:
        loss, gradient = compiled(images)
        return float(loss), np.asarray(gradient)

    return Saliency(lambda: jax.block_until_ready(compiled(images)), result)
