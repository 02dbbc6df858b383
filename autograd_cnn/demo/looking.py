"""Step 4: what the network looks at, by three methods from one recorded forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import explain, ops
from . import figures
from .folder import Folder
from .study import Study, percent

DIGITS = (0, 2, 3, 5, 7, 8)
ROWS = {"gradient": None, "deconvnet": "deconvnet", "guided\nbackprop": "guided"}


def look(study: Study, folder: Folder) -> dict[str, Any]:
    """Explain six held-out digits; write the picture; give the numbers."""
    places = study.one_of_each(DIGITS)
    tape = explain.record(study.net, study.images(places))
    maps = {name: tape.gradient(rules).numpy()[:, 0] for name, rules in ROWS.items()}
    probabilities = ops.softmax(tape.outputs.detach(), 1).numpy()
    images = study.test.x[places][:, 0]
    folder.write("explanations.png", grid(images, maps, probabilities))
    return {
        "labels": study.test.y[places].tolist(),
        "predictions": probabilities.argmax(axis=1).tolist(),
        "confidences": probabilities.max(axis=1).tolist(),
        "largest": {
            name.replace("\n", " "): np.abs(m).max(axis=(1, 2)).tolist() for name, m in maps.items()
        },
    }


def grid(images: np.ndarray, maps: dict[str, np.ndarray], probabilities: np.ndarray) -> bytes:
    """A column for each digit: the image, and what each method says of it."""
    with figures.styled():
        figure = figures.figure(7.2, 4.5)
        axes = figure.subplots(1 + len(maps), len(images))
        for column, image in enumerate(images):
            figures.show_image(axes[0, column], image)
            best = probabilities[column].argmax()
            axes[0, column].set_title(f"“{best}”  {percent(probabilities[column, best])}")
            for row, values in enumerate(maps.values(), start=1):
                shown = figures.show_signed(axes[row, column], _relative(values[column]), 1.0)
                _outline(axes[row, column], image)
        for row, name in enumerate(["image", *maps]):
            axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        bar = figure.colorbar(shown, ax=axes[1:], ticks=[-1, 0, 1], shrink=0.6, aspect=30, pad=0.01)
        bar.ax.set_yticklabels(["lowers", "0", "raises"])
        bar.set_label("what more ink does to the score", rotation=270, va="bottom")
        bar.outline.set_visible(False)
        return figures.png(figure)


def _relative(values: np.ndarray) -> np.ndarray:
    """Values over their largest, so that every map uses the whole scale; all zero stays zero."""
    return values / (np.abs(values).max() or 1.0)


def _outline(axes: Any, image: np.ndarray) -> None:
    """The digit's outline, to see where the map lies."""
    places = np.arange(-1, image.shape[0] + 1)
    padded = np.pad(image, 1)  # so that strokes that run off the image are closed
    axes.contour(places, places, padded, levels=[0.5], colors="black", linewidths=0.6, alpha=0.55)
    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
