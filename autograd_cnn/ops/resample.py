"""Images made larger or smaller: nearest entry, linear and cubic interpolation, areas."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

from ..errors import ShapeError, require_arrays, require_floats, shape_text
from ..kernels import provider_for
from ..kernels.specs import per_axis
from ..tensor import Tensor
from .index import take
from .matmul import matmul
from .pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .reduce import broadcast_to, one_axis, reshape
from .shape import moveaxis

_AXES = {"nearest": None, "nearest-exact": None, "area": None,
         "linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}  # fmt: skip
_BY_PLACE = ("nearest", "nearest-exact")
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
_REACH = {"linear": 1, "cubic": 2}


def interpolate(
    x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool = False, antialias: bool = False,
) -> Any:  # fmt: skip
    """N×C×… at another size, as in torch.nn.functional: give `size` or `scale_factor`.

    Modes: "nearest"; "linear", "bilinear", "trilinear" for 1, 2 and 3 spatial axes; "bicubic"
    (Keys 1981) for 2; "area" for the mean of what an entry covers. Entry i of the output reads
    the input at (i + ½)·s − ½, where s is 1/scale_factor, or input/output for a `size`; with
    `align_corners` at i·(input − 1)/(output − 1); "nearest" reads entry ⌊i·s⌋, and
    "nearest-exact" ⌊(i + ½)·s⌋. Beyond the border stands the border entry. Making smaller loses
    what no entry of the output reads, unless `antialias` widens what each one reads by s, in
    "bilinear" and "bicubic".

    >>> import autograd_cnn as ag
    >>> ag.interpolate(ag.tensor([[[0.0, 4.0]]]), 4, mode="linear").tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]

    Raises ValueError for another mode, for options that the mode does not have, and unless exactly
    one of the two sizes is given; ShapeError for a wrong number of axes or an empty result.
    """
    _check_mode(mode, align_corners, antialias)
    out, steps = _sizes(x, size, scale_factor, mode)
    if mode == "area":
        return _AREA[len(out)](x, out)
    for axis, (o, step) in enumerate(zip(out, steps, strict=True), start=2):
        n = x.shape[axis]
        if mode in _BY_PLACE:
            x = _nearest(x, axis, n, o, step, 0.5 if mode == "nearest-exact" else 0.0)
        elif n != o or (step != 1.0 and not align_corners):
            places = _places(x, n, o, step, align_corners)
            kind = "cubic" if mode == "bicubic" else "linear"
            if antialias:  # as in PyTorch and Pillow, with Keys's own −½
                x = resample(x, places, axis, kind, max(step, 1.0), "exclude", cubic=-0.5)
            else:
                x = resample(x, places, axis, kind)
    return x


def resample(
    x: Any, places: Any, axis: int = -1, mode: str = "linear", width: float = 1.0,
    border: str = "repeat", cubic: float = -0.75,
) -> Any:  # fmt: skip
    """x read at fractional places along an axis: y_i = Σ_k x_k·h((k − place_i)/width).

    h is the triangle max(0, 1 − |t|) for "linear" and the cubic convolution with parameter `cubic`
    for "cubic" (−½ in Keys 1981, −¾ in PyTorch, OpenCV and ONNX). A `width` above 1 averages as
    many entries; the weights are then divided by their sum. Beyond the border stands the border
    entry, or nothing with border "exclude": the weights inside are divided by their sum.

    >>> import autograd_cnn as ag
    >>> ag.resample(ag.tensor([0.0, 10.0, 20.0]), [0.5, 1.0, 9.0]).tolist()
    [5.0, 10.0, 20.0]

    Raises ValueError for another mode or border and a width below 1, ShapeError for places that
    are no sequence or, with "exclude", out of reach.
    """
    require_floats("resample", x)
    axis, xp = one_axis("resample", x, axis), _module(x)
    places = xp.asarray(places._data if isinstance(places, Tensor) else places, "float64")
    if mode not in _REACH or border not in ("repeat", "exclude") or not width >= 1:
        raise ValueError(
            f'resample: mode "{mode}" of linear and cubic, border "{border}" of repeat and '
            f"exclude, width {width} of at least 1"
        )
    if places.ndim != 1 or not x.shape[axis]:
        raise ShapeError(f"resample: places {shape_text(places.shape)} on axis {axis} of "
                         f"{shape_text(x.shape)}")  # fmt: skip
    weights = _weights(xp, x.shape[axis], places, mode, width, border, cubic).astype(x.dtype)
    return moveaxis(matmul(moveaxis(x, axis, -1), weights), -1, axis)


def _check_mode(mode: str, align_corners: bool, antialias: bool) -> None:
    if mode not in _AXES:
        raise ValueError(f'interpolate: mode "{mode}" is none of {", ".join(_AXES)}')
    if align_corners and (mode == "area" or mode in _BY_PLACE):
        raise ValueError(f'interpolate: align_corners means nothing to mode "{mode}"')
    if antialias and (align_corners or mode not in ("bilinear", "bicubic")):
        raise ValueError(
            'interpolate: antialias goes with "bilinear" and "bicubic" without align_corners, not '
            f'with mode "{mode}" and align_corners={align_corners}'
        )


def _sizes(x: Any, size: Any, scale_factor: Any, mode: str) -> tuple[tuple, list[float]]:
    """The size of the output, and how far apart its entries are on each axis of the input."""
    require_arrays("interpolate", x)
    ndim = len(x.shape) - 2
    if not 1 <= ndim <= 3 or _AXES[mode] not in (None, ndim) or 0 in x.shape[2:]:
        wanted = "one to three" if _AXES[mode] is None else _AXES[mode]
        raise ShapeError(
            f'interpolate: mode "{mode}" needs {wanted} spatial axes with entries, got '
            f"{shape_text(x.shape)}"
        )
    if mode not in _BY_PLACE:
        require_floats("interpolate", x)
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"interpolate: size {size} and scale_factor {scale_factor}: give one of the two"
        )
    spatial = x.shape[2:]
    if size is not None:
        out = per_axis(size, ndim, "size", 1)
        return out, [n / o for n, o in zip(spatial, out, strict=True)]
    factors = [scale_factor] * ndim if isinstance(scale_factor, (int, float)) else [*scale_factor]
    if len(factors) != ndim or min(factors) <= 0:
        raise ShapeError(f"interpolate: scale_factor {scale_factor} for {ndim} spatial axes")
    out = tuple(floor(n * factor) for n, factor in zip(spatial, factors, strict=True))
    if 0 in out:
        raise ShapeError(
            f"interpolate: {shape_text(spatial)} times {scale_factor} is {shape_text(out)}: nothing"
        )
    return out, [1.0 / factor for factor in factors]


def _nearest(x: Any, axis: int, n: int, o: int, step: float, shift: float) -> Any:
    if o % n == 0 and step == n / o:  # a whole factor repeats, which is faster than to look up
        shape = x.shape
        apart = reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        repeated = broadcast_to(apart, (*shape[: axis + 1], o // n, *shape[axis + 1 :]))
        return reshape(repeated, (*shape[:axis], o, *shape[axis + 1 :]))
    places = [min(floor((i + shift) * step), n - 1) for i in range(o)]
    return take(x, _module(x).asarray(places), axis)


def _places(x: Any, n: int, o: int, step: float, align_corners: bool) -> Any:
    column = _module(x).arange(o)
    if align_corners:
        return column * ((n - 1) / (o - 1) if o > 1 else 0.0)
    return (column + 0.5) * step - 0.5


def _weights(xp, n: int, places, mode: str, width: float, border: str, cubic: float) -> Any:
    """The n×o matrix whose column i weighs the entries that output i reads."""
    if mode == "linear" and width == 1.0 and border == "repeat":
        places = xp.clip(places, 0.0, n - 1.0)
    reach = ceil(_REACH[mode] * width)
    places = xp.clip(places, -reach, n - 1.0 + reach)  # further out nothing changes
    around = xp.arange(-2 * reach, n + 2 * reach)[:, None]
    distance = abs(around - places) / width
    weights = xp.maximum(0.0, 1.0 - distance) if mode == "linear" else _cubic(xp, distance, cubic)
    inside = weights[2 * reach : 2 * reach + n].copy()
    if border == "repeat":
        inside[0] += weights[: 2 * reach].sum(axis=0)
        inside[-1] += weights[2 * reach + n :].sum(axis=0)
    if border == "exclude" or width > 1.0:
        total = inside.sum(axis=0)
        if not total.all():
            raise ShapeError(f"resample: of {n} entries none is within {reach} of a place")
        inside = inside / total
    return inside


def _cubic(xp: Any, d: Any, a: float) -> Any:
    """The weight of cubic convolution at a distance (Keys 1981)."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return xp.where(d <= 1, near, xp.where(d < 2, far, 0.0))


def _module(x: Any) -> Any:
    return provider_for([x._data if isinstance(x, Tensor) else x]).xp
