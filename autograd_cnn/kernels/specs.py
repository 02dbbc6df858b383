"""Geometry of sliding windows: the only place where an output size is computed.

    extent = (kernel − 1)·dilation + 1
    output = ⌊(input + before + after − extent) / stride⌋ + 1

Sources: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import DTypeError, ShapeError, shape_text

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ConvSpec:
    """Stride, padding, dilation (one entry a spatial axis) and groups of a convolution."""

    stride: Sizes
    padding: Pairs
    dilation: Sizes
    groups: int = 1

    @property
    def ndim(self) -> int:
        return len(self.stride)

    def output_size(self, size: Sizes, kernel: Sizes) -> Sizes:
        """Spatial output sizes of a convolution of `size` with `kernel`."""
        return tuple(
            (n + before + after - ((k - 1) * d + 1)) // s + 1
            for n, k, s, (before, after), d in zip(
                size, kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """Window, stride, padding and dilation (one entry a spatial axis) of a pooling."""

    kernel: Sizes
    stride: Sizes
    padding: Pairs
    dilation: Sizes
    ceil_mode: bool = False

    @property
    def ndim(self) -> int:
        return len(self.kernel)

    @property
    def groups(self) -> int:
        return 1

    def output_size(self, size: Sizes, kernel: Sizes | None = None) -> Sizes:
        """Spatial output sizes; with `ceil_mode` a last, partial window counts.

        A partial window must start inside the input or its left padding, as in PyTorch.
        """
        result = []
        for n, k, s, (before, after), d in zip(
            size, self.kernel, self.stride, self.padding, self.dilation, strict=True
        ):
            room = n + before + after - ((k - 1) * d + 1)
            count = room // s + 1
            if self.ceil_mode and room % s and count * s < n + before:
                count += 1
            result.append(count)
        return tuple(result)


Spec = ConvSpec | PoolSpec


def padded_pairs(spec: Spec, size: Sizes, kernel: Sizes, out: Sizes) -> Pairs:
    """Zeros to put before and after each spatial axis so that every window lies inside."""
    return tuple(
        (before, max(after, (o - 1) * s + (k - 1) * d + 1 - n - before))
        for n, k, o, s, (before, after), d in zip(
            size, kernel, out, spec.stride, spec.padding, spec.dilation, strict=True
        )
    )


def per_axis(value: Any, ndim: int, name: str, minimum: int) -> Sizes:
    """An int or a sequence of `ndim` ints as a tuple, checked against `minimum`."""
    items = (value,) * ndim if isinstance(value, int) else tuple(value)
    if len(items) != ndim:
        raise ShapeError(f"{name}={value} has {len(items)} entries for {ndim} spatial axes")
    for item in items:
        if isinstance(item, bool) or not hasattr(item, "__index__"):
            raise DTypeError(f"{name}={value} must hold whole numbers")
        if item < minimum:
            raise ShapeError(f"{name}={value} must be at least {minimum} on every axis")
    return tuple(int(item) for item in items)


@lru_cache(maxsize=1024)
def _padding_pairs(padding: Any, ndim: int, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Pairs:
    if padding == "valid":
        return ((0, 0),) * ndim
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ShapeError(f'padding="same" needs stride 1, got stride {stride}')
        totals = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
        return tuple((t // 2, t - t // 2) for t in totals)
    if isinstance(padding, str):
        raise ShapeError(f'padding="{padding}": use an int, a tuple, "same" or "valid"')
    if not isinstance(padding, int) and any(isinstance(item, tuple) for item in padding):
        pairs = tuple(item if isinstance(item, tuple) else (item, item) for item in padding)
        if len(pairs) != ndim or any(len(pair) != 2 for pair in pairs):
            raise ShapeError(f"padding={padding} must have {ndim} (before, after) pairs")
        return tuple((a, b) for a, b in (per_axis(pair, 2, "padding", 0) for pair in pairs))
    return tuple((p, p) for p in per_axis(padding, ndim, "padding", 0))


def _hashable(value: Any) -> Any:
    return tuple(_hashable(item) for item in value) if isinstance(value, (list, tuple)) else value


def conv_spec(
    name: str,
    x: Sizes,
    w: Sizes,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> ConvSpec:
    """Check an input shape N×C×… and a filter shape O×(C/groups)×… and return the geometry.

    Raises ShapeError with the arithmetic when ranks, channels or groups do not fit, or when the
    output would be empty.
    """
    return _conv_spec(
        name, tuple(x), tuple(w), _hashable(stride), _hashable(padding), _hashable(dilation), groups
    )


@lru_cache(maxsize=4096)
def _conv_spec(name, x, w, stride, padding, dilation, groups) -> ConvSpec:
    ndim = len(w) - 2
    axes = "DHW"[-ndim:] if 1 <= ndim <= 3 else "…"
    if len(x) != len(w):
        raise ShapeError(
            f"{name}: input N×C×{'×'.join(axes)} must have {len(w)} axes like the filters "
            f"{shape_text(w)}, got {len(x)} axes: {shape_text(x)}"
        )
    if groups < 1 or x[1] % groups or w[0] % groups:
        raise ShapeError(
            f"{name}: groups={groups} must divide the {x[1]} input channels and the {w[0]} filters"
        )
    if x[1] // groups != w[1]:
        raise ShapeError(
            f"{name}: input {shape_text(x)} has {x[1]} channels, {x[1]}/{groups} group(s) = "
            f"{x[1] // groups}, but the filters {shape_text(w)} take {w[1]}"
        )
    kernel = w[2:]
    stride = per_axis(stride, ndim, "stride", 1)
    dilation = per_axis(dilation, ndim, "dilation", 1)
    pairs = _padding_pairs(padding, ndim, kernel, stride, dilation)
    spec = ConvSpec(stride, pairs, dilation, groups)
    _require_output(name, x[1:], x[2:], kernel, spec)
    return spec


def pool_spec(
    name: str,
    x: Sizes,
    ndim: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> PoolSpec:
    """Check an input shape N×C×… and return the geometry of a pooling (stride = kernel if None)."""
    return _pool_spec(
        name,
        tuple(x),
        ndim,
        _hashable(kernel_size),
        _hashable(stride),
        _hashable(padding),
        _hashable(dilation),
        bool(ceil_mode),
    )


@lru_cache(maxsize=4096)
def _pool_spec(name, x, ndim, kernel_size, stride, padding, dilation, ceil_mode) -> PoolSpec:
    if len(x) != ndim + 2:
        raise ShapeError(
            f"{name}: input must have {ndim + 2} axes (N, C and {ndim} spatial), "
            f"got {len(x)}: {shape_text(x)}"
        )
    kernel = per_axis(kernel_size, ndim, "kernel_size", 1)
    strides = kernel if stride is None else per_axis(stride, ndim, "stride", 1)
    dilations = per_axis(dilation, ndim, "dilation", 1)
    pairs = _padding_pairs(padding, ndim, kernel, strides, dilations)
    for k, d, pair in zip(kernel, dilations, pairs, strict=True):
        extent = (k - 1) * d + 1
        if max(pair) * 2 > extent:
            raise ShapeError(
                f"{name}: padding {max(pair)} is more than half the window, {extent}/2 = "
                f"{extent / 2:g}: a window could lie wholly in the padding"
            )
    spec = PoolSpec(kernel, strides, pairs, dilations, ceil_mode)
    _require_output(name, x[1:], x[2:], kernel, spec)
    _require_taps_inside(name, x[2:], spec)
    return spec


def _require_taps_inside(name: str, size: Sizes, spec: PoolSpec) -> None:
    """A window with holes may step over a small input: it would have no maximum and no mean."""
    for axis, (n, o) in enumerate(zip(size, spec.output_size(size), strict=True)):
        k, s, d = spec.kernel[axis], spec.stride[axis], spec.dilation[axis]
        for window in range(o if d > 1 else 0):
            start = window * s - spec.padding[axis][0]
            if not any(0 <= start + tap * d < n for tap in range(k)):
                raise ShapeError(
                    f"{name}: window {window} on spatial axis {axis} sees only padding: its "
                    f"{k} taps from {start} in steps of {d} miss 0 … {n - 1}"
                )


def _require_output(name: str, image: Sizes, size: Sizes, kernel: Sizes, spec: Spec) -> None:
    out = spec.output_size(size, kernel)
    for axis, o in enumerate(out):
        if o >= 1:
            continue
        n, k, s, d = size[axis], kernel[axis], spec.stride[axis], spec.dilation[axis]
        before, after = spec.padding[axis]
        padding = f"{before}" if before == after else f"{before}+{after}"
        extent = f"{k}" if d == 1 else f"(({k} − 1)·{d} + 1)"
        zeros = f" + {before} + {after}" if before + after else ""
        padded = f"{n}{zeros} − {extent}"
        raise ShapeError(
            f"{name}: input {shape_text(image)} with kernel {k}, padding {padding}, dilation {d} "
            f"has no output: ({padded})/{s} + 1 = {str(o).replace('-', '−')}"
        )
