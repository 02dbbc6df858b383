"""ONNX's Resize: the nearest entry by its place, linear and cubic by `interpolate`."""

import numpy as np

import autograd_cnn as ag

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_ROUND = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
}


def resize(
    x, roi=None, scales=None, sizes=None, *, antialias=0, axes=None,
    coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.75, exclude_outside=0,
    extrapolation_value=0.0, keep_aspect_ratio_policy="stretch", mode="nearest",
    nearest_mode="round_prefer_floor",
):  # fmt: skip
    axes = tuple(range(len(x.shape)) if axes is None else axes)
    scales, out = _scales(x.shape, axes, scales, sizes, keep_aspect_ratio_policy)
    if mode == "nearest":
        for axis, scale, o in zip(axes, scales, out, strict=True):
            if o != x.shape[axis]:
                x = _nearest(x, axis, scale, o, coordinate_transformation_mode, nearest_mode)
        return x
    if antialias or exclude_outside or coordinate_transformation_mode not in (
        "half_pixel", "align_corners"
    ):  # fmt: skip
        raise NotImplementedError("interpolate has half pixels and aligned corners")
    spatial = len(x.shape) - 2
    name = _LINEAR[spatial] if mode == "linear" else "bicubic"
    aligned = coordinate_transformation_mode == "align_corners"
    if sizes is None:
        return ag.interpolate(x, None, tuple(scales[2:]), name, aligned)
    return ag.interpolate(x, tuple(out[2:]), None, name, aligned)


def upsample(x, scales, *, mode="nearest"):
    return ag.interpolate(x, scale_factor=tuple(scales[2:].tolist()), mode=mode)


RESIZING = {"Resize": resize, "Upsample": upsample}


def _scales(shape, axes, scales, sizes, policy):
    """The factor and the new length of every axis that is named."""
    lengths = [shape[axis] for axis in axes]
    if sizes is None:
        scales = [float(s) for s in scales]
        return scales, [int(np.floor(n * s)) for n, s in zip(lengths, scales, strict=True)]
    scales = [int(o) / n for o, n in zip(sizes, lengths, strict=True)]
    if policy == "stretch":
        return scales, [int(o) for o in sizes]
    scale = {"not_larger": min, "not_smaller": max}[policy](scales)
    return [scale] * len(scales), [int(np.floor(scale * n + 0.5)) for n in lengths]


def _nearest(x, axis, scale, o, coordinates, rounding):
    n, column = x.shape[axis], np.arange(o)
    place = {
        "half_pixel": (column + 0.5) / scale - 0.5,
        "asymmetric": column / scale,
        "align_corners": column * (n - 1) / max(o - 1, 1),
    }[coordinates]
    return ag.take(x, np.clip(_ROUND[rounding](place), 0, n - 1).astype(np.int64), axis)
