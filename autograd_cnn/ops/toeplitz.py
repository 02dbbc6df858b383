"""Convolution as mathematics has it: with the filter turned, and as a sparse matrix."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

from ..errors import ShapeError, require, require_arrays, require_floats, shape_text
from ..kernels import provider_for
from ..kernels.specs import ConvSpec, Sizes
from ..tensor import Tensor
from .conv import _conv
from .reduce import reshape
from .shape import flip


def convolve(x: Any, w: Any, mode: str = "full") -> Any:
    """(x ∗ w)[i] = Σ_j x[i − j]·w[j]: the filter is turned, unlike in `conv2d`.

    Arrays of one to three axes, the same number in both. "full" gives every place where the two
    overlap, n + k − 1; "same" its middle, as long as x; "valid" where w lies inside, n − k + 1. As
    in numpy.convolve with x the longer, and in scipy.signal.convolve.

    >>> import autograd_cnn as ag
    >>> ag.convolve(ag.tensor([1.0, 2.0, 3.0]), ag.tensor([0.0, 1.0, 0.5])).tolist()
    [0.0, 1.0, 2.5, 4.0, 1.5]

    Raises ShapeError for axes that do not fit, ValueError for another mode.
    """
    require_arrays("convolve", x, w)
    if x.ndim != w.ndim or not 1 <= x.ndim <= 3 or 0 in (*x.shape, *w.shape):
        raise ShapeError(
            f"convolve: {shape_text(x.shape)} and {shape_text(w.shape)}: one to three axes, the "
            "same number in both, none empty"
        )
    require_floats("convolve", x, w)
    if mode not in ("full", "same", "valid"):
        raise ValueError(f'convolve: mode "{mode}" is not "full", "same" or "valid"')
    if mode == "valid" and any(k > n for n, k in zip(x.shape, w.shape, strict=True)):
        raise ShapeError(
            f"convolve: {shape_text(w.shape)} nowhere lies inside {shape_text(x.shape)}"
        )
    before = {"full": [k - 1 for k in w.shape], "same": [k // 2 for k in w.shape]}
    after = {"full": [k - 1 for k in w.shape], "same": [(k - 1) // 2 for k in w.shape]}
    none = [0] * x.ndim
    pairs = tuple(zip(before.get(mode, none), after.get(mode, none), strict=True))
    ones = (1,) * x.ndim
    image, filters = reshape(x, (1, 1, *x.shape)), reshape(flip(w), (1, 1, *w.shape))
    y = _conv(image, filters, None, spec=ConvSpec(ones, pairs, ones))
    return reshape(y, y.shape[2:])


def conv_matrix(spec: ConvSpec, x_shape: Sizes, w: Any) -> Any:
    """The sparse matrix C with vec(y) = C·vec(x) for the convolution of x by w; backward is Cᵀ.

    `x_shape` is C×… of one sample, or N×C×… of several; vec reads an array row by row. C has a
    row for each output entry and a column for each input entry; entry (y, x) is the weight that
    takes x to y. Returns a scipy.sparse.csr_array of the dtype of w.

    >>> import numpy as np
    >>> from autograd_cnn.kernels.specs import ConvSpec
    >>> from autograd_cnn.ops import conv_matrix
    >>> spec = ConvSpec(stride=(1,), padding=((0, 0),), dilation=(1,))
    >>> conv_matrix(spec, (1, 4), np.array([[[1, 2, 3]]])).toarray().tolist()
    [[1, 2, 3, 0], [0, 1, 2, 3]]

    Raises ShapeError when the channels or axes do not fit, MissingDependencyError without SciPy.
    """
    sparse = require("scipy.sparse", "explain")
    w = w._data if isinstance(w, Tensor) else w
    x_shape = tuple(x_shape)
    sample = x_shape[-spec.ndim - 1 :]
    _check_shapes(spec, x_shape, w)
    xp, size, kernel = provider_for([w]).xp, sample[1:], w.shape[2:]
    out = spec.output_size(size, kernel)
    rows, columns, values = [], [], []
    filters = w.shape[0] // spec.groups
    filter_ = xp.arange(w.shape[0])[:, None, None]
    channel = filter_ // filters * w.shape[1] + xp.arange(w.shape[1])[:, None]
    for tap in product(*map(range, kernel)):
        place, pixel = _pairs_of_a_tap(xp, spec, tap, size, out)
        shape = (w.shape[0], w.shape[1], len(place))
        rows.append(xp.broadcast_to(filter_ * prod(out) + place, shape).ravel())
        columns.append(xp.broadcast_to(channel * prod(size) + pixel, shape).ravel())
        values.append(xp.broadcast_to(w[(..., *tap)][:, :, None], shape).ravel())
    samples = xp.arange(prod(x_shape) // prod(sample))[:, None]
    height, width = w.shape[0] * prod(out), prod(sample)
    places = (
        (samples * height + xp.concatenate(rows)).ravel(),
        (samples * width + xp.concatenate(columns)).ravel(),
    )
    entries = xp.tile(xp.concatenate(values), len(samples))
    return sparse.csr_array((entries, places), shape=(len(samples) * height, prod(x_shape)))


def _pairs_of_a_tap(xp: Any, spec: ConvSpec, tap: Sizes, size: Sizes, out: Sizes) -> tuple:
    """The flat output places whose window has this tap inside, and the flat pixels it sees."""
    place, pixel, inside = xp.zeros((1,), "int64"), xp.zeros((1,), "int64"), xp.ones((1,), bool)
    for axis, (n, o) in enumerate(zip(size, out, strict=True)):
        seen = xp.arange(o) * spec.stride[axis] + tap[axis] * spec.dilation[axis]
        seen = seen - spec.padding[axis][0]
        place = (place[:, None] * o + xp.arange(o)).ravel()
        pixel = (pixel[:, None] * n + seen).ravel()
        inside = (inside[:, None] & (seen >= 0) & (seen < n)).ravel()
    return place[inside], pixel[inside]


def _check_shapes(spec: ConvSpec, x_shape: Sizes, w: Any) -> None:
    require_arrays("conv_matrix", w)
    if len(x_shape) - spec.ndim not in (1, 2) or w.ndim != spec.ndim + 2:
        raise ShapeError(
            f"conv_matrix: input {shape_text(x_shape)} must be C×… or N×C×… with {spec.ndim} "
            f"spatial axes, and the filters O×C×…, got {shape_text(w.shape)}"
        )
    channels = x_shape[-spec.ndim - 1]
    if channels != w.shape[1] * spec.groups or w.shape[0] % spec.groups:
        raise ShapeError(
            f"conv_matrix: {channels} channels in {spec.groups} group(s), but the filters "
            f"{shape_text(w.shape)} take {w.shape[1]} each"
        )
    out = spec.output_size(x_shape[-spec.ndim :], w.shape[2:])
    if min(out) < 1:
        raise ShapeError(
            f"conv_matrix: input {shape_text(x_shape)} with filters {shape_text(w.shape)} has no "
            f"output: {shape_text(out).replace('-', '−')}"
        )


def conv_matrix_picture(spec: ConvSpec, x_shape: Sizes, w: Any) -> Any:
    """A picture of `conv_matrix`: each nonzero cell in the colour of its tap, with the weight.

    Rows are output entries, columns input entries; thicker lines separate the rows of the images,
    the thickest ones the channels. Cells are numbered while there is room. Returns a
    matplotlib Figure.

    Raises what `conv_matrix` raises, MissingDependencyError without matplotlib.
    """
    matrix = conv_matrix(spec, x_shape, w).tocoo()
    figure_module = require("matplotlib.figure", "plot")
    w = w._data if isinstance(w, Tensor) else w
    rows, columns = matrix.shape
    taps = _tap_numbers(spec, x_shape, w).tocoo()
    cell = min(0.42, 14 / max(rows, columns))
    figure = figure_module.Figure(
        (max(4.0, columns * cell + 1.4), max(2.2, rows * cell + 1.5)), layout="constrained"
    )
    axes = figure.add_subplot()
    count = prod(w.shape[2:])
    colors = require("matplotlib", "plot").colormaps["tab10" if count <= 10 else "turbo"]
    image = provider_for([w]).xp.ones((rows, columns, 3))
    image[taps.row, taps.col] = 0.55 + 0.45 * colors(taps.data / max(count - 1, 9))[:, :3]
    axes.imshow(image, extent=(0, columns, rows, 0), interpolation="nearest")
    if cell > 0.3:
        for i, j, value in zip(matrix.row, matrix.col, matrix.data, strict=True):
            axes.text(j + 0.5, i + 0.5, f"{value:.3g}", ha="center", va="center", fontsize=8)
    size, lead = tuple(x_shape)[-spec.ndim :], tuple(x_shape)[: -spec.ndim - 1]
    out = spec.output_size(size, w.shape[2:])
    _label(axes.xaxis, axes.axvline, columns, size, cell)
    _label(axes.yaxis, axes.axhline, rows, out, cell)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlim=(0, columns), ylim=(rows, 0), xlabel=f"entry of x, {shape_text(tuple(x_shape))}",
             ylabel=f"entry of y, {shape_text((*lead, w.shape[0], *out))}")  # fmt: skip
    title = f"vec(y) = C·vec(x): {rows}×{columns}, {matrix.nnz} weights, a colour for each of the "
    axes.set_title(f"{title}{count} taps", fontsize=9, y=0, pad=-14, va="top")
    return figure


def _tap_numbers(spec: ConvSpec, x_shape: Sizes, w: Any) -> Any:
    """The matrix of the convolution with the numbers of the taps, from 0, for weights."""
    xp = provider_for([w]).xp
    numbers = xp.arange(prod(w.shape[2:])).reshape(w.shape[2:])
    return conv_matrix(spec, x_shape, xp.broadcast_to(numbers, w.shape))


def _label(axis: Any, draw: Any, length: int, size: Sizes, cell: float) -> None:
    """Numbers along one axis, and lines between its entries, image rows and channels."""
    step = max(1, length // 32)
    axis.set_ticks([i + 0.5 for i in range(0, length, step)], range(0, length, step))
    axis.set_tick_params(length=0, labelsize=max(5.0, min(8.0, 60 * cell)))
    for place in range(length + 1):
        channel, row = place % prod(size) == 0, place % size[-1] == 0
        if row or length < 200:
            width = 1.6 if channel else 0.8 if row else 0.25
            draw(place, color="#444444" if row else "#bbbbbb", linewidth=width)
