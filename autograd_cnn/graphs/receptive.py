"""Receptive fields: which input pixels an entry of a node's output can see.

Along each spatial axis the output at i sees the pixels start + i·jump … start + i·jump + size − 1.
A window of k taps, dilation d, stride s and `before` zeros in front changes that to

    size' = size + (k − 1)·d·jump        start' = start − before·jump        jump' = jump·s

Where branches meet, the field is the smallest box around theirs. What makes an image larger
(transposed convolutions, repeated or interpolated pixels) makes the field repeat with a period of
several entries. Sources: Araujo, Norris and Sim, "Computing receptive fields of convolutional
neural networks", Distill 2019.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

from ..tape import Node as TapeNode
from .along import Along, hull, repeating
from .snapshot import bands_of

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Size, jump and start in input pixels, one entry a spatial axis.

    `start` is negative where output 0 reaches into the padding. Of an output that sees everything
    (`whole`) size is the input's size, and jump and start are 0. After upsampling the field moves
    by `jump` each `period` outputs, `size` is the largest of them, `start` that of output 0, and
    `phases` has the (first, last) pixel of each output of a period, or () where it sees nothing.
    """

    size: Sizes
    jump: Sizes
    start: Sizes
    whole: bool = False
    period: Sizes = ()
    phases: tuple[tuple[Sizes, ...], ...] = ()

    def box(self, position: Sizes) -> tuple[tuple[int, int], ...]:
        """The first and last pixel along each axis that the output at `position` sees.

        The last is below the first where it sees nothing.

        >>> from autograd_cnn.graphs import ReceptiveField
        >>> ReceptiveField((5, 5), (2, 2), (-1, -1)).box((0, 3))
        ((-1, 3), (5, 9))
        """
        found = []
        for axis, i in enumerate(position):
            if self.phases:
                moves, r = divmod(i, self.period[axis])
                first, last = self.phases[axis][r] or (0, -1)
            else:
                moves, first, last = i, self.start[axis], self.start[axis] + self.size[axis] - 1
            move = moves * self.jump[axis]
            found.append((first + move, last + move))
        return tuple(found)

    def __str__(self) -> str:
        size = "×".join(map(str, self.size))
        if self.whole:
            return f"{size} (all)"
        jumps = self.jump
        if self.period:
            jumps = [f"{j}/{p}" if p > 1 else str(j)
                     for j, p in zip(self.jump, self.period, strict=True)]  # fmt: skip
        return f"{size} jump {_joint(jumps)} start {_joint(self.start)}"


UNKNOWN = None
Field = ReceptiveField | None
# one entry an axis of an output: what its entries see, or None where all see the same
Axes = tuple[Along | None, ...]
WHOLE = "whole"


def receptive_fields(tape: Iterable[TapeNode]) -> dict[TapeNode, Field]:
    """The field of each node with respect to the first image (N×C×…) that is no parameter.

    Nodes that do not depend on it are missing. None stands where the field is no box that moves
    evenly (branches of different stride, a reshaped image). Statistics of a normalisation are
    looked through, as is usual: they make every pixel count a little.
    """
    seen: dict[TapeNode, Axes | str | None] = {}
    fields: dict[TapeNode, Field] = {}
    known: dict[Any, Field] = {}
    image: Sizes = ()
    for node in tape:
        if not node.parents:
            if not image and len(node.shape) > 2:
                image = tuple(node.shape[2:])
                axes = tuple(Along(axis, 1, ((0, 0),)) for axis in range(len(image)))
                seen[node] = (None, None, *axes)
        else:
            sources = [(i, p, seen[p]) for i, p in enumerate(node.parents) if p in seen]
            if sources:
                seen[node] = _through(node, sources)
        if node in seen:
            axes = seen[node]
            if axes not in known:
                known[axes] = _field(axes, image)
            fields[node] = known[axes]
    return fields


def _field(axes: Axes | str | None, image: Sizes) -> Field:
    """The field in the numbers of the literature."""
    nothing = (0,) * len(image)
    if axes == WHOLE:
        return ReceptiveField(image, nothing, nothing, True)
    if axes is None or not _is_image(axes):
        return UNKNOWN
    moving: list[Along] = [along for along in axes[2:] if isinstance(along, Along)]
    windows = [along.windows for along in moving]
    starts = tuple(hull(some)[0] if some[0] is None else some[0][0] for some in windows)
    sizes = tuple(max(w[1] - w[0] + 1 for w in some if w is not None) for some in windows)
    jumps = tuple(along.step for along in moving)
    if all(len(some) == 1 for some in windows):
        return ReceptiveField(sizes, jumps, starts)
    phases = tuple(tuple(window or () for window in some) for some in windows)
    return ReceptiveField(sizes, jumps, starts, False, tuple(map(len, windows)), phases)


def _is_image(axes: Axes) -> bool:
    """Whether the axes are those of N×C×…, in their order."""
    return len(axes) > 2 and axes[:2] == (None, None) and all(
        isinstance(along, Along) and along.axis == i and any(along.windows)
        for i, along in enumerate(axes[2:])
    )  # fmt: skip


def _through(node: TapeNode, sources: list[tuple[int, Any, Any]]) -> Axes | str | None:
    """What an operation's output sees, from what its inputs see."""
    if any(axes == WHOLE for _, _, axes in sources):
        return WHOLE
    if any(axes is None for _, _, axes in sources):
        return UNKNOWN
    position, parent, axes = sources[0]
    alone = _ALONE.get(node.name) or (_window if node.primitive.window is not None else None)
    if alone is not None:
        return UNKNOWN if len(sources) > 1 or position else alone(node, axes, parent.shape)
    shape = node.shape
    if node.name == "concatenate":
        along = node.attributes["axis"] % len(shape)
        merged = _joined(axes for _, _, axes in sources)
        return UNKNOWN if merged is None or merged[along] is not None else merged
    if any(p.shape[2:] != shape[2:] or len(p.shape) != len(shape) for _, p, _ in sources):
        return WHOLE if _forgets(shape) and node.name in _REDUCING else UNKNOWN
    along = node.attributes.get("axis", 1)
    if len(shape) <= 2 or (isinstance(along, int) and along % len(shape) > 1):
        return UNKNOWN
    even = node.primitive.kind == "elementwise" or node.primitive.family in _POINTWISE
    if even or node.name in ("astype", "to_device", *_REDUCING):
        return _joined(axes for _, _, axes in sources)
    return UNKNOWN


_POINTWISE = ("normalisation", "activation", "elementwise")
_REDUCING = ("sum", "mean", "max", "logsumexp", "norm", "mse_loss", "bce_with_logits")


def _forgets(shape: Sizes) -> bool:
    """Whether a result has no place left for an image."""
    return len(shape) <= 2 or all(n == 1 for n in shape[2:])


def _joined(several: Iterable[Axes]) -> Axes | None:
    """The box around what several inputs see."""
    first, *others = several
    found = list(first)
    for other in others:
        if len(other) != len(found):
            return UNKNOWN
        for i, (mine, theirs) in enumerate(zip(found, other, strict=True)):
            if mine is None or theirs is None:
                found[i] = mine or theirs
                continue
            found[i] = mine.joined(theirs)
            if found[i] is None:
                return UNKNOWN
    return tuple(found)


def _window(node: TapeNode, axes: Axes, before: Sizes) -> Axes | None:
    """Convolution and pooling: a window of taps on every spatial axis."""
    kernel, spec = window_of(node)
    if not _is_image(axes) or len(kernel) != len(axes) - 2:
        return UNKNOWN
    return (None, None, *(
        along.read(s, [q * d - back for q in range(k)])  # type: ignore[union-attr]
        for along, k, s, d, (back, _) in zip(
            axes[2:], kernel, spec.stride, spec.dilation, spec.padding, strict=True
        )
    ))  # fmt: skip


def _spread(node: TapeNode, axes: Axes, before: Sizes) -> Axes | None:
    """A transposed convolution: every entry of the input is spread over a window."""
    shape, spec = _shape_of_input(node, 1), node.attributes["spec"]
    if not _is_image(axes) or shape is None or len(shape) != len(axes):
        return UNKNOWN
    return (None, None, *(
        along.spread(s, k, d, back)  # type: ignore[union-attr]
        for along, k, s, d, (back, _) in zip(
            axes[2:], shape[2:], spec.stride, spec.dilation, spec.padding, strict=True
        )
    ))  # fmt: skip


def window_of(node: TapeNode) -> tuple[Sizes, Any]:
    """What the primitive's `window` declares for this node: kernel sizes and the specification.

    Its parameter names are those of inputs, whose shapes it gets, or of attributes.
    """
    primitive = node.primitive
    arguments = [
        node.attributes[name] if name in node.attributes
        else _shape_of_input(node, primitive.inputs.index(name))
        for name in _names(primitive.window)
    ]  # fmt: skip
    kernel, spec = primitive.window(*arguments)  # type: ignore[misc]
    return tuple(kernel), spec


@cache
def _names(function: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _shape_of_input(node: TapeNode, position: int) -> Any:
    parent = node.parents[position]
    return parent.shape if parent is not None else _kept(node, position).shape


def _kept(node: TapeNode, position: int) -> Any:
    """The value of an input off the tape, which its rules keep."""
    return node.kept[node.plan.index[node.primitive.inputs[position]]]  # type: ignore[index]


def _padded(node: TapeNode, axes: Axes, before: Sizes) -> Axes:
    """Zeros in front move the image back."""
    widths = node.attributes["widths"]
    return tuple(
        along and along.read(1, [-front]) for along, (front, _) in zip(axes, widths, strict=True)
    )


def _taken(node: TapeNode, axes: Axes, before: Sizes) -> Axes | None:
    """A crop moves the image on, every s-th entry makes it move faster, a list may repeat."""
    index = node.attributes["index"]
    index = index if isinstance(index, tuple) else (index,)
    if ... in index:
        place = index.index(...)
        rest = (slice(None),) * (len(before) - len(index) + 1)
        index = (*index[:place], *rest, *index[place + 1 :])
    index += (slice(None),) * (len(before) - len(index))
    found: list[Along | None] = []
    for along, item, n in zip(axes, index, before, strict=True):
        if isinstance(item, slice):
            start, _, step = item.indices(n)
            if along is not None and step < 1:
                return UNKNOWN
            found.append(along and along.read(step, [start]))
        elif along is not None and getattr(item, "ndim", 0) == 1 and (bands := bands_of(item)):
            pattern = repeating(0, bands, n)
            if pattern is None:
                return UNKNOWN
            found.append(along.through(pattern))
        else:
            return UNKNOWN
    return tuple(found)


def _mixed(node: TapeNode, axes: Axes, before: Sizes) -> Axes | None:
    """A matrix product along the last axis: channels are mixed, an image is resampled."""
    along = axes[-1]
    if along is None:
        return axes
    if node.name == "linear" or node.parents[1] is not None or not isinstance(node.kept, tuple):
        return UNKNOWN
    pattern = repeating(0, bands_of(_kept(node, 1)), before[-1])
    return UNKNOWN if pattern is None else (*axes[:-1], along.through(pattern))


def _reshaped(node: TapeNode, axes: Axes, before: Sizes) -> Axes | str | None:
    """Axes of length 1 come and go, and an axis may take a constant one behind it in."""
    shape, found = node.shape, []
    i = 0
    for n in shape:
        if i < len(before) and before[i] == n:
            found.append(axes[i])
            i += 1
            continue
        group, length = [], 1
        while length < n and i < len(before):
            group.append(i)
            length *= before[i]
            i += 1
        moving = [k for k in group if axes[k] is not None]
        if length != n or len(moving) > 1 or _leading(before, group, moving) > 1:
            break
        along = axes[moving[0]] if moving else None
        found.append(along and along.repeated(length // before[moving[0]]))
    whole = [along for along in axes if along is not None]
    if len(found) < len(shape) or [a.axis for a in found if a] != [a.axis for a in whole]:
        return WHOLE if _forgets(shape) else UNKNOWN
    return tuple(found)


def _leading(before: Sizes, group: list[int], moving: list[int]) -> int:
    """How many entries of the axes in front of the moving one there are."""
    return prod(before[k] for k in group if moving and k < moving[0])


def _repeated(node: TapeNode, axes: Axes, before: Sizes) -> Axes | None:
    """Broadcasting: the same for all entries of a new or longer axis."""
    new = len(node.shape) - len(before)
    longer = [n != m for n, m in zip(before, node.shape[new:], strict=True)]
    if any(more and along is not None for more, along in zip(longer, axes, strict=True)):
        return UNKNOWN
    return (None,) * new + axes


def _ordered(node: TapeNode, axes: Axes, before: Sizes) -> Axes:
    return tuple(axes[i] for i in node.attributes["axes"])


_ALONE = {
    "conv_input_grad": _spread, "pad": _padded, "getitem": _taken, "reshape": _reshaped,
    "broadcast_to": _repeated, "transpose": _ordered, "matmul": _mixed, "linear": _mixed,
}  # fmt: skip


def _joint(values: Iterable[Any]) -> str:
    """One number where all axes agree."""
    texts = [str(value).replace("-", "−") for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)
