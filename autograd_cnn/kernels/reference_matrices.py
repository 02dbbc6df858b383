"""Plain loops over matrices: elimination, Cholesky's and Jacobi's methods as in a textbook."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .arrays import Array, Axes
from .base import Kernels
from .reference_loops import every, groups_of

SWEEPS = 30
"""Jacobi's method squares the error in every sweep: this is many times more than it takes."""


class MatrixLoops(Kernels):
    """Real matrices one by one, in double precision; complex ones take the shared formulas."""

    def norm(self, x: Array, *, ord: float, axes: Axes, keepdims: bool) -> Array:
        if x.dtype.kind != "f":
            return super().norm(x, ord=ord, axes=axes, keepdims=keepdims)
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        y = self.xp.zeros(kept, x.dtype)
        for place, group in zip(every(kept), groups_of(x.shape, axes), strict=True):
            y[place] = sum(abs(v.item()) ** ord for v in x[group].reshape(-1)) ** (1 / ord)
        return y if keepdims else y.squeeze(axes)

    def solve(self, a: Array, b: Array) -> Array:
        dtype = self.xp.result_type(a, b)
        if dtype.kind != "f":
            return super().solve(a, b)
        lead = self.xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = self.xp.broadcast_to(a, lead + a.shape[-2:])
        b = self.xp.broadcast_to(b, lead + b.shape[-2:])
        y = self.xp.zeros(b.shape, dtype)
        for place in every(lead):
            y[place] = self._solved(a[place].tolist(), b[place].tolist()) or y[place]
        return y

    def inv(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return super().inv(x)
        unit = self.xp.eye(x.shape[-1])
        return self._each_matrix(x, lambda rows: self._solved(rows, unit.tolist()), x.shape[-2:])

    def det(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return super().det(x)
        return self._each_matrix(x, lambda rows: math.prod(_eliminated(rows)), ())

    def slogdet(self, x: Array) -> tuple[Array, Array]:
        if x.dtype.kind != "f":
            return super().slogdet(x)
        size = lambda rows: sum(math.log(abs(p)) if p else -math.inf for p in _eliminated(rows))
        sign = lambda rows: math.prod((p > 0) - (p < 0) for p in _eliminated(rows))
        return self._each_matrix(x, size, ()), self._each_matrix(x, sign, ())

    def cofactor(self, x: Array) -> Array:
        """Each entry's signed minor: the determinant of what is left without its row and column."""
        if x.dtype.kind != "f":
            return super().cofactor(x)

        def minors(rows: list) -> list:
            n = range(len(rows))
            return [
                [(-1) ** (i + j) * math.prod(_eliminated(_without(rows, i, j))) for j in n]
                for i in n
            ]

        return self._each_matrix(x, minors, x.shape[-2:])

    def cholesky(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            return super().cholesky(x)
        return self._each_matrix(x, self._lower, x.shape[-2:])

    def eigh(self, x: Array, *, tolerance: float) -> Array:
        """Jacobi's rotations; the signs of the vectors, which nothing fixes, are NumPy's."""
        found = super().eigh(x, tolerance=tolerance)
        if x.dtype.kind != "f":
            return found
        n = x.shape[-1]
        turned = self._each_matrix(x, _turned_diagonal, (n + 1, n))
        along = (turned[..., 1:, :] * found[..., 1:, :]).sum(axis=-2, keepdims=True)
        turned[..., 1:, :] *= self.xp.where(along < 0, -1, 1)
        return turned

    # helpers

    def _each_matrix(self, x: Array, function: Callable[[list], Any], shape: tuple) -> Array:
        y = self.xp.zeros((*x.shape[:-2], *shape), x.dtype)
        for place in every(x.shape[:-2]):
            if y[place].size:
                y[place] = function(x[place].tolist())
        return y

    def _solved(self, a: list, b: list) -> list:
        """Elimination with the largest pivot first, then substitution from the last row up."""
        n = len(a)
        rows = [[*row, *right] for row, right in zip(a, b, strict=True)]
        for k in range(n):
            best = max(range(k, n), key=lambda i: abs(rows[i][k]))
            rows[k], rows[best] = rows[best], rows[k]
            if rows[k][k] == 0:
                raise self.xp.linalg.LinAlgError("Singular matrix")
            for i in range(k + 1, n):
                factor = rows[i][k] / rows[k][k]
                rows[i] = [v - factor * w for v, w in zip(rows[i], rows[k], strict=True)]
        for k in reversed(range(n)):
            right = rows[k][n:]
            for i in range(k + 1, n):
                right = [v - rows[k][i] * w for v, w in zip(right, rows[i][n:], strict=True)]
            rows[k][n:] = [v / rows[k][k] for v in right]
        return [row[n:] for row in rows]

    def _lower(self, a: list) -> list:
        """L with L·Lᵀ = (a + aᵀ)/2, row by row."""
        n = len(a)
        lower = [[0.0] * n for _ in range(n)]
        for i in range(n):
            for j in range(i + 1):
                rest = (a[i][j] + a[j][i]) / 2 - sum(lower[i][k] * lower[j][k] for k in range(j))
                if i == j and rest <= 0:
                    raise self.xp.linalg.LinAlgError("Matrix is not positive definite")
                lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
        return lower


def _eliminated(rows: list) -> list[float]:
    """The pivots of elimination, the sign of the exchanged rows with the first."""
    rows, n, pivots, sign = [list(row) for row in rows], len(rows), [], 1.0
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(rows[i][k]))
        if best != k:
            rows[k], rows[best], sign = rows[best], rows[k], -sign
        pivots.append(rows[k][k])
        for i in range(k + 1, n if rows[k][k] else 0):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [v - factor * w for v, w in zip(rows[i], rows[k], strict=True)]
    return [sign * pivots[0], *pivots[1:]] if pivots else []


def _without(rows: list, i: int, j: int) -> list:
    return [row[:j] + row[j + 1 :] for k, row in enumerate(rows) if k != i]


def _turned_diagonal(rows: list) -> list:
    """Eigenvalues, ascending, over their vectors as columns: a rotation in one plane at a time."""
    n = len(rows)
    a = [[(rows[i][j] + rows[j][i]) / 2 for j in range(n)] for i in range(n)]
    v = [[float(i == j) for j in range(n)] for i in range(n)]
    for _ in range(SWEEPS):
        for p in range(n):
            for q in range(p + 1, n):
                angle = math.atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2 if a[p][q] else 0.0
                c, s = math.cos(angle), math.sin(angle)
                for row in (*a, *v):  # from the right: columns p and q
                    row[p], row[q] = c * row[p] - s * row[q], s * row[p] + c * row[q]
                a[p], a[q] = ([c * x - s * y for x, y in zip(a[p], a[q], strict=True)],
                              [s * x + c * y for x, y in zip(a[p], a[q], strict=True)])  # fmt: skip
                a[p][q] = a[q][p] = (
                    0.0 if a[p][q] ** 2 < 1e-40 * abs(a[p][p] * a[q][q]) else a[p][q]
                )
    order = sorted(range(n), key=lambda k: a[k][k])
    return [[a[k][k] for k in order], *([row[k] for k in order] for row in v)]
