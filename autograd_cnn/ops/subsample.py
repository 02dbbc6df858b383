"""More pooling: powers, maxima that share the image out, unpooling of sequences and volumes."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels import provider_for
from ..kernels.specs import ConvSpec, padded_pairs, per_axis, pool_spec
from ..primitive import opaque
from ..tensor import Tensor
from .columns import _unfold
from .index import put_along_axis
from .pool import max_unpool2d
from .reduce import reshape
from .vector_norm import norm


def _put_back(g: Any, places: Any, x_shape: tuple) -> Any:
    """g where each maximum was found."""
    rows = (*x_shape[:2], prod(g.shape[2:]))
    flat = put_along_axis(reshape(g, rows), places.reshape(rows), 2, prod(x_shape[2:]))
    return reshape(flat, x_shape)


_adaptive_max_pool = opaque(
    "adaptive_max_pool",
    x=_put_back,
    extras=("places",),
    branch=lambda x, out: provider_for([x]).adaptive_max_pool(x, out=out)[1],
    family="pooling",
)


def adaptive_max_pool1d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of windows that share L out among `output_size`. See `adaptive_max_pool2d`."""
    return _adaptive("adaptive_max_pool1d", 1, x, output_size, return_indices)


def adaptive_max_pool2d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of windows that share the image out: window i runs from ⌊iH/O⌋ to ⌈(i+1)H/O⌉.

    With `return_indices` also the place of each maximum in its H·W plane. At a tie the first entry
    of the window, row by row, takes the whole gradient.

    >>> import autograd_cnn as ag
    >>> ag.adaptive_max_pool2d(ag.tensor([[[[1.0, 5.0, 3.0], [4.0, 2.0, 6.0]]]]), (1, 2)).tolist()
    [[[[5.0, 6.0]]]]

    Raises ShapeError for a wrong number of axes or an empty image.
    """
    return _adaptive("adaptive_max_pool2d", 2, x, output_size, return_indices)


def adaptive_max_pool3d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of windows that share the volume out. See `adaptive_max_pool2d`."""
    return _adaptive("adaptive_max_pool3d", 3, x, output_size, return_indices)


def _adaptive(name: str, ndim: int, x: Any, output_size: Any, return_indices: bool) -> Any:
    require_arrays(name, x)
    if len(x.shape) != ndim + 2 or 0 in x.shape[2:]:
        raise ShapeError(
            f"{name}: input must have {ndim + 2} axes with entries, got {shape_text(x.shape)}"
        )
    out = per_axis(output_size, ndim, "output_size", 1)
    y, (places,) = _adaptive_max_pool.apply((x,), {"out": out})
    if not return_indices:
        return y
    return y, Tensor._make(places, None) if isinstance(x, Tensor) else places


def lp_pool1d(
    x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """The norm of windows of sequences N×C×L. See `lp_pool2d`."""
    return _lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """(Σ|x|^p)^(1/p) over each window of N×C×H×W, p = `norm_type`.

    1 sums, a large p approaches the maximum. A window of zeros has the gradient 0. PyTorch's
    formula leaves the absolute value out, so an odd p differs there for negative entries, and it
    scales a partial window of `ceil_mode` up, which this sum does not.

    >>> import autograd_cnn as ag
    >>> ag.lp_pool2d(ag.tensor([[[[3.0, 4.0]]]]), 2, (1, 2)).tolist()
    [[[[5.0]]]]

    Raises ShapeError, with the arithmetic, when nothing would come out; ValueError for p ≤ 0.
    """
    return _lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Any:
    """The norm of windows of volumes N×C×D×H×W. See `lp_pool2d`."""
    return _lp_pool("lp_pool3d", 3, x, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(name, ndim, x, norm_type, kernel_size, stride, ceil_mode) -> Any:
    require_arrays(name, x)
    pool = pool_spec(name, x.shape, ndim, kernel_size, stride, 0, 1, ceil_mode)
    size, out = x.shape[2:], pool.output_size(x.shape[2:])
    pairs = padded_pairs(pool, size, pool.kernel, out)
    spec = ConvSpec(pool.stride, pairs, pool.dilation)
    columns = _unfold(x, spec=spec, kernel=pool.kernel)
    windows = reshape(columns, (*x.shape[:2], prod(pool.kernel), *out))
    return norm(windows, norm_type, axis=2)


def max_unpool1d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Any:  # fmt: skip
    """Each entry of N×C×L put back where `max_pool1d(..., return_indices=True)` found it."""
    return _max_unpool("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Any:  # fmt: skip
    """Each entry of N×C×D×H×W put back where `max_pool3d(..., return_indices=True)` found it.

    See `max_unpool2d`. Raises ShapeError when shapes do not fit or an index lies outside.
    """
    return _max_unpool("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size)


def _max_unpool(name, ndim, x, indices, kernel_size, stride, padding, output_size) -> Any:
    """Places count along the flat volume, so an image of one row is all that it takes."""
    require_arrays(name, x, indices)
    if len(x.shape) != ndim + 2 or tuple(indices.shape) != tuple(x.shape):
        raise ShapeError(
            f"{name}: input must have {ndim + 2} axes and indices its shape, got "
            f"{shape_text(x.shape)} and {shape_text(indices.shape)}"
        )
    kernel = per_axis(kernel_size, ndim, "kernel_size", 1)
    strides = kernel if stride is None else per_axis(stride, ndim, "stride", 1)
    sides = per_axis(padding, ndim, "padding", 0)
    if output_size is None:
        geometry = zip(x.shape[2:], strides, sides, kernel, strict=True)
        size = tuple((n - 1) * s - 2 * p + k for n, s, p, k in geometry)
    else:
        size = tuple(output_size)[-ndim:]
    rows = (*x.shape[:2], 1, prod(x.shape[2:]))
    flat = max_unpool2d(reshape(x, rows), reshape(indices, rows), 1, output_size=(1, prod(size)))
    return reshape(flat, (*x.shape[:2], *size))
