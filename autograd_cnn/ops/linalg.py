"""Linear algebra: systems of equations, inverse, determinant and decompositions.

Matrices are the last two axes, leading axes are a batch. A matrix that LAPACK cannot work with
(singular in `solve` and `inv`, not positive definite in `cholesky`) raises its LinAlgError.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels import provider_for
from ..primitive import fused, opaque
from ..tensor import Tensor
from .elementwise import abs as abs_
from .elementwise import compare, where
from .index import getitem
from .matmul import matmul
from .matrix import tril, triu
from .reduce import max as max_
from .reduce import reshape, sum_to
from .shape import swapaxes


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors as columns in the same order."""

    eigenvalues: Any
    eigenvectors: Any


def _solve_matrix(g: Any, ans: Any, a: Any, a_shape: tuple) -> Any:
    """−(a⁻ᵀ·g)·ansᵀ."""
    return -sum_to(matmul(_solve(_turned(a), g), _turned(ans)), a_shape)


_solve = opaque(
    "solve",
    a=_solve_matrix,
    b=lambda g, a, b_shape: sum_to(_solve(_turned(a), g), b_shape),
    family="parameterised",
    tex=r"{a}^{{-1}} {b}",
)
_inv = opaque(
    "inv",
    x=lambda g, ans: -matmul(_turned(ans), matmul(g, _turned(ans))),
    family="parameterised",
    tex=r"{x}^{{-1}}",
)


@fused
def cofactor(x: Any) -> Any:
    """∂det/∂x: det(x)·x⁻ᵀ, or by minors where a matrix is nearly singular."""
    if not _is_nearly_singular(x):
        return _per_matrix(det(x)) * _turned(inv(x))
    index, signs = _minors(x)
    return det(getitem(x, index)) * signs


_det = opaque(
    "det",
    x=lambda g, x: _per_matrix(g) * cofactor(x),
    family="parameterised",
    tex=r"\det {x}",
)
_slogdet = opaque(
    "slogdet",
    x=lambda g, x: _per_matrix(g) * _turned(inv(x)),
    extras=("sign",),
    family="parameterised",
    tex=r"\ln |\det {x}|",
)


def _cholesky_rule(g: Any, ans: Any) -> Any:
    """The symmetric part of L⁻ᵀ·Φ(Lᵀ·g)·L⁻¹, Φ the lower triangle with half of its diagonal."""
    inner = matmul(_turned(ans), tril(g))
    halved = (tril(inner) + tril(inner, -1)) * 0.5
    left = _solve(_turned(ans), halved)
    return _symmetric(_turned(_solve(_turned(ans), _turned(left))))


_cholesky = opaque("cholesky", x=_cholesky_rule, family="parameterised")


def _eigh_rule(g: Any, ans: Any, tolerance: float) -> Any:
    """V·(diag(ḡ_w) + F∘(Vᵀ·ḡ_V))·Vᵀ with F_ij = 1/(w_j − w_i) off the diagonal.

    Between equal eigenvalues it is 0 where ḡ_V says nothing, as for a function of w alone, and
    NaN where it does: nobody can say what it would be.
    """
    values, vectors = ans[..., :1, :], ans[..., 1:, :]
    gaps = values - _turned(values)
    limit = max_(abs_(values), -1, True) * tolerance
    equal = compare("less_equal", abs_(gaps), limit)
    turned = matmul(_turned(vectors), g[..., 1:, :])
    between = tril(turned, -1) + triu(turned, 1)
    unknown = compare("logical_and", equal, compare("not_equal", between, 0))
    turning = where(equal, 0.0, between / where(equal, 1.0, gaps))
    inner = vectors * g[..., :1, :] + matmul(vectors, where(unknown, float("nan"), turning))
    return _symmetric(matmul(inner, _turned(vectors)))


_eigh = opaque("eigh", x=_eigh_rule, family="parameterised")


def solve(a: Any, b: Any) -> Any:
    """The x with a·x = b; b is a vector, or matrices of columns, as in NumPy.

    >>> import autograd_cnn as ag
    >>> ag.solve(ag.tensor([[2.0, 0.0], [0.0, 4.0]]), ag.tensor([2.0, 2.0])).tolist()
    [1.0, 0.5]

    Raises ShapeError when the shapes do not fit, LinAlgError for a singular matrix.
    """
    _require_square("solve", a)
    require_arrays("solve", b)
    if not b.ndim or b.shape[0 if b.ndim == 1 else -2] != a.shape[-1]:
        raise ShapeError(
            f"solve: a matrix {shape_text(a.shape)} has {a.shape[-1]} rows, the right-hand side "
            f"is {shape_text(b.shape)}"
        )
    if b.ndim > 1:
        return _solve(a, b)
    x = _solve(a, reshape(b, (*b.shape, 1)))
    return reshape(x, x.shape[:-1])


def inv(x: Any) -> Any:
    """The inverse of square matrices.

    >>> import autograd_cnn as ag
    >>> ag.inv(ag.tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]

    Raises ShapeError for matrices that are not square, LinAlgError for a singular one.
    """
    _require_square("inv", x)
    return _inv(x)


def det(x: Any) -> Any:
    """The determinant of square matrices.

    Its gradient is the matrix of cofactors, which singular matrices have too: it and all further
    derivatives are right there (they are found by minors, which costs O(n⁵)).

    >>> import autograd_cnn as ag
    >>> ag.grad(ag.det)(ag.tensor([[1.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.0, 0.0], [0.0, 1.0]]

    Raises ShapeError for matrices that are not square.
    """
    _require_square("det", x)
    return _det(x)


def slogdet(x: Any) -> SlogdetResult:
    """(sign, logabsdet): the sign of det x and ln|det x|, without overflow.

    The gradient of logabsdet is x⁻ᵀ; the sign has none. Of a singular matrix they are (0, −inf),
    and going backward raises LinAlgError.

    >>> import autograd_cnn as ag
    >>> sign, size = ag.slogdet(ag.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> float(sign), float(size)
    (-1.0, 0.0)

    Raises ShapeError for matrices that are not square.
    """
    _require_square("slogdet", x)
    size, (sign,) = _slogdet.apply((x,), {})
    return SlogdetResult(Tensor._make(sign, None) if isinstance(x, Tensor) else sign, size)


def cholesky(x: Any) -> Any:
    """The lower triangular L with L·Lᵀ = (x + xᵀ)/2, which is x for symmetric x.

    The gradient is symmetric (Murray 2016, "Differentiation of the Cholesky decomposition").

    >>> import autograd_cnn as ag
    >>> ag.cholesky(ag.tensor([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]

    Raises ShapeError for matrices that are not square, LinAlgError for one that is not positive
    definite.
    """
    _require_square("cholesky", x)
    return _cholesky(x)


def eigh(x: Any) -> EighResult:
    """(eigenvalues, eigenvectors) of (x + xᵀ)/2, which is x for symmetric x.

    Eigenvalues ascend; eigenvectors are columns of length 1, with LAPACK's signs.

    Eigenvectors of equal eigenvalues (closer than n·ε·max|w|) have no derivative: whatever is
    computed from them has the gradient NaN. A function of the eigenvalues alone that treats equal
    ones alike, as Σf(w), has the right gradient; a single one of several equal eigenvalues follows
    the eigenvector that was chosen.

    >>> import autograd_cnn as ag
    >>> ag.eigh(ag.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues.numpy().round(5).tolist()
    [1.0, 3.0]

    Raises ShapeError for matrices that are not square or empty.
    """
    _require_square("eigh", x)
    if not x.shape[-1]:
        raise ShapeError(f"eigh: {shape_text(x.shape)} has no eigenvalues")
    data = _data(x)
    wide = data if data.dtype.kind in "fc" else data.astype("float64")
    epsilon = float(provider_for([data]).xp.finfo(wide.dtype).eps)
    packed = _eigh(x, tolerance=x.shape[-1] * epsilon)
    return EighResult(packed[..., 0, :], packed[..., 1:, :])


def _require_square(name: str, x: Any) -> None:
    require_arrays(name, x)
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, got {shape_text(x.shape)}")


def _turned(x: Any) -> Any:
    return swapaxes(x, -1, -2)


def _symmetric(x: Any) -> Any:
    return (x + _turned(x)) * 0.5


def _per_matrix(x: Any) -> Any:
    """One number a matrix, with axes that multiply matrices."""
    return reshape(x, (*x.shape, 1, 1))


def _is_nearly_singular(x: Any) -> bool:
    return not provider_for([_data(x)]).is_well_conditioned(_data(x))


def _minors(x: Any) -> tuple[tuple, Any]:
    """The index of every submatrix without row i and column j, n×n×(n−1)×(n−1), and (−1)^(i+j)."""
    n, xp = x.shape[-1], provider_for([_data(x)]).xp
    place = xp.arange(n - 1)
    kept = place + (place >= xp.arange(n)[:, None])
    odd = (xp.arange(n)[:, None] + xp.arange(n)) % 2
    return (Ellipsis, kept[:, None, :, None], kept[None, :, None, :]), 1 - 2 * odd


def _data(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x
