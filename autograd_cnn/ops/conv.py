"""Convolution in 1, 2 and 3 dimensions, and its transpose.

`conv`, `conv_input_grad` and `conv_weight_grad` are each other's derivatives: a closed family, so
gradients of any order need no further formula.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, require_arrays, require_floats, shape_text
from ..kernels.specs import ConvSpec, Pairs, conv_spec, per_axis
from ..primitive import multilinear
from .reduce import reshape
from .reduce import sum as sum_
from .shape import pad


def _multiplications(ans: tuple, x: tuple, w: tuple, *rest: Any, **attributes: Any) -> int:
    """One multiplication for each tap, input channel of the group and output entry."""
    return prod(ans) * prod(w[1:])


_conv = multilinear(
    "conv",
    x=lambda g, w, x_shape, spec: _conv_input_grad(g, w, spec=spec, size=x_shape[2:]),
    w=lambda g, x, w_shape, spec: _conv_weight_grad(x, g, spec=spec, size=w_shape[2:]),
    b=lambda g: sum_(g, (0, *range(2, g.ndim))),
    family="parameterised",
    cost=_multiplications,
    window=lambda w, spec: (w[2:], spec),
    tex=r"{w} * {x} + {b}",
)
_conv_input_grad = multilinear(
    "conv_input_grad",
    y=lambda g, w, spec: _conv(g, w, None, spec=spec),
    w=lambda g, y, w_shape, spec: _conv_weight_grad(g, y, spec=spec, size=w_shape[2:]),
    family="parameterised",
    cost=lambda ans, y, w, **attributes: prod(y) * prod(w[1:]),
)
_conv_weight_grad = multilinear(
    "conv_weight_grad",
    x=lambda g, y, x_shape, spec: _conv_input_grad(y, g, spec=spec, size=x_shape[2:]),
    y=lambda g, x, spec: _conv(x, g, None, spec=spec),
    family="parameterised",
    cost=lambda ans, x, y, **attributes: prod(y) * prod(ans[1:]),
)


def _convolve(name, ndim, x, w, b, stride, padding, dilation, groups) -> Any:
    _check_operands(name, ndim, x, w)
    spec = conv_spec(name, x.shape, w.shape, stride, padding, dilation, groups)
    _check_bias(name, b, w.shape[0])
    return _conv(x, w, b, spec=spec)


def conv1d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    """Convolution of sequences: x N×C×L, w O×(C/groups)×K, b O. See `conv2d`."""
    return _convolve("conv1d", 1, x, w, b, stride, padding, dilation, groups)


def conv2d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    """Convolution of images: x N×C×H×W, w O×(C/groups)×KH×KW, b O.

    Formula: y[n,o,i,j] = b[o] + Σ_{c,p,q} w[o,c,p,q]·x[n,c,i·s+p·d−P,j·s+q·d−P]; the output has
    ⌊(H + 2P − (K−1)·d − 1)/s⌋ + 1 rows. The filter is not turned (cross-correlation, as everywhere
    in deep learning). `padding` is an int, one a side, a (before, after) pair an axis, "valid" or
    "same"; dilation 1 has no holes (some texts count the holes and call that rate 0).

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([[[[1.0, 1, 1], [0, 1, 1], [0, 0, 1]]]])
    >>> ag.conv2d(x, ag.tensor([[[[1.0, 0], [0, 1]]]])).numpy().tolist()
    [[[[2.0, 2.0], [0.0, 2.0]]]]

    Raises ShapeError, with the arithmetic, for ranks, channels, groups or sizes that do not fit.
    """
    return _convolve("conv2d", 2, x, w, b, stride, padding, dilation, groups)


def conv3d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    """Convolution of volumes: x N×C×D×H×W, w O×(C/groups)×KD×KH×KW, b O. See `conv2d`."""
    return _convolve("conv3d", 3, x, w, b, stride, padding, dilation, groups)


def _transposed(name, ndim, x, w, b, stride, padding, output_padding, groups, dilation) -> Any:
    """The input gradient of the convolution that has `w` as its filters."""
    _check_operands(name, ndim, x, w)
    strides = per_axis(stride, ndim, "stride", 1)
    dilations = per_axis(dilation, ndim, "dilation", 1)
    extra = per_axis(output_padding, ndim, "output_padding", 0)
    sides = per_axis(padding, ndim, "padding", 0)
    if len(x.shape) != ndim + 2 or x.shape[1] != w.shape[0] or groups < 1 or w.shape[0] % groups:
        raise ShapeError(
            f"{name}: input {shape_text(x.shape)} with filters {shape_text(w.shape)} and groups "
            f"{groups}: the input channels must equal the first axis of the filters and divide "
            "into the groups"
        )
    for o, s, d in zip(extra, strides, dilations, strict=True):
        if o >= max(s, d):
            raise ShapeError(
                f"{name}: output_padding {o} must be below max(stride {s}, dilation {d})"
            )
    size = tuple(
        (n - 1) * s - 2 * p + (k - 1) * d + 1 + o
        for n, s, p, k, d, o in zip(
            x.shape[2:], strides, sides, w.shape[2:], dilations, extra, strict=True
        )
    )
    # output_padding first takes back padding; what is left of it are zeros that no entry reaches
    rest = tuple(max(0, o - p) for o, p in zip(extra, sides, strict=True))
    reached = tuple(n - r for n, r in zip(size, rest, strict=True))
    for axis, n in enumerate(reached):
        if n < 1:
            raise ShapeError(
                f"{name}: input {shape_text(x.shape[1:])} with kernel {w.shape[2 + axis]}, padding "
                f"{sides[axis]}, dilation {dilations[axis]}, output_padding {extra[axis]} has no "
                f"output: ({x.shape[2 + axis]} − 1)·{strides[axis]} − 2·{sides[axis]} + "
                f"({w.shape[2 + axis]} − 1)·{dilations[axis]} + 1 + {extra[axis]} = "
                f"{str(size[axis]).replace('-', '−')}"
            )
    _check_bias(name, b, w.shape[1] * groups)
    pairs: Pairs = tuple((p, max(0, p - o)) for o, p in zip(extra, sides, strict=True))
    spec = ConvSpec(strides, pairs, dilations, groups)
    y = _conv_input_grad(x, w, spec=spec, size=reached)
    y = pad(y, ((0, 0), (0, 0), *((0, r) for r in rest))) if any(rest) else y
    return y if b is None else y + reshape(b, (-1, *(1,) * ndim))


def conv_transpose1d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """Transposed convolution of sequences: w C×(O/groups)×K. See `conv_transpose2d`."""
    return _transposed(
        "conv_transpose1d", 1, x, w, b, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """Transposed convolution: x N×C×H×W, w C×(O/groups)×KH×KW, b O.

    It is the gradient of `conv2d` with respect to its input. The output has
    (H − 1)·s − 2P + (K − 1)·d + 1 + output_padding rows. Arguments in PyTorch's order.

    Raises ShapeError, with the arithmetic, for channels, groups or sizes that do not fit.
    """
    return _transposed(
        "conv_transpose2d", 2, x, w, b, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """Transposed convolution of volumes: w C×(O/groups)×KD×KH×KW. See `conv_transpose2d`."""
    return _transposed(
        "conv_transpose3d", 3, x, w, b, stride, padding, output_padding, groups, dilation
    )


def _check_operands(name: str, ndim: int, x: Any, w: Any) -> None:
    require_arrays(name, x, w)
    if len(w.shape) != ndim + 2:
        raise ShapeError(
            f"{name}: filters must have {ndim + 2} axes (out, in/groups, {ndim} spatial), "
            f"got {len(w.shape)}: {shape_text(w.shape)}"
        )
    require_floats(name, x, w)


def _check_bias(name: str, b: Any, channels: int) -> None:
    if b is None:
        return
    require_arrays(name, b)
    if tuple(b.shape) != (channels,):
        raise ShapeError(f"{name}: bias {shape_text(b.shape)} for {channels} output channels")
