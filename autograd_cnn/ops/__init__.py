"""Every public operation, grouped as a textbook would. Arrays in, arrays out; tensors are recorded."""

import sys

from .. import tensor as _tensor
from .activation import (
    elu,
    gelu,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu,
    selu,
    sigmoid,
    softmax,
    softplus,
)
from .conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .elementwise import (
    abs,
    add,
    astype,
    clip,
    compare,
    cos,
    divide,
    erf,
    exp,
    expm1,
    identity,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sign,
    sin,
    sqrt,
    square,
    step,
    subtract,
    tanh,
    to_device,
    where,
)
from .index import (
    getitem,
    index_add,
    index_set,
    put_along_axis,
    scatter_add,
    take,
    take_along_axis,
)
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from .matmul import einsum, linear, matmul
from .norm import (
    batch_norm,
    channel_window_sum,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from .pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    global_avg_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool2d,
)
from .protocol import from_numpy_function, from_ufunc
from .random import draw_seed, dropout, dropout2d, seed
from .reduce import argmax, broadcast_to, logsumexp, max, mean, min, reshape, std, sum, sum_to, var
from .shape import (
    concatenate,
    expand_dims,
    flatten,
    flip,
    moveaxis,
    pad,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)

_tensor.bind(sys.modules[__name__])

_modules = {"activation", "conv", "index", "losses", "norm", "pool", "protocol", "random", "reduce", "shape"}
__all__ = [n for n in dir() if not n.startswith("_") and n not in _modules and n != "sys"]
