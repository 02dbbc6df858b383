"""What each way to convolve costs, estimated from the shapes, so that the fastest can be chosen.

Nanoseconds for one float32 number, measured on two Zen 5 cores with OpenBLAS; only their ratios
matter. A copy that goes line by line pays for the start of each line.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

from .numpy_unroll import block_count, grid_of, is_pointwise, mirrored_spec
from .specs import ConvSpec, Sizes

FLOP = 1 / 215
"""One floating-point operation of a large matrix product."""
RUN_COPY, RUN_ADD = 0.08, 0.35
"""One number of a long copy and of a long addition inside the cache."""
LINE_COPY, LINE_START = 0.12, 3.0
"""One number of an image line, and the start of the line."""
TRANSPOSE, PIXEL_START = 0.45, 3.0
"""One number moved between channels first and last, and the start of one pixel's channels."""
WINDOW_COPY, WINDOW_START = 0.07, 4.0
"""One number of a window with channels last, and the start of each of its runs."""
CALL = 1500.0
"""One call of NumPy."""


def cheapest(ways: dict[str, float]) -> str:
    """The way with the least cost."""
    return min(ways, key=ways.__getitem__)


@lru_cache(maxsize=1024)
def costs(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes) -> dict[str, float]:
    """Estimated milliseconds of each way that can do this convolution."""
    if is_pointwise(w, spec):
        time = x[0] * spec.groups * _product_time(w[0] // spec.groups, w[1], prod(out))
        return {"pointwise": time / 1e6}
    ways = weight_costs(x, w, spec, out)
    if max(spec.stride) > 1:
        return ways
    turned = (x[1], w[0] // spec.groups, *w[2:])
    return {**ways, "spread": _spread_cost(x[0], turned, mirrored_spec(spec, w[2:]), out, x[2:])}


def _spread_cost(n: int, w: Sizes, spec: ConvSpec, size: Sizes, out: Sizes) -> float:
    channels, taps = w[1] * spec.groups, prod(w[2:])
    length = grid_of(spec, size, w[2:], out).length
    return (
        spec.groups * _product_time(w[1] * taps, w[0] // spec.groups, n * length)
        + _line_time(n * w[0], out)
        + n * length * channels * taps * RUN_ADD
        + _line_time(n * channels, size) * max(spec.stride)
        + block_count(n, channels * taps * length * 4) * taps * CALL
    ) / 1e6


def input_grad_costs(y: Sizes, w: Sizes, spec: ConvSpec, size: Sizes) -> dict[str, float]:
    """Estimated milliseconds of each way to the gradient of the input."""
    n, groups, kernel, out = y[0], spec.groups, w[2:], y[2:]
    if max(spec.stride) == 1:
        turned = (groups * w[1], w[0] // groups, *kernel)
        return costs(y, turned, mirrored_spec(spec, kernel), size)
    if is_pointwise(w, spec):
        return {"pointwise": n * groups * _product_time(w[1], w[0] // groups, prod(out)) / 1e6}
    return {"spread": _spread_cost(n, w, spec, size, out)}


@lru_cache(maxsize=1024)
def weight_costs(x: Sizes, w: Sizes, spec: ConvSpec, out: Sizes) -> dict[str, float]:
    """Estimated milliseconds of each way to the gradient of the filters."""
    n, channels, filters, groups = x[0], x[1], w[0], spec.groups
    taps, pixels, positions = prod(w[2:]), n * prod(x[2:]), n * prod(out)
    length = grid_of(spec, x[2:], w[2:], out).length
    columns = (
        groups * _product_time(filters // groups, w[1] * taps, n * length)
        + _line_time(n * channels, x[2:]) * max(spec.stride)
        + n * length * channels * taps * RUN_COPY
        + _line_time(n * filters, out)
        + block_count(n, channels * taps * length * 4) * taps * CALL
    )
    if groups > 1:
        return {"columns": columns / 1e6}
    run = channels * (w[-1] if spec.dilation[-1] == 1 else 1)
    rows = (
        _product_time(filters, channels * taps, positions)
        + pixels * (channels * TRANSPOSE + PIXEL_START)
        + positions * (filters * TRANSPOSE + PIXEL_START)
        + positions * channels * taps * (WINDOW_COPY + WINDOW_START / run)
        + block_count(n, channels * taps * prod(out) * 4) * 5 * CALL
    )
    return {"columns": columns / 1e6, "rows": rows / 1e6}


def _product_time(m: int, k: int, n: int) -> float:
    """An m×k by k×n product: narrow ones do not reach the full rate."""
    return 2 * m * k * n * FLOP * (1 + 10 / m) * (1 + 5 / k) * (1 + 10 / n)


def _line_time(images: int, size: Sizes) -> float:
    return images * prod(size) * (LINE_COPY + LINE_START / size[-1])
