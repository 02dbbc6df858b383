"""A network and an image, as `explain` and `fool` take them from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import require
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

    Its images have pixels in [0, 1]; `--mean` and `--std` become part of it. Raises TargetError.
    """
    from .. import models, nn
    from ..attacks import bounded
    from ..train import load

    name = chosen.model if ":" in chosen.model else f"{models.__name__}:{chosen.model}"
    found = find(name)
    model = found() if isinstance(found, type) or not isinstance(found, nn.Module) else found
    if not isinstance(model, nn.Module):
        raise TargetError(f"{chosen.model} is no network: it is a {type(model).__name__}")
    if chosen.weights is not None:
        if not Path(chosen.weights).is_file():
            raise TargetError(f"there is no file {chosen.weights}")
        model.load_state_dict(load(chosen.weights))
    model.eval()
    if chosen.mean is None and chosen.std is None:
        return model
    return bounded(model, mean=chosen.mean, std=chosen.std)


def load_image(chosen: argparse.Namespace, model: Any) -> np.ndarray:
    """The image as 1×C×H×W float32 in [0, 1], with the channels that the network takes.

    Raises TargetError, MissingDependencyError without Pillow.
    """
    path = Path(chosen.image)
    if not path.is_file():
        raise TargetError(f"there is no file {chosen.image}")
    channels = _channels(model)
    if path.suffix == ".npy":
        values = np.load(path, allow_pickle=False).astype(np.float32)
        values = values[None] if values.ndim == 2 else values
        if values.ndim != 3:
            raise TargetError(f"{path}: an image is C×H×W or H×W, not of shape {values.shape}")
    else:
        values = _picture(path, channels, chosen.size)
    if channels not in (None, len(values)):
        raise TargetError(f"{path} has {len(values)} channel(s); the network takes {channels}")
    return values[None]


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
    weights = [getattr(module, "weight", None) for module in modules]
    first = next((w for w in weights if w is not None and w.ndim == 4), None)
    return None if first is None else first.shape[1]


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
