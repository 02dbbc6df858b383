"""Pictures of attacks: the panel of the lecture, grids of images, robust-accuracy curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, require, shape_text
from ..inspection import as_variable
from .bounds import as_bounded
from .evaluation import logits_of
from .metrics import Curve

# the colours of Okabe and Ito, which colour-blind readers can tell apart
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
_FOOLED = "#D55E00"
_MOST_COLUMNS = 5


def panel(
    model: Callable, original: Any, adversarial: Any, names: Sequence[str] | None = None
) -> Any:
    """A figure with a row for each sample: original, adversarial, difference, 10× difference.

    Images N×C×H×W of any size, grey (C = 1) or colour (C = 3), within the model's bounds. Above
    each image stands what the model answers and how sure it is; above the difference its largest
    change. In a difference grey is no change; at 10× it is cut at white and black.
    `names` are the names of the classes.

    Raises MissingDependencyError without matplotlib, ShapeError for images that cannot be drawn.
    """
    model = as_bounded(model)
    images = [as_variable(v).detach() for v in (original, adversarial)]
    _check_drawable(images[0].shape)
    if images[0].shape != images[1].shape:
        raise ShapeError(
            f"originals of {shape_text(images[0].shape)}, adversarial images of "
            f"{shape_text(images[1].shape)}"
        )
    before, after = (ops.softmax(logits_of(model, v), 1).numpy() for v in images)
    low, high = model.bounds
    x, moved = ((v.numpy().astype(np.float64) - low) / (high - low) for v in images)
    count, _, height, width = x.shape
    across = 1.75
    size = (4 * across, 0.35 + count * (across * height / width + 0.28))
    figure, grid = _grid(count, 4, size)
    columns = ("original", "adversarial", "difference", "10 × difference")
    for i, axes in enumerate(grid):
        difference = moved[i] - x[i]
        fooled = before[i].argmax() != after[i].argmax()
        _show(axes[0], x[i], _answer(before[i], names))
        _show(axes[1], moved[i], _answer(after[i], names), _FOOLED if fooled else "black")
        largest = np.abs(difference).max() * (high - low)
        _show(axes[2], 0.5 + difference / 2, f"at most {largest:.3f}")
        _show(axes[3], np.clip(0.5 + 10 * difference / 2, 0, 1), "")
    for axes, name in zip(grid[-1], columns, strict=True):
        axes.set_xlabel(name)
    return figure


def image_grid(model: Callable, x: Any, names: Sequence[str] | None = None) -> Any:
    """A figure of images N×C×H×W, each with what the model answers: for fooling images.

    Raises MissingDependencyError without matplotlib, ShapeError for images that cannot be drawn.
    """
    model = as_bounded(model)
    images = as_variable(x).detach()
    _check_drawable(images.shape)
    sure = ops.softmax(logits_of(model, images), 1).numpy()
    low, high = model.bounds
    values = (images.numpy().astype(np.float64) - low) / (high - low)
    columns = min(len(values), _MOST_COLUMNS)
    rows = -(-len(values) // columns)
    across = 1.5
    shape = values.shape
    figure, grid = _grid(
        rows, columns, (columns * across, rows * (across * shape[2] / shape[3] + 0.28))
    )
    for place, axes in enumerate(grid.flat):
        if place < len(values):
            _show(axes, values[place], _answer(sure[place], names))
        else:
            axes.set_axis_off()
    return figure


def curve_picture(curves: Mapping[str, Curve], xlabel: str = "ε") -> Any:
    """A figure of robust-accuracy curves by name, each with its area.

    Raises MissingDependencyError without matplotlib, ValueError for no curves.
    """
    if not curves:
        raise ValueError("curve_picture: no curves are given")
    figure = require("matplotlib.figure", "plot").Figure(
        figsize=(5.4, 3.4), dpi=150, layout="constrained"
    )
    axes = figure.subplots()
    for place, (name, curve) in enumerate(curves.items()):
        axes.plot(
            curve.epsilons,
            100 * curve.accuracy,
            color=_COLORS[place % len(_COLORS)],
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=4,
            label=f"{name}  (area {curve.area:.2f})",
        )
    axes.set(xlabel=xlabel, ylabel="classified rightly, in percent", ylim=(-2, 102))
    axes.set_xlim(left=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _grid(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    figure = require("matplotlib.figure", "plot").Figure(
        figsize=size, dpi=150, layout="constrained"
    )
    return figure, figure.subplots(rows, columns, squeeze=False)


def _show(axes: Any, image: np.ndarray, title: str, color: str = "black") -> None:
    """One image C×H×W within 0 … 1, its pixels as squares, in a thin frame."""
    picture = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
    axes.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_title(title, fontsize=9, color=color)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(linewidth=0.5, color="#bbbbbb")


def _answer(probabilities: np.ndarray, names: Sequence[str] | None) -> str:
    best = int(probabilities.argmax())
    name, sure = (str(best) if names is None else names[best]), 100 * probabilities.max()
    # nothing is rounded up to certainty
    return f"{name}: > 99.99 %" if sure > 99.99 else f"{name}: {sure:.{1 if sure < 99.9 else 2}f} %"


def _check_drawable(shape: tuple[int, ...]) -> None:
    if len(shape) != 4 or shape[1] not in (1, 3) or not shape[0]:
        raise ShapeError(
            f"a picture needs images N×C×H×W with 1 or 3 channels, got {shape_text(shape)}"
        )
