"""Losses: cross-entropies, negative log-likelihood, squared and absolute errors, margins."""

from __future__ import annotations

from typing import Any

from ..errors import DTypeError, ShapeError, require_floats, shape_text
from ..kernels import provider_for
from ..primitive import opaque
from ..tensor import Tensor
from .activation import log_softmax, relu, sigmoid, softmax
from .elementwise import abs as abs_
from .elementwise import clip, compare, exp, log, subtract, where
from .index import take_along_axis
from .reduce import reshape
from .reduce import sum as sum_


def _per_sample(g: Any, scale: float | None, axis: int) -> Any:
    """g where each sample can multiply it: with a class axis, and times the mean's divisor."""
    if scale is not None:
        return g * scale
    return reshape(g, (*g.shape[:axis], 1, *g.shape[axis:]))


def _cross_entropy_rule(g: Any, x: Any, target: Any, axis: int, scale: float | None) -> Any:
    """softmax(x)·Σ target − target: a − y for one right class."""
    delta = softmax(x, axis) * sum_(target, axis, True) - target
    return _per_sample(g, scale, axis) * delta


_cross_entropy = opaque(
    "cross_entropy",
    x=_cross_entropy_rule,
    target=lambda g, x, axis, scale: -_per_sample(g, scale, axis) * log_softmax(x, axis),
    family="loss",
)
_nll_loss = opaque(
    "nll_loss",
    x=lambda g, target, axis, scale: -_per_sample(g, scale, axis) * target,
    target=lambda g, x, axis, scale: -_per_sample(g, scale, axis) * x,
    family="loss",
)
_mse_loss = opaque(
    "mse_loss",
    x=lambda g, x, y, scale: g * (2.0 * (1.0 if scale is None else scale)) * (x - y),
    y=lambda g, x, y, scale: g * (-2.0 * (1.0 if scale is None else scale)) * (x - y),
    family="loss",
)
_bce_with_logits = opaque(
    "bce_with_logits",
    x=lambda g, x, y, scale: g * (1.0 if scale is None else scale) * (sigmoid(x) - y),
    y=lambda g, x, scale: g * (-1.0 if scale is None else -scale) * x,
    family="loss",
)


def cross_entropy(
    logits: Any,
    labels: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """−ln softmax(logits) at the right class, over N×C (or N×C×…) logits.

    `labels` are whole numbers N (or N×…), or probabilities in the shape of the logits. `weight`
    holds one factor a class; the mean divides by the sum of the factors used. With
    `label_smoothing` ε the target is (1 − ε)·one-hot + ε/C (Szegedy et al. 2016). Samples labelled
    `ignore_index` do not count. The gradient is softmax − target.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([[0.0, 0.0]], requires_grad=True)
    >>> ag.cross_entropy(x, [1]).backward()
    >>> x.grad.numpy().tolist()
    [[0.5, -0.5]]

    Raises ShapeError or ValueError, before any work, for labels that do not fit or are out of
    range.
    """
    target, scale = _target("cross_entropy", logits, labels, weight, ignore_index, reduction,
                            label_smoothing)  # fmt: skip
    return _cross_entropy(logits, target, axis=1 if logits.ndim > 1 else 0, scale=scale)


def nll_loss(
    log_probabilities: Any,
    labels: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """−log_probabilities at the right class; arguments as for `cross_entropy`."""
    x = log_probabilities
    target, scale = _target("nll_loss", x, labels, weight, ignore_index, reduction, 0.0)
    return _nll_loss(x, target, axis=1 if x.ndim > 1 else 0, scale=scale)


def mse_loss(x: Any, y: Any, reduction: str = "mean") -> Any:
    """The mean (or sum, or each) of (x − y)²; shapes must be equal."""
    return _mse_loss(x, _matching("mse_loss", x, y), scale=_scale("mse_loss", x, reduction))


def binary_cross_entropy_with_logits(x: Any, y: Any, reduction: str = "mean") -> Any:
    """The mean (or sum, or each) of −y·ln σ(x) − (1 − y)·ln(1 − σ(x)), without overflow."""
    name = "binary_cross_entropy_with_logits"
    return _bce_with_logits(x, _matching(name, x, y), scale=_scale(name, x, reduction))


def huber_loss(x: Any, y: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """The mean (or sum, or each) of ½d² where |d| ≤ δ, δ(|d| − ½δ) elsewhere, with d = x − y.

    The gradient is d kept within [−δ, δ]; it has no jump, the second derivative at ±δ is 1.

    Source: Huber 1964. Raises ShapeError for shapes that differ, ValueError for delta ≤ 0.

    >>> import autograd_cnn as ag
    >>> ag.huber_loss(ag.tensor([1.0, 3.0]), ag.tensor([0.0, 0.0]), "none").tolist()
    [0.5, 2.5]
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta = {delta} must be above 0")
    scale = _scale("huber_loss", x, reduction)
    d = subtract(x, _matching("huber_loss", x, y))
    kept = clip(d, -delta, delta)
    return _reduced(kept * (d - kept * 0.5), scale)


def smooth_l1_loss(x: Any, y: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """huber_loss with δ = β, divided by β; |x − y| for β = 0 (Girshick 2015).

    Raises ShapeError for shapes that differ, ValueError for beta < 0.
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta = {beta} must not be below 0")
    if beta:
        return huber_loss(x, y, reduction, beta) * (1.0 / beta)
    scale = _scale("smooth_l1_loss", x, reduction)
    return _reduced(abs_(subtract(x, _matching("smooth_l1_loss", x, y))), scale)


def kl_div(x: Any, y: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """Σ y·(ln y − x): the divergence of the target y from a prediction given as logarithms x.

    With `log_target` y is a logarithm too. "mean" divides by the number of entries, "batchmean"
    (the definition) by the number of samples. A target of 0 adds nothing, and its derivative
    counts 0·ln 0 as constant: −x.

    Source: Kullback and Leibler 1951. Raises ShapeError for shapes that differ.

    >>> import autograd_cnn as ag
    >>> float(ag.kl_div(ag.tensor([0.0]), ag.tensor([1.0])))
    0.0
    """
    if reduction == "batchmean" and not x.ndim:
        raise ShapeError("kl_div: batchmean of a scalar")
    batch = reduction == "batchmean"
    scale = 1.0 / max(x.shape[0], 1) if batch else _scale("kl_div", x, reduction)
    y = _matching("kl_div", x, y)
    if log_target:
        return _reduced(exp(y) * subtract(y, x), scale)
    zero = compare("equal", y, 0)
    entropy = where(zero, 0.0, y * log(where(zero, 1.0, y)))
    return _reduced(entropy - y * x, scale)


def hinge_loss(x: Any, y: Any, reduction: str = "mean") -> Any:
    """The mean (or sum, or each) of max(0, 1 − y·x) for targets y of −1 and 1.

    The derivative at the margin, y·x = 1, is 0.

    Source: Cortes and Vapnik 1995. Raises ShapeError for shapes that differ.

    >>> import autograd_cnn as ag
    >>> ag.hinge_loss(ag.tensor([0.5, 2.0]), ag.tensor([1.0, -1.0]), "none").tolist()
    [0.5, 3.0]
    """
    scale = _scale("hinge_loss", x, reduction)
    return _reduced(relu(subtract(1.0, _matching("hinge_loss", x, y) * x)), scale)


def multi_margin_loss(
    x: Any, labels: Any, p: int = 1, margin: float = 1.0, weight: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Σ_{i≠y} weight_y·max(0, margin − x_y + x_i)^p / C: the hinge of several classes, N×C scores.

    p is 1 or 2; the derivative at the margin is 0. Source: Weston and Watkins 1999.

    >>> import autograd_cnn as ag
    >>> float(ag.multi_margin_loss(ag.tensor([[0.0, 0.5]]), [1]))
    0.25

    Raises ShapeError or ValueError, before any work, for labels that do not fit, another p, and
    margins not above 0.
    """
    name = "multi_margin_loss"
    _check_reduction(name, reduction)
    require_floats(name, x)
    if x.ndim != 2:
        raise ShapeError(f"{name}: input must be N×C, got {shape_text(x.shape)}")
    if p not in (1, 2) or not margin > 0:
        raise ValueError(f"{name}: p = {p} must be 1 or 2 and margin = {margin} above 0")
    samples, classes = x.shape
    if reduction == "mean" and not samples:
        raise ShapeError(f"{name}: the mean over nothing, input {shape_text(x.shape)}")
    xp, labels = _module(x), _plain(labels)
    labels = xp.asarray(labels)
    _check_labels(name, labels, x, classes, 1, -1)
    if labels.size and labels.min() < 0:
        raise ValueError(f"{name}: label {int(labels.min())} is not within 0 … {classes - 1}")
    right = labels[:, None]
    margins = relu(x - take_along_axis(x, right, 1) + margin)
    others = (xp.arange(classes) != right) * xp.asarray(1.0 / classes, x.dtype)
    if weight is not None:
        others = others * xp.asarray(_plain(weight), x.dtype)[right]
    losses = sum_((margins if p == 1 else margins * margins) * others, 1)
    return _reduced(losses, {"mean": 1.0 / max(samples, 1), "sum": 1.0, "none": None}[reduction])


def _reduced(losses: Any, scale: float | None) -> Any:
    return losses if scale is None else sum_(losses) * scale


def _matching(name: str, x: Any, y: Any) -> Any:
    if not isinstance(y, Tensor):
        y = _module(x).asarray(y, x.dtype)
    if tuple(y.shape) != tuple(x.shape):
        raise ShapeError(f"{name}: input {shape_text(x.shape)}, target {shape_text(y.shape)}")
    return y


def _scale(name: str, x: Any, reduction: str) -> float | None:
    _check_reduction(name, reduction)
    if reduction == "mean" and x.size == 0:
        raise ShapeError(f"{name}: the mean over nothing, input {shape_text(x.shape)}")
    return {"mean": 1.0 / max(x.size, 1), "sum": 1.0, "none": None}[reduction]


def _target(name, x, labels, weight, ignore_index, reduction, smoothing) -> tuple[Any, Any]:
    """The weights of −log p for each class and sample, and the factor of the reduction."""
    require_floats(name, x)
    _check_reduction(name, reduction)
    if not 0.0 <= smoothing <= 1.0:
        raise ValueError(f"{name}: label_smoothing {smoothing} is not within [0, 1]")
    if x.ndim == 0:
        raise ShapeError(f"{name}: input must be C, N×C or N×C×…, got a scalar")
    xp, axis = _module(x), 1 if x.ndim > 1 else 0
    classes = x.shape[axis]
    factors = None if weight is None else xp.asarray(_plain(weight), x.dtype)
    if factors is not None and factors.shape != (classes,):
        raise ShapeError(f"{name}: weight {shape_text(factors.shape)} for {classes} classes")
    column = (classes,) + (1,) * (x.ndim - axis - 1)
    labels = labels if isinstance(labels, Tensor) else xp.asarray(labels)
    samples = x.size // classes if classes else 0
    if labels.dtype.kind == "f":
        if tuple(labels.shape) != tuple(x.shape):
            raise ShapeError(
                f"{name}: probabilities {shape_text(labels.shape)} for input {shape_text(x.shape)}"
            )
        target = labels * (1.0 - smoothing) + smoothing / classes
        target = target if factors is None else target * factors.reshape(column)
        return target, {"mean": 1.0 / max(samples, 1), "sum": 1.0, "none": None}[reduction]
    picked = _plain(labels)
    _check_labels(name, picked, x, classes, axis, ignore_index)
    counted = picked != ignore_index
    safe = xp.where(counted, picked, 0)
    one_hot = xp.arange(classes).reshape(column) == xp.expand_dims(safe, axis)
    target = one_hot * (1.0 - smoothing) + smoothing / classes
    target = target * xp.expand_dims(counted, axis)
    used = counted * 1.0
    if factors is not None:
        target, used = target * factors.reshape(column), counted * factors[safe]
    total = float(used.sum().real)
    if reduction == "mean" and total == 0.0:
        raise ShapeError(f"{name}: the mean over no counted sample ({samples} given)")
    scale = {"mean": 1.0 / total if total else 0.0, "sum": 1.0, "none": None}[reduction]
    return target.astype(x.dtype), scale


def _check_labels(name, labels, x, classes, axis, ignore_index) -> None:
    expected = tuple(x.shape[:axis]) + tuple(x.shape[axis + 1 :])
    if tuple(labels.shape) != expected:
        raise ShapeError(
            f"{name}: input {shape_text(x.shape)} needs labels {shape_text(expected)}, "
            f"got {shape_text(labels.shape)}"
        )
    if labels.dtype.kind not in "iu":
        raise DTypeError(
            f"{name}: labels must be whole numbers or probabilities, not {labels.dtype}"
        )
    wrong = ((labels < 0) | (labels >= classes)) & (labels != ignore_index)
    if wrong.any():
        place = int(wrong.reshape(-1).argmax())
        raise ValueError(
            f"{name}: label {int(labels.reshape(-1)[place])} at place {place} is not within "
            f"0 … {classes - 1}, the {classes} classes of {shape_text(x.shape)}"
        )


def _check_reduction(name: str, reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{name}: reduction "{reduction}" is not "mean", "sum" or "none"')


def _module(x: Any) -> Any:
    return provider_for([_plain(x)]).xp


def _plain(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x
