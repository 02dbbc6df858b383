"""How far Winograd's algorithm in float32 may be from the exact convolution.

Each step is a sum of products of which every term is rounded at most a known number of times, so k
roundings one after the other move the result by at most γ = k·u/(1 − k·u) times the same sums over
absolute values (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.1). Along a path
from the inputs to an output: x to the points 3 an axis, w to the points 4, tiles from the points 3,
gradients to the points 2, filters from the points 5; and one for each product that is added.
"""

import numpy as np

U = np.finfo("float32").eps / 2
A = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8],
              [0, 0, 0, 1]])  # fmt: skip
B = np.array([[4, 0, 0, 0, 0, 0], [0, -4, 4, -2, 2, 4], [-5, -4, -4, -1, -1, 0],
              [0, 1, -1, 2, -2, -5], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1]])  # fmt: skip
G = np.array([[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
              [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]])  # fmt: skip


def growth(roundings):
    return roundings * U / (1 - roundings * U)


def of_outputs(x, w, b, before, size):
    """The bound for each output of a convolution with `before` zeros above and left."""
    bound = np.zeros((x.shape[0], w.shape[0], *size))
    rows = range(0, size[0], 4)
    columns = [min(column, size[1] - 4) for column in range(0, size[1], 4)]
    filters = abs(G) @ abs(w) @ abs(G).T
    for row in rows:
        for column in columns:
            seen = abs(B).T @ patch(abs(x), before, row, column) @ abs(B)
            products = np.einsum("ocij,ncij->noij", filters, seen)
            tile = abs(A).T @ products @ abs(A)
            here = bound[:, :, row : row + 4, column : column + 4]
            np.maximum(here, tile[:, :, : here.shape[2]], out=here)
    return growth(w.shape[1] + 2 * (3 + 4 + 3) + 1) * (bound + abs(b)[:, None, None])


def of_weights(x, y, before, workers):
    """The bound for each entry of the gradient of 3×3 filters."""
    bound, tiles = 0, 0
    for row in range(0, y.shape[2], 4):
        for column in range(0, y.shape[3], 4):
            seen = abs(B).T @ patch(abs(x), before, row, column) @ abs(B)
            gradient = patch(abs(y), (0, 0), row, column)[:, :, :4, :4]
            points = abs(A) @ gradient @ abs(A).T
            bound = bound + np.einsum("ncij,noij->ocij", seen, points)
            tiles += len(x)
    bound = abs(G).T @ bound @ abs(G)
    return growth(tiles + 1 + workers + 2 * (3 + 2 + 5)) * bound


def patch(x, before, row, column):
    """The 6×6 pixels that the tile at a row and a column sees."""
    around = [(0, 0), (0, 0), (before[0], 12), (before[1], 12)]
    return np.pad(x, around)[:, :, row : row + 6, column : column + 6]
