"""ONNX's shape operators: axes moved and counted, arrays joined, split, padded and repeated."""

import numpy as np

import autograd_cnn as ag


def reshape(x, shape, *, allowzero=0):
    shape = [int(n) for n in shape]
    if not allowzero:
        shape = [x.shape[axis] if n == 0 else n for axis, n in enumerate(shape)]
    return ag.reshape(x, shape)


def flatten(x, *, axis=1):
    axis = axis % len(x.shape) if axis < 0 else axis
    rows = int(np.prod(x.shape[:axis]))
    return ag.reshape(x, (rows, x.size // rows))


def unsqueeze(x, axes):
    ndim = len(x.shape) + len(axes)
    for axis in sorted(int(a) % ndim for a in axes):
        x = ag.expand_dims(x, axis)
    return x


def expand(x, shape):
    return ag.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))


def tile(x, repeats):
    for axis, count in enumerate(repeats.tolist()):
        x = ag.concatenate([x] * count, axis)
    return x


def split(x, sizes=None, *, axis=0, num_outputs=None):
    n = x.shape[axis]
    if sizes is None:
        part = -(-n // num_outputs)
        places = [min(part * k, n) for k in range(1, num_outputs)]
    else:
        places = np.cumsum(sizes)[:-1].tolist()
    return tuple(ag.split(x, places, axis))


def depth_to_space(x, *, blocksize, mode="DCR"):
    n, c, h, w = x.shape
    b, depth = blocksize, c // blocksize**2
    if mode == "DCR":
        blocks = ag.transpose(ag.reshape(x, (n, b, b, depth, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        blocks = ag.transpose(ag.reshape(x, (n, depth, b, b, h, w)), (0, 1, 4, 2, 5, 3))
    return ag.reshape(blocks, (n, depth, h * b, w * b))


def space_to_depth(x, *, blocksize, mode="DCR"):
    n, c, h, w = x.shape
    b = blocksize
    blocks = ag.reshape(x, (n, c, h // b, b, w // b, b))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return ag.reshape(ag.transpose(blocks, order), (n, c * b * b, h // b, w // b))


def pad(x, pads, value=None, axes=None, *, mode="constant"):
    ndim = len(x.shape)
    axes = range(ndim) if axes is None else [int(a) % ndim for a in axes]
    widths = [(0, 0)] * ndim
    for place, axis in enumerate(axes):
        widths[axis] = (int(pads[place]), int(pads[place + len(axes)]))
    return ag.pad(x, tuple(widths), 0.0 if value is None else value.item(), mode)


def center_crop_pad(x, shape, *, axes=None):
    axes = range(len(x.shape)) if axes is None else axes
    widths, inside = [(0, 0)] * len(x.shape), [slice(None)] * len(x.shape)
    for axis, wanted in zip(axes, shape.tolist(), strict=True):
        n = x.shape[axis]
        start, missing = max(0, n - wanted) // 2, max(0, wanted - n)
        inside[axis] = slice(start, start + min(n, wanted))
        widths[axis] = (missing // 2, missing - missing // 2)
    return ag.pad(x[tuple(inside)], tuple(widths))


def shape(x, *, start=0, end=None):
    return np.array(x.shape[start:end], np.int64)


def triangle(x, k=None, *, upper=1):
    return (ag.triu if upper else ag.tril)(x, 0 if k is None else int(k))


SHAPES = {
    "CenterCropPad": center_crop_pad,
    "Concat": lambda *x, axis: ag.concatenate(x, axis),
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Pad": pad,
    "Reshape": reshape,
    "Shape": shape,
    "Size": lambda x: np.array(x.size, np.int64),
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": lambda x, axes: ag.squeeze(x, tuple(axes.tolist())),
    "Tile": tile,
    "Transpose": lambda x, perm=None: ag.transpose(x, perm),
    "Trilu": triangle,
    "Unsqueeze": unsqueeze,
}
