"""Blur, coarse pixels and fog, on NumPy arrays N×C×H×W."""

from __future__ import annotations

import numpy as np


def blurred(x: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of standard deviation σ pixels, cut at 4σ; edge pixels are repeated outwards."""
    reach = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (2, 3):
        n = x.shape[axis]
        # the filter as a matrix: row i says what pixel i is made of
        matrix = np.zeros((n, n))
        for offset, weight in zip(range(-reach, reach + 1), weights, strict=True):
            sources = np.clip(np.arange(n) + offset, 0, n - 1)
            matrix[np.arange(n), sources] += weight
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


def pixelated(x: np.ndarray, factor: float) -> np.ndarray:
    """To `factor` times the size by averaging boxes, and back again by boxes."""
    for axis in (2, 3):
        n = x.shape[axis]
        small = max(1, int(n * factor))
        matrix = _boxes(small, n) @ _boxes(n, small)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix, -1, axis)
    return x


def fog_layer(shape: tuple[int, int], decay: float, draw: np.random.Generator) -> np.ndarray:
    """A fractal H×W within 0 … 1 by the diamond–square algorithm, on a torus.

    At each halving of the grid the random steps are divided by `decay`², as in the published fog.
    """
    size = 1 << max(1, int(np.ceil(np.log2(max(shape)))))
    field = np.zeros((size, size))
    step, amplitude = size, 1.0
    while step > 1:
        half = step // 2
        corners = field[::step, ::step]
        sums = corners + np.roll(corners, -1, 0)
        sums = sums + np.roll(sums, -1, 1)
        centres = sums / 4 + amplitude * draw.uniform(-1, 1, sums.shape)
        field[half::step, half::step] = centres
        # the middle of each side: two corners and the two centres beside it
        upright = corners + np.roll(corners, -1, 0) + centres + np.roll(centres, 1, 1)
        across = corners + np.roll(corners, -1, 1) + centres + np.roll(centres, 1, 0)
        field[half::step, ::step] = upright / 4 + amplitude * draw.uniform(-1, 1, sums.shape)
        field[::step, half::step] = across / 4 + amplitude * draw.uniform(-1, 1, sums.shape)
        step, amplitude = half, amplitude / decay**2
    field -= field.min()
    return (field / max(field.max(), 1e-12))[: shape[0], : shape[1]]


def _boxes(target: int, source: int) -> np.ndarray:
    """source×target weights: each target pixel is the mean of the source it covers."""
    edges = np.linspace(0.0, source, target + 1)
    places = np.arange(source)[:, None]
    overlap = np.minimum(places + 1, edges[None, 1:]) - np.maximum(places, edges[None, :-1])
    return np.maximum(overlap, 0.0) * target / source
