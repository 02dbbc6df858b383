"""ONNX's reductions and scans."""

import numpy as np

import autograd_cnn as ag


def _reduction(function):
    """An operator whose axes are an input, or an attribute before operator sets 13 and 18."""

    def reduce(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        axes = () if axes is None else tuple(int(axis) for axis in axes)
        if not axes and noop_with_empty_axes:
            return x
        return function(x, axes or tuple(range(len(x.shape))), bool(keepdims))

    return reduce


def _of_numbers(function):
    """A reduction that takes truth values as 0 and 1."""

    def reduce(x, axes, keepdims):
        if x.dtype.kind != "b":
            return function(x, axes, keepdims)
        return ag.astype(function(ag.astype(x, "int8"), axes, keepdims), "bool")

    return reduce


def _extremum(function, neutral):
    """Of nothing, where the operation raises: ∓∞, and False or True of truth values."""

    def reduce(x, axes, keepdims):
        if x.size:
            return function(x, axes, keepdims)
        widths = tuple((0, int(axis in axes and not n)) for axis, n in enumerate(x.shape))
        filling = neutral if x.dtype.kind == "f" else neutral > 0
        return function(ag.pad(x, widths, filling), axes, keepdims)

    return reduce


def _place_of(turned):
    """ArgMax, or ArgMin where the entries are turned."""

    def place(x, *, axis=0, keepdims=1, select_last_index=0):
        x = -x if turned else x
        if not select_last_index:
            return ag.argmax(x, axis, keepdims=bool(keepdims))
        last = x.shape[axis] - 1
        return last - ag.argmax(ag.flip(x, axis), axis, keepdims=bool(keepdims))

    return place


def _scan(function, neutral):
    """A running sum or product: from the other end, or without the entry itself, if asked."""

    def run(x, axis, *, exclusive=0, reverse=0):
        axis = int(axis) % len(x.shape)
        x = ag.flip(x, axis) if reverse else x
        if exclusive:
            widths = tuple((int(i == axis), 0) for i in range(len(x.shape)))
            x = ag.pad(x[(slice(None),) * axis + (slice(0, -1),)], widths, neutral)
        y = ag.astype(function(x, axis), x.dtype)  # NumPy adds whole numbers up as int64
        return ag.flip(y, axis) if reverse else y

    return run


REDUCTIONS = {
    "ArgMax": _place_of(turned=False),
    "ArgMin": _place_of(turned=True),
    "CumProd": _scan(ag.cumprod, 1),
    "CumSum": _scan(ag.cumsum, 0),
    "ReduceL1": _reduction(lambda x, axes, keep: ag.sum(ag.abs(x), axes, keep)),
    "ReduceL2": _reduction(lambda x, axes, keep: ag.norm(x, None, axes, keep)),
    "ReduceLogSum": _reduction(lambda x, axes, keep: ag.log(ag.sum(x, axes, keep))),
    "ReduceLogSumExp": _reduction(_extremum(ag.logsumexp, -np.inf)),
    "ReduceMax": _reduction(_extremum(_of_numbers(ag.max), -np.inf)),
    "ReduceMean": _reduction(ag.mean),
    "ReduceMin": _reduction(_extremum(_of_numbers(ag.min), np.inf)),
    "ReduceProd": _reduction(ag.prod),
    "ReduceSum": _reduction(ag.sum),
    "ReduceSumSquare": _reduction(lambda x, axes, keep: ag.sum(ag.square(x), axes, keep)),
}
