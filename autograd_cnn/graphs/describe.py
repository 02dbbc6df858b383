"""A recorded operation in words: its display name, its attributes, what its operands are."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from ..kernels.specs import ConvSpec, PoolSpec, Spec
from ..tape import Node as TapeNode

LONGEST = 32
WINDOWED = ("conv", "max_pool", "avg_pool", "conv_input_grad", "conv_weight_grad")
PARAMETERS = {"w": "weight", "b": "bias", "weight": "weight", "bias": "bias"}
STATISTICS = {"mean": "running_mean", "var": "running_var"}
HIDDEN = ("seed", "shape", "size", "spec", "scale", "keepdims", "count_include_pad", "axis")
SIGNS = {"eps": "ε", "alpha": "α", "beta": "β", "negative_slope": "slope"}


def display_name(node: TapeNode) -> str:
    """The name a reader knows: `conv` over two axes is `conv2d`."""
    name = node.primitive.name
    spec = node.attributes.get("spec")
    if name in WINDOWED and isinstance(spec, (ConvSpec, PoolSpec)):
        stem, _, rest = name.partition("_") if name.startswith("conv") else (name, "", "")
        if rest == "input_grad" and not in_backward(node):
            return f"conv_transpose{spec.ndim}d"
        return f"{stem}{spec.ndim}d" + (f"_{rest}" if rest else "")
    return name.removesuffix("_inference")


def in_backward(node: TapeNode) -> bool:
    """Whether a recorded backward pass made the node."""
    scope = node.scope
    while scope is not None:
        if scope.kind == "backward":
            return True
        scope = scope.parent
    return False


def attribute_text(node: TapeNode) -> str:
    """The attributes in a few characters: `k3×3 s1 p1 d2`, `ε=1e-5`, `over 2,3`."""
    attributes = node.attributes
    if not attributes:
        return " ".join(_number_operands(node))
    parts = []
    spec = attributes.get("spec")
    if isinstance(spec, (ConvSpec, PoolSpec)):
        parts.append(_window_text(spec, _kernel(node, spec)))
    for name, value in attributes.items():
        if name == "axes":
            some = len(value) < len(_input_shape(node) or (*value, 0))
            if some and node.primitive.family != "normalisation":
                parts.append("over " + ",".join(map(str, value)))
        elif name == "axis" and node.primitive.family != "loss":
            parts.append(f"axis {value}")
        elif name == "index":
            parts.append(_index_text(value))
        elif name == "shape" and node.primitive.name in ("reshape", "broadcast_to"):
            continue
        elif name not in HIDDEN:
            text = _value_text(value)
            if text is not None:
                parts.append(f"{SIGNS.get(name, name)}={text}")
    if node.primitive.family == "normalisation" and node.primitive.name.endswith("_inference"):
        parts.append("running")
    if node.primitive.family == "loss":
        parts.append("each" if attributes.get("scale", 0) is None else "")
    parts += _number_operands(node)
    text = " ".join(part for part in parts if part)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def operand_name(node: TapeNode, position: int) -> str:
    """The name of an operand in the primitive's own words."""
    inputs = node.primitive.inputs
    return f"{inputs[0]}[{position}]" if node.primitive.variadic else inputs[position]


def parameter_positions(node: TapeNode, known: Container[TapeNode]) -> tuple[int, ...]:
    """The operands that are rows of the card: weights, biases and running statistics.

    `known` holds the leaves of a model's own parameters: those are rows wherever they are used.
    """
    found: list[int] = []
    for position, parent in enumerate(node.parents):
        if parent is not None and not parent.parents:
            usual = node.primitive.family in ("parameterised", "normalisation")
            name = operand_name(node, position) if usual else ""
            if name in PARAMETERS or name in STATISTICS or parent in known:
                found.append(position)
    return tuple(found)


def multiplications(node: TapeNode) -> int | None:
    """What the primitive's declared cost gives for these shapes; None where it declares none."""
    cost = node.primitive.cost
    if cost is None:
        return None
    shapes = [_shape_of(node, position) for position in range(len(node.parents))]
    try:
        return int(cost(node.shape, *shapes, **node.attributes))
    except TypeError:  # an operand off the tape whose shape nothing remembers
        return None


def kept_names(node: TapeNode) -> tuple[str, ...]:
    """The values that the tape holds for the backward pass, by the names their rules use."""
    plan = node.plan
    return tuple(list(plan.index)[: len(plan.values)])


def _shape_of(node: TapeNode, position: int) -> tuple[int, ...] | None:
    parent = node.parents[position]
    if parent is not None:
        return parent.shape
    slot = node.plan.index.get(operand_name(node, position))
    if slot is None or type(node.kept) is not tuple:
        return None
    return getattr(node.kept[slot], "shape", None)


def _input_shape(node: TapeNode) -> tuple[int, ...] | None:
    return next((p.shape for p in node.parents if p is not None), None)


def _kernel(node: TapeNode, spec: Spec) -> tuple[int, ...]:
    if isinstance(spec, PoolSpec):
        return spec.kernel
    if node.primitive.name == "conv_weight_grad":
        return node.shape[2:]
    shape = _shape_of(node, 1)
    return shape[2:] if shape else ()


def _window_text(spec: Spec, kernel: tuple[int, ...]) -> str:
    """Stride always, padding, dilation and groups where they are not the plain ones."""
    parts = ["k" + "×".join(map(str, kernel))] if kernel else []
    parts.append("s" + _joint(spec.stride))
    if any(before or after for before, after in spec.padding):
        parts.append("p" + _joint(spec.padding))
    if any(d != 1 for d in spec.dilation):
        parts.append("d" + _joint(spec.dilation))
    if spec.groups != 1:
        parts.append(f"g{spec.groups}")
    return " ".join(parts)


def _joint(values: Iterable[Any]) -> str:
    """One number where all axes agree: (1, 1) is `1`, ((1, 0), (1, 0)) is `1+0`."""
    texts = []
    for value in values:
        if isinstance(value, tuple):
            before, after = value
            value = before if before == after else f"{before}+{after}"
        texts.append(str(value))
    return texts[0] if all(text == texts[0] for text in texts) else "×".join(texts)


def _value_text(value: Any) -> str | None:
    """A short attribute as text; None for what is no number, word or short tuple of them."""
    if isinstance(value, bool) or value is None:
        return None if not value else "true"
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-").replace("e+0", "e+")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and len(value) <= 4:
        texts = [_value_text(item) for item in value]
        return "(" + ",".join(text or "0" for text in texts) + ")"
    return getattr(value, "name", None) if hasattr(value, "itemsize") else None


def _index_text(index: Any) -> str:
    items = index if isinstance(index, tuple) else (index,)
    return "[" + ", ".join(_one_index(item) for item in items) + "]"


def _one_index(item: Any) -> str:
    if item is Ellipsis:
        return "…"
    if item is None:
        return "new"
    if isinstance(item, slice):
        ends = ["" if end is None else str(end) for end in (item.start, item.stop)]
        return ":".join(ends) + (f":{item.step}" if item.step not in (None, 1) else "")
    return str(item) if hasattr(item, "__index__") and not getattr(item, "ndim", 0) else "array"


def _number_operands(node: TapeNode) -> list[str]:
    """Plain numbers among the operands, as far as the tape kept them."""
    found: list[str] = []
    if None not in node.parents or type(node.kept) is not tuple or node.primitive.variadic:
        return found
    for position, parent in enumerate(node.parents):
        name = node.primitive.inputs[position]
        slot = node.plan.index.get(name) if parent is None else None
        if slot is not None and isinstance(node.kept[slot], (int, float)):
            found.append(f"{name}={_value_text(node.kept[slot])}")
    return found
