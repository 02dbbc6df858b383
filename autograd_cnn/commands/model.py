"""A network and an image, as `explain` and `fool` take them from the command line."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShapeError, require
from ..named import TargetError, find


def add_model(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a network and an image."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="FILE.py:NAME, MODULE:NAME, or a name in ag.models")
    add("image", metavar="IMAGE", help="a picture, or an .npy file of C×H×W values")
    add("--weights", metavar="FILE.safetensors", help="what `ag.save` wrote")
    add("--size", type=_size, metavar="HxW", help="resize the picture (bilinear)")
    add("--mean", type=_numbers, metavar="M,…", help="subtracted from pixels in [0, 1], a channel")
    add("--std", type=_numbers, metavar="S,…", help="what they are then divided by")


def load_model(chosen: argparse.Namespace) -> Any:
    """The network that was named, with its weights, in evaluation mode.

    Its images have pixels in [0, 1]; `--mean` and `--std` become part of it. A class or a function
    without arguments is called. Raises TargetError.
    """
    from ..attacks import bounded

    model = _made(_found(chosen.model), chosen.model)
    if chosen.weights is not None:
        _fill(model, chosen.weights)
    elif ":" not in chosen.model:
        print(f"{chosen.model} has random weights: give --weights", file=sys.stderr)
    model.eval()
    if chosen.mean is None and chosen.std is None:
        return model
    try:
        return bounded(model, mean=chosen.mean, std=chosen.std)
    except ValueError as error:
        raise TargetError(str(error)) from error


def load_image(chosen: argparse.Namespace, model: Any) -> np.ndarray:
    """The image as 1×C×H×W float32 in [0, 1], with the channels that the network takes.

    Whole numbers in an .npy file are taken as 0 … 255. Raises TargetError,
    MissingDependencyError without Pillow.
    """
    path = Path(chosen.image)
    if not path.is_file():
        raise TargetError(f"there is no file {chosen.image}")
    channels = _channels(model)
    if path.suffix == ".npy":
        values = _array(path)
    else:
        values = _picture(path, channels, chosen.size)
    if channels not in (None, len(values)):
        raise TargetError(f"{path} has {len(values)} channel(s); the network takes {channels}")
    return values[None]


def answer(chosen: argparse.Namespace, model: Any, image: np.ndarray) -> np.ndarray:
    """The logits of one image, C of them. Raises TargetError for what the network cannot read."""
    from ..errors import shape_text
    from ..tape import no_grad
    from ..tensor import tensor

    try:
        with no_grad():
            outputs = model(tensor(image))
    except ShapeError as error:
        raise TargetError(
            f"{chosen.model} cannot read an image {shape_text(image.shape)}: {error} (--size HxW "
            "resizes a picture)"
        ) from error
    if outputs.ndim != 2:
        raise TargetError(f"{chosen.model} gives {shape_text(outputs.shape)}, not N×C logits")
    return outputs.numpy()[0]


def told(logits: np.ndarray, count: int = 3) -> str:
    """The most probable classes, as `class 3: 97.1 %, class 8: 2.0 %`.

    Outputs that are probabilities already are taken as they are.

    >>> import numpy as np
    >>> from autograd_cnn.commands.model import told
    >>> told(np.log([1.0, 3.0]))
    'class 1: 75.0 %, class 0: 25.0 %'
    """
    if logits.min() >= 0 and abs(logits.sum() - 1) < 1e-4:
        shares = logits
    else:
        shares = np.exp(logits - logits.max())
        shares = shares / shares.sum()
    best = np.argsort(-shares, kind="stable")[:count]
    return ", ".join(f"class {c}: {shares[c]:.1%}".replace("%", " %") for c in best)


def check_class(label: int | None, logits: np.ndarray, option: str) -> None:
    """TargetError for a class that the network does not have."""
    if label is not None and not 0 <= label < len(logits):
        raise TargetError(
            f"{option} {label}: the network has {len(logits)} classes, 0 … {len(logits) - 1}"
        )


def _found(name: str) -> Any:
    from .. import models

    if ":" in name or name.endswith(".py"):
        return find(name)
    if name not in models.__all__:
        known = ", ".join(models.__all__)
        raise TargetError(f"{name!r} is not FILE.py:NAME, and ag.models has only {known}")
    found = getattr(models, name)
    seeded = "rng" in signature(found).parameters
    return partial(found, rng=0) if seeded else found  # random weights too are the same each time


def _made(found: Any, name: str) -> Any:
    """A network, made by calling a class or a function of no arguments if need be."""
    from ..nn import Module

    if callable(found) and not isinstance(found, Module):
        try:
            found = found()
        except TypeError as error:
            raise TargetError(f"{name} cannot be made without arguments: {error}") from error
    if not isinstance(found, Module):
        raise TargetError(f"{name} is no network: it is of type {type(found).__name__}")
    return found


def _fill(model: Any, weights: str) -> None:
    from ..train import load

    if not Path(weights).is_file():
        raise TargetError(f"there is no file {weights}")
    unreadable = require("safetensors", "train").SafetensorError
    try:
        model.load_state_dict(load(weights))
    except unreadable as error:
        raise TargetError(f"{weights} is no safetensors file: {error}") from error
    except ValueError as error:
        raise TargetError(f"{weights}: {error}") from error


def _array(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise TargetError(f"{path} is no array of numbers: {error}") from error
    if values.dtype.kind not in "fiu":
        raise TargetError(f"{path} holds {values.dtype}, not numbers")
    if values.dtype.kind in "iu":
        values = values / 255
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise TargetError(f"{path}: an image is C×H×W or H×W, not of shape {values.shape}")
    return values.astype(np.float32)


def _picture(path: Path, channels: int | None, size: tuple[int, int] | None) -> np.ndarray:
    images = require("PIL.Image", "plot")
    try:
        with images.open(path) as opened:
            opened.load()
            picture = opened.convert("L" if channels == 1 else "RGB")
    except images.UnidentifiedImageError as error:
        raise TargetError(f"{path} is no picture that Pillow can read") from error
    if size is not None:
        picture = picture.resize(size[::-1], images.Resampling.BILINEAR)
    values = np.asarray(picture, np.float32) / 255
    return values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)


def _channels(model: Any) -> int | None:
    """What the first convolution takes; None where there is none."""
    modules = [module for _, module in model.named_modules()]
    taken = [getattr(module, "in_channels", None) for module in modules]
    return next((count for count in taken if count is not None), None)


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH, as in 224x224")
    return int(parts[0]), int(parts[1])


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers") from error
