"""ONNX's normalisations, products, dropout and losses."""

import numpy as np

import autograd_cnn as ag


def batch_normalization(
    x, scale, bias, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0, spatial=1
):
    if not training_mode:
        return ag.batch_norm(x, mean, var, scale, bias, eps=epsilon)
    y = ag.batch_norm(x, None, None, scale, bias, training=True, eps=epsilon)
    # ONNX's running variance is the biased one, PyTorch's and ours the unbiased one
    axes = (0, *range(2, len(x.shape)))
    news = ag.mean(x, axes), ag.var(x, axes)
    return y, *(old * momentum + new * (1 - momentum)
                for old, new in zip((mean, var), news, strict=True))  # fmt: skip


def layer_normalization(x, scale, bias=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    axis = axis % len(x.shape)
    y = ag.layer_norm(x, x.shape[axis:], scale, bias, eps=epsilon)
    axes = tuple(range(axis, len(x.shape)))
    inverse = ag.power(ag.sqrt(ag.var(x, axes, keepdims=True) + epsilon), -1.0)
    return y, ag.mean(x, axes, True), inverse


def rms_normalization(x, scale, *, axis=-1, epsilon=1e-5, stash_type=1):
    return ag.rms_norm(x, x.shape[axis % len(x.shape) :], scale, eps=epsilon)


def local_response_normalization(x, *, size, alpha=1e-4, beta=0.75, bias=1.0):
    return ag.local_response_norm(x, size, alpha / size, beta, bias)


def mean_variance_normalization(x, *, axes=(0, 2, 3)):
    axes = tuple(axes)
    return (x - ag.mean(x, axes, True)) / (ag.std(x, axes, keepdims=True) + 1e-9)


def lp_normalization(x, *, axis=-1, p=2):
    size = ag.norm(x, p, axis, keepdims=True)
    return x / ag.where(ag.compare("equal", size, 0), 1.0, size)


def dropout(x, ratio=None, training_mode=None, *, seed=0, **ratio_before_operator_set_12):
    kept = np.ones(x.shape, bool)
    if training_mode is None or not training_mode:
        return x, kept
    ratio = 0.5 if ratio is None else ratio.item()
    y = ag.dropout(x, ratio, rng=seed)
    return y, kept if ratio == 0 else ag.compare("not_equal", y, 0)


def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    a, b = (ag.transpose(m) if turned else m for m, turned in ((a, transA), (b, transB)))
    y = ag.matmul(a, b) * alpha
    return y if c is None else y + c * beta


LAYERS = {
    "BatchNormalization": batch_normalization,
    "Det": ag.det,
    "Dropout": dropout,
    "Einsum": lambda *x, equation: ag.einsum(equation, *x),
    "Gemm": gemm,
    "GroupNormalization": lambda x, scale, bias, *, num_groups, epsilon=1e-5, stash_type=1: (
        ag.group_norm(x, num_groups, scale, bias, eps=epsilon)
    ),
    "InstanceNormalization": lambda x, scale, bias, *, epsilon=1e-5: ag.instance_norm(
        x, scale, bias, eps=epsilon
    ),
    "LRN": local_response_normalization,
    "LayerNormalization": layer_normalization,
    "LpNormalization": lp_normalization,
    "MatMul": ag.matmul,
    "MeanVarianceNormalization": mean_variance_normalization,
    "RMSNormalization": rms_normalization,
}


def negative_log_likelihood(x, labels, weight=None, *, ignore_index=-100, reduction="mean"):
    return ag.nll_loss(x, labels, weight, ignore_index, reduction)


def softmax_cross_entropy(x, labels, weight=None, *, ignore_index=-100, reduction="mean"):
    loss = ag.cross_entropy(x, labels, weight, ignore_index, reduction)
    return loss, ag.log_softmax(x, 1)


LOSSES = {
    "NegativeLogLikelihoodLoss": negative_log_likelihood,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
}
