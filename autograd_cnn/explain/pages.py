"""Figures of what a network holds: tiles, top patches and projections, a confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..tensor import Tensor
from .display import coloured, figure, pixels
from .layers import Layer
from .patches import Patch, projections, top_patches
from .synthesis import maximise
from .target import Unit

# Okabe and Ito's colours, which colour-blind readers can tell apart (the yellow darker, to be read
# on white), grey and brown
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B5A300",
    "#999999", "#663300",
)  # fmt: skip


def tiles(
    images: Any, columns: int | None = None, gap: int = 1, signed: bool = False
) -> np.ndarray:
    """Many small images side by side, as one H×W×3 of whole numbers 0 … 255, white between them.

    `images` is a sequence of C×H×W or H×W (of different sizes: each sits in the upper left of its
    tile), or of H×W×3 of whole numbers; `signed` ones are coloured about zero.

    >>> import numpy as np, autograd_cnn as ag
    >>> ag.explain.tiles(np.zeros((6, 1, 4, 5)), columns=3).shape
    (9, 17, 3)

    Raises ShapeError for no images.
    """
    drawn = [_drawn(image, signed) for image in images]
    if not drawn:
        raise ShapeError("tiles: there are no images")
    columns = columns or int(np.ceil(np.sqrt(len(drawn))))
    height, width = (max(image.shape[axis] for image in drawn) for axis in (0, 1))
    rows = -(-len(drawn) // columns)
    page = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for n, image in enumerate(drawn):
        i, j = n // columns * (height + gap), n % columns * (width + gap)
        page[i : i + image.shape[0], j : j + image.shape[1]] = image
    return page


def patches_page(
    model: Callable,
    x: Any,
    layer: Layer,
    channels: Sequence[int],
    count: int = 9,
    synthetic: bool = True,
    **options: Any,
) -> Any:
    """For each channel its strongest patches, what of them excites it, and what it would like best.

    Three blocks a channel: the `count` patches of the data set that excite it most, cut to its
    receptive field; the deconvnet projection of each; and an image made by `maximise` (with
    `options`), cut to the same size. Figure 2 of Zeiler and Fergus 2014, with synthesis beside it.
    Returns the matplotlib figure.
    """
    found = top_patches(model, x, layer, count, list(channels))
    blocks = 3 if synthetic else 2
    side = int(np.ceil(np.sqrt(count)))
    drawn = figure(1.75 * blocks + 0.6, 1.75 * len(channels) + 0.3)
    axes = drawn.subplots(len(channels), blocks, squeeze=False)
    titles = ("top patches", "deconvnet projection", "synthetic")
    for row, channel in enumerate(channels):
        patches = found[channel]
        back = projections(model, x, layer, patches)
        contents = [
            tiles([patch.crop(x) for patch in patches], side),
            tiles([_limited(one) for one in back], side, signed=True),
        ]
        if synthetic:
            contents.append(pixels(_favourite(model, x, layer, patches[0], options)))
        for column, content in enumerate(contents):
            ax = axes[row, column]
            ax.imshow(content, interpolation="nearest")
            ax.set_axis_off()
            if row == 0:
                ax.set_title(titles[column], fontsize=8)
        axes[row, 0].text(
            -0.04, 0.5, f"channel {channel}", transform=axes[row, 0].transAxes, fontsize=8,
            rotation=90, ha="right", va="center",
        )  # fmt: skip
    return drawn


def show_confusion(counts: np.ndarray, names: Sequence[str] | None = None, ax: Any = None) -> Any:
    """A confusion matrix with its counts, shaded by the share of each row; returns the axes."""
    names = [str(i) for i in range(len(counts))] if names is None else names
    ax = ax if ax is not None else figure(3.6, 3.6).subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (i, j), n in np.ndenumerate(counts):
        if n:
            ax.text(
                j, i, str(n), ha="center", va="center", fontsize=7,
                color="white" if shares[i, j] > 0.5 else "black",
            )  # fmt: skip
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_xlabel("taken for", fontsize=8)
    ax.set_ylabel("true class", fontsize=8)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def show_embedding(
    points: np.ndarray, labels: Any, names: Sequence[str] | None = None, ax: Any = None
) -> Any:
    """Points N×2, coloured by their class, each class named at its middle; returns the axes.

    Raises ShapeError for points that are not N×2.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ShapeError(f"an embedding is N×2, got {shape_text(points.shape)}")
    ax = ax if ax is not None else figure(3.6, 3.4).subplots()
    labels = np.asarray(labels)
    for n, label in enumerate(np.unique(labels)):
        own = points[labels == label]
        colour = COLOURS[n % len(COLOURS)]
        ax.scatter(*own.T, s=8, color=colour, linewidths=0, alpha=0.8)
        name = str(label) if names is None else names[int(label)]
        ax.text(
            *np.median(own, axis=0), name, fontsize=9, weight="bold", ha="center", va="center",
            color=colour,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none",
                  "alpha": 0.8},
        )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(linewidth=0.5, color="#bbbbbb")
    return ax


def _favourite(model: Callable, x: Any, layer: Layer, patch: Patch, options: dict) -> np.ndarray:
    """What the channel's unit at the strongest place would like best, cut to its field."""
    values = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    start = np.full((1, *values.shape[1:]), float(values.mean()))
    # the darkest and brightest pixel are too far apart for a picture like those of the data
    bounds = tuple(np.quantile(values, (0.02, 0.98)))
    settings = {"steps": 80, "blur": 0.4, "bounds": bounds, "rules": "redirected"}
    unit = Unit(layer, patch.channel, patch.position)
    found = maximise(model, unit, None, start, **(settings | options))
    return found.images.numpy()[0][:, patch.rows, patch.columns]


def _limited(values: np.ndarray) -> np.ndarray:
    """Each projection on a scale of its own."""
    flat = values.sum(axis=0)
    return flat / (np.abs(flat).max() or 1.0)


def _drawn(image: Any, signed: bool) -> np.ndarray:
    array = np.asarray(image.numpy() if isinstance(image, Tensor) else image)
    if array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8:
        return array
    if array.dtype == np.uint8:
        array = array / 255.0
    if signed:
        return coloured(array) if (array < 0).any() else coloured(np.stack([array]))
    return pixels(array)
