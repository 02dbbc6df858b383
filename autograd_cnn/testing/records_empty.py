"""Arguments without entries, for law 9: empty batches, empty lines, sums of nothing.

What has no such arguments says why in `NEVER_EMPTY`.
"""

from __future__ import annotations

import numpy as np

from ..kernels.specs import ConvSpec, PoolSpec
from .records import Sample, sample


def _of(*shape: int) -> np.ndarray:
    """An array of zeros, or of nothing."""
    return np.zeros(shape)


def _some(*shape: int) -> np.ndarray:
    """Distinct entries that are not whole."""
    return 0.3 + 0.41 * np.arange(np.prod(shape)).reshape(shape)


def _labels(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.int64)


_ANY = [sample(_of(0)), sample(_of(2, 0, 3))]
_LINES = [sample(_of(0, 3), axis=1), sample(_of(2, 0, 3), axis=2)]
_PAIRS = [sample(_of(0, 3), _some(3)), sample(_of(2, 1, 0), _of(2, 3, 1)), sample(_of(0), _of(0))]
_SUMS = [
    sample(_of(0, 3), axes=(0,), keepdims=False), sample(_of(2, 0), axes=(0,), keepdims=True),
    sample(_of(0), axes=(0,), keepdims=True),
]  # fmt: skip
_OTHERS = [
    sample(_of(0, 3), axes=(1,), keepdims=False),
    sample(_of(2, 0), axes=(0,), keepdims=True),
]
_CONV = ConvSpec((1,), ((1, 1),), (1,))
_POOL = PoolSpec((2,), (2,), ((0, 0),), (1,))
_NORMS = {"axes": (1,), "shape": (3,), "eps": 1e-5}
_LOSSES = [sample(_of(0, 3), _of(0, 3), scale=scale) for scale in (1.0, None)]
_MATRICES = [sample(_of(0, 2, 2)), sample(_of(0, 0))]
_IMAGES = sample(_of(0, 2, 4))
_SQUARES = sample(_of(0, 2, 4, 4))
_ROWS = np.array([[0, 1], [2, 0]])[:0]

EMPTY: dict[str, list[Sample]] = dict.fromkeys(
    ("identity", "negative", "square", "exp", "expm1", "sin", "cos", "tanh", "erf", "sigmoid",
     "softplus", "gelu", "log", "sqrt", "log1p", "sign", "step", "abs", "relu", "selu", "silu",
     "mish", "hardswish", "relu6", "log_sigmoid"),
    _ANY,
)  # fmt: skip
"""Arguments of each operation, by the name of its record."""

EMPTY |= dict.fromkeys(
    ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"), _PAIRS
)
EMPTY |= dict.fromkeys(("softmax", "log_softmax", "cumsum", "cumprod"), _LINES)
EMPTY |= dict.fromkeys(("sum",), _SUMS)
EMPTY |= dict.fromkeys(("mean", "max", "logsumexp", "norm"), _OTHERS)
EMPTY |= dict.fromkeys(("mse_loss", "bce_with_logits"), _LOSSES)
EMPTY |= dict.fromkeys(("inv", "det", "slogdet", "cholesky"), _MATRICES)
EMPTY["norm"] = [
    Sample(s.inputs, {"ord": 2, **s.attributes}) for s in (*_OTHERS, _SUMS[0], _SUMS[2])
]
EMPTY |= {
    # arithmetic and activations
    "where": [sample(np.zeros((0, 3), bool), _some(3), _of(0, 3))],
    "clip": [sample(_of(0, 3), low=-1.0, high=None)],
    "hardtanh": [sample(_of(0, 3), low=-1.0, high=1.0)],
    "leaky_relu": [sample(_of(0, 3), negative_slope=0.1)],
    "elu": [sample(_of(0, 3), alpha=1.0)],
    "astype": [sample(_of(0, 3), dtype=np.dtype("f8"))],
    "to_device": [sample(_of(0, 3), source="cpu", device="cpu")],
    "prelu": [sample(_of(0, 3, 2), _some(3)), sample(_of(2, 0), _some(1))],
    "dropout": [sample(_of(0, 3), seed=1, p=0.5, shape=(0, 3))],
    # sums, orders and scans
    "argmax": [sample(_of(0, 3), axis=1, keepdims=False)],
    "sum_to": [sample(_of(0, 3), shape=(1, 3)), sample(_of(2, 0), shape=(0,))],
    "broadcast_to": [sample(_some(1, 3), shape=(0, 3)), sample(_of(0), shape=(2, 0))],
    "linear_recurrence": [sample(_of(0, 3), _of(0, 3), axis=0)],
    "argsort": [sample(_of(0, 3), axis=axis, descending=False) for axis in (0, 1)],
    "sort": [sample(_of(0, 3), axis=axis, descending=True) for axis in (0, 1)],
    "var": [sample(_of(0, 3), axis=1)],
    "std": [sample(_of(0, 3), axis=1)],
    "min": [sample(_of(0, 3), axis=1)],
    "prod": [sample(_of(0, 3), axis=0), sample(_of(0, 3), axis=1)],
    # shapes and indices
    "reshape": [sample(_of(0, 3), shape=(3, 0))],
    "transpose": [sample(_of(0, 3), axes=(1, 0))],
    "flip": [sample(_of(0, 3), axes=(0, 1))],
    "pad": [sample(_of(0, 3), widths=((1, 2), (0, 0)), value=0.0)],
    "concatenate": [sample(_of(0, 3), _some(2, 3), _of(0, 3), axis=0), sample(_of(0), axis=0)],
    "getitem": [sample(_of(0, 3), index=slice(None, None, -1)), sample(_some(3), index=[])],
    "scatter_add": [
        sample(_of(0, 3), index=slice(2, 2), shape=(4, 3)),
        sample(_of(0), index=np.zeros(0, int), shape=(4,)),
    ],
    "index_set": [sample(_some(4, 3), _of(0, 3), index=slice(1, 1))],
    "take_along_axis": [sample(_some(2, 3), _labels(2, 0), axis=1)],
    "put_along_axis": [sample(_of(2, 0), _labels(2, 0), axis=1, size=3)],
    "stack": [sample(_of(2, 0), _of(2, 0), axis=0)],
    "split": [sample(_of(0, 6), sections=2), sample(_some(2, 6), sections=[3, 3])],
    "index_add": [sample(_some(4, 3), _of(0, 3), index=slice(1, 1))],
    "take": [sample(_of(3, 0), axis=0)],
    "gather": [sample(_some(2, 3), 1, _labels(2, 0))],
    "add_along_axis": [sample(_some(2, 3), _labels(2, 0), _of(2, 0), 1)],
    "index_multiply": [sample(_some(3, 2), _labels(0), _of(0, 2))],
    "index_max": [sample(_some(3, 2), _labels(0), _of(0, 2))],
    "index_min": [sample(_some(3, 2), _labels(0), _of(0, 2))],
    "pad with a value": [sample(_of(0, 3))],
    "pad modes": [sample(_of(0, 3), ((0, 0), (1, 1)), 0.0, m) for m in ("reflect", "circular")],
    "moveaxis": [sample(_of(2, 0, 3), source=0, destination=-1)],
    "swapaxes": [sample(_of(2, 0, 3), first=0, second=2)],
    "squeeze": [sample(_of(1, 0, 1), axis=None)],
    "expand_dims": [sample(_of(0, 3), axis=1)],
    "flatten": [sample(_of(0, 3, 2), start_dim=1)],
    "diagonal": [sample(_of(0, 3, 4), offset=1, axis1=1, axis2=2), sample(_some(2, 2), offset=5)],
    "trace": [sample(_of(0, 3, 4), offset=1, axis1=1, axis2=2)],
    "tril": [sample(_of(0, 3, 4), k=1)],
    "triu": [sample(_of(3, 0), k=1)],
    # products and matrices
    "matmul": [sample(_some(2, 0), _of(0, 3)), sample(_of(0, 2, 3), _some(3, 2))],
    "matmul of vectors": [sample(_of(0), _of(0)), sample(_of(0, 3), _some(3))],
    "linear": [sample(_of(0, 3), _some(2, 3), _some(2)), sample(_of(2, 0), _of(4, 0), _some(4))],
    "einsum": [sample(_of(0, 3), _some(3, 2), subscripts="ij,jk->ik"),
               sample(_of(2, 0), _of(0, 3), subscripts="ij,jk->ik")],
    "einsum with a diagonal": [sample(_of(0, 3, 3), _of(4, 0)), sample(_of(2, 0, 0), _some(4, 2))],
    "outer": [sample(_of(0), _some(2))],
    "kron": [sample(_of(0, 2), _some(2, 2))],
    "solve": [sample(_of(0, 2, 2), _of(0, 2, 3)), sample(np.eye(2), _of(2, 0))],
    "eigh": [sample(_of(0, 2, 2), tolerance=1e-15)],
    "eigh, both": [sample(_of(0, 2, 2))],
    "solve for a vector": [sample(_of(0, 0), _of(0))],
    "det of singular matrices": [sample(_of(0, 2, 2))],
    "norm of matrices": [sample(_of(0, 2, 3), ord="fro", axis=(1, 2))],
    "norm of vectors": [sample(_of(0, 3), ord=1, axis=1)],
    # windows
    "conv": [sample(_of(0, 2, 4), _some(3, 2, 2), _some(3), spec=_CONV),
             sample(_of(2, 2, 4), _of(0, 2, 2), _of(0), spec=_CONV)],
    "conv_input_grad": [sample(_of(0, 3, 5), _some(3, 2, 2), spec=_CONV, size=(4,))],
    "conv_weight_grad": [sample(_of(0, 2, 4), _of(0, 3, 5), spec=_CONV, size=(2,))],
    "conv_transpose2d": [sample(_of(0, 2, 3, 3), _some(2, 1, 2, 2), _some(1))],
    "locally_connected2d": [sample(_of(0, 1, 3, 2), _some(2, 2, 1, 1, 2, 2))],
    "unfold": [sample(_of(0, 2, 4), spec=_CONV, kernel=(2,))],
    "fold": [sample(_of(0, 4, 5), spec=_CONV, kernel=(2,), size=(4,))],
    "max_pool": [sample(_of(0, 2, 4), spec=_POOL)],
    "avg_pool": [sample(_of(0, 2, 4), spec=_POOL, count_include_pad=True)],
    "avg_pool_grad": [sample(_of(0, 2, 2), spec=_POOL, size=(4,), count_include_pad=True)],
    "pool_gather": [sample(_of(0, 2, 4), _labels(0, 2, 2), spec=_POOL)],
    "pool_scatter": [sample(_of(0, 2, 2), _labels(0, 2, 2), spec=_POOL, size=(4,))],
    "adaptive_max_pool": [sample(_of(0, 2, 4), out=(3,))],
    "adaptive_avg_pool2d": [sample(_of(0, 2, 4, 4), output_size=2)],
    "global_avg_pool": [_SQUARES],
    "lp_pool2d": [sample(_of(0, 2, 4, 4), 2, 2, None, False)],
    "max_unpool1d": [sample(_of(0, 2, 2), _labels(0, 2, 2))],
    "max_unpool2d": [sample(_of(0, 2, 2, 2), _labels(0, 2, 2, 2))],
    "max_unpool3d": [sample(_of(0, 1, 1, 1, 1), _labels(0, 1, 1, 1, 1))],
    "interpolate": [sample(_of(0, 2, 3, 4), (5, 6), None, m) for m in ("nearest", "bilinear")],
    "resample": [sample(_of(5, 0), [0.5, 1.5], 0)],
    # normalisation
    "batch_norm": [sample(_of(4, 0), None, None, axes=(0,), shape=(1, 0), eps=1e-5)],
    "layer_norm": [sample(_of(0, 3), _some(3), _some(3), **_NORMS)],
    "batch_norm_inference": [
        sample(_of(0, 2, 2), _some(2), _some(2), _some(2), _some(2), shape=(1, 2, 1), eps=1e-5)
    ],
    "local_response_norm": [
        sample(_of(0, 3, 2), before=1, after=1, alpha=0.3, beta=0.75, k=1.0)
    ],
    "channel_window_sum": [sample(_of(0, 3, 2), before=1, after=1)],
    "group_norm": [sample(_of(0, 4, 3), 2, _some(4), _some(4))],
    "instance_norm": [sample(_of(0, 3, 4))],
    "rms_norm": [sample(_of(0, 4), 4, _some(4))],
    "weight_norm": [sample(_of(0, 2), _of(0))],
    # losses
    "cross_entropy": [sample(_of(0, 3), _of(0, 3), axis=1, scale=scale) for scale in (1.0, None)],
    "nll_loss": [sample(_of(0, 3), _of(0, 3), axis=1, scale=scale) for scale in (1.0, None)],
    "huber_loss": [sample(_of(0, 3), _of(0, 3), "sum")],
    "smooth_l1_loss": [sample(_of(0, 3), _of(0, 3), "sum")],
    "hinge_loss": [sample(_of(0, 3), _of(0, 3), "none")],
    "kl_div": [sample(_of(0, 3), _of(0, 3), "sum")],
}  # fmt: skip

NEVER_EMPTY: dict[str, str] = {
    "cross_entropy of labels": "its labels are three and fixed; the primitive has an empty batch",
    "multi_margin_loss": "its labels are three and fixed",
    "batch_norm in training": "it refuses a batch without values",
    "convolve": "it refuses empty operands",
}
"""Why an operation has no arguments without entries."""
