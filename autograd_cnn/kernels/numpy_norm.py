"""Normalisation on NumPy: few passes, in place, in blocks that stay in the cache.

Two layouts cover every norm: "channel" (batch norm: the mean is taken over the batch and all
positions, one weight a channel) and "trailing" (layer, instance and group norm: the mean is taken
over the last axes). Both are seen as outer × kept × inner, contiguous. Sums over `inner` are
pairwise or BLAS dot products; the few sums over `outer` are added in double.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

BLOCK_FLOATS = 1 << 16
"""Entries of one block: a quarter of a MiB in float32."""


def layout(ndim: int, axes: tuple[int, ...], shape: tuple[int, ...]) -> str | None:
    """Which of the two layouts a norm over `axes` with parameters laid out as `shape` has."""
    if axes == (0, *range(2, ndim)) and ndim > 2 and prod(shape) == shape[1]:
        return "channel"
    if axes and axes == tuple(range(ndim - len(axes), ndim)):
        return "trailing"
    return None


def normalize_channels(x, weight, bias, eps):
    """y, mean and 1/std of x as N×C×positions, the last two of shape C."""
    count = x.shape[0] * x.shape[2]
    mean = (x.sum(axis=2).sum(axis=0, dtype=_double(x)) / count).astype(x.dtype)
    y = np.empty_like(x)
    squares = np.zeros(x.shape[1], _double(x))
    for images in _blocks(x):
        part = np.subtract(x[images], mean[:, None], out=y[images])
        squares += np.vecdot(part, part).sum(axis=0)
    inverse_std = (1.0 / np.sqrt(squares / count + eps)).astype(x.dtype)
    scale = inverse_std if weight is None else (inverse_std * weight).astype(x.dtype)
    for images in _blocks(x):
        y[images] *= scale[:, None]
        if bias is not None:
            y[images] += bias.astype(x.dtype, copy=False)[:, None]
    return y, mean, inverse_std


def channels_input_grad(g, x, weight, mean, inverse_std):
    """inverse_std·weight·(g − mean(g) − x̂·mean(g·x̂)), g and x as N×C×positions."""
    count = x.shape[0] * x.shape[2]
    along = (g.sum(axis=2).sum(axis=0, dtype=_double(g)) / count).astype(g.dtype)
    across = centred_products(g, x, mean) * inverse_std.astype(_double(x)) ** 2 / count
    across = across.astype(g.dtype)
    scale = inverse_std if weight is None else (inverse_std * weight).astype(g.dtype)
    result = np.empty_like(g)
    for images in _blocks(g):
        part = np.subtract(x[images], mean[:, None], out=result[images])
        part *= across[:, None]
        np.subtract(g[images], part, out=part)
        part -= along[:, None]
        part *= scale[:, None]
    return result


def centred_products(g, x, mean):
    """Σ g·(x − mean) for each channel, in double."""
    total = np.zeros(x.shape[1], _double(x))
    for images in _blocks(g):
        total += np.vecdot(g[images], x[images] - mean[:, None]).sum(axis=0)
    return total


def normalize_rows(x, eps):
    """(x − mean)/std, the mean and 1/std of each row of x."""
    count = x.shape[1]
    mean = x.sum(axis=1, keepdims=True) / x.dtype.type(count)
    y = x - mean
    variance = np.vecdot(y, y)[:, None] / x.dtype.type(count)
    inverse_std = 1.0 / np.sqrt(variance + x.dtype.type(eps))
    y *= inverse_std
    return y, mean, inverse_std


def rows_input_grad(g, x, mean, inverse_std):
    """inverse_std·(g − mean(g) − x̂·mean(g·x̂)) for each row."""
    count = x.dtype.type(x.shape[1])
    along = g.sum(axis=1, keepdims=True) / count
    result = x - mean
    across = np.vecdot(g, result)[:, None] / count
    result *= across * inverse_std * inverse_std
    np.subtract(g, result, out=result)
    result -= along
    result *= inverse_std
    return result


def rows_weight_grad(g, x, mean, inverse_std):
    """Σ over rows of g·x̂."""
    total = np.zeros(x.shape[1], _double(x))
    for rows in _blocks(x):
        unit = x[rows] - mean[rows]
        unit *= inverse_std[rows]
        unit *= g[rows]
        total += unit.sum(axis=0)
    return total.astype(x.dtype)


def _double(x: np.ndarray) -> np.dtype:
    return np.result_type(x.dtype, np.float64)


def _blocks(x: np.ndarray) -> Iterator[slice]:
    step = max(1, BLOCK_FLOATS // max(1, x[0].size if len(x) else 1))
    for start in range(0, len(x), step):
        yield slice(start, start + step)
