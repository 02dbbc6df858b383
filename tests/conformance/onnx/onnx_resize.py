"""ONNX's Resize: the places that an output reads, by each of its rules, given to `resample`."""

import numpy as np

import autograd_cnn as ag

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
    crops = coordinate_transformation_mode == "tf_crop_and_resize"
    regions = np.asarray(roi).reshape(2, -1).T if crops else [(0.0, 1.0)] * len(axes)
    border = "exclude" if exclude_outside else "repeat"
    for axis, scale, o, region in zip(axes, scales, out, regions, strict=True):
        n = x.shape[axis]
        if o == n and scale == 1.0 and tuple(region) == (0.0, 1.0):
            continue
        places = _PLACES[coordinate_transformation_mode](np.arange(o), n, o, scale, region)
        if mode == "nearest":
            nearest = np.clip(_ROUND[nearest_mode](places), 0, n - 1)
            x = ag.take(x, nearest.astype(np.int64), axis)
        else:
            width = max(1.0, 1.0 / scale) if antialias else 1.0
            x = ag.resample(x, places, axis, mode, width, border, cubic_coeff_a)
        if crops:
            outside = ((places < 0) | (places > n - 1)).reshape(-1, *(1,) * (x.ndim - axis - 1))
            x = ag.where(outside, np.asarray(extrapolation_value, x.dtype), x)
    return x


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


def _half_pixel(i, n, o, scale, region):
    return (i + 0.5) / scale - 0.5


def _symmetric(i, n, o, scale, region):
    """Half pixels about the middle of the input: what a fractional size loses, both ends lose."""
    return n / 2 * (1 - o / (n * scale)) + _half_pixel(i, n, o, scale, region)


def _aligned(i, n, o, scale, region):
    """A fractional size n·scale is aligned at the corner that it would have."""
    return i * ((n - 1) / (n * scale - 1)) if n * scale != 1 else i * 0.0


def _cropped(i, n, o, scale, region):
    start, end = region
    if o == 1:
        return i + 0.5 * (start + end) * (n - 1)
    return start * (n - 1) + i * (end - start) * (n - 1) / (o - 1)


_PLACES = {
    "align_corners": _aligned,
    "asymmetric": lambda i, n, o, scale, region: i / scale,
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda *a: _half_pixel(*a) if a[1] * a[3] > 1 else a[0] * 0.0,
    "tf_crop_and_resize": _cropped,
}
