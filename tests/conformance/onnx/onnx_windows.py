"""ONNX's sliding windows: convolution, its transpose, pooling and unpooling, col2im."""

from math import prod

import numpy as np

import autograd_cnn as ag

_CONV = {1: ag.conv1d, 2: ag.conv2d, 3: ag.conv3d}
_CONV_TRANSPOSE = {1: ag.conv_transpose1d, 2: ag.conv_transpose2d, 3: ag.conv_transpose3d}
_MAX_POOL = {1: ag.max_pool1d, 2: ag.max_pool2d, 3: ag.max_pool3d}
_AVG_POOL = {1: ag.avg_pool1d, 2: ag.avg_pool2d, 3: ag.avg_pool3d}
_LP_POOL = {1: ag.lp_pool1d, 2: ag.lp_pool2d, 3: ag.lp_pool3d}
_GLOBAL_MAX = {1: ag.adaptive_max_pool1d, 2: ag.adaptive_max_pool2d, 3: ag.adaptive_max_pool3d}
_UNPOOL = {1: ag.max_unpool1d, 2: ag.max_unpool2d, 3: ag.max_unpool3d}


def conv(x, w, b=None, *, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None,
         strides=None):  # fmt: skip
    size, kernel = x.shape[2:], w.shape[2:]
    strides, dilations, pairs = _geometry(size, kernel, strides, dilations, pads, auto_pad)
    return _CONV[len(size)](x, w, b, strides, pairs, dilations, group)


def conv_transpose(
    x, w, b=None, *, auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None,
    output_padding=None, output_shape=None, pads=None, strides=None,
):  # fmt: skip
    ndim, kernel = len(x.shape) - 2, w.shape[2:]
    strides, dilations = tuple(strides or (1,) * ndim), tuple(dilations or (1,) * ndim)
    extra = list(output_padding or (0,) * ndim)
    if output_shape is None and auto_pad.startswith("SAME"):
        output_shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    pairs = _pairs(pads, ndim)
    if output_shape is not None:
        pairs = []
        for axis, wanted in enumerate(output_shape):
            extent = (kernel[axis] - 1) * dilations[axis] + 1
            extra[axis] = 0
            cut = (x.shape[2 + axis] - 1) * strides[axis] + extent - wanted
            extra[axis], cut = max(0, -cut), max(0, cut)
            first = cut // 2 if auto_pad == "SAME_UPPER" else cut - cut // 2
            pairs.append((first, cut - first))
    run = _CONV_TRANSPOSE[ndim]
    if all(before == after for before, after in pairs):
        sides = tuple(before for before, _ in pairs)
        return run(x, w, b, strides, sides, tuple(extra), group, dilations)
    # the operation pads both sides alike; otherwise the whole output is made and cut
    whole = run(x, w, None, strides, 0, tuple(extra), group, dilations)
    inside = [slice(a, n - z) for (a, z), n in zip(pairs, whole.shape[2:], strict=True)]
    y = whole[(slice(None), slice(None), *inside)]
    return y if b is None else y + ag.reshape(b, (-1, *(1,) * ndim))


def max_pool(
    x, *, auto_pad="NOTSET", ceil_mode=0, dilations=None, kernel_shape, pads=None, storage_order=0,
    strides=None,
):  # fmt: skip
    size, kernel = x.shape[2:], tuple(kernel_shape)
    strides, dilations, pairs = _geometry(size, kernel, strides, dilations, pads, auto_pad)
    run = _MAX_POOL[len(size)]
    if _is_wide(pairs, kernel, dilations):
        x, pairs = ag.pad(x, ((0, 0), (0, 0), *pairs), -np.inf), ((0, 0),) * len(size)
        return run(x, kernel, strides, pairs, dilations, bool(ceil_mode))
    y, places = run(x, kernel, strides, pairs, dilations, bool(ceil_mode), return_indices=True)
    places = np.asarray(places)
    if storage_order == 1:  # counted down the columns, so the first axis is the fastest
        places = np.ravel_multi_index(np.unravel_index(places, size)[::-1], size[::-1])
    planes = np.arange(prod(x.shape[:2])).reshape(*x.shape[:2], *(1,) * len(size))
    return y, places + planes * prod(size)


def average_pool(
    x, *, auto_pad="NOTSET", ceil_mode=0, count_include_pad=0, dilations=None, kernel_shape,
    pads=None, strides=None,
):  # fmt: skip
    size, kernel = x.shape[2:], tuple(kernel_shape)
    strides, dilations, pairs = _geometry(size, kernel, strides, dilations, pads, auto_pad)
    counted = bool(count_include_pad)
    if max(dilations) == 1 and not _is_wide(pairs, kernel, dilations):
        return _AVG_POOL[len(size)](x, kernel, strides, pairs, bool(ceil_mode), counted)
    # with holes, or more padding than avg_pool takes: sums and counts are convolutions with ones
    inside = np.ones(x.shape, x.dtype)
    if counted:
        outer = ((0, 0), (0, 0), *pairs)
        x, inside = ag.pad(x, outer), np.pad(inside, outer, constant_values=1)
        pairs = ((0, 0),) * len(size)
    pairs = _with_partial_windows(x.shape[2:], kernel, strides, dilations, pairs, ceil_mode)
    sums, counts = (_window_sum(v, kernel, strides, dilations, pairs) for v in (x, inside))
    return sums / counts


def lp_pool(
    x, *, auto_pad="NOTSET", ceil_mode=0, dilations=None, kernel_shape, p=2, pads=None, strides=None
):
    size, kernel = x.shape[2:], tuple(kernel_shape)
    strides, dilations, pairs = _geometry(size, kernel, strides, dilations, pads, auto_pad)
    x = ag.pad(x, ((0, 0), (0, 0), *pairs)) if any(map(any, pairs)) else x
    if max(dilations) == 1:
        return _LP_POOL[len(size)](x, p, kernel, strides, bool(ceil_mode))
    columns = ag.unfold(x, kernel, dilations, 0, strides)
    windows = ag.reshape(columns, (*x.shape[:2], prod(kernel), -1))
    out = [(n - (k - 1) * d - 1) // s + 1
           for n, k, d, s in zip(x.shape[2:], kernel, dilations, strides, strict=True)]  # fmt: skip
    return ag.reshape(ag.norm(windows, p, 2), (*x.shape[:2], *out))


def max_unpool(x, places, output_shape=None, *, kernel_shape, pads=None, strides=None):
    ndim, kernel = len(x.shape) - 2, tuple(kernel_shape)
    strides, sides = tuple(strides or (1,) * ndim), tuple(a for a, _ in _pairs(pads, ndim))
    size = [(n - 1) * s - 2 * p + k
            for n, s, p, k in zip(x.shape[2:], strides, sides, kernel, strict=True)]  # fmt: skip
    y = _UNPOOL[ndim](x, places % prod(size), kernel, strides, sides)
    if output_shape is None:
        return y
    return ag.pad(y, tuple((0, int(n) - m) for n, m in zip(output_shape, y.shape, strict=True)))


def col2im(x, image_shape, block_shape, *, dilations=None, pads=None, strides=None):
    ndim, block = len(image_shape), tuple(block_shape.tolist())
    pairs = _pairs(pads, ndim)
    return ag.fold(
        x, tuple(image_shape.tolist()), block, dilations or 1, pairs, strides or (1,) * ndim
    )


WINDOWS = {
    "AveragePool": average_pool,
    "Col2Im": col2im,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "GlobalAveragePool": lambda x: ag.reshape(
        ag.global_avg_pool(x), (*x.shape[:2], *(1,) * (len(x.shape) - 2))
    ),
    "GlobalMaxPool": lambda x: _GLOBAL_MAX[len(x.shape) - 2](x, 1),
    "LpPool": lp_pool,
    "MaxPool": max_pool,
    "MaxUnpool": max_unpool,
}


def _geometry(size, kernel, strides, dilations, pads, auto_pad):
    """Strides, dilations and (before, after) pairs, with defaults and `auto_pad` resolved."""
    ndim = len(size)
    strides, dilations = tuple(strides or (1,) * ndim), tuple(dilations or (1,) * ndim)
    if not auto_pad.startswith("SAME"):
        return strides, dilations, _pairs(pads, ndim)
    pairs = []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return strides, dilations, tuple(pairs)


def _pairs(pads, ndim):
    """ONNX's pads, all beginnings and then all ends, as (before, after) for each axis."""
    pads = pads or (0,) * (2 * ndim)
    return tuple(zip(pads[:ndim], pads[ndim:], strict=True))


def _is_wide(pairs, kernel, dilations):
    """More padding than half a window, which the pooling operations refuse."""
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    return any(2 * max(pair) > n for pair, n in zip(pairs, extents, strict=True))


def _with_partial_windows(size, kernel, strides, dilations, pairs, ceil_mode):
    """The padding with what a last, partial window of `ceil_mode` needs besides."""
    if not ceil_mode:
        return pairs
    result = []
    for n, k, s, d, (a, z) in zip(size, kernel, strides, dilations, pairs, strict=True):
        room = n + a + z - (k - 1) * d - 1
        more = -room % s if -(-room // s) * s < n + a else 0
        result.append((a, z + more))
    return tuple(result)


def _window_sum(x, kernel, strides, dilations, pairs):
    """The sum of each window of each channel: a convolution with ones."""
    ones = np.ones((1, 1, *kernel), x.dtype)
    planes = ag.reshape(x, (-1, 1, *x.shape[2:]))
    sums = _CONV[len(kernel)](planes, ones, None, strides, pairs, dilations)
    return ag.reshape(sums, (*x.shape[:2], *sums.shape[2:]))
