"""A slide: boards of numbers, arrows and words, measured in cells, one size throughout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError, require, shape_text
from ..tensor import Tensor

BLUE, VERMILION, GREEN, ORANGE, PINK = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
INK, MUTED, HAIR, GRADIENT = "#000000", "#666666", "#BBBBBB", "#8A3B00"
PALE_BLUE, PALE_RED, PALE_GREY = "#D6E8F4", "#F9DFCF", "#F0F0F0"
TINTS = ("#D6E8F4", "#FBE7C2", "#D3EDE4", "#F3DDE9", "#E4E4F4", "#F6F2C6", "#F9DFCF", "#E6E6E6")
CELL = 0.56
NUMBER, TITLE, NOTE = 15.0, 16.0, 14.0
STYLE = {
    "font.family": "DejaVu Sans", "mathtext.fontset": "dejavusans", "font.size": NOTE,
    "axes.titlesize": TITLE, "axes.labelsize": NOTE, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": MUTED, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "text.color": INK, "figure.facecolor": "white", "axes.facecolor": "white",
}  # fmt: skip


def number(value: float) -> str:
    """A number as a reader writes it: whole ones without a point, others with three digits."""
    value = float(value)
    if value == 0:
        return "0"
    text = f"{value:.0f}" if value == round(value) and abs(value) < 1e5 else f"{value:.3g}"
    return text.replace("-", "−")


def blank(width: float, height: float) -> Any:
    """An empty white figure of a size in inches, which needs no window and no global state."""
    figure = require("matplotlib.figure", "plot").Figure
    with styled():
        return figure(figsize=(width, height), dpi=100, facecolor="white")


def styled() -> Any:
    """The context in which axes and texts are made."""
    return require("matplotlib", "plot").rc_context(STYLE)


def as_plane(name: str, what: str, values: Any) -> np.ndarray:
    """The numbers of a picture as a plane H×W in float64; ShapeError for anything else."""
    array = np.asarray(values.numpy() if isinstance(values, Tensor) else values, np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"{name}: {what} must be a plane H×W, got {shape_text(array.shape)}")
    return array


class Slide:
    """Boards, arrows and words at places measured in cells, x to the right and y downwards.

    Each text of a board has the board's name as its `gid`, row by row.
    """

    def __init__(self) -> None:
        patches = require("matplotlib.patches", "plot")
        self.rectangle, self.arrow_patch = patches.Rectangle, patches.FancyArrowPatch
        self.figure = blank(1.0, 1.0)
        with styled():
            self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.left, self.right, self.top, self.bottom = 0.0, 0.0, 0.0, 0.0

    def board(
        self,
        name: str,
        values: np.ndarray,
        x: float,
        y: float,
        title: str = "",
        fill: Callable[[int, int], str] | None = None,
        bold: Callable[[int, int], bool] | None = None,
        blank_zeros: bool = False,
    ) -> None:
        """A plane of numbers with its upper left corner at (x, y), the title above it."""
        rows, columns = values.shape
        for i in range(rows):
            for j in range(columns):
                colour = fill(i, j) if fill else "white"
                cell = self.rectangle((x + j, y + i), 1, 1, facecolor=colour, edgecolor=HAIR)
                self.axes.add_patch(cell)
                faint = blank_zeros and values[i, j] == 0
                text = self.axes.text(
                    x + j + 0.5, y + i + 0.52, number(values[i, j]), fontsize=NUMBER,
                    ha="center", va="center", color=HAIR if faint else INK,
                    fontweight="bold" if bold and bold(i, j) else "normal",
                )  # fmt: skip
                text.set_gid(name)
                self._shrink(text)
        self.frame(x, y, columns, rows, MUTED, 1.4)
        if title:
            self.words(x + columns / 2, y - 0.5, title, size=TITLE)
        self._cover(x, y, x + columns, y + rows)

    def frame(
        self, x: float, y: float, width: float, height: float, colour: str, line: float = 3.0
    ) -> None:
        """An outline around cells."""
        self.axes.add_patch(
            self.rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line,
                           joinstyle="round", zorder=4)
        )  # fmt: skip

    def arrow(self, start: tuple, end: tuple, label: str = "", colour: str = INK) -> None:
        """An arrow with words above its middle."""
        self.axes.add_patch(
            self.arrow_patch(start, end, arrowstyle="-|>", mutation_scale=18, color=colour,
                             linewidth=2.0, shrinkA=0, shrinkB=0)
        )  # fmt: skip
        if label:
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            self.words(middle[0], middle[1] - 0.45, label, colour)

    def words(
        self,
        x: float,
        y: float,
        text: str,
        colour: str = INK,
        anchor: str = "center",
        size: float = NOTE,
        bold: bool = False,
        name: str | None = None,
    ) -> None:
        """One line of text, `y` the middle of its height."""
        made = self.axes.text(
            x, y, text, fontsize=size, ha=anchor, va="center", color=colour,
            fontweight="bold" if bold else "normal",
        )  # fmt: skip
        made.set_gid(name)
        width = self._width(made)
        left = x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[anchor]
        self._cover(left, y - 0.45, left + width, y + 0.45)

    def finish(self) -> Any:
        """The figure, cut to what was drawn."""
        margin = 0.35
        width, height = self.right - self.left + 2 * margin, self.bottom - self.top + 2 * margin
        self.figure.set_size_inches(width * CELL, height * CELL)
        self.axes.set(
            xlim=(self.left - margin, self.right + margin),
            ylim=(self.bottom + margin, self.top - margin),
        )
        return self.figure

    def _cover(self, left: float, top: float, right: float, bottom: float) -> None:
        if self.left == self.right == self.top == self.bottom == 0.0:
            self.left, self.top, self.right, self.bottom = left, top, right, bottom
        self.left, self.right = min(self.left, left), max(self.right, right)
        self.top, self.bottom = min(self.top, top), max(self.bottom, bottom)

    def _shrink(self, text: Any) -> None:
        """Long numbers smaller, so that they stay within their cell."""
        width = self._width(text)
        if width > 0.92:
            text.set_fontsize(text.get_fontsize() * 0.92 / width)

    def _width(self, text: Any) -> float:
        """The width of a text in cells, whatever the size of the figure."""
        extent = text.get_window_extent(renderer=self._renderer())
        return extent.width / self.figure.dpi / CELL

    def _renderer(self) -> Any:
        if not hasattr(self, "renderer"):
            agg = require("matplotlib.backends.backend_agg", "plot")
            self.renderer = agg.FigureCanvasAgg(self.figure).get_renderer()
        return self.renderer
