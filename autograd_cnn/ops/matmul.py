"""Matrix products: matmul and the fully connected layer."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..primitive import multilinear
from .reduce import reshape, sum_to
from .reduce import sum as sum_
from .shape import swapaxes

_matmul = multilinear(
    "matmul",
    x=lambda g, y, x_shape: sum_to(_product(g, swapaxes(y, -1, -2)), x_shape),
    y=lambda g, x, y_shape: sum_to(_product(swapaxes(x, -1, -2), g), y_shape),
    family="parameterised",
    cost=lambda ans, x, y: prod(ans) * x[-1],
    tex=r"{x} {y}",
)


def _linear_weight(g: Any, x: Any) -> Any:
    """gᵀ·x, over every sample."""
    count = prod(x.shape[:-1])
    rows, inputs = reshape(g, (count, g.shape[-1])), reshape(x, (count, x.shape[-1]))
    return _product(swapaxes(rows, 0, 1), inputs)


_linear = multilinear(
    "linear",
    x=lambda g, w: matmul(g, w),
    w=_linear_weight,
    b=lambda g: sum_(g, tuple(range(g.ndim - 1))),
    family="parameterised",
    cost=lambda ans, x, w, b=None: prod(ans) * w[1],
    tex=r"{x} {w}^T + {b}",
)


def _product(x: Any, y: Any) -> Any:
    return _matmul.call(x, y)


def matmul(x: Any, y: Any) -> Any:
    """The matrix product x·y, batched and broadcast over leading axes, as in NumPy.

    A vector on the left is a row, one on the right a column. Raises ShapeError with both shapes
    when the inner lengths differ.
    """
    require_arrays("matmul", x, y)
    if not x.ndim or not y.ndim:
        raise ShapeError("matmul needs vectors or matrices; multiply by a scalar with *")
    left, right = x.ndim == 1, y.ndim == 1
    if x.shape[-1] != y.shape[0 if right else -2]:
        raise ShapeError(
            f"matmul: {shape_text(x.shape)} times {shape_text(y.shape)}: the inner lengths "
            f"{x.shape[-1]} and {y.shape[0 if right else -2]} differ"
        )
    x = reshape(x, (1, *x.shape)) if left else x
    y = reshape(y, (*y.shape, 1)) if right else y
    ans = _product(x, y)
    if left or right:
        shape = ans.shape[:-2] + (() if left else ans.shape[-2:-1])
        ans = reshape(ans, shape + (() if right else ans.shape[-1:]))
    return ans


def linear(x: Any, w: Any, b: Any = None) -> Any:
    """The fully connected layer x·wᵀ + b: x …×in, w out×in, b out.

    >>> import autograd_cnn as ag
    >>> w, x = ag.tensor([[1.0, 2.0], [3.0, 4.0]]), ag.tensor([1.0, 1.0])
    >>> ag.linear(x, w).numpy().tolist()
    [3.0, 7.0]

    Raises ShapeError with the shapes when they do not fit.
    """
    require_arrays("linear", x, w, *(() if b is None else (b,)))
    if w.ndim != 2 or not x.ndim or x.shape[-1] != w.shape[1]:
        raise ShapeError(
            f"linear: input {shape_text(x.shape)} ends in {x.shape[-1] if x.ndim else 'nothing'}, "
            f"weights {shape_text(w.shape)} take {w.shape[-1] if w.ndim else 'nothing'}"
        )
    if b is not None and tuple(b.shape) != (w.shape[0],):
        raise ShapeError(f"linear: bias {shape_text(b.shape)} for {w.shape[0]} outputs")
    return _linear(x, w, b)
