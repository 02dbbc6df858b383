"""What fused operations are made of, in operations that are not fused: law 5 to the third order.

Each function takes what its operation takes. A primitive whose kernel does several steps at once
and has no decomposition here fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops as o
from ..primitive import TABLE


def _normalised(x: Any, weight: Any, bias: Any, axes: tuple, shape: tuple, eps: float) -> Any:
    centred = x - _mean(x, axes)
    y = centred / o.sqrt(_mean(centred * centred, axes) + eps)
    return _scaled(y, weight, bias, shape)


def _inferred(x: Any, mean: Any, var: Any, weight: Any, bias: Any, shape: tuple, eps: float) -> Any:
    y = (x - o.reshape(mean, shape)) / o.sqrt(o.reshape(var, shape) + eps)
    return _scaled(y, weight, bias, shape)


def _mean(x: Any, axes: tuple) -> Any:
    count = int(np.prod([x.shape[axis] for axis in axes]))
    return o.sum(x, axes, True) / count


def _scaled(y: Any, weight: Any, bias: Any, shape: tuple) -> Any:
    y = y if weight is None else y * o.reshape(weight, shape)
    return y if bias is None else y + o.reshape(bias, shape)


def _window_sum(x: Any, before: int, after: int) -> Any:
    last = x.shape[1] - 1
    rows = [o.sum(x[:, max(0, c - before) : min(last, c + after) + 1], 1) for c in range(last + 1)]
    return o.stack(rows, 1)


def _responded(x: Any, before: int, after: int, alpha: float, beta: float, k: float) -> Any:
    return x / (_window_sum(x * x, before, after) * alpha + k) ** beta


def _softmax(x: Any, axis: int) -> Any:
    return o.exp(x) / o.sum(o.exp(x), axis, True)


def _log_sum(x: Any, axes: tuple, keepdims: bool) -> Any:
    return o.log(o.sum(o.exp(x), axes, keepdims))


def _log_softmax(x: Any, axis: int) -> Any:
    return x - _log_sum(x, (axis,), True)


def _reduced(losses: Any, scale: float | None) -> Any:
    return losses if scale is None else o.sum(losses) * scale


def _cross_entropy(x: Any, target: Any, axis: int, scale: float | None) -> Any:
    return _reduced(-o.sum(target * _log_softmax(x, axis), axis), scale)


def _nll_loss(x: Any, target: Any, axis: int, scale: float | None) -> Any:
    return _reduced(-o.sum(target * x, axis), scale)


def _mse_loss(x: Any, y: Any, scale: float | None) -> Any:
    return _reduced((x - y) * (x - y), scale)


def _bce(x: Any, y: Any, scale: float | None) -> Any:
    return _reduced(o.log(1.0 + o.exp(x)) - x * y, scale)


def _dropout(x: Any, seed: int, p: float, shape: tuple) -> Any:
    return x * TABLE["dropout"](np.ones(x.shape), seed=seed, p=p, shape=shape)


def _linear(x: Any, w: Any, b: Any = None) -> Any:
    y = o.einsum("...i,oi->...o", x, w)
    return y if b is None else y + b


def _elu(x: Any, alpha: float) -> Any:
    return o.where(x.numpy() > 0, x, alpha * (o.exp(x) - 1.0))


def _norm(x: Any, ord: float, axes: tuple, keepdims: bool) -> Any:
    return o.sum(o.abs(x) ** float(ord), axes, keepdims) ** (1.0 / ord)


def _cumulated(x: Any, axis: int) -> Any:
    return o.concatenate([o.sum(x[at], axis, True) for at in _up_to_each(x, axis)], axis)


def _multiplied(x: Any, axis: int) -> Any:
    rows = o.split(x, x.shape[axis], axis)
    for k in range(1, len(rows)):
        rows[k] = rows[k - 1] * rows[k]
    return o.concatenate(rows, axis)


def _recurred(x: Any, a: Any, axis: int) -> Any:
    rows, factors = (o.split(v, v.shape[axis], axis) for v in (x, a))
    for k in range(1, len(rows)):
        rows[k] = rows[k] + factors[k] * rows[k - 1]
    return o.concatenate(rows, axis)


def _up_to_each(x: Any, axis: int) -> list[tuple]:
    return [(slice(None),) * axis + (slice(0, k + 1),) for k in range(x.shape[axis])]


def _determinant(x: Any) -> Any:
    """Laplace's expansion along the first row."""
    n = x.shape[-1]
    if n == 1:
        return x[..., 0, 0]
    minors = [o.concatenate([x[..., 1:, :j], x[..., 1:, j + 1 :]], -1) for j in range(n)]
    terms = [(-1.0) ** j * x[..., 0, j] * _determinant(minors[j]) for j in range(n)]
    return o.sum(o.stack(terms, 0), 0)


def _cholesky(x: Any) -> Any:
    n, rows = x.shape[-1], []
    a = (x + o.swapaxes(x, -1, -2)) * 0.5
    for i in range(n):
        row: list[Any] = []
        for j in range(i + 1):
            rest = a[..., i, j]
            for k in range(j):
                rest = rest - row[k] * (row[k] if i == j else rows[j][k])
            row.append(o.sqrt(rest) if i == j else rest / rows[j][j])
        rows.append([*row, *[0.0 * row[0]] * (n - i - 1)])
    return o.stack([o.stack(row, -1) for row in rows], -2)


def _conv(x: Any, w: Any, b: Any, spec: Any) -> Any:
    """A matrix product over the windows laid out as columns."""
    plain = type(spec)(spec.stride, spec.padding, spec.dilation, 1)
    columns = TABLE["unfold"](x, spec=plain, kernel=tuple(w.shape[2:]))
    n, rows, windows = columns.shape
    grouped = o.reshape(columns, (n, spec.groups, rows // spec.groups, windows))
    filters = o.reshape(w, (spec.groups, w.shape[0] // spec.groups, rows // spec.groups))
    y = o.einsum("gok,ngkp->ngop", filters, grouped)
    y = o.reshape(y, (n, w.shape[0], *spec.output_size(x.shape[2:], w.shape[2:])))
    return y if b is None else y + o.reshape(b, (-1, *(1,) * spec.ndim))


DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    "batch_norm": _normalised, "layer_norm": _normalised, "batch_norm_inference": _inferred,
    "channel_window_sum": _window_sum, "local_response_norm": _responded, "dropout": _dropout,
    "softmax": _softmax, "log_softmax": _log_softmax, "logsumexp": _log_sum,
    "cross_entropy": _cross_entropy, "nll_loss": _nll_loss, "mse_loss": _mse_loss,
    "bce_with_logits": _bce, "linear": _linear, "norm": _norm, "conv": _conv,
    "square": lambda x: x * x, "expm1": lambda x: o.exp(x) - 1.0, "mean": lambda x, axes, keepdims:
    o.sum(x, axes, keepdims) / max(1, int(np.prod([x.shape[axis] for axis in axes]))),
    "log1p": lambda x: o.log(1.0 + x), "sigmoid": lambda x: 1.0 / (1.0 + o.exp(-x)),
    "tanh": lambda x: (o.exp(x) - o.exp(-x)) / (o.exp(x) + o.exp(-x)),
    "softplus": lambda x: o.log(1.0 + o.exp(x)), "elu": _elu,
    "gelu": lambda x: 0.5 * x * (1.0 + o.erf(x * 0.5**0.5)),
    "leaky_relu": lambda x, negative_slope: o.relu(x) - negative_slope * o.relu(-x),
    "clip": lambda x, low, high: o.minimum(
        x if low is None else o.maximum(x, low), float("inf") if high is None else high),
    "cumsum": _cumulated, "cumprod": _multiplied, "linear_recurrence": _recurred,
    "det": _determinant, "slogdet": lambda x: o.log(o.abs(_determinant(x))), "cholesky": _cholesky,
}  # fmt: skip
"""By the name of the record of the fused operation."""
