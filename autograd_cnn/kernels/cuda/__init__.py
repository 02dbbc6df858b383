"""CUDA kernels of our own and cuDNN's convolutions, over CuPy arrays.

What neither takes (other dtypes, axes or layouts) the generic kernels compute. `launch` is the only
way to the device: a provider whose `launch` runs the same sources elsewhere can be compared.
"""

from __future__ import annotations

import warnings
from functools import cache
from math import prod
from typing import Any

from ..arrays import Array, Axes
from ..base import Kernels
from ..cupy import without_cudnn
from ..specs import ConvSpec, PoolSpec, Sizes
from . import compiler, cudnn

__all__ = ["CudaKernels"]

THREADS = 256
SPREAD = 2048
"""Blocks that keep the largest device busy: more of them only wait."""
AT_LEAST = 512
"""Items of a slice below which splitting a channel does not pay."""
WIDEST_ROW = 1 << 20


class CudaKernels(Kernels):
    """The generic kernels, with the hot ones written in CUDA."""

    name = "cuda"

    def launch(
        self, source: str, kernel: str, grid: tuple, block: tuple, like: Array, *arguments: Any,
        macros: tuple = (),
    ) -> None:  # fmt: skip
        """Run a kernel for the dtype of `like`; None is a null pointer."""
        words = compiler.words(source, kernel, arguments)
        with like.device:
            compiler.function(source, kernel, like.dtype.name, macros)(grid, block, words)

    # normalisation

    def normalize(
        self, x: Array, weight: Array | None, bias: Array | None, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        if _is_batch_norm(x, axes, shape, weight, bias):
            x, together = _stored(x)
            mean, inverse_std = self._batch_statistics(x, together, eps)
            y = self.batch_apply(x, mean, inverse_std, weight, bias)
            return y, mean.reshape(shape), inverse_std.reshape(shape)
        if _is_layer_norm(x, axes, shape, weight, bias):
            return self._layer_norm(x, weight, bias, axes, eps)
        return super().normalize(x, weight, bias, axes=axes, shape=shape, eps=eps)

    def _batch_statistics(self, x: Array, together: bool, eps: float) -> tuple[Array, Array]:
        xp, channels, positions, items = (
            self.xp,
            x.shape[1],
            prod(x.shape[2:]),
            x.size // x.shape[1],
        )
        grid, block, slices = _channel_grid(channels, items, together)
        means, squares = xp.empty((slices, channels)), xp.empty((slices, channels))
        mean, inverse_std = (xp.empty(channels, _total(x)) for _ in range(2))
        self.launch("batch_norm", "batch_moments", grid, block, x, x, means, squares, channels,
                    positions, items, together)  # fmt: skip
        self.launch("batch_norm", "batch_statistics", *_flat(channels), x, means, squares, mean,
                    inverse_std, channels, slices, items, eps)  # fmt: skip
        return mean, inverse_std

    def batch_apply(
        self, x: Array, mean: Array, inverse_std: Array, weight: Array | None,
        bias: Array | None, other: Array | None = None, relu: bool = False,
    ) -> Array:  # fmt: skip
        """(x − mean)·inverse_std·weight + bias + other, then a ReLU if asked, in one pass."""
        x, together = _stored(x)
        y = self.xp.empty_like(x)
        arrays = x, mean, inverse_std, weight, bias, other, y
        sizes = x.shape[1], prod(x.shape[2:]), x.size
        self.launch("batch_norm", "batch_apply", *_flat(x.size), x, *arrays, *sizes, together, relu)
        return y

    def norm_input_grad(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        if _is_batch_norm(x, axes, shape, weight, g):
            return self.batch_gradients(g, x, weight, mean, inverse_std)[0]
        if _is_layer_norm(x, axes, shape, weight, g):
            x, g, width = _rows(x), _rows(g), prod(shape)
            result = self.xp.empty_like(x)
            self.launch("rows", "layer_norm_input_gradient", *_row_grid(x.size // width, width), x,
                        g, x, weight, mean, inverse_std, result, width)  # fmt: skip
            return result
        return super().norm_input_grad(
            g, x, weight, mean, inverse_std, axes=axes, shape=shape, eps=eps
        )

    def norm_weight_grad(
        self, g: Array, x: Array, mean: Array, inverse_std: Array, *,
        axes: Axes, shape: tuple, eps: float,
    ) -> Array:  # fmt: skip
        if _is_batch_norm(x, axes, shape, g):
            weight = self.batch_gradients(g, x, None, mean, inverse_std, needs_input=False)[1]
            return weight.reshape(shape).astype(x.dtype, copy=False)
        return super().norm_weight_grad(g, x, mean, inverse_std, axes=axes, shape=shape, eps=eps)

    def batch_gradients(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inverse_std: Array,
        y: Array | None = None, needs_input: bool = True,
    ) -> tuple[Array | None, Array, Array]:  # fmt: skip
        """The gradients of input, weight and bias; `y`, the answer of a ReLU behind, masks g."""
        xp, (x, together) = self.xp, _stored(x)
        g, y = _like(g, x, together), None if y is None else _like(y, x, together)
        channels, positions, items = x.shape[1], prod(x.shape[2:]), x.size // x.shape[1]
        grid, block, slices = _channel_grid(channels, items, together)
        sums, products = (xp.empty((slices, channels), _total(x)) for _ in range(2))
        dweight, dbias, along, across = (xp.empty(channels, _total(x)) for _ in range(4))
        self.launch("batch_norm", "batch_gradient_sums", grid, block, x, g, x, y, mean, sums,
                    products, channels, positions, items, together)  # fmt: skip
        found = dweight, dbias, along, across
        self.launch("batch_norm", "batch_gradient_means", *_flat(channels), x, sums, products,
                    inverse_std, *found, channels, slices, items)  # fmt: skip
        if not needs_input:
            return None, dweight, dbias
        result = xp.empty_like(x)
        self.launch("batch_norm", "batch_input_gradient", *_flat(x.size), x, g, x, y, mean,
                    inverse_std, weight, along, across, result, channels, positions, x.size,
                    together)  # fmt: skip
        return result, dweight, dbias

    def _layer_norm(self, x, weight, bias, axes: Axes, eps: float) -> tuple[Array, Array, Array]:
        x, width = _rows(x), prod(x.shape[axis] for axis in axes)
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        y = self.xp.empty_like(x)
        mean, inverse_std = (self.xp.empty(kept, _total(x)) for _ in range(2))
        self.launch("rows", "layer_norm", *_row_grid(x.size // width, width), x, x, weight, bias, y,
                    mean, inverse_std, width, eps)  # fmt: skip
        return y, mean, inverse_std

    # rows

    def softmax(self, x: Array, *, axis: int) -> Array:
        found = self._along_rows("softmax", x, axis)
        return super().softmax(x, axis=axis) if found is None else found

    def log_softmax(self, x: Array, *, axis: int) -> Array:
        found = self._along_rows("log_softmax", x, axis)
        return super().log_softmax(x, axis=axis) if found is None else found

    def _along_rows(self, kernel: str, x: Array, axis: int) -> Any:
        if not _can(x) or axis % x.ndim != x.ndim - 1 or not 0 < x.shape[-1] <= WIDEST_ROW:
            return None
        x, width = _rows(x), x.shape[-1]
        y = self.xp.empty_like(x)
        self.launch("rows", kernel, *_row_grid(x.size // width, width), x, x, y, width)
        return y

    def cross_entropy(self, x: Array, target: Array, *, axis: int, scale: float | None) -> Array:
        rows = axis % x.ndim == x.ndim - 1 and target.shape == x.shape and x.shape[-1] <= WIDEST_ROW
        if not (rows and _can(x, target) and x.size):
            return super().cross_entropy(x, target, axis=axis, scale=scale)
        losses, width = self.xp.empty(x.shape[:-1], x.dtype), x.shape[-1]
        x, target = _rows(x), _rows(target)
        self.launch("rows", "cross_entropy", *_row_grid(x.size // width, width), x, x, target,
                    losses, width)  # fmt: skip
        return losses if scale is None else losses.sum() * scale

    # pooling

    def max_pool(self, x: Array, *, spec: PoolSpec) -> tuple[Array, Array]:
        if not _can(x) or spec.ndim > 3:
            return super().max_pool(x, spec=spec)
        x, out = _rows(x), spec.output_size(x.shape[2:])
        y = self.xp.empty((*x.shape[:2], *out), x.dtype)
        switches = self.xp.empty(y.shape, self.switch_dtype(spec))
        self.launch("pool", "max_pool", *_flat(y.size), x, x, y, switches, *_planes(x, out), y.size,
                    macros=_window(spec, switches))  # fmt: skip
        return y, switches

    def pool_scatter(self, y: Array, switches: Array, *, spec: PoolSpec, size: Sizes) -> Array:
        if not _can(y) or spec.ndim > 3 or switches.dtype != self.switch_dtype(spec):
            return super().pool_scatter(y, switches, spec=spec, size=size)
        y, switches, out = _rows(y), _rows(switches), y.shape[2:]
        result = self.xp.empty((*y.shape[:2], *size), y.dtype)
        self.launch("pool", "max_pool_gradient", *_flat(result.size), y, y, switches, result,
                    *_planes(result, out), result.size, macros=_window(spec, switches))  # fmt: skip
        return result

    def avg_pool(self, x: Array, *, spec: PoolSpec, count_include_pad: bool) -> Array:
        if not _can(x) or spec.ndim > 3:
            return super().avg_pool(x, spec=spec, count_include_pad=count_include_pad)
        x, out = _rows(x), spec.output_size(x.shape[2:])
        y = self.xp.empty((*x.shape[:2], *out), x.dtype)
        self.launch("pool", "average_pool", *_flat(y.size), x, x, y, *_planes(x, out), y.size,
                    macros=_window(spec, padded=count_include_pad))  # fmt: skip
        return y

    def avg_pool_grad(
        self, y: Array, *, spec: PoolSpec, size: Sizes, count_include_pad: bool
    ) -> Array:
        if not _can(y) or spec.ndim > 3:
            return super().avg_pool_grad(
                y, spec=spec, size=size, count_include_pad=count_include_pad
            )
        y, out = _rows(y), y.shape[2:]
        result = self.xp.empty((*y.shape[:2], *size), y.dtype)
        self.launch("pool", "average_pool_gradient", *_flat(result.size), y, y, result,
                    *_planes(result, out), result.size,
                    macros=_window(spec, padded=count_include_pad))  # fmt: skip
        return result

    # noise

    def uniform(self, seed: int, shape: tuple) -> Array:
        y = self.xp.empty(shape, self.xp.float32)
        if y.size:
            self.launch("noise", "uniform", *_flat(-(-y.size // 4)), y, y, seed, y.size)
        return y

    def dropout(self, x: Array, *, seed: int, p: float, shape: tuple) -> Array:
        if not _can(x) or tuple(shape) != x.shape:
            return super().dropout(x, seed=seed, p=p, shape=shape)
        x = _rows(x)
        y = self.xp.empty_like(x)
        self.launch("noise", "dropout", *_flat(-(-x.size // 4)), x, x, y, seed, p, 1.0 / (1.0 - p),
                    x.size)  # fmt: skip
        return y

    # convolution

    def conv(self, x: Array, w: Array, b: Array | None = None, *, spec: ConvSpec) -> Array:
        size = (x.shape[0], w.shape[0], *spec.output_size(x.shape[2:], w.shape[2:]))
        y = self._convolve("forward", x, w, size, spec)
        if y is None:
            return super().conv(x, w, b, spec=spec)
        return y if b is None else y + b.reshape(-1, *(1,) * spec.ndim)

    def conv_input_grad(self, y: Array, w: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        whole = (y.shape[0], spec.groups * w.shape[1], *size)
        found = self._convolve("input_grad", y, w, whole, spec)
        return super().conv_input_grad(y, w, spec=spec, size=size) if found is None else found

    def conv_weight_grad(self, x: Array, y: Array, *, spec: ConvSpec, size: Sizes) -> Array:
        whole = (y.shape[1], x.shape[1] // spec.groups, *size)
        found = self._convolve("weight_grad", x, y, whole, spec)
        return super().conv_weight_grad(x, y, spec=spec, size=size) if found is None else found

    def _convolve(self, kind: str, a: Array, b: Array, shape: Sizes, spec: ConvSpec) -> Any:
        """cuDNN's answer of a shape, laid out as `a` is; None where the generic kernel must do."""
        if not _can(a, b) or not prod(shape) or not a.size or spec.ndim > 3 or not _has_cudnn():
            return None
        a, together = _stored(a)
        answer = _empty(self.xp, shape, a.dtype, together)
        lifted = [_with_plane(array, spec) for array in (a, _like(b, a, together), answer)]
        order = {"forward": (0, 1, 2), "input_grad": (2, 1, 0), "weight_grad": (0, 2, 1)}[kind]
        image, filters, out = (lifted[place] for place in order)
        try:
            cudnn.run(kind, image, filters, out, _planar(spec))
        except cudnn.frontend().cudnnGraphNotSupportedError as error:
            _warn_once(f"cuDNN has no engine for {kind} of {shape} ({error}): generic kernels run")
            return None
        return answer


def _total(x: Array) -> str:
    """The dtype of sums."""
    return "float64" if x.dtype.name == "float64" else "float32"


def _can(*arrays: Array | None) -> bool:
    """Whether the kernels take these arrays: entries, all of one dtype."""
    given = [array for array in arrays if array is not None]
    kind = given[0].dtype
    return kind.name in compiler.TYPES and all(a.dtype == kind for a in given) and given[0].size > 0


def _is_batch_norm(x: Array, axes: Axes, shape: tuple, *others: Array | None) -> bool:
    channels = x.ndim > 2 and tuple(axes) == (0, *range(2, x.ndim))
    return channels and prod(shape) == x.shape[1] == shape[1] and _can(x, *others)


def _is_layer_norm(x: Array, axes: Axes, shape: tuple, *others: Array | None) -> bool:
    first = x.ndim - len(axes)
    trailing = bool(axes) and tuple(axes) == tuple(range(first, x.ndim))
    fits = tuple(shape) == (1,) * first + x.shape[first:]
    return trailing and fits and prod(shape) <= WIDEST_ROW and _can(x, *others)


def _stored(x: Array) -> tuple[Array, bool]:
    """The array, and whether its channels are together; made NCHW where it is neither."""
    if x.flags.c_contiguous:
        return x, False
    last = (0, *range(2, x.ndim), 1)
    if x.ndim > 2 and x.transpose(last).flags.c_contiguous:
        return x, True
    return _rows(x), False


def _like(array: Array, x: Array, together: bool) -> Array:
    """An array in the layout of another one."""
    if not together:
        return _rows(array)
    last, back = (0, *range(2, array.ndim), 1), (0, array.ndim - 1, *range(1, array.ndim - 1))
    moved = array.transpose(last)
    return (moved if moved.flags.c_contiguous else moved.copy(order="C")).transpose(back)


def _empty(xp: Any, shape: Sizes, dtype: Any, together: bool) -> Array:
    if not together:
        return xp.empty(shape, dtype)
    stored = xp.empty((shape[0], *shape[2:], shape[1]), dtype)
    return stored.transpose(0, len(shape) - 1, *range(1, len(shape) - 1))


def _rows(x: Array) -> Array:
    return x if x.flags.c_contiguous else x.copy(order="C")


def _flat(size: int) -> tuple[tuple, tuple]:
    """Grid and block of a kernel over entries: its loop takes what the grid does not cover."""
    return (max(1, min(-(-size // THREADS), SPREAD)), 1), (THREADS, 1)


def _row_grid(rows: int, width: int) -> tuple[tuple, tuple]:
    threads = 32
    while threads < min(width, THREADS):
        threads *= 2
    return (rows, 1), (threads, 1)


def _channel_grid(channels: int, items: int, together: bool) -> tuple[tuple, tuple, int]:
    """Grid, block and the number of slices of a sum over the items of each channel."""
    columns = -(-channels // 32) if together else channels
    slices = max(1, min(SPREAD // columns, items // AT_LEAST, 512))
    return (columns, slices), (32, THREADS // 32), slices


def _planes(x: Array, out: Sizes) -> list[int]:
    """Sizes of an input and an output as depth, height and width."""
    size = x.shape[2:]
    return [1] * (3 - len(size)) + list(size) + [1] * (3 - len(out)) + list(out)


def _window(spec: PoolSpec, switches: Array | None = None, padded: bool = False) -> tuple:
    """What the pooling kernels are told of a window."""
    missing = 3 - spec.ndim
    kernel, stride, dilation = (
        (1,) * missing + sizes for sizes in (spec.kernel, spec.stride, spec.dilation)
    )
    pairs = ((0, 0),) * missing + spec.padding
    named = {"K": kernel, "S": stride, "D": dilation, "P": [before for before, _ in pairs],
             "Q": [after for _, after in pairs]}  # fmt: skip
    wide = switches is not None and switches.dtype.itemsize > 1
    return (
        *((letter + axis, value) for letter, values in named.items()
          for axis, value in zip("DHW", values, strict=True)),
        ("PADDED", int(padded)), ("SWITCH", "int" if wide else "Byte"),
    )  # fmt: skip


def _planar(spec: ConvSpec) -> ConvSpec:
    """The geometry with a second axis, which cuDNN needs."""
    if spec.ndim > 1:
        return spec
    return ConvSpec((1, *spec.stride), ((0, 0), *spec.padding), (1, *spec.dilation), spec.groups)


def _with_plane(array: Array, spec: ConvSpec) -> Array:
    return array[:, :, None] if spec.ndim == 1 else array


@cache
def _has_cudnn() -> bool:
    """Whether cuDNN can be called; one warning where it cannot."""
    try:
        problem = without_cudnn()
        if not problem:
            cudnn.frontend()
    except (ImportError, OSError, RuntimeError) as error:
        problem = f"cuDNN cannot be loaded ({error}): convolutions run on generic kernels"
    if problem:
        _warn_once(problem)
    return not problem


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=4)
