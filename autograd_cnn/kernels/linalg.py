"""Norms, systems of equations and decompositions, written once against `self.xp`.

LAPACK knows no half precision: it is computed in single and rounded once. On complex arrays every
kernel is the analytic continuation of the real one (no conjugates), for the complex step.
"""

from __future__ import annotations

from typing import Any

Array = Any


class LinalgKernels:
    """Matrices are the last two axes; leading axes are a batch."""

    xp: Any

    def norm(self, x: Array, *, ord: float, axes: tuple[int, ...], keepdims: bool) -> Array:
        """(Σ|x|^ord)^(1/ord), scaled by a power of two so that no power overflows or vanishes."""
        xp = self.xp
        if not x.size:
            return x.sum(axis=axes, keepdims=keepdims)
        wide = _wide(x)
        size = xp.where(wide.real < 0, -wide, wide)
        top = size.real.max(axis=axes, keepdims=True)
        scale = xp.ldexp(xp.ones_like(top), xp.frexp(top)[1] - 1)
        scale = xp.where((top > 0) & xp.isfinite(top), scale, xp.ones_like(top))
        ratio = size / scale
        total = (ratio * ratio if ord == 2 else ratio**ord).sum(axis=axes, keepdims=True)
        y = (xp.sqrt(total) if ord == 2 else total ** (1.0 / ord)) * scale
        return _narrow(y if keepdims else y.squeeze(axes), x.dtype)

    def solve(self, a: Array, b: Array) -> Array:
        """X with a·X = b; b holds right-hand sides as columns."""
        dtype = self.xp.result_type(a, b)
        return _narrow(self.xp.linalg.solve(_wide(a), _wide(b)), dtype)

    def inv(self, x: Array) -> Array:
        return _narrow(self.xp.linalg.inv(_wide(x)), x.dtype)

    def det(self, x: Array) -> Array:
        return _narrow(self.xp.asarray(self.xp.linalg.det(_wide(x))), x.dtype)

    def cofactor(self, x: Array) -> Array:
        """∂det/∂x, for singular matrices too: with x = U·S·V it is cof(U)·cof(S)·cof(V)."""
        xp = self.xp
        if x.dtype.kind == "c":
            return xp.linalg.det(x)[..., None, None] * xp.linalg.inv(x).swapaxes(-1, -2)
        u, s, v = xp.linalg.svd(_wide(x))
        sign = xp.asarray(xp.linalg.det(u) * xp.linalg.det(v))[..., None, None]
        others = self._product_of_others(s)
        return _narrow(sign * xp.matmul(u * others[..., None, :], v), x.dtype)

    def slogdet(self, x: Array) -> tuple[Array, Array]:
        """ln|det x| and the sign of det x."""
        xp = self.xp
        sign, size = xp.linalg.slogdet(_wide(x))
        if x.dtype.kind == "c":
            real = xp.sign(sign.real)
            return size + xp.log(xp.where(real == 0, 1.0, sign * real)), real
        return _narrow(xp.asarray(size), x.dtype), _narrow(xp.asarray(sign), x.dtype)

    def cholesky(self, x: Array) -> Array:
        """The lower L with L·Lᵀ = (x + xᵀ)/2."""
        a = _symmetric(_wide(x))
        if x.dtype.kind != "c":
            return _narrow(self.xp.linalg.cholesky(a), x.dtype)
        lower = self.xp.zeros_like(a)
        for j in range(a.shape[-1]):
            row = lower[..., j, :j]
            lower[..., j, j] = self.xp.sqrt(a[..., j, j] - (row * row).sum(axis=-1))
            below = (lower[..., j + 1 :, :j] * row[..., None, :]).sum(axis=-1)
            lower[..., j + 1 :, j] = (a[..., j + 1 :, j] - below) / lower[..., j, j, None]
        return lower

    def eigh(self, x: Array, *, tolerance: float) -> Array:
        """Eigenvalues (the first row, ascending) over eigenvectors (columns) of (x + xᵀ)/2.

        Eigenvalues closer than `tolerance` times the largest count as equal going backward.
        """
        xp, a = self.xp, _symmetric(_wide(x))
        values, vectors = xp.linalg.eigh(a.real)
        if x.dtype.kind == "c":
            values, vectors = self._one_newton_step(a, values, vectors)
        packed = xp.concatenate([values[..., None, :], vectors], axis=-2)
        return _narrow(packed, x.dtype)

    def is_well_conditioned(self, x: Array) -> bool:
        """Whether every matrix is far enough from singular to be inverted without great loss."""
        if not x.shape[-1]:
            return True
        values = self.xp.linalg.svd(_wide(x.real), compute_uv=False)
        return bool((values[..., -1] > 1e-4 * values[..., 0]).all())

    # helpers

    def _product_of_others(self, s: Array) -> Array:
        """For each entry along the last axis the product of all others."""
        xp = self.xp
        before, after = xp.ones_like(s), xp.ones_like(s)
        before[..., 1:] = xp.cumprod(s[..., :-1], axis=-1)
        after[..., :-1] = xp.flip(xp.cumprod(xp.flip(s[..., 1:], -1), axis=-1), -1)
        return before * after

    def _one_newton_step(self, a: Array, values: Array, vectors: Array) -> tuple[Array, Array]:
        """From the real part's eigenvectors to those of a: exact to first order in the rest."""
        xp = self.xp
        turned = xp.matmul(vectors.swapaxes(-1, -2), xp.matmul(a, vectors))
        gaps = values[..., None, :] - values[..., :, None]
        change = xp.where(gaps == 0, 0.0, turned / xp.where(gaps == 0, 1.0, gaps))
        diagonal = xp.diagonal(turned, axis1=-2, axis2=-1)
        return diagonal, vectors + xp.matmul(vectors, change)


def _wide(x: Array) -> Array:
    if x.dtype.kind in "fc" and x.dtype.itemsize > 2:
        return x
    return x.astype("float32" if x.dtype.itemsize == 2 and x.dtype.kind not in "iub" else "float64")


def _narrow(y: Array, dtype: Any) -> Array:
    return y if dtype.kind in "iub" else y.astype(dtype, copy=False)


def _symmetric(x: Array) -> Array:
    return (x + x.swapaxes(-1, -2)) * 0.5
