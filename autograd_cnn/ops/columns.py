"""Windows as columns of a matrix (im2col) and back (col2im), and layers that are made of them."""

from __future__ import annotations

from math import prod
from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..kernels.specs import ConvSpec, Sizes, conv_spec, per_axis
from ..primitive import linear
from .matmul import matmul
from .reduce import reshape
from .shape import transpose

_unfold = linear(
    "unfold",
    x=lambda g, x_shape, spec, kernel: _fold(g, spec=spec, kernel=kernel, size=x_shape[2:]),
    family="shape",
)
_fold = linear(
    "fold", y=lambda g, spec, kernel: _unfold(g, spec=spec, kernel=kernel), family="shape"
)


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of N×C×… as columns N×(C·taps)×windows (im2col), as in torch.nn.functional.

    A convolution is the product of its filters, O×(C·taps), and these columns. One to three
    spatial axes.

    >>> import autograd_cnn as ag
    >>> ag.unfold(ag.tensor([[[1.0, 2.0, 3.0]]]), 2).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]

    Raises ShapeError, with the arithmetic, when no window fits.
    """
    spec, kernel = columns_spec("unfold", x, kernel_size, stride, padding, dilation)
    return _unfold(x, spec=spec, kernel=kernel)


def fold(
    y: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Any:  # fmt: skip
    """Columns N×(C·taps)×windows added up where `unfold` would take them from (col2im).

    It is the transpose of `unfold`, not its inverse: an entry in several windows is summed.
    `output_size` is N×C×…'s spatial size; a whole number means two equal axes.

    >>> import autograd_cnn as ag
    >>> ag.fold(ag.tensor([[[1.0, 2.0], [2.0, 3.0]]]), (3,), 2).tolist()
    [[[1.0, 4.0, 3.0]]]

    Raises ShapeError, with the arithmetic, when rows or windows do not fit.
    """
    require_arrays("fold", y)
    size = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
    kernel = per_axis(kernel_size, len(size), "kernel_size", 1)
    taps = prod(kernel)
    if len(y.shape) != 3 or y.shape[1] % taps:
        raise ShapeError(
            f"fold: columns must be N×(C·{taps})×windows for kernel {shape_text(kernel)}, got "
            f"{shape_text(y.shape)}"
        )
    channels = y.shape[1] // taps
    spec = conv_spec(
        "fold", (y.shape[0], channels, *size), (1, channels, *kernel), stride, padding, dilation
    )
    out = spec.output_size(size, kernel)
    if prod(out) != y.shape[2]:
        raise ShapeError(
            f"fold: an image {shape_text(size)} has {shape_text(out)} = {prod(out)} windows, the "
            f"columns {shape_text(y.shape)} are {y.shape[2]}"
        )
    return _fold(y, spec=spec, kernel=kernel, size=size)


def columns_spec(
    name: str, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[ConvSpec, Sizes]:
    """The geometry of the windows of x, checked, and the kernel with one entry an axis."""
    require_arrays(name, x)
    ndim = len(x.shape) - 2
    if not 1 <= ndim <= 3:
        raise ShapeError(f"{name}: input must be N×C×…, got {shape_text(x.shape)}")
    kernel = per_axis(kernel_size, ndim, "kernel_size", 1)
    filters = (1, x.shape[1], *kernel)
    return conv_spec(name, x.shape, filters, stride, padding, dilation), kernel


def locally_connected1d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Any:
    """A convolution of sequences whose weights are not shared: w O×L×C×K, b O×L."""
    return _locally_connected("locally_connected1d", 1, x, w, b, stride, padding, dilation)


def locally_connected2d(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Any:
    """A convolution of N×C×H×W whose weights are not shared: w O×OH×OW×C×KH×KW, b O×OH×OW.

    Formula: y[n,o,i,j] = b[o,i,j] + Σ_{c,p,q} w[o,i,j,c,p,q]·x[n,c,i·s+p·d−P,j·s+q·d−P].
    Source: Taigman et al. 2014 (DeepFace).

    >>> import autograd_cnn as ag
    >>> x, w = ag.tensor([[[[1.0, 2.0]]]]), ag.tensor([10.0, 100.0])
    >>> ag.locally_connected2d(x, w.reshape(1, 1, 2, 1, 1, 1)).tolist()
    [[[[10.0, 200.0]]]]

    Raises ShapeError, with the shape they should have, for weights or a bias that do not fit.
    """
    return _locally_connected("locally_connected2d", 2, x, w, b, stride, padding, dilation)


def _locally_connected(name, ndim, x, w, b, stride, padding, dilation) -> Any:
    require_arrays(name, x, w)
    if len(x.shape) != ndim + 2 or len(w.shape) != 2 * ndim + 2:
        raise ShapeError(
            f"{name}: input must have {ndim + 2} axes and weights {2 * ndim + 2}, got "
            f"{shape_text(x.shape)} and {shape_text(w.shape)}"
        )
    filters, kernel = w.shape[0], w.shape[ndim + 2 :]
    spec, kernel = columns_spec(name, x, kernel, stride, padding, dilation)
    out = spec.output_size(x.shape[2:], kernel)
    wanted = (filters, *out, x.shape[1], *kernel)
    if tuple(w.shape) != wanted or (b is not None and tuple(b.shape) != wanted[: ndim + 1]):
        raise ShapeError(
            f"{name}: input {shape_text(x.shape)} gives {shape_text(out)} places, so the weights "
            f"are {shape_text(wanted)} and the bias {shape_text(wanted[: ndim + 1])}, got "
            f"{shape_text(w.shape)} and {'none' if b is None else shape_text(b.shape)}"
        )
    columns = _unfold(x, spec=spec, kernel=kernel)
    rows = reshape(w, (filters, prod(out), x.shape[1] * prod(kernel)))
    # one matrix product for each place
    products = matmul(transpose(columns, (2, 0, 1)), transpose(rows, (1, 2, 0)))
    y = reshape(transpose(products, (1, 2, 0)), (x.shape[0], filters, *out))
    return y if b is None else y + b
