"""Lecture pictures of convolution: as a sliding window, and as a sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..kernels.specs import conv_spec
from ..tensor import tensor
from .teaching_slide import BLUE, GRADIENT, MUTED, PALE_BLUE, TINTS, Slide, as_plane, number


def convolution_window(
    x: Any, w: Any, at: tuple[int, int] = (0, 0), stride: Any = 1, padding: Any = 0,
    dilation: Any = 1,
) -> Any:  # fmt: skip
    """A convolution of one plane, with the window that makes the output entry `at`, and its sum.

    Formula: y[i, j] = Σ_{p,q} w[p, q]·x[i·s + p·d − P, j·s + q·d − P]. Padding is drawn as a rim of
    zeros. The filter is not turned, as everywhere in deep learning.

    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.convolution_window([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 0], [0, 1]])

    Raises ShapeError when nothing comes out, IndexError for a place outside the output,
    MissingDependencyError without matplotlib.
    """
    x, w = as_plane("convolution_window", "x", x), as_plane("convolution_window", "w", w)
    spec = conv_spec("convolution_window", (1, 1, *x.shape), (1, 1, *w.shape), stride, padding,
                     dilation, 1)  # fmt: skip
    y = ops.conv2d(x[None, None], w[None, None], None, stride, padding, dilation)[0, 0]
    if not all(0 <= place < size for place, size in zip(at, y.shape, strict=True)):
        raise IndexError(f"there is no output entry {at}: y is {shape_text(y.shape)}")
    padded = np.pad(x, spec.padding)
    taps = {
        tuple(place * s + tap * d
              for place, s, tap, d in zip(at, spec.stride, tap_, spec.dilation, strict=True)): tap_
        for tap_ in np.ndindex(w.shape)
    }  # fmt: skip
    (rows, columns), sizes = padded.shape, (w.shape, y.shape)
    slide, centre = Slide(), rows / 2
    tops = [centre - size[0] / 2 for size in sizes]
    lefts = [columns + 2.0, columns + w.shape[1] + 4.0]

    def tint(i: int, j: int) -> str:
        return PALE_BLUE if (i, j) in taps else _rim(spec.padding, x.shape, i, j)

    slide.board("x", padded, 0, 0, "x, padded" if padded.size != x.size else "x", tint)
    for (i, j), tap in taps.items():
        slide.axes.text(j + 0.95, i + 0.93, f"×{number(w[tap])}", fontsize=8.5, color=BLUE,
                        ha="right", va="bottom").set_gid("taps")  # fmt: skip
    (top, left), (bottom, right) = min(taps), max(taps)
    slide.frame(left, top, right - left + 1, bottom - top + 1, BLUE)
    slide.words(columns + 1.0, centre, "∗", size=24.0)
    slide.board("w", w, lefts[0], tops[0], "w", lambda i, j: PALE_BLUE)
    slide.words(lefts[1] - 1.0, centre, "=", size=24.0)
    slide.board("y", y, lefts[1], tops[1], "y", lambda i, j: TINTS[1] if (i, j) == at else "white",
                lambda i, j: (i, j) == at)  # fmt: skip
    slide.frame(lefts[1] + at[1], tops[1] + at[0], 1, 1, GRADIENT)
    terms = [f"{number(w[tap])}·{_signed(padded[place])}" for place, tap in taps.items()]
    total = f"y[{at[0]}, {at[1]}] = {' + '.join(terms)} = {number(y[at])}"
    for k, line in enumerate(_wrapped(total, 76)):
        slide.words(0, rows + 0.8 + 0.75 * k, line, MUTED, "left", name="sum")
    return slide.finish()


def _rim(padding: tuple, size: tuple, i: int, j: int) -> str:
    inside = all(before <= place < before + n
                 for place, (before, _), n in zip((i, j), padding, size, strict=True))  # fmt: skip
    return "white" if inside else "#F0F0F0"


def _signed(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken before a plus."""
    lines = [""]
    for part in text.replace(" + ", "\n+ ").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("    ")
        lines[-1] += part if lines[-1].strip() == "" else f" {part}"
    return lines


def convolution_matrix(x: Any, w: Any, stride: Any = 1, padding: Any = 0) -> Any:
    """The same convolution as a sparse matrix: vec(y) = C·vec(x), a colour for each weight.

    vec reads a plane row by row; C has a row for each output entry and a column for each input
    entry, and the backward pass multiplies by Cᵀ. At most 16 output and 36 input entries are drawn
    legibly; larger ones belong to `autograd_cnn.ops.conv_matrix`.

    >>> import numpy as np
    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.convolution_matrix(np.arange(16).reshape(4, 4), np.ones((3, 3)))

    Raises ShapeError when nothing comes out or it is too large, MissingDependencyError without
    matplotlib or SciPy.
    """
    x, w = as_plane("convolution_matrix", "x", x), as_plane("convolution_matrix", "w", w)
    spec = conv_spec("convolution_matrix", (1, 1, *x.shape), (1, 1, *w.shape), stride, padding, 1,
                     1)  # fmt: skip
    filters = w[None, None]
    matrix = ops.conv_matrix(spec, (1, *x.shape), filters).toarray()
    if matrix.shape[0] > 16 or matrix.shape[1] > 36:
        raise ShapeError(
            f"convolution_matrix: C would be {shape_text(matrix.shape)}; at most 16×36 is legible"
        )
    numbers = np.arange(1.0, w.size + 1).reshape(filters.shape)
    taps = ops.conv_matrix(spec, (1, *x.shape), numbers).toarray().astype(int)
    y = ops.conv2d(tensor(x[None, None]), tensor(filters), None, stride, padding).numpy()[0, 0]
    (outputs, inputs), columns = matrix.shape, x.shape[1]

    def tint(i: int, j: int) -> str:
        return _tap_colour(taps[i, j] - 1) if taps[i, j] else "white"

    slide = Slide()
    slide.board("C", matrix, 0, 0, f"C, {shape_text(matrix.shape)}", tint, blank_zeros=True)
    for edge in range(columns, inputs, columns):
        slide.axes.plot([edge, edge], [0, outputs], color=MUTED, linewidth=2.0)
    slide.words(inputs + 0.8, outputs / 2, "·", size=26.0)
    slide.board("vec x", x.reshape(-1, 1), inputs + 1.6, 0, "vec(x)")
    slide.words(inputs + 3.4, outputs / 2, "=", size=24.0)
    slide.board("vec y", y.reshape(-1, 1), inputs + 4.2, 0, "vec(y)")
    low = outputs + 2.0
    slide.board("w", w, 0, low, "w", lambda i, j: _tap_colour(i * w.shape[1] + j))
    slide.board("x", x, w.shape[1] + 2.0, low, "x")
    left = w.shape[1] + columns + 4.0
    slide.board("y", y, left, low, "y")
    words = ("one row of C for each output entry", "one colour for each weight",
             "backward: ∂L/∂vec(x) = Cᵀ·∂L/∂vec(y)")  # fmt: skip
    for k, line in enumerate(words):
        slide.words(0, low + max(w.shape[0], x.shape[0]) + 0.9 + 0.8 * k, line, MUTED, "left")
    return slide.finish()


def _tap_colour(tap: int) -> str:
    """Nine quiet colours, then the same again."""
    return (*TINTS, "#CFE9F9")[tap % 9]
