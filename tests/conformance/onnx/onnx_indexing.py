"""ONNX's operators that read and write entries by their place."""

import numpy as np

import autograd_cnn as ag

_AT = {"none": ag.index_set, "add": ag.index_add, "mul": ag.index_multiply, "max": ag.index_max,
       "min": ag.index_min}  # fmt: skip


def gather_elements(x, places, *, axis=0):
    return ag.gather(x, axis, _from_the_front(places, x.shape[axis]))


def gather_nd(x, places, *, batch_dims=0):
    lead = np.indices(places.shape[:-1])[:batch_dims]
    return x[(*lead, *np.moveaxis(places, -1, 0))]


def scatter_elements(x, places, updates, *, axis=0, reduction="none"):
    index = list(np.indices(places.shape))
    index[axis] = _from_the_front(places, x.shape[axis])
    return _AT[reduction](x, tuple(index), updates)


def scatter_nd(x, places, updates, *, reduction="none"):
    return _AT[reduction](x, tuple(np.moveaxis(places, -1, 0)), updates)


def tensor_scatter(past, update, starts, *, axis=-2, mode="linear"):
    axis, batch = axis % len(past.shape), len(past.shape) * (1,)
    index = list(np.indices(update.shape, sparse=True))
    index[axis] = index[axis] + starts.reshape(-1, *batch[1:])
    if mode == "circular":
        index[axis] = index[axis] % past.shape[axis]
    return ag.index_set(past, tuple(index), update)


def slice_(x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    index = [slice(None)] * len(x.shape)
    for axis, start, end, step in zip(axes, starts.tolist(), ends.tolist(), steps, strict=True):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def compress(x, condition, *, axis=None):
    return ag.take(x, np.flatnonzero(condition), axis)


def one_hot(places, depth, values, *, axis=-1):
    depth, places = int(depth.item()), _array(places)
    ndim = places.ndim + 1
    column = np.arange(depth).reshape(-1, *(1,) * (ndim - 1 - axis % ndim))
    hot = np.expand_dims(np.where(places < 0, places + depth, places), axis % ndim) == column
    return ag.where(hot, values[1], values[0])


def top_k(x, k, *, axis=-1, largest=1, sorted=1):
    first = (slice(None),) * (axis % len(x.shape)) + (slice(int(k.item())),)
    places = _array(ag.argsort(x, axis, bool(largest)))[first]
    return ag.take_along_axis(x, places, axis), places


def reverse_sequence(x, lengths, *, batch_axis=1, time_axis=0):
    index = list(np.indices(x.shape, sparse=True))
    length = np.expand_dims(lengths, 1 - batch_axis)
    time = index[time_axis]
    index[time_axis] = np.where(time < length, length - 1 - time, time)
    return x[tuple(index)]


INDEXING = {
    "Compress": compress,
    "Gather": lambda x, places, axis=0: ag.take(x, places, axis),
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "OneHot": one_hot,
    "ReverseSequence": reverse_sequence,
    "Scatter": scatter_elements,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "Slice": slice_,
    "TensorScatter": tensor_scatter,
    "TopK": top_k,
}


def _array(x):
    return x.numpy() if isinstance(x, ag.Tensor) else np.asarray(x)


def _from_the_front(places, n):
    return np.where(places < 0, places + n, places)
