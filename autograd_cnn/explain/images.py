"""Images as something to optimise: parametrisations, priors, and small random movements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..tensor import Tensor, tensor

Array = np.ndarray


class Pixels:
    """The image is its own parameter."""

    def of(self, image: Tensor) -> Tensor:
        """The parameter of an image."""
        return image

    def image(self, parameter: Tensor) -> Tensor:
        """The image of a parameter."""
        return parameter


class Fourier:
    """The image as waves, fast ones scaled down (Olah, Mordvintsev and Schubert 2017).

    image = H·(C/f)·H with the real Fourier (Hartley) basis H = (cos + sin)/√n and the frequency f
    of each coefficient, so that one step of ascent changes large structures as much as small ones.
    """

    def __init__(self, size: tuple[int, int], like: Tensor) -> None:
        def to_tensor(values: Array) -> Tensor:
            return tensor(values, dtype=like.dtype, device=like.device)

        self.rows, self.columns = (to_tensor(_hartley(n)) for n in size)
        fy, fx = (np.minimum(np.arange(n), n - np.arange(n)) / n for n in size)
        frequency = np.maximum(np.hypot(fy[:, None], fx), 1.0 / max(size))
        self.scale = to_tensor(1.0 / (frequency * np.sqrt(size[0] * size[1])))

    def of(self, image: Tensor) -> Tensor:
        """The parameter of an image."""
        return self._waves(image) / self.scale

    def image(self, parameter: Tensor) -> Tensor:
        """The image of a parameter."""
        return self._waves(parameter * self.scale)

    def _waves(self, values: Tensor) -> Tensor:
        # H is its own inverse
        return ops.matmul(ops.matmul(self.rows, values), self.columns)


def _hartley(n: int) -> Array:
    angle = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n
    return (np.cos(angle) + np.sin(angle)) / np.sqrt(n)


def total_variation(images: Any) -> Any:
    """Σ|x[i+1] − x[i]| along rows and columns, for each image: small where it is smooth.

    >>> import autograd_cnn as ag
    >>> ag.explain.total_variation(ag.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])).tolist()
    [6.0]
    """
    down = ops.abs(images[..., 1:, :] - images[..., :-1, :])
    right = ops.abs(images[..., :, 1:] - images[..., :, :-1])
    return ops.sum(ops.flatten(down, 1), 1) + ops.sum(ops.flatten(right, 1), 1)


def blurred(images: Any, sigma: float) -> Any:
    """Each channel convolved with a Gaussian of standard deviation `sigma` pixels.

    Beyond the border stands the border pixel, so a constant image stays as it is.
    """
    if sigma <= 0:
        return images
    reach = max(1, int(3 * sigma + 0.5))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    for axis in (-2, -1):
        n = images.shape[axis]
        matrix = np.zeros((n, n))
        for shift, weight in zip(range(-reach, reach + 1), weights, strict=True):
            np.add.at(matrix, (np.clip(np.arange(n) + shift, 0, n - 1), np.arange(n)), weight)
        matrix = tensor(matrix, dtype=images.dtype, device=getattr(images, "device", None))
        images = (
            ops.matmul(images, matrix)
            if axis == -1
            else ops.matmul(ops.swapaxes(matrix, 0, 1), images)
        )
    return images


class Movement:
    """A random shift, enlargement and turn at each step, so that no single pixel counts.

    `jitter` is in pixels, `scale` a share (0.1 is ±10 %), `rotate` in degrees.
    """

    def __init__(self, jitter: float = 0.0, scale: float = 0.0, rotate: float = 0.0) -> None:
        for name, value in (("jitter", jitter), ("scale", scale), ("rotate", rotate)):
            if not value >= 0:
                raise ValueError(f"{name} must be ≥ 0, got {value}")
        self.jitter, self.scale, self.rotate = jitter, scale, rotate

    def __call__(self, images: Any, generator: np.random.Generator) -> Any:
        """The images, moved as the generator has it."""
        if not (self.jitter or self.scale or self.rotate):
            return images
        angle = np.deg2rad(generator.uniform(-self.rotate, self.rotate))
        zoom = 1.0 + generator.uniform(-self.scale, self.scale)
        shift = generator.uniform(-self.jitter, self.jitter, 2)
        if not (self.scale or self.rotate):
            shift = np.round(shift)
        return warped(images, angle, zoom, shift)


def warped(images: Any, angle: float = 0.0, zoom: float = 1.0, shift: Any = (0.0, 0.0)) -> Any:
    """The images turned, enlarged about their centre and moved, read bilinearly.

    Beyond the border stands the border pixel. Differentiable in the images.
    """
    height, width = images.shape[-2:]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y, x = y - (height - 1) / 2 - shift[0], x - (width - 1) / 2 - shift[1]
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    rows = np.clip(cos * y - sin * x + (height - 1) / 2, 0, height - 1)
    columns = np.clip(sin * y + cos * x + (width - 1) / 2, 0, width - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    fy, fx = rows - top, columns - left
    corners = (
        (top, left, (1 - fy) * (1 - fx)), (top, right, (1 - fy) * fx),
        (down, left, fy * (1 - fx)), (down, right, fy * fx),
    )  # fmt: skip
    result: Any = 0.0
    for i, j, weight in corners:
        if weight.any():
            result = result + images[..., i, j] * weight.astype(images.dtype)
    return result


Parametrisation = Pixels | Fourier
Move = Callable[[Any, np.random.Generator], Any]
