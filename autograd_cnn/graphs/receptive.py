"""Receptive fields: which input pixels an entry of a node's output can see.

Along each spatial axis the output at i sees the pixels start + i·jump … start + i·jump + size − 1.
A window of k taps, dilation d, stride s and `before` zeros in front changes that to

    size' = size + (k − 1)·d·jump        start' = start − before·jump        jump' = jump·s

Where branches meet, the field is the smallest box around theirs. Sources: Araujo, Norris and Sim,
"Computing receptive fields of convolutional neural networks", Distill 2019.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..tape import Leaf
from ..tape import Node as TapeNode

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Size, jump and start in input pixels, one entry a spatial axis.

    `start` is negative where output 0 reaches into the padding. Of an output that sees everything
    (`whole`) size is the input's size, and jump and start are 0.
    """

    size: Sizes
    jump: Sizes
    start: Sizes
    whole: bool = False

    def box(self, position: Sizes) -> tuple[tuple[int, int], ...]:
        """The first and last pixel along each axis that the output at `position` sees.

        >>> from autograd_cnn.graphs import ReceptiveField
        >>> ReceptiveField((5, 5), (2, 2), (-1, -1)).box((0, 3))
        ((-1, 3), (5, 9))
        """
        firsts = [b + i * j for b, j, i in zip(self.start, self.jump, position, strict=True)]
        return tuple((first, first + n - 1) for first, n in zip(firsts, self.size, strict=True))

    def __str__(self) -> str:
        size = "×".join(map(str, self.size))
        if self.whole:
            return f"{size} (all)"
        return f"{size} jump {_joint(self.jump)} start {_joint(self.start)}"


UNKNOWN = None
Field = ReceptiveField | None


def receptive_fields(tape: Iterable[TapeNode]) -> dict[TapeNode, Field]:
    """The field of each node with respect to the first image (N×C×…) that is no parameter.

    Nodes that do not depend on it are missing. None stands where the field is not a box that moves
    evenly (branches of different stride, a reshaped image). Statistics of a normalisation are
    looked through, as is usual: they make every pixel count a little.
    """
    fields: dict[TapeNode, Field] = {}
    image: TapeNode | None = None
    for node in tape:
        if isinstance(node, Leaf):
            if image is None and len(node.shape) > 2:
                image = node
                axes = len(node.shape) - 2
                fields[node] = ReceptiveField((1,) * axes, (1,) * axes, (0,) * axes)
            continue
        seen = [(parent, fields[parent]) for parent in node.parents if parent in fields]
        if seen:
            assert image is not None
            fields[node] = _through(node, seen, tuple(image.shape[2:]))
    return fields


def _through(node: TapeNode, seen: list[tuple[Any, Field]], image: Sizes) -> Field:
    """The field of an operation from those of its inputs."""
    whole = ReceptiveField(image, (0,) * len(image), (0,) * len(image), True)
    if any(field is not None and field.whole for _, field in seen):
        return whole
    if node.primitive.window is not None:
        (_, field), *more = seen
        return UNKNOWN if more else _window(node, field)
    merged = UNKNOWN if any(field is None for _, field in seen) else _joined(seen)
    name, shape, before = node.primitive.name, node.shape, seen[0][0].shape
    if name in ("pad", "getitem"):
        return _shifted(node, merged)
    if name == "concatenate":
        return merged if node.attributes["axis"] % len(shape) == 1 else UNKNOWN
    if any(other.shape[2:] != shape[2:] for other, _ in seen) or len(shape) != len(before):
        forgets = len(shape) <= 2 or all(n == 1 for n in shape[2:])
        return whole if forgets and name in _FORGETTING else UNKNOWN
    along = node.attributes.get("axis", 1)
    if len(shape) <= 2 or (isinstance(along, int) and along % len(shape) > 1):
        return UNKNOWN
    even = node.primitive.kind == "elementwise" or node.primitive.family in _POINTWISE
    return merged if even or name in _EVEN else UNKNOWN


_POINTWISE = ("normalisation", "activation", "elementwise")
_EVEN = ("reshape", "astype", "to_device", "sum", "mean", "max", "logsumexp", "norm")
_FORGETTING = ("reshape", "sum", "mean", "max", "logsumexp", "norm", "mse_loss", "bce_with_logits")


def _window(node: TapeNode, field: Field) -> Field:
    kernel, spec = window_of(node)
    if field is None or not len(kernel) == len(field.size) == len(node.shape) - 2:
        return UNKNOWN
    axes = zip(kernel, spec.dilation, spec.padding, field.jump, strict=True)
    reach = [((k - 1) * d * jump, before * jump) for k, d, (before, _), jump in axes]
    return ReceptiveField(
        tuple(n + more for n, (more, _) in zip(field.size, reach, strict=True)),
        tuple(jump * s for jump, s in zip(field.jump, spec.stride, strict=True)),
        tuple(first - back for first, (_, back) in zip(field.start, reach, strict=True)),
    )


def window_of(node: TapeNode) -> tuple[Sizes, Any]:
    """What the primitive's `window` declares for this node: kernel sizes and the specification.

    Its parameter names are those of inputs, whose shapes it gets, or of attributes.
    """
    primitive = node.primitive
    arguments = []
    for name in inspect.signature(primitive.window).parameters:  # type: ignore[arg-type]
        if name in node.attributes:
            arguments.append(node.attributes[name])
        else:
            arguments.append(_shape_of_input(node, primitive.inputs.index(name)))
    kernel, spec = primitive.window(*arguments)  # type: ignore[misc]
    return tuple(kernel), spec


def _shape_of_input(node: TapeNode, position: int) -> Sizes:
    parent = node.parents[position]
    if parent is not None:
        return parent.shape
    slot = node.plan.index[node.primitive.inputs[position]]
    return node.values()[slot].shape


def _joined(seen: list[tuple[Any, Field]]) -> Field:
    """The box around several fields that move with the same jump."""
    first, *others = [field for _, field in seen if field is not None]
    for other in others:
        if other is first:
            continue
        if other.jump != first.jump:
            return UNKNOWN
        start = tuple(map(min, first.start, other.start))
        last = map(max, _last(first), _last(other))
        size = tuple(end - begin + 1 for begin, end in zip(start, last, strict=True))
        first = ReceptiveField(size, first.jump, start)
    return first


def _last(field: ReceptiveField) -> list[int]:
    return [first + n - 1 for first, n in zip(field.start, field.size, strict=True)]


def _shifted(node: TapeNode, field: Field) -> Field:
    """Padding moves the start back, a crop moves it on, every s-th pixel makes the jump s·jump."""
    if field is None or len(node.shape) != len(field.size) + 2:
        return UNKNOWN
    if node.primitive.name == "pad":
        moves = [(-before, 1) for before, _ in node.attributes["widths"][2:]]
    else:
        index = node.attributes["index"]
        index = index if isinstance(index, tuple) else (index,)
        if any(not isinstance(item, slice) for item in index):
            return UNKNOWN
        shape = node.parents[0].shape  # type: ignore[union-attr]
        index += (slice(None),) * (len(shape) - len(index))
        moves = [item.indices(n)[::2] for item, n in zip(index[2:], shape[2:], strict=True)]
        if any(step < 1 for _, step in moves):
            return UNKNOWN
    start = [b + j * by for b, j, (by, _) in zip(field.start, field.jump, moves, strict=True)]
    jump = [j * step for j, (_, step) in zip(field.jump, moves, strict=True)]
    return ReceptiveField(field.size, tuple(jump), tuple(start))


def _joint(values: Sizes) -> str:
    """One number where all axes agree."""
    texts = [str(value).replace("-", "−") for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)
