"""Does the network take a mark in the data for a class? A report, class by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..inspection import as_classes, as_variable, check_evaluating
from ..tape import no_grad
from ..tensor import tensor
from .chunks import MAX_BYTES, samples_that_fit, slices
from .gradient import InputXGradient
from .method import Method
from .target import classes_of


@dataclass(frozen=True)
class ClassBias:
    """What was found for one class about the window that its explanations agree on most."""

    label: int
    rows: slice
    columns: slice
    share: float
    """The share of the explanations' mass |φ| inside the window."""
    area: float
    """The window's share of the image: what `share` would be if the mass were even."""
    recall: float
    """The share of the class's samples that the network recognises."""
    covered: float
    """The same with the window covered."""
    taken: float
    """The share of the other classes' samples that become this one with its window pasted in."""

    @property
    def suspicious(self) -> bool:
        """Whether the window decides: most samples are lost without it, and most others won."""
        return self.recall - self.covered > 0.5 and self.taken > 0.5


@dataclass(frozen=True)
class BiasReport:
    """One entry a class; `print(report)` gives a table."""

    classes: tuple[ClassBias, ...]

    @property
    def suspicious(self) -> tuple[int, ...]:
        """The classes that a window decides."""
        return tuple(entry.label for entry in self.classes if entry.suspicious)

    def __str__(self) -> str:
        lines = ["class  rows    columns  mass in window  (area)  recall  covered  others taken"]
        for one in self.classes:
            rows = f"{one.rows.start}–{one.rows.stop - 1}"
            columns = f"{one.columns.start}–{one.columns.stop - 1}"
            lines.append(
                f"{one.label:>5}  {rows:<6}  {columns:<7}  {one.share:>14.0%}  {one.area:>6.0%}  "
                f"{one.recall:>6.0%}  {one.covered:>7.0%}  {one.taken:>12.0%}"
                + ("  ← decides" if one.suspicious else "")
            )
        return "\n".join(lines)


def bias_report(
    model: Callable,
    x: Any,
    labels: Any,
    method: Method | None = None,
    window: int = 3,
    baseline: float = 0.0,
    max_bytes: int = MAX_BYTES,
) -> BiasReport:
    """For each class the window where its explanations concentrate, and what the window does.

    The maps |φ| of `method` (input×gradient unless given) are averaged over the samples of a class
    and the `window`×`window` box with the largest mass is found. Then it is tried: the box is
    covered with `baseline` in the samples of the class, and the mean box of the class is pasted
    into the samples of all others. A class that a mark decides, such as a tag in the corner, is
    lost by the first and wins by the second.

    Raises ShapeError for images smaller than the window or labels that do not fit.
    """
    check_evaluating(model, "explain")
    x = as_variable(x).detach()
    if x.ndim != 4 or min(x.shape[2:]) < window:
        raise ShapeError(f"a window of {window}×{window} in images {shape_text(x.shape)}")
    labels = as_classes(labels, x.shape[0], None, "bias report")
    method = InputXGradient(model) if method is None else method
    method_maps = np.abs(method.attribute(x, labels).numpy()).sum(axis=1).astype(np.float64)
    values = x.numpy()
    entries = []
    for label in np.unique(labels):
        own = labels == label
        mean = method_maps[own].mean(axis=0)
        place, share = _heaviest(mean, window)
        covered, pasted = values[own].copy(), values[~own].copy()
        covered[(slice(None), slice(None), *place)] = baseline
        pasted[(slice(None), slice(None), *place)] = values[own].mean(axis=0)[(slice(None), *place)]
        recall, lost, taken = (
            float((_answers(model, images, x, max_bytes) == label).mean()) if len(images) else 0.0
            for images in (values[own], covered, pasted)
        )
        area = window * window / mean.size
        entries.append(ClassBias(int(label), *place, share, area, recall, lost, taken))
    return BiasReport(tuple(entries))


def _heaviest(values: np.ndarray, window: int) -> tuple[tuple[slice, slice], float]:
    """The window with the largest sum, and its share of the whole."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes = (
        sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window]
        + sums[:-window, :-window]
    )  # fmt: skip
    i, j = np.unravel_index(int(boxes.argmax()), boxes.shape)
    total = float(values.sum())
    place = (slice(int(i), int(i) + window), slice(int(j), int(j) + window))
    return place, float(boxes[i, j]) / total if total else 0.0


def _answers(model: Callable, images: np.ndarray, like: Any, max_bytes: int) -> np.ndarray:
    size = samples_that_fit(model, like, max_bytes)
    found = []
    with no_grad():
        for part in slices(len(images), size):
            batch = tensor(images[part], dtype=like.dtype, device=like.device)
            found.append(classes_of(model(batch), None))
    return np.concatenate(found)
