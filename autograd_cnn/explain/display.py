"""Explanations as pictures: matplotlib figures, and plain arrays that become PNG files.

Signed maps are symmetric about zero, blue below and red above; maps that are not negative go from
black to yellow. Both can be told apart by colour-blind readers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from ..atomic import write_atomically
from ..errors import ShapeError, require, shape_text
from ..tensor import Tensor

SIGNED, POSITIVE = "RdBu_r", "inferno"
PALE = 0.35  # what black becomes under a map


def show(attribution: Any, image: Any = None, title: str = "", ax: Any = None) -> Any:
    """An attribution, alone or laid over its image; returns the matplotlib axes.

    Both are one sample, C×H×W or H×W; the attribution's channels are summed. Nothing is shown on
    the screen: use the axes' figure.

    Raises ShapeError for another shape, MissingDependencyError without matplotlib.
    """
    if image is not None:
        return overlay(image, attribution, title, ax)
    ax = ax if ax is not None else figure(3.0, 3.0).subplots()
    flat = flattened(_sample(attribution))
    ax.imshow(flat, interpolation="nearest", **_colours(flat))
    return _bare(ax, title)


def picture(image: Any, title: str = "", ax: Any = None) -> Any:
    """An image of one or three channels, stretched to 0 … 1 where it lies outside."""
    ax = ax if ax is not None else figure(3.0, 3.0).subplots()
    ax.imshow(pixels(image), interpolation="nearest")
    return _bare(ax, title)


def overlay(image: Any, values: Any, title: str = "", ax: Any = None, alpha: float = 0.85) -> Any:
    """An attribution over its grey image, the more opaque the stronger it is.

    The image is paler than it is, so that colours show on black and on white.
    """
    ax = ax if ax is not None else figure(3.0, 3.0).subplots()
    flat, picture = flattened(_sample(values)), grey(_sample(image))
    if flat.shape != picture.shape:
        raise ShapeError(
            f"overlay: a map {shape_text(flat.shape)} on an image {shape_text(picture.shape)}"
        )
    ax.imshow(_mixed(flat, picture, alpha), interpolation="nearest")
    return _bare(ax, title)


def grid(
    images: Any,
    maps: Mapping[str, Any],
    titles: Sequence[str] = (),
    over: bool = False,
    size: float = 1.15,
) -> Any:
    """A column for each image and a row for each method; returns the matplotlib figure.

    `maps` holds a batch of attributions by name; each map has its own scale. With `over` they are
    laid over the images.
    """
    images = _batch(images)
    drawn = figure(size * len(images) + 1.2, size * (1 + len(maps)) + 0.1)
    axes = drawn.subplots(1 + len(maps), len(images), squeeze=False)
    for j, image in enumerate(images):
        picture(image, titles[j] if j < len(titles) else "", axes[0, j])
    for i, (name, values) in enumerate(maps.items(), start=1):
        batch = _batch(values)
        if len(batch) != len(images):
            raise ShapeError(f"grid: {len(batch)} maps of {name} for {len(images)} images")
        for j, one in enumerate(batch):
            show(one, images[j] if over else None, "", axes[i, j])
    for i, name in enumerate(("image", *maps)):
        axes[i, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    return drawn


def difference(first: Any, second: Any, titles: Sequence[str] = ("before", "after")) -> Any:
    """Two maps and second − first on one signed scale; returns the matplotlib figure."""
    a, b = flattened(_sample(first)), flattened(_sample(second))
    if a.shape != b.shape:
        raise ShapeError(f"difference: {shape_text(a.shape)} and {shape_text(b.shape)}")
    limit = float(max(np.abs(a).max(), np.abs(b).max(), np.abs(b - a).max())) or 1.0
    drawn = figure(6.6, 2.4)
    axes = drawn.subplots(1, 3)
    for ax, values, title in zip(axes, (a, b, b - a), (*titles, "difference"), strict=True):
        shown = ax.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit, interpolation="nearest")
        _bare(ax, title)
    bar = drawn.colorbar(shown, ax=axes, shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    return drawn


def coloured(attribution: Any, image: Any = None, alpha: float = 0.85) -> np.ndarray:
    """An attribution as H×W×3 of whole numbers 0 … 255, laid over `image` if one is given.

    >>> import numpy as np, autograd_cnn as ag
    >>> ag.explain.coloured(np.array([[[-1.0, 0.0, 1.0]]]))[0].tolist()
    [[33, 102, 172], [247, 247, 247], [178, 24, 43]]
    """
    flat = flattened(_sample(attribution))
    if image is not None:
        return _whole(_mixed(flat, grey(_sample(image)), alpha))
    scaled = flat / (np.abs(flat).max() or 1.0)
    return _whole(_ramp(scaled, _RED_BLUE, -1.0) if (flat < 0).any() else _ramp(scaled, _FIRE, 0.0))


def pixels(image: Any) -> np.ndarray:
    """An image C×H×W or H×W as H×W×3 of whole numbers 0 … 255."""
    array = _sample(image)
    if array.ndim == 2 or array.shape[0] != 3:
        array = np.broadcast_to(grey(array), (3, *array.shape[-2:]))
    else:
        array = _stretched(array)
    return _whole(np.moveaxis(array, 0, -1))


def save_png(path: str | os.PathLike[str], picture: np.ndarray, enlarge: int = 1) -> None:
    """Write H×W×3 of whole numbers 0 … 255 as a PNG file, each pixel `enlarge` times as large.

    The file appears whole or not at all. Raises MissingDependencyError without Pillow.
    """
    large = np.asarray(picture, np.uint8).repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    content = BytesIO()
    require("PIL.Image", "plot").fromarray(large).save(content, format="PNG")
    write_atomically(path, content.getvalue())


def figure(width: float, height: float) -> Any:
    """A matplotlib figure, in inches, that needs no window and no global state."""
    Figure = require("matplotlib.figure", "plot").Figure
    return Figure(figsize=(width, height), dpi=160, layout="constrained")


def flattened(attribution: np.ndarray) -> np.ndarray:
    """C×H×W as H×W, the channels summed."""
    return attribution.sum(axis=0) if attribution.ndim == 3 else attribution


def grey(image: np.ndarray) -> np.ndarray:
    """An image as H×W within 0 … 1: its channels' mean, stretched where it lies outside."""
    return _stretched(image.mean(axis=0) if image.ndim == 3 else image)


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if low >= 0.0 and high <= 1.0:
        return values
    return (values - low) / ((high - low) or 1.0)


def _whole(rgb: np.ndarray) -> np.ndarray:
    return np.floor(np.clip(rgb, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)


# black, purple, red, orange, pale yellow; and blue, white, red of ColorBrewer
_FIRE = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]) / 255
_RED_BLUE = np.array(
    [[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]]
) / 255  # fmt: skip


def _mixed(flat: np.ndarray, grey: np.ndarray, alpha: float) -> np.ndarray:
    """A map over a pale image, as H×W×3 within 0 … 1."""
    scaled = flat / (np.abs(flat).max() or 1.0)
    # a colour that is already faint would be faint twice where it is laid on thinly
    full = np.sign(scaled) * (0.5 + 0.5 * np.abs(scaled))
    rgb = _ramp(full, _RED_BLUE, -1.0) if (flat < 0).any() else _ramp(full, _FIRE, 0.0)
    strength = alpha * np.abs(scaled)[..., None] ** 0.7
    return strength * rgb + (1 - strength) * (PALE + (1 - PALE) * grey[..., None])


def _ramp(values: np.ndarray, colours: np.ndarray, low: float) -> np.ndarray:
    """Values from low to 1 as colours, those between two by interpolation."""
    stops = np.linspace(low, 1.0, len(colours))
    return np.stack([np.interp(values, stops, channel) for channel in colours.T], axis=-1)


def _colours(values: np.ndarray) -> dict[str, Any]:
    limit = float(np.abs(values).max()) or 1.0
    if (values < 0).any():
        return {"cmap": SIGNED, "vmin": -limit, "vmax": limit}
    return {"cmap": POSITIVE, "vmin": 0.0, "vmax": limit}


def _sample(values: Any) -> np.ndarray:
    array = np.asarray(values.numpy() if isinstance(values, Tensor) else values)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise ShapeError(f"a picture is C×H×W or H×W, got {shape_text(array.shape)}")
    return array.astype(np.float64)


def _batch(values: Any) -> np.ndarray:
    array = np.asarray(values.numpy() if isinstance(values, Tensor) else values)
    if array.ndim not in (3, 4):
        raise ShapeError(f"a batch of pictures is N×C×H×W, got {shape_text(array.shape)}")
    return array


def _bare(ax: Any, title: str) -> Any:
    """Axes without ticks, in a thin frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(linewidth=0.5, color="#bbbbbb")
    if title:
        ax.set_title(title, fontsize=8)
    return ax
