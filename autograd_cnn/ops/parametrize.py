"""Weights written through other parameters: a length and a direction, or divided by a norm."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, require_floats, shape_text
from ..kernels import provider_for
from ..tensor import Tensor
from .elementwise import divide, multiply
from .matmul import matmul
from .reduce import one_axis, reshape
from .reduce import sum as sum_
from .shape import moveaxis
from .vector_norm import norm


def weight_norm(v: Any, g: Any, axis: int | None = 0) -> Any:
    """g·v/‖v‖, the norm over all axes but one (over every axis for None).

    `g` has one entry for each slice along `axis`, as 1×…×n×…×1 or n. The gradient in v is
    orthogonal to v; where a slice is 0 there is no direction and the result is NaN.

    Source: Salimans and Kingma 2016.

    >>> import autograd_cnn as ag
    >>> ag.weight_norm(ag.tensor([[3.0, 4.0]]), ag.tensor([10.0])).tolist()
    [[6.0, 8.0]]

    Raises ShapeError when `g` does not have as many entries.
    """
    require_floats("weight_norm", v, g)
    kept = None if axis is None else one_axis("weight_norm", v, axis)
    shape = tuple(n if i == kept else 1 for i, n in enumerate(v.shape))
    count = 1 if kept is None else v.shape[kept]
    if g.size != count:
        raise ShapeError(
            f"weight_norm: v {shape_text(v.shape)} has {count} slices along axis {axis}, g is "
            f"{shape_text(g.shape)}"
        )
    others = tuple(i for i in range(v.ndim) if i != kept)
    return multiply(v, divide(reshape(g, shape), norm(v, axis=others, keepdims=True)))


def spectral_norm(w: Any, u: Any, n_power_iterations: int = 1, axis: int = 0) -> tuple[Any, Any]:
    """(w/σ, u): w by its largest singular value as a matrix, `axis` the rows, and the next u.

    σ = uᵀ·W·v after `n_power_iterations` of v = Wᵀu/‖Wᵀu‖, u = Wv/‖Wv‖, through which no gradient
    flows (∂σ/∂W = u·vᵀ at any u and v). `u` is kept from call to call: it converges to the first
    singular vector. Start with random numbers, one a row.

    Source: Miyato et al. 2018.

    >>> import autograd_cnn as ag
    >>> w = ag.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> unit, u = ag.spectral_norm(w, ag.tensor([1.0, 0.1]), n_power_iterations=20)
    >>> unit.numpy().round(4).tolist()
    [[1.0, 0.0], [0.0, 0.5]]

    Raises ShapeError when u does not have one entry a row, ValueError for no iteration.
    """
    require_floats("spectral_norm", w, u)
    rows = one_axis("spectral_norm", w, axis)
    if tuple(u.shape) != (w.shape[rows],):
        raise ShapeError(
            f"spectral_norm: w {shape_text(w.shape)} has {w.shape[rows]} rows along axis {axis}, "
            f"u is {shape_text(u.shape)}"
        )
    if n_power_iterations < 1:
        raise ValueError(
            f"spectral_norm: n_power_iterations {n_power_iterations} must be at least 1"
        )
    matrix = reshape(moveaxis(w, rows, 0), (w.shape[rows], -1))
    left, right = _singular_vectors(_data(matrix), _data(u), n_power_iterations)
    sigma = sum_(multiply(matmul(matrix, right), left))
    return divide(w, sigma), Tensor._make(left, None) if isinstance(u, Tensor) else left


def _singular_vectors(matrix: Any, u: Any, count: int) -> tuple[Any, Any]:
    xp = provider_for([matrix]).xp
    tiny = xp.finfo(matrix.dtype).tiny
    for _ in range(count):
        v = matrix.T @ u
        v = v / max(float(xp.linalg.norm(v)), tiny)
        u = matrix @ v
        u = u / max(float(xp.linalg.norm(u)), tiny)
    return u.astype(matrix.dtype, copy=False), v.astype(matrix.dtype, copy=False)


def _data(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x
