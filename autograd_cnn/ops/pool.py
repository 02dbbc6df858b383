"""Pooling: maximum, average, global, adaptive, and unpooling with switches.

A maximum gathers by its switches and its gradient scatters by them: a closed pair.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels import provider_for
from ..kernels.specs import PoolSpec, per_axis, pool_spec
from ..primitive import linear, opaque
from ..tensor import Tensor
from .einsum import einsum
from .index import put_along_axis
from .reduce import mean, reshape

_pool_gather = linear(
    "pool_gather",
    x=lambda g, switches, x_shape, spec: _pool_scatter(g, switches, spec=spec, size=x_shape[2:]),
    family="pooling",
)
_pool_scatter = linear(
    "pool_scatter",
    y=lambda g, switches, spec: _pool_gather(g, switches, spec=spec),
    family="pooling",
)


def _switches(x: Any, spec: PoolSpec) -> Any:
    return provider_for([x]).max_pool(x, spec=spec)[1]


_max_pool = opaque(
    "max_pool",
    x=lambda g, switches, x_shape, spec: _pool_scatter(g, switches, spec=spec, size=x_shape[2:]),
    extras=("switches",),
    branch=_switches,
    family="pooling",
    window=lambda spec: (spec.kernel, spec),
)
_avg_pool = linear(
    "avg_pool",
    x=lambda g, x_shape, spec, count_include_pad: _avg_pool_grad(
        g, spec=spec, size=x_shape[2:], count_include_pad=count_include_pad
    ),
    family="pooling",
    window=lambda spec: (spec.kernel, spec),
)
_avg_pool_grad = linear(
    "avg_pool_grad",
    y=lambda g, spec, count_include_pad: _avg_pool(
        g, spec=spec, count_include_pad=count_include_pad
    ),
    family="pooling",
)


def _maximum(name, ndim, x, kernel, stride, padding, dilation, ceil_mode, return_indices) -> Any:
    _check_input(name, x)
    spec = pool_spec(name, x.shape, ndim, kernel, stride, padding, dilation, ceil_mode)
    y, (switches,) = _max_pool.apply((x,), {"spec": spec})
    if not return_indices:
        return y
    indices = _flat_indices(switches, spec, x.shape[2:])
    return y, Tensor._make(indices, None) if isinstance(x, Tensor) else indices


def max_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The maximum of windows of sequences N×C×L. See `max_pool2d`."""
    return _maximum(
        "max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The maximum of each window of N×C×H×W; `stride` is the kernel size unless given.

    With `return_indices` also the place of each maximum in its H·W plane. At a tie the first entry
    of the window, row by row, takes the whole gradient. Padding never wins.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([[[[2.0, 4, 8, 3], [9, 3, 4, 2], [5, 4, 6, 3], [2, 3, 1, 3]]]])
    >>> ag.max_pool2d(x, 2).numpy().tolist()
    [[[[9.0, 8.0], [5.0, 6.0]]]]

    Raises ShapeError, with the arithmetic, when nothing would come out.
    """
    return _maximum(
        "max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool3d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The maximum of windows of volumes N×C×D×H×W. See `max_pool2d`."""
    return _maximum(
        "max_pool3d", 3, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def _average(name, ndim, x, kernel, stride, padding, ceil_mode, count_include_pad) -> Any:
    _check_input(name, x)
    spec = pool_spec(name, x.shape, ndim, kernel, stride, padding, 1, ceil_mode)
    return _avg_pool(x, spec=spec, count_include_pad=bool(count_include_pad))


def avg_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:  # fmt: skip
    """The mean of windows of sequences N×C×L. See `avg_pool2d`."""
    return _average("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:  # fmt: skip
    """The mean of each window of N×C×H×W; `stride` is the kernel size unless given.

    With `count_include_pad` zeros of the padding count in the mean.

    Raises ShapeError, with the arithmetic, when nothing would come out.
    """
    return _average("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool3d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:  # fmt: skip
    """The mean of windows of volumes N×C×D×H×W. See `avg_pool2d`."""
    return _average("avg_pool3d", 3, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def global_avg_pool(x: Any) -> Any:
    """The mean of each channel: N×C×… to N×C (Lin et al. 2014)."""
    if x.ndim < 3:
        raise ShapeError(f"global_avg_pool needs N×C×…, got {shape_text(x.shape)}")
    return mean(x, tuple(range(2, x.ndim)))


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Any:
    """The mean of windows that share L out among `output_size` entries."""
    return _adaptive("adaptive_avg_pool1d", 1, x, output_size)


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Any:
    """The mean of windows that share the image out: window i runs from ⌊iH/O⌋ to ⌈(i+1)H/O⌉."""
    return _adaptive("adaptive_avg_pool2d", 2, x, output_size)


def adaptive_avg_pool3d(x: Any, output_size: Any) -> Any:
    """The mean of windows that share the volume out. See `adaptive_avg_pool2d`."""
    return _adaptive("adaptive_avg_pool3d", 3, x, output_size)


def _adaptive(name: str, ndim: int, x: Any, output_size: Any) -> Any:
    _check_input(name, x)
    if x.ndim != ndim + 2:
        raise ShapeError(f"{name}: input must have {ndim + 2} axes, got {shape_text(x.shape)}")
    out = per_axis(output_size, ndim, "output_size", 1)
    size = x.shape[2:]
    if all(o == 1 for o in out):
        return mean(x, tuple(range(2, x.ndim)), True)
    if all(n % o == 0 for n, o in zip(size, out, strict=True)):
        kernel = tuple(n // o for n, o in zip(size, out, strict=True))
        return _average(name, ndim, x, kernel, None, 0, False, True)
    letters, results = "dhw"[-ndim:], "xyz"[-ndim:]
    matrices = [_shares(x, n, o) for n, o in zip(size, out, strict=True)]
    terms = ",".join([f"nc{letters}", *(r + a for r, a in zip(results, letters, strict=True))])
    return einsum(f"{terms}->nc{results}", x, *matrices)


def _shares(x: Any, n: int, o: int) -> Any:
    """The o×n matrix of adaptive means along one axis."""
    xp = provider_for([x._data if isinstance(x, Tensor) else x]).xp
    place, window = xp.arange(n), xp.arange(o)[:, None]
    start, stop = window * n // o, -(-(window + 1) * n // o)
    return (((place >= start) & (place < stop)) / (stop - start)).astype(x.dtype)


def max_unpool2d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Any:  # fmt: skip
    """Each entry put back where `max_pool2d(..., return_indices=True)` found it, zeros elsewhere.

    Source: Zeiler and Fergus 2014 (switches). Raises ShapeError when shapes do not fit or an index
    lies outside the output plane.
    """
    require_arrays("max_unpool2d", x, indices)
    if len(x.shape) != 4:
        raise ShapeError(f"max_unpool2d: input must be N×C×H×W, got {shape_text(x.shape)}")
    kernel = per_axis(kernel_size, 2, "kernel_size", 1)
    strides = kernel if stride is None else per_axis(stride, 2, "stride", 1)
    sides = per_axis(padding, 2, "padding", 0)
    if output_size is None:
        axes = zip(x.shape[2:], strides, sides, kernel, strict=True)
        size = tuple((n - 1) * s - 2 * p + k for n, s, p, k in axes)
    else:
        size = tuple(output_size)[-2:]
    if tuple(indices.shape) != tuple(x.shape):
        raise ShapeError(f"max_unpool2d: input {shape_text(x.shape)} but indices "
                         f"{shape_text(indices.shape)}")  # fmt: skip
    flat = indices._data if isinstance(indices, Tensor) else indices
    if flat.size and (flat.max() >= prod(size) or flat.min() < 0):
        raise ShapeError(f"max_unpool2d: index {flat.max()} outside the {shape_text(size)} plane")
    lead, count = x.shape[:2], prod(x.shape[2:])
    rows, places = reshape(x, (*lead, count)), flat.reshape(*lead, count)
    # overlapping windows may name one place twice: all hold its one value, so the last may stay
    first = _first_of_each(places)
    return reshape(put_along_axis(rows * first, places, 2, prod(size)), (*lead, *size))


def _first_of_each(places: Any) -> Any:
    """1.0 at the first of equal entries in each row, 0.0 at the others."""
    xp = provider_for([places]).xp
    order = xp.argsort(places, axis=-1, kind="stable")
    ordered = xp.take_along_axis(places, order, -1)
    repeated = ordered[..., 1:] == ordered[..., :-1]
    new = xp.concatenate([xp.ones((*places.shape[:-1], 1), bool), ~repeated], -1)
    return xp.take_along_axis(new[..., : places.shape[-1]], xp.argsort(order, -1), -1)


def _flat_indices(switches: Any, spec: PoolSpec, size: tuple[int, ...]) -> Any:
    """Switches (the number of the tap) as places in the flat plane."""
    xp = provider_for([switches]).xp
    flat, rest = 0, switches.astype("int64")
    taps = []
    for k in reversed(spec.kernel):
        taps.append(rest % k)
        rest = rest // k
    for axis, tap in enumerate(reversed(taps)):
        before, step, hole = spec.padding[axis][0], spec.stride[axis], spec.dilation[axis]
        start = xp.arange(switches.shape[2 + axis]) * step - before
        start = start.reshape((-1,) + (1,) * (spec.ndim - axis - 1))
        flat = flat * size[axis] + start + tap * hole
    return flat


def _check_input(name: str, x: Any) -> None:
    require_arrays(name, x)
