"""Records of convolution, pooling, normalisation, dropout and losses."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..kernels.specs import ConvSpec, PoolSpec
from .draw import Draw
from .geometry import ConvGeometry, draw_conv, draw_pool
from .records import Sample, composite, kink, record, sample

# convolution: the three members of the family, from one geometry


def _geometry(draw: Draw) -> tuple[ConvGeometry, ConvSpec, tuple]:
    found = draw_conv(draw, draw.integer(1, 3))
    spec = found.spec
    out = spec.output_size(found.x[2:], found.w[2:])
    return found, spec, (found.x[0], found.w[0], *out)


def _conv(draw: Draw) -> Sample:
    found, spec, _ = _geometry(draw)
    b = draw.normal((found.w[0],)) if draw.integer(0, 1) else None
    return sample(draw.normal(found.x), draw.normal(found.w), b, spec=spec)


def _conv_input_grad(draw: Draw) -> Sample:
    found, spec, y = _geometry(draw)
    return sample(draw.normal(y), draw.normal(found.w), spec=spec, size=found.x[2:])


def _conv_weight_grad(draw: Draw) -> Sample:
    found, spec, y = _geometry(draw)
    return sample(draw.normal(found.x), draw.normal(y), spec=spec, size=found.w[2:])


record("conv", _conv)
record("conv_input_grad", _conv_input_grad)
record("conv_weight_grad", _conv_weight_grad)


def _transposed(draw: Draw) -> Sample:
    stride = draw.integer(1, 2)
    return sample(
        draw.normal((2, 4, 3, 2)), draw.normal((4, 1, 2, 3)), draw.normal((2,)), stride=stride,
        padding=draw.integer(0, 1), output_padding=stride - 1, groups=2,
        dilation=draw.integer(1, 2),
    )  # fmt: skip


composite(ops.conv_transpose2d, _transposed)

# pooling


def _pooling(draw: Draw) -> tuple[tuple, PoolSpec]:
    return draw_pool(draw, draw.integer(1, 3))


def _max_pool(draw: Draw) -> Sample:
    x, spec = _pooling(draw)
    return sample(draw.apart(x), spec=spec)


def _switched(draw: Draw) -> tuple[tuple, PoolSpec, np.ndarray]:
    """A geometry and the switches that a maximum took in it."""
    from ..kernels import provider

    x, spec = _pooling(draw)
    return x, spec, provider("generic").max_pool(draw.apart(x), spec=spec)[1]


def _pool_gather(draw: Draw) -> Sample:
    x, spec, switches = _switched(draw)
    return sample(draw.normal(x), switches, spec=spec)


def _pool_scatter(draw: Draw) -> Sample:
    x, spec, switches = _switched(draw)
    return sample(draw.normal(switches.shape), switches, spec=spec, size=x[2:])


def _without_dilation(spec: PoolSpec) -> PoolSpec:
    return PoolSpec(spec.kernel, spec.stride, spec.padding, (1,) * spec.ndim, spec.ceil_mode)


def _avg_pool(draw: Draw) -> Sample:
    x, spec = _pooling(draw)
    include = bool(draw.integer(0, 1))
    return sample(draw.normal(x), spec=_without_dilation(spec), count_include_pad=include)


def _avg_pool_grad(draw: Draw) -> Sample:
    x, spec = _pooling(draw)
    spec = _without_dilation(spec)
    y = draw.normal((*x[:2], *spec.output_size(x[2:])))
    return sample(y, spec=spec, size=x[2:], count_include_pad=bool(draw.integer(0, 1)))


_flat = PoolSpec((2,), (2,), ((0, 0),), (1,))
record(
    "max_pool", _max_pool,
    kinks=(kink([[[1.0, 1.0, 0.0, 2.0]]], {"x": [[[1.0, 0.0, 0.0, 1.0]]]}, spec=_flat),),
)  # fmt: skip
record("pool_gather", _pool_gather)
record("pool_scatter", _pool_scatter)
record("avg_pool", _avg_pool)
record("avg_pool_grad", _avg_pool_grad)


def _adaptive(draw: Draw) -> Sample:
    return sample(draw.normal((2, 2, 5, 4)), output_size=draw.choice([1, 2, (3, 2), (5, 4)]))


def _unpooled(x: Any, indices: Any) -> Any:
    return ops.max_unpool2d(x, indices, 2)


def _max_unpool(draw: Draw) -> Sample:
    indices = ops.max_pool2d(draw.apart((2, 2, 4, 6)), 2, return_indices=True)[1]
    return sample(draw.normal((2, 2, 2, 3)), indices)


composite(ops.adaptive_avg_pool2d, _adaptive)
composite(ops.global_avg_pool, lambda draw: sample(draw.normal((2, 3, 2, 4))))
composite(_unpooled, _max_unpool, name="max_unpool2d")

# normalisation


def _parameters(draw: Draw, shape: tuple) -> tuple:
    return tuple(draw.normal(shape) if draw.integer(0, 1) else None for _ in range(2))


def _batch_norm(draw: Draw) -> Sample:
    size = draw.choice([(), (3,), (2, 2)])
    x = draw.normal((4, 2, *size))
    shape = (1, 2) + (1,) * len(size)
    axes = (0, *range(2, x.ndim))
    return sample(x, *_parameters(draw, (2,)), axes=axes, shape=shape, eps=draw.choice([1e-5, 0.1]))


def _layer_norm(draw: Draw) -> Sample:
    shape = draw.choice([(4,), (2, 3)])
    x = draw.normal((*draw.shape(0, 2, 3), *shape))
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    eps = draw.choice([1e-5, 0.1])
    return sample(x, *_parameters(draw, shape), axes=axes, shape=shape, eps=eps)


def _inference(draw: Draw) -> Sample:
    x = draw.normal((3, 2, 2))
    return sample(
        x, draw.normal((2,)), draw.uniform((2,), 0.3, 2.0), *_parameters(draw, (2,)),
        shape=(1, 2, 1), eps=1e-5,
    )  # fmt: skip


def _response(draw: Draw) -> Sample:
    before, after = draw.choice([(1, 1), (2, 2), (0, 1)])
    return sample(
        draw.normal((2, draw.integer(1, 5), 2)), before=before, after=after, alpha=0.3,
        beta=draw.choice([0.75, 1.0]), k=draw.choice([1.0, 2.0]),
    )  # fmt: skip


record("batch_norm", _batch_norm)
record("layer_norm", _layer_norm)
record("batch_norm_inference", _inference)
record("local_response_norm", _response)
record(
    "channel_window_sum",
    lambda draw: sample(
        draw.normal((2, draw.integer(1, 5), 2)), before=draw.integer(0, 2), after=draw.integer(0, 2)
    ),
)

composite(
    ops.batch_norm,
    lambda draw: sample(draw.normal((4, 2, 3)), training=True),
    name="batch_norm in training",
)
composite(
    ops.group_norm,
    lambda draw: sample(
        draw.normal((2, 4, 3)), draw.choice([1, 2]), draw.normal((4,)), draw.normal((4,))
    ),
)
composite(ops.instance_norm, lambda draw: sample(draw.normal((2, 3, 4))))
composite(ops.rms_norm, lambda draw: sample(draw.normal((2, 4)), 4, draw.normal((4,))))

# noise


def _dropout(draw: Draw) -> Sample:
    x = draw.normal(draw.shape(1, 3))
    shape = draw.choice([x.shape, (x.shape[0],) + (1,) * (x.ndim - 1)])
    return sample(x, seed=draw.integer(0, 99), p=draw.choice([0.5, 0.75]), shape=shape)


record("dropout", _dropout)

# losses


def _reduced(draw: Draw, count: int) -> float | None:
    return draw.choice([1.0, None, 1.0 / count])


def _classes(draw: Draw) -> tuple[tuple, int]:
    shape = draw.choice([(3, 4), (2, 3, 2), (4,)])
    return shape, 1 if len(shape) > 1 else 0


def _cross_entropy(draw: Draw) -> Sample:
    shape, axis = _classes(draw)
    target = draw.uniform(shape, 0.1, 1.0)
    return sample(draw.normal(shape), target, axis=axis, scale=_reduced(draw, shape[0]))


def _pair_of_loss(draw: Draw) -> Sample:
    shape = draw.shape(1, 3)
    return sample(draw.normal(shape), draw.normal(shape), scale=_reduced(draw, prod(shape)))


record("cross_entropy", _cross_entropy)
record("nll_loss", _cross_entropy)
record("mse_loss", _pair_of_loss)
record("bce_with_logits", _pair_of_loss)


def _labelled(x: Any, reduction: str, smoothing: float) -> Any:
    return ops.cross_entropy(x, np.array([1, -100, 0]), np.array([0.5, 1.0, 2.0]),
                             reduction=reduction, label_smoothing=smoothing)  # fmt: skip


composite(_labelled, lambda draw: sample(
    draw.normal((3, 3)), draw.choice(["mean", "sum", "none"]), draw.choice([0.0, 0.1])),
    name="cross_entropy of labels")  # fmt: skip
