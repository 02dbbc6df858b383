"""Normalisation: batch, layer, group, instance, and local response.

The fused gradient kernels are used on arrays only; when the backward pass is recorded their
decompositions run instead, written in differentiable operations of the input itself. A statistic is
never taken for a constant, so third derivatives are right too.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, require_floats, shape_text
from ..primitive import fused, linear, opaque
from ..tensor import Tensor
from .elementwise import multiply, power, sqrt, subtract
from .reduce import mean, reshape, sum_to


@fused
def norm_input_grad(g, x, weight, mean, inverse_std, *, axes, shape, eps) -> Any:
    """(ĝ − mean(ĝ) − x̂·mean(ĝ·x̂))/√(var + eps) with ĝ = g·weight."""
    unit, inverse = _unit(x, axes, eps)
    scaled = g if weight is None else g * reshape(weight, shape)
    along, across = _mean(scaled, axes), _mean(scaled * unit, axes)
    return inverse * (scaled - along - unit * across)


@fused
def norm_weight_grad(g, x, mean, inverse_std, *, axes, shape, eps) -> Any:
    """Σ g·x̂ over everything but the parameter's own axes."""
    return sum_to(g * _unit(x, axes, eps)[0], shape)


def _unit(x: Any, axes: tuple, eps: float) -> tuple[Any, Any]:
    """The normalised input x̂ and 1/√(var + eps), from x itself."""
    centred = subtract(x, _mean(x, axes))
    inverse = power(sqrt(_mean(centred * centred, axes) + eps), -1.0)
    return centred * inverse, inverse


def _mean(x: Any, axes: tuple) -> Any:
    return mean(x, axes, True)


def _input_rule(g, x, weight, mean, inverse_std, axes, shape, eps) -> Any:
    """See `norm_input_grad`."""
    return norm_input_grad(g, x, weight, mean, inverse_std, axes=axes, shape=shape, eps=eps)


def _weight_rule(g, x, mean, inverse_std, weight_shape, axes, shape, eps) -> Any:
    """See `norm_weight_grad`."""
    total = norm_weight_grad(g, x, mean, inverse_std, axes=axes, shape=shape, eps=eps)
    return reshape(total, weight_shape)


def _bias_rule(g: Any, bias_shape: tuple, shape: tuple) -> Any:
    """Σ g over everything but the parameter's own axes."""
    return reshape(sum_to(g, shape), bias_shape)


_NORM = {
    "x": _input_rule,
    "weight": _weight_rule,
    "bias": _bias_rule,
    "kernel": "normalize",
    "extras": ("mean", "inverse_std"),
    "family": "normalisation",
}
_batch_norm = opaque("batch_norm", **_NORM)
_layer_norm = opaque("layer_norm", **_NORM)


def _inference_scale(g: Any, weight: Any, var: Any, shape: tuple, eps: float) -> Any:
    scale = power(sqrt(var + eps), -1.0)
    return g * reshape(scale if weight is None else scale * weight, shape)


def _inference_mean(g, mean_shape, weight, var, shape, eps) -> Any:
    """−Σ g·weight/√(var + eps)."""
    return -reshape(sum_to(_inference_scale(g, weight, var, shape, eps), shape), mean_shape)


def _inference_var(g, x, mean, var, weight, var_shape, shape, eps) -> Any:
    """−½ Σ g·weight·(x − mean)·(var + eps)^(−3/2)."""
    scale = power(var + eps, -1.5) * -0.5
    scale = scale if weight is None else scale * weight
    terms = g * (x - reshape(mean, shape)) * reshape(scale, shape)
    return reshape(sum_to(terms, shape), var_shape)


def _inference_weight(g, x, mean, var, weight_shape, shape, eps) -> Any:
    """Σ g·(x − mean)/√(var + eps)."""
    unit = (x - reshape(mean, shape)) * reshape(power(sqrt(var + eps), -1.0), shape)
    return reshape(sum_to(g * unit, shape), weight_shape)


_batch_norm_inference = opaque(
    "batch_norm_inference",
    x=_inference_scale,
    mean=_inference_mean,
    var=_inference_var,
    weight=_inference_weight,
    bias=_bias_rule,
    family="normalisation",
)
_channel_window_sum = linear(
    "channel_window_sum",
    x=lambda g, before, after: channel_window_sum(g, after, before),
    family="normalisation",
)


def _response_rule(g, x, before, after, alpha, beta, k) -> Any:
    """g·d^(−β) − 2αβ·x·Σ'(g·x·d^(−β−1)), d = k + αΣx², Σ' over the transposed window."""
    d = channel_window_sum(x * x, before, after) * alpha + k
    spread = channel_window_sum(g * x * power(d, -beta - 1.0), after, before)
    return g * power(d, -beta) - x * spread * (2.0 * alpha * beta)


_local_response_norm = opaque("local_response_norm", x=_response_rule, family="normalisation")


def channel_window_sum(x: Any, before: int, after: int) -> Any:
    """Σ of channels c − before … c + after at each channel c, cut at the borders."""
    return _channel_window_sum(x, before=before, after=after)


def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Batch normalisation of each channel of N×C×…: weight·(x − mean)/√(var + eps) + bias.

    In training the mean and the biased variance are those of the batch, and the running tensors
    (leaves, changed in place) become (1 − momentum)·old + momentum·new with the unbiased variance;
    otherwise the running ones are used (the batch's where there are none).

    Source: Ioffe and Szegedy 2015. Raises ShapeError when parameters do not have C entries, or
    when training has one value a channel.
    """
    require_floats("batch_norm", x)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: input must be N×C×…, got {shape_text(x.shape)}")
    channels = x.shape[1]
    parameters = {"running_mean": running_mean, "running_var": running_var,
                  "weight": weight, "bias": bias}  # fmt: skip
    for name, parameter in parameters.items():
        if parameter is not None and tuple(parameter.shape) != (channels,):
            raise ShapeError(
                f"batch_norm: {name} is {shape_text(parameter.shape)} for {channels} channels "
                f"of {shape_text(x.shape)}"
            )
    shape = (1, channels) + (1,) * (x.ndim - 2)
    if not training and running_mean is not None and running_var is not None:
        return _batch_norm_inference(
            x, running_mean, running_var, weight, bias, shape=shape, eps=float(eps)
        )
    count = x.size // channels if channels else 0
    if count <= 1 and training:
        raise ShapeError(
            f"batch_norm: training needs more than one value a channel, {shape_text(x.shape)} has "
            f"{count}"
        )
    axes = (0, *range(2, x.ndim))
    y, (mean_, inverse_std) = _batch_norm.apply(
        (x, weight, bias), {"axes": axes, "shape": shape, "eps": float(eps)}
    )
    if training:
        variance = inverse_std**-2.0 - eps
        # rounding can take the variance of equal values below 0
        variance = variance * (variance > 0)
        _update(running_mean, mean_, momentum)
        _update(running_var, variance * (count / (count - 1)), momentum)
    return y


def _update(running: Any, value: Any, momentum: float) -> None:
    if isinstance(running, Tensor):
        old = running._data
        running.assign(old + momentum * (value.reshape(old.shape).astype(old.dtype) - old))


def layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Normalise each sample over its last axes, which must be `normalized_shape`.

    Formula: weight·(x − mean)/√(var + eps) + bias, the biased variance, the same at training and
    test time. Source: Ba et al. 2016. Raises ShapeError when the shapes do not fit.
    """
    require_floats("layer_norm", x)
    wanted = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not wanted or tuple(x.shape[-len(wanted) :]) != wanted:
        raise ShapeError(
            f"layer_norm: the last axes of {shape_text(x.shape)} are not {shape_text(wanted)}"
        )
    for name, parameter in {"weight": weight, "bias": bias}.items():
        if parameter is not None and tuple(parameter.shape) != wanted:
            raise ShapeError(
                f"layer_norm: {name} is {shape_text(parameter.shape)}, not {shape_text(wanted)}"
            )
    axes = tuple(range(x.ndim - len(wanted), x.ndim))
    return _layer_norm(x, weight, bias, axes=axes, shape=wanted, eps=float(eps))


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Normalise groups of channels of each sample of N×C×… (Wu and He 2018)."""
    if x.ndim < 2:
        raise ShapeError(f"group_norm: input must be N×C×…, got {shape_text(x.shape)}")
    channels = x.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(f"group_norm: {num_groups} groups do not divide {channels} channels")
    grouped = reshape(x, (x.shape[0], num_groups, prod(x.shape[1:]) // num_groups))
    unit = reshape(layer_norm(grouped, grouped.shape[-1], eps=eps), x.shape)
    shape = (1, channels) + (1,) * (x.ndim - 2)
    unit = unit if weight is None else multiply(unit, reshape(weight, shape))
    return unit if bias is None else unit + reshape(bias, shape)


def instance_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Normalise each channel of each sample of N×C×… (Ulyanov et al. 2016)."""
    if x.ndim < 3:
        raise ShapeError(f"instance_norm: input must be N×C×…, got {shape_text(x.shape)}")
    return group_norm(x, x.shape[1], weight, bias, eps)


def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float = 1e-5) -> Any:
    """x/√(mean(x²) + eps)·weight over the last axes (Zhang and Sennrich 2019)."""
    wanted = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not wanted or tuple(x.shape[-len(wanted) :]) != wanted:
        raise ShapeError(
            f"rms_norm: the last axes of {shape_text(x.shape)} are not {shape_text(wanted)}"
        )
    axes = tuple(range(x.ndim - len(wanted), x.ndim))
    unit = x * power(sqrt(mean(x * x, axes, True) + eps), -1.0)
    return unit if weight is None else unit * weight


def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """b_c = a_c/(k + α Σ a_j²)^β over the channels j = c − ⌊size/2⌋ … c + ⌊size/2⌋ that exist.

    Source: Krizhevsky et al. 2012, §3.3. PyTorch divides α by `size` first: pass α/size to agree
    with it (for an odd size). Raises ShapeError for a size below 1.
    """
    if size < 1 or x.ndim < 3:
        raise ShapeError(
            f"local_response_norm: size {size} ≥ 1 on N×C×…, got {shape_text(x.shape)}"
        )
    return _local_response_norm(
        x, before=size // 2, after=size // 2, alpha=float(alpha), beta=float(beta), k=float(k)
    )


__all__ = [
    "batch_norm", "channel_window_sum", "group_norm", "instance_norm", "layer_norm",
    "local_response_norm", "rms_norm",
]  # fmt: skip
