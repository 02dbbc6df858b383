"""Images made larger or smaller: nearest entry, linear and cubic interpolation."""

from __future__ import annotations

from math import floor
from typing import Any

from ..errors import ShapeError, require_arrays, require_floats, shape_text
from ..kernels import provider_for
from ..kernels.specs import per_axis
from ..tensor import Tensor
from .index import take
from .matmul import matmul
from .reduce import broadcast_to, reshape
from .shape import moveaxis

_NAMES = {"nearest": None, "linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
_CUBIC = -0.75
"""Keys's parameter; −0.5 in the paper, −0.75 in PyTorch and OpenCV."""


def interpolate(
    x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool = False,
) -> Any:  # fmt: skip
    """N×C×… at another size, as in torch.nn.functional: give `size` or `scale_factor`.

    Modes: "nearest"; "linear", "bilinear", "trilinear" for 1, 2 and 3 spatial axes; "bicubic"
    (Keys 1981) for 2. Entry i of the output reads the input at (i + ½)·s − ½, where s is
    1/scale_factor, or input/output for a `size`; with `align_corners` at
    i·(input − 1)/(output − 1); "nearest" reads entry ⌊i·s⌋. Beyond the border stands the
    border entry. Making smaller does not average: what no entry of the output reads is lost.

    >>> import autograd_cnn as ag
    >>> ag.interpolate(ag.tensor([[[0.0, 4.0]]]), 4, mode="linear").tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]

    Raises ValueError for another mode and unless exactly one of the two sizes is given, ShapeError
    for a wrong number of axes or an empty result.
    """
    out, steps = _check(x, size, scale_factor, mode, align_corners)
    for axis, (o, step) in enumerate(zip(out, steps, strict=True), start=2):
        n = x.shape[axis]
        if mode == "nearest":
            x = _nearest(x, axis, n, o, step)
        elif n != o or (step != 1.0 and not align_corners):
            x = _weighted(x, axis, _weights(x, n, o, step, mode, align_corners))
    return x


def _check(x, size, scale_factor, mode, align_corners) -> tuple[tuple, list[float]]:
    """The size of the output, and how far apart its entries are on each axis of the input."""
    require_arrays("interpolate", x)
    ndim = len(x.shape) - 2
    if mode not in _NAMES:
        raise ValueError(f'interpolate: mode "{mode}" is none of {", ".join(_NAMES)}')
    if not 1 <= ndim <= 3 or _NAMES[mode] not in (None, ndim) or 0 in x.shape[2:]:
        wanted = "one to three" if _NAMES[mode] is None else _NAMES[mode]
        raise ShapeError(
            f'interpolate: mode "{mode}" needs {wanted} spatial axes with entries, got '
            f"{shape_text(x.shape)}"
        )
    if mode != "nearest":
        require_floats("interpolate", x)
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"interpolate: size {size} and scale_factor {scale_factor}: give one of the two"
        )
    if mode == "nearest" and align_corners:
        raise ValueError('interpolate: align_corners means nothing to mode "nearest"')
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


def _nearest(x: Any, axis: int, n: int, o: int, step: float) -> Any:
    if o % n == 0 and step == n / o:  # a whole factor repeats, which is faster than to look up
        shape = x.shape
        apart = reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        repeated = broadcast_to(apart, (*shape[: axis + 1], o // n, *shape[axis + 1 :]))
        return reshape(repeated, (*shape[:axis], o, *shape[axis + 1 :]))
    places = [min(floor(i * step), n - 1) for i in range(o)]
    return take(x, _module(x).asarray(places), axis)


def _weighted(x: Any, axis: int, weights: Any) -> Any:
    """x times a matrix, along one axis."""
    return moveaxis(matmul(moveaxis(x, axis, -1), weights), -1, axis)


def _weights(x: Any, n: int, o: int, step: float, mode: str, align_corners: bool) -> Any:
    """The n×o matrix whose column i weighs the entries that output i reads."""
    xp, column = _module(x), _module(x).arange(o)
    if align_corners:
        place = column * ((n - 1) / (o - 1) if o > 1 else 0.0)
    else:
        place = (column + 0.5) * step - 0.5
    if mode != "bicubic":
        place = xp.clip(place, 0.0, n - 1.0)
    left = xp.floor(place)
    t = place - left
    taps = _cubic_taps(t) if mode == "bicubic" else {0: 1.0 - t, 1: t}
    weights = xp.zeros((n, o))
    for shift, weight in taps.items():
        row = xp.clip(left.astype("int64") + shift, 0, n - 1)
        weights[row, column] += weight
    return weights.astype(x.dtype)


def _cubic_taps(t: Any) -> dict[int, Any]:
    """The four weights of cubic convolution, t beyond the second entry (Keys 1981)."""

    def near(d: Any) -> Any:
        return ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1

    def far(d: Any) -> Any:
        return ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC

    return {-1: far(t + 1), 0: near(t), 1: near(1 - t), 2: far(2 - t)}


def _module(x: Any) -> Any:
    return provider_for([x._data if isinstance(x, Tensor) else x]).xp
