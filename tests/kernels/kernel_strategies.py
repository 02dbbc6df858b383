"""What the kernel tests draw: geometries, arrays of exact numbers, and memory layouts."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import assume, settings
from hypothesis import strategies as st

from autograd_cnn.errors import ShapeError
from autograd_cnn.kernels.specs import conv_spec, pool_spec

quick = settings(max_examples=200, deadline=None, derandomize=True)

LAYOUTS = ("C", "F", "reversed", "zero strides", "offset", "every other", "read-only")


def lay_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers in another memory layout ("zero strides" repeats the first item)."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "reversed":
        ends = tuple({0, array.ndim - 1})
        return np.flip(np.ascontiguousarray(np.flip(array, ends)), ends)
    if layout == "zero strides":
        return np.broadcast_to(array[:1], array.shape) if len(array) else array
    if layout == "offset":
        return np.concatenate([array.ravel()[:1], array.ravel()])[-array.size :].reshape(
            array.shape
        )
    if layout == "every other":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    array = array.copy()
    array.flags.writeable = layout != "read-only"
    return array


def numbers(shape, seed: int, dtype="float32", exact: bool = True) -> np.ndarray:
    """Whole numbers from −4 to 4, or Gaussian ones."""
    generator = np.random.default_rng(seed)
    real = generator.integers(-4, 5, shape) if exact else generator.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        return (real + 1j * numbers(shape, seed + 1, "float64", exact)).astype(dtype)
    return real.astype(dtype)


layouts = st.sampled_from(LAYOUTS)
seeds = st.integers(0, 2**20)


@st.composite
def convolutions(draw, dims=(1, 2, 3)):
    """Shapes of an input and of filters with a geometry that gives an output."""
    ndim = draw(st.sampled_from(dims))

    def per_axis(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    groups = draw(st.integers(1, 3))
    channels, filters = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x = (draw(st.integers(0, 3)), groups * channels, *per_axis(1, 7 if ndim < 3 else 4))
    w = (groups * filters, channels, *per_axis(1, 3 if ndim < 3 else 2))
    padding = tuple(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in range(ndim))
    try:
        spec = conv_spec("conv", x, w, per_axis(1, 3), padding, per_axis(1, 2), groups)
    except ShapeError:
        assume(False)
    return x, w, spec


@st.composite
def poolings(draw):
    """The shape of an input and a geometry in which every window sees the input."""
    ndim = draw(st.integers(1, 3))

    def per_axis(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    x = (draw(st.integers(0, 2)), draw(st.integers(1, 2)), *per_axis(1, 7 if ndim < 3 else 4))
    kernel, padding = per_axis(1, 3), per_axis(0, 1)
    try:
        spec = pool_spec(
            "pool", x, ndim, kernel, per_axis(1, 4), padding, per_axis(1, 2), draw(st.booleans())
        )
    except ShapeError:
        assume(False)
    for n, k, s, d, (before, _), o in zip(
        x[2:], spec.kernel, spec.stride, spec.dilation, spec.padding, spec.output_size(x[2:]),
        strict=True,
    ):  # fmt: skip
        for place in range(o):
            assume(any(0 <= place * s + t * d - before < n for t in range(k)))
    return x, spec


def terms(w: tuple[int, ...]) -> int:
    """How many products one output of a convolution adds up."""
    return prod(w[1:])
