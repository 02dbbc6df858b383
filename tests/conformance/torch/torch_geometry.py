"""Drawn geometries: options and shapes of convolutions and poolings that have an output."""

from hypothesis import strategies as st


@st.composite
def geometries(draw, ndim, transposed=False):
    """Options, input shape and filter shape of a convolution that has an output."""
    several = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(ndim))
    groups = draw(st.integers(1, 3))
    inside, outside = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, stride, dilation = several(1, 3), several(1, 3), several(1, 2 if ndim == 3 else 3)
    padding = several(0, 2)
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [1 if transposed else max(1, e - 2 * p) for e, p in zip(extent, padding, strict=True)]
    size = tuple(n + draw(st.integers(0, 3)) for n in least)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = (draw(st.integers(1, 2)), groups * inside, *size)
    if not transposed:
        return options, x, (groups * outside, inside, *kernel)
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    # room for the padding that the transpose takes away
    size = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    return options | {"output_padding": extra}, (*x[:2], *size), (groups * inside, outside, *kernel)


@st.composite
def pools(draw, ndim, dilated):
    """Options and the input shape of a pooling that has an output."""
    several = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(ndim))
    kernel, dilation = several(1, 4), several(1, 3) if dilated else (1,) * ndim
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    least = [
        max(1, (k - 1) * d + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    size = tuple(n + draw(st.integers(0, 4)) for n in least)
    options = {
        "kernel_size": kernel,
        "stride": draw(st.one_of(st.none(), st.just(several(1, 3)))),
        "padding": padding,
        "ceil_mode": draw(st.booleans()),
    }
    if dilated:
        options["dilation"] = dilation
    return options, (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *size)
