"""Everyday damage to images, in the five published severities (Hendrycks and Dietterich 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError, shape_text
from ..tensor import Tensor, tensor
from .bounds import as_bounded
from .evaluation import logits_of
from .filters import blurred, fog_layer, pixelated

# the settings of ImageNet-C (224×224) and of CIFAR-10-C (32×32), for severities 1 … 5
SEVERITIES: dict[str, dict[str, tuple]] = {
    "imagenet": {
        "noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "shot": (60, 25, 12, 5, 3),
        "impulse": (0.03, 0.06, 0.09, 0.17, 0.27),
        "speckle": (0.15, 0.2, 0.35, 0.45, 0.6),
        "blur": (1, 2, 3, 4, 6),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
        "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
        "fog": ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    },
    "cifar": {
        "noise": (0.04, 0.06, 0.08, 0.09, 0.10),
        "shot": (500, 250, 100, 75, 50),
        "impulse": (0.01, 0.02, 0.03, 0.05, 0.07),
        "speckle": (0.06, 0.1, 0.12, 0.16, 0.2),
        "blur": (0.4, 0.6, 0.7, 0.8, 1),
        "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),
        "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),
        "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),
        "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    },
}
CORRUPTIONS = tuple(SEVERITIES["imagenet"])


def corrupt(x: Any, kind: str, severity: int = 3, table: str = "imagenet", seed: int = 0) -> Tensor:
    """Images N×C×H×W within 0 … 1 with one kind of damage, clipped to 0 … 1 again.

    Kinds and their setting c: "noise" x + c·n; "shot" Poisson(x·c)/c; "impulse" a part c of the
    values to 0 or 1; "speckle" x + x·c·n; "blur" Gaussian, c = σ in pixels; "contrast"
    (x − mean)·c + mean; "brightness" the largest channel raised by c, hue kept; "pixelate" to
    c times the size and back; "fog" a layer of fractal noise. `table` has the settings of
    "imagenet" (224×224) or "cifar" (32×32): take the latter for small images.

    >>> import numpy as np, autograd_cnn as ag
    >>> x = np.array([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    >>> ag.attacks.corrupt(x, "contrast", severity=1).numpy().round(2).ravel().tolist()
    [0.3, 0.5, 0.7]

    Raises ValueError for a kind, severity or table that is not known or values outside 0 … 1,
    ShapeError and DTypeError for arrays that are not images.
    """
    images, like = _images(x)
    if table not in SEVERITIES or kind not in SEVERITIES[table]:
        raise ValueError(
            f"corrupt: {kind!r} in {table!r}; there are {', '.join(CORRUPTIONS)} in imagenet, cifar"
        )
    if severity not in (1, 2, 3, 4, 5):
        raise ValueError(f"corrupt: a severity is 1, 2, 3, 4 or 5, got {severity}")
    setting = SEVERITIES[table][kind][severity - 1]
    draw = np.random.default_rng([seed, severity, CORRUPTIONS.index(kind)])
    damaged = _DAMAGES[kind](images, setting, draw).clip(0.0, 1.0)
    return tensor(damaged, dtype=like.dtype, device=like.device)


def corruption_errors(
    model: Callable,
    x: Any,
    labels: Any,
    kinds: Sequence[str] = CORRUPTIONS,
    table: str = "imagenet",
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """The part of wrong answers for each kind of damage, at severities 1 … 5."""
    model, labels = as_bounded(model), np.asarray(labels)

    def error(kind: str, severity: int) -> float:
        logits = logits_of(model, corrupt(x, kind, severity, table, seed))
        return float((logits.numpy().argmax(axis=1) != labels).mean())

    return {kind: np.array([error(kind, severity) for severity in range(1, 6)]) for kind in kinds}


def mean_corruption_error(
    errors: dict[str, np.ndarray], reference: dict[str, np.ndarray] | None = None
) -> float:
    """mCE: the mean over kinds of Σ_s E/Σ_s E_ref; 1 is the reference model's own.

    Without a `reference` it is the plain mean error, within 0 … 1.

    Raises ValueError when the reference has other kinds, or makes no error at all on one of them.
    """
    if not errors:
        raise ValueError("mean_corruption_error: no errors are given")
    if reference is None:
        return float(np.mean([np.mean(values) for values in errors.values()]))
    if set(reference) != set(errors):
        raise ValueError(f"errors of {sorted(errors)}, reference errors of {sorted(reference)}")
    perfect = [kind for kind in errors if not np.sum(reference[kind]) > 0]
    if perfect:
        raise ValueError(
            f"the reference makes no error on {', '.join(perfect)}: nothing to divide by"
        )
    return float(np.mean([np.sum(errors[kind]) / np.sum(reference[kind]) for kind in errors]))


def _images(x: Any) -> tuple[np.ndarray, Tensor]:
    like = x if isinstance(x, Tensor) else Tensor(np.asarray(x))
    if like.dtype.kind != "f":
        raise DTypeError(f"corrupt: images are floating-point within 0 … 1, not {like.dtype}")
    if like.ndim != 4:
        raise ShapeError(f"corrupt: images are N×C×H×W, got {shape_text(like.shape)}")
    images = like.numpy().astype(np.float64)
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"corrupt: images lie within {images.min():g} … {images.max():g}, not 0 … 1"
        )
    return images, like


def _impulse(x: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    hit, salt = draw.random(x.shape) < share, draw.random(x.shape) < 0.5
    return np.where(hit, salt.astype(x.dtype), x)


def _contrast(x: np.ndarray, factor: float, draw: np.random.Generator) -> np.ndarray:
    mean = x.mean(axis=(2, 3), keepdims=True)
    return (x - mean) * factor + mean


def _brightness(x: np.ndarray, rise: float, draw: np.random.Generator) -> np.ndarray:
    """Raise the value of HSV, which is the largest channel, and scale the others with it."""
    value = x.max(axis=1, keepdims=True)
    raised = (value + rise).clip(0.0, 1.0)
    return np.where(value > 0, x * raised / np.where(value > 0, value, 1.0), raised)


def _fog(x: np.ndarray, setting: tuple, draw: np.random.Generator) -> np.ndarray:
    """(x + a·layer)·max/(max + a), so that the brightest pixel stays about as bright."""
    amount, decay = setting
    layers = np.stack([fog_layer(x.shape[2:], decay, draw) for _ in range(len(x))])
    most = x.max(axis=(1, 2, 3), keepdims=True)
    return (x + amount * layers[:, None]) * most / (most + amount)


_DAMAGES: dict[str, Callable] = {
    "noise": lambda x, c, draw: x + c * draw.standard_normal(x.shape),
    "shot": lambda x, c, draw: draw.poisson(x * c) / float(c),
    "impulse": _impulse,
    "speckle": lambda x, c, draw: x + x * c * draw.standard_normal(x.shape),
    "blur": lambda x, c, draw: blurred(x, c),
    "contrast": _contrast,
    "brightness": _brightness,
    "pixelate": lambda x, c, draw: pixelated(x, c),
    "fog": _fog,
}
