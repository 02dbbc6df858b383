"""Convolution as matrix products, on NumPy and BLAS alone: four ways, and the choice among them.

* pointwise: a 1×1 kernel is a matrix product with no copy at all.
* columns: each tap of the kernel sees a contiguous run of the padded image laid out flat, so the
  taps are unrolled by long copies and one product does the rest. The runs cross image borders:
  the few outputs computed there are dropped. Stride splits the image into phases, dilation moves
  the runs; neither costs anything else.
* rows: channels last, where what a window sees is short runs but no output is wasted. Wins on
  small images with many channels.
* spread: the transpose of columns. One product computes every tap's share and shifted additions
  gather them. Wins where there are fewer outputs than inputs, and does strided input gradients.

The batch is cut into blocks whose unrolled taps stay in the cache.
Sources: K. Chellapilla, S. Puri and P. Simard, "High performance convolutional neural networks for
document processing", 2006; A. Vasudevan, A. Anderson and D. Gregg, "Parallel multi channel
convolution using general matrix multiplication", 2017.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .numpy_costs import cheapest, costs, weight_costs
from .numpy_unroll import Columns, Rows, Wide, blocks, eights, grid_of, is_pointwise, mirrored_spec
from .specs import ConvSpec, Sizes


def correlate(
    x: np.ndarray, w: np.ndarray, b: np.ndarray | None, spec: ConvSpec, out: Sizes
) -> np.ndarray:
    """The convolution of N×C×size with O×(C/groups)×kernel, by whichever way is estimated fastest.

    `out` says how many outputs to compute; what lies outside `x` counts as zero and a negative
    padding cuts `x`, so that the input gradient is this function too.
    """
    return _WAYS[cheapest(costs(x.shape, w.shape, spec, out))](x, w, b, spec, out)


def input_grad(y: np.ndarray, w: np.ndarray, spec: ConvSpec, size: Sizes) -> np.ndarray:
    """The transpose of `correlate` in its input: at stride 1, a convolution with turned filters."""
    if max(spec.stride) == 1:
        return correlate(y, *mirrored(w, spec), size)
    if is_pointwise(w.shape, spec):
        result = np.zeros((y.shape[0], w.shape[1] * spec.groups, *size), y.dtype)
        part = _pointwise(y, *mirrored(w, spec), y.shape[2:])
        result[_every_stride(spec, y.shape[2:])] = part
        return result
    return _spread(y, w, spec, size)


def weight_grad(x: np.ndarray, y: np.ndarray, spec: ConvSpec, kernel: Sizes) -> np.ndarray:
    """The transpose of `correlate` in its filters."""
    shape = (y.shape[1], x.shape[1] // spec.groups, *kernel)
    way = cheapest(weight_costs(x.shape, shape, spec, y.shape[2:]))
    return _WEIGHT_WAYS[way](x, y, spec, kernel)


def mirrored(w: np.ndarray, spec: ConvSpec) -> tuple[np.ndarray, None, ConvSpec]:
    """Filters turned by 180° with inputs and outputs exchanged, no bias, and their geometry."""
    kernel, groups = w.shape[2:], spec.groups
    split = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    turned = np.flip(split, tuple(range(3, split.ndim)))
    return turned.reshape(groups * w.shape[1], -1, *kernel), None, mirrored_spec(spec, kernel)


def _pointwise(x, w, b, spec, out):
    n, groups = x.shape[0], spec.groups
    seen = x[_every_stride(spec, out)].reshape(n, groups, w.shape[1], prod(out))
    y = np.matmul(w.reshape(groups, w.shape[0] // groups, w.shape[1]), seen)
    y = y.reshape(n, w.shape[0], *out)
    return y if b is None else np.add(y, _per_filter(b, spec), out=y)


def _columns(x, w, b, spec, out):
    n, groups, dtype = x.shape[0], spec.groups, x.dtype
    grid = grid_of(spec, x.shape[2:], w.shape[2:], out)
    filters = w.reshape(groups, w.shape[0] // groups, -1)
    if groups == 1 and w.shape[0] % 8:
        spare = eights(w.shape[0]) - w.shape[0]
        filters = np.pad(filters, ((0, 0), (0, spare), (0, 0)))
    y = np.empty((n, w.shape[0], *out), dtype)
    for images, block in blocks(n, x.shape[1] * grid.taps * grid.length * dtype.itemsize):
        if block is not None:
            columns = Columns(grid, x.shape[1], block, groups, dtype)
            wide = Wide(grid, w.shape[0], block, groups, dtype)
        columns.load(x[images])
        for run in columns.runs:
            np.matmul(filters, columns.unroll(run), out=wide.padded_matrix[..., run])
        wide.store(y[images], b)
    return y


def _weight_columns(x, y, spec, kernel):
    n, groups, dtype = x.shape[0], spec.groups, x.dtype
    grid = grid_of(spec, x.shape[2:], kernel, y.shape[2:])
    channels, filters = x.shape[1] // groups, y.shape[1] // groups
    total: Any = 0
    for images, block in blocks(n, x.shape[1] * grid.taps * grid.length * dtype.itemsize):
        if block is not None:
            columns = Columns(grid, x.shape[1], block, groups, dtype)
            wide = Wide(grid, y.shape[1], block, groups, dtype)
        columns.load(x[images])
        wide.load(y[images])
        for run in columns.runs:
            columns.unroll(run)
            outputs = wide.padded_matrix[..., run].swapaxes(1, 2)
            total += np.matmul(columns.padded_matrix(run), outputs)
    total = total[:, : channels * grid.taps, :filters]
    return np.ascontiguousarray(total.swapaxes(1, 2)).reshape(groups * filters, channels, *kernel)


def _spread(y, w, spec, size):
    n, groups, dtype = y.shape[0], spec.groups, y.dtype
    grid = grid_of(spec, size, w.shape[2:], y.shape[2:])
    filters = w.reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2)
    channels = groups * w.shape[1]
    result = np.zeros((n, channels, *size), dtype)
    for images, block in blocks(n, channels * grid.taps * grid.length * dtype.itemsize):
        if block is not None:
            columns = Columns(grid, channels, block, groups, dtype)
            wide = Wide(grid, y.shape[1], block, groups, dtype)
        wide.load(y[images])
        columns.clear()
        for run in columns.runs:
            np.matmul(filters, wide.matrix[..., run], out=columns.matrix(run))
            columns.add_up(run)
        columns.store(result[images])
    return result


def _spread_turned(x, w, b, spec, out):
    turned, _, geometry = mirrored(w, spec)
    y = _spread(x, turned, geometry, out)
    return y if b is None else np.add(y, _per_filter(b, spec), out=y)


def _rows(x, w, b, spec, out):
    n, filters = x.shape[0], w.shape[0]
    matrix = np.moveaxis(w, (0, 1), (-1, -2)).reshape(-1, filters)
    y = np.empty((n, filters, *out), x.dtype)
    last = np.moveaxis(y, 1, -1)
    for images, block in blocks(n, prod(out) * w[0].size * x.dtype.itemsize):
        if block is not None:
            rows = Rows(x, w.shape[2:], spec, out, block)
            result = np.empty((block, *out, filters), x.dtype)
        np.matmul(rows.unroll(x[images]), matrix, out=result.reshape(-1, filters))
        if b is None:
            last[images] = result
        else:
            np.add(result, b, out=last[images])
    return y


def _weight_rows(x, y, spec, kernel):
    n, channels, filters = x.shape[0], x.shape[1], y.shape[1]
    out, taps = y.shape[2:], prod(kernel)
    total = np.zeros((taps * channels, filters), x.dtype)
    part = np.empty_like(total)
    last = np.moveaxis(y, 1, -1)
    for images, block in blocks(n, prod(out) * channels * taps * x.dtype.itemsize):
        if block is not None:
            rows = Rows(x, kernel, spec, out, block)
            outputs = np.empty((block, *out, filters), x.dtype)
        outputs[...] = last[images]
        total += np.matmul(rows.unroll(x[images]).T, outputs.reshape(-1, filters), out=part)
    return np.ascontiguousarray(
        np.moveaxis(total.reshape(*kernel, channels, filters), (-1, -2), (0, 1))
    )


_WAYS = {
    "pointwise": _pointwise,
    "columns": _columns,
    "rows": _rows,
    "spread": _spread_turned,
}
_WEIGHT_WAYS = {"columns": _weight_columns, "rows": _weight_rows}


def _per_filter(b: np.ndarray, spec: ConvSpec) -> np.ndarray:
    return b.reshape(-1, *(1,) * spec.ndim)


def _every_stride(spec: ConvSpec, out: Sizes) -> tuple:
    return (..., *(slice(0, (o - 1) * s + 1, s) for o, s in zip(out, spec.stride, strict=True)))
