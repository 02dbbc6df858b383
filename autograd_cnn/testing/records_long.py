"""Long sums of ones for law 7: summed in half precision they would stop growing at 2048."""

from __future__ import annotations

import numpy as np

from ..kernels.specs import ConvSpec, PoolSpec
from .records import Sample, sample

COUNT = 4096


def _ones(*shape: int) -> np.ndarray:
    return np.ones(shape)


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape)


def _alternating(*shape: int) -> np.ndarray:
    return 1.0 + 2.0 * (np.arange(np.prod(shape)) % 2).reshape(shape)


_SAME = ConvSpec((1,), ((0, 0),), (1,))
_WINDOW = PoolSpec((COUNT,), (COUNT,), ((0, 0),), (1,))
_PLACES = np.zeros(COUNT, np.int64)

LONG: dict[str, Sample] = {
    "sum": sample(_ones(COUNT, 2), axes=(0,), keepdims=False),
    "mean": sample(_ones(COUNT, 2), axes=(0,), keepdims=False),
    "sum_to": sample(_ones(COUNT, 2), shape=(1, 2)),
    "broadcast_to": sample(_ones(1, 2), shape=(COUNT, 2)),
    "logsumexp": sample(_zeros(COUNT, 2), axes=(0,), keepdims=False),
    "softmax": sample(_zeros(COUNT, 2), axis=0),
    "log_softmax": sample(_zeros(COUNT, 2), axis=0),
    "matmul": sample(_ones(2, COUNT), _ones(COUNT, 2)),
    "linear": sample(_ones(2, COUNT), _ones(2, COUNT), _ones(2)),
    "einsum": sample(_ones(COUNT, 2), _ones(COUNT), subscripts="ij,i->j"),
    "conv": sample(_ones(1, COUNT, 2), _ones(1, COUNT, 1), _ones(1), spec=_SAME),
    "conv_input_grad": sample(_ones(1, COUNT, 2), _ones(COUNT, 1, 1), spec=_SAME, size=(2,)),
    "conv_weight_grad": sample(_ones(1, 1, COUNT), _ones(1, 1, COUNT), spec=_SAME, size=(1,)),
    "avg_pool": sample(_ones(1, 1, COUNT), spec=_WINDOW, count_include_pad=True),
    "scatter_add": sample(_ones(COUNT), index=_PLACES, shape=(2,)),
    "put_along_axis": sample(_ones(COUNT), _PLACES, axis=0, size=2),
    "cumsum": sample(_ones(COUNT, 2), axis=0),
    "channel_window_sum": sample(_ones(1, 2400, 1), before=2400, after=2400),
    "batch_norm": sample(_alternating(COUNT, 1), None, None, axes=(0,), shape=(1, 1), eps=1e-5),
    "layer_norm": sample(_alternating(2, COUNT), None, None, axes=(1,), shape=(COUNT,), eps=1e-5),
    "cross_entropy": sample(_zeros(COUNT, 2), _ones(COUNT, 2) / 2, axis=1, scale=1.0),
    "nll_loss": sample(-_ones(COUNT, 2), _ones(COUNT, 2) / 2, axis=1, scale=1.0),
    "mse_loss": sample(_ones(COUNT, 2), _zeros(COUNT, 2), scale=1.0),
    "bce_with_logits": sample(_zeros(COUNT, 2), _zeros(COUNT, 2), scale=1.0),
    "norm": sample(_ones(COUNT * 4, 2), ord=2, axes=(0,), keepdims=False),
}
"""One call of each primitive that sums, with thousands of terms."""
