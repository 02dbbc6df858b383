"""What the viewer says of a node or a module: the panel, and the sentences of the player."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

from ..errors import shape_text
from . import formulas
from .html_labels import escape
from .model import Graph, Node, Parameter, count_parameters
from .receptive import ReceptiveField
from .theme import count_text

_SHOWN = {
    "id", "name", "family", "shape", "dtype", "nbytes", "attributes", "parameters", "kept",
    "module", "requires_grad", "multiplications", "source", "gradient", "members", "summary",
    "fingerprint", "maps", "kept_bytes", "seconds", "backward_seconds", "order", "alias",
    "output_kept", "mark",
}  # fmt: skip


def _total(name: str) -> Any:
    def total(nodes: list[Node]) -> float | None:
        known = [getattr(node, name, None) for node in nodes]
        known = [value for value in known if value is not None]
        return sum(known) if known else None

    return total


def _flop(nodes: list[Node]) -> int | None:
    """Two for each multiplication, the addition with it."""
    count = _total("multiplications")(nodes)
    return None if count is None else 2 * count


def _norm(nodes: list[Node]) -> float | None:
    """The norm at the output, which is the last node's."""
    value = nodes[-1].gradient
    return value if value is not None and isfinite(value) else None


METRICS: tuple[tuple[str, str, Any], ...] = (
    ("gradient", "gradient norm ‖∂L/∂y‖", _norm),
    ("flop", "FLOP", _flop),
    ("parameters", "parameters", count_parameters),
    ("nbytes", "output bytes", _total("nbytes")),
    ("kept_bytes", "kept bytes", _total("kept_bytes")),
    ("seconds", "seconds", _total("seconds")),
    ("backward_seconds", "seconds of the backward pass", _total("backward_seconds")),
)


class Words:
    """The texts about one graph, as HTML; names that come from the user are escaped."""

    def __init__(self, graph: Graph, metrics: list[tuple]) -> None:
        self.graph, self.metrics = graph, metrics
        self.nodes = {node.id: node for node in graph.nodes}
        self.members: dict[int, list[Node]] = {}
        for node in graph.nodes:
            for module in self._around(node):
                self.members.setdefault(module, []).append(node)
        self.sources: dict[int, list[int]] = {}
        for edge in graph.edges:
            found = self.sources.setdefault(edge.target, [])
            if edge.source not in found:
                found.append(edge.source)
        self.primitives = self._primitives()
        self.described: dict[Any, dict[str, Any]] = {}
        self.formulas: list[str] = []

    def node(self, node: Node) -> dict[str, Any]:
        """The record of one operation or input."""
        path = ".".join(self.graph.path(node.module))
        formula = self._formula(node)
        rows = [
            ("output", f"{shape_text(node.shape)} {node.dtype}"),
            ("attributes", node.attributes),
            ("kept", ", ".join(node.kept) + " for the backward pass" if node.kept else ""),
            *self._measured([node]),
            ("source", node.source),
            *_other_fields(node),
        ]
        about = (
            f"<h2>{escape(node.name)}</h2><p class=path>{escape(path) or 'outside any module'}</p>"
            f"{_maps(node)}{_facts(rows)}{_parameters(node.parameters)}"
        )
        words = [
            node.name,
            path,
            node.attributes,
            node.source,
            node.family,
            node.dtype,
            shape_text(node.shape),
            *(p.name for p in node.parameters),
            *(self.graph.modules[m].kind for m in self._around(node)),
        ]
        return {
            "title": node.name,
            "label": f"{node.name}, {shape_text(node.shape)}" + (f", in {path}" if path else ""),
            "about": about,
            "formula": self._formula_number(formula),
            "words": " ".join(words).lower(),
            "forward": self._forward(node, formula),
            "backward": self._backward(node, formula),
            "kept": "kept: " + ", ".join(node.kept) if node.kept else "",
            "values": self._values([node]),
        }  # fmt: skip

    def module(self, module: int) -> dict[str, Any]:
        """The record of a collapsed module."""
        record, members = self.graph.modules[module], self.members[module]
        last, depth = members[-1], len(record.path)
        named = {}
        for node in members:
            inner = self.graph.path(node.module)[depth:]
            for p in node.parameters:
                named.setdefault(p.key, (".".join((*inner, p.name)), p))
        rows = [
            ("output", f"{shape_text(last.shape)} {last.dtype}"),
            *self._measured(members),
            ("operations", " → ".join(node.name for node in members)),
        ]
        about = (
            f"<h2>{escape(record.name)}</h2>"
            f"<p class=path>{escape(record.kind)} · {escape('.'.join(record.path))}</p>"
            f"<p><button data-expand={module}>Expand (e)</button></p>{_facts(rows)}"
            f"{_parameters(tuple(p for _, p in named.values()), [n for n, _ in named.values()])}"
        )
        name, size = f"<b>{escape(record.name)}</b>", shape_text(last.shape)
        return {
            "title": record.name,
            "label": f"module {record.name}, {record.kind}, {len(members)} operations, {size}",
            "about": about,
            "forward": f"Forward: {name} ({len(members)} operations) gives {size}.",
            "backward": f"Backward: through {name} goes ∂L/∂output {size}, and the gradients of "
                        f"{count_text(count_parameters(members))} parameters come out.",
            "values": self._values(members),
        }  # fmt: skip

    def _around(self, node: Node) -> list[int]:
        """The modules around a node, innermost first."""
        chain, module = [], node.module
        while module is not None:
            chain.append(module)
            module = self.graph.modules[module].parent
        return chain

    def _values(self, nodes: list[Node]) -> list:
        return [measure(nodes) for _, _, measure in self.metrics]

    def _measured(self, nodes: list[Node]) -> list[tuple[str, str]]:
        found = [(label, measure(nodes)) for _, label, measure in self.metrics]
        return [(label, _number(value)) for label, value in found
                if value is not None and (value or isinstance(value, float))]  # fmt: skip

    def _primitives(self) -> dict[int, Any]:
        """What the tape says, while it lives: it knows the user's own primitives, too."""
        tape = self.graph._tape
        nodes = [reference() for reference in tape.nodes] if tape is not None else []
        if len(nodes) != len(self.graph.nodes):
            nodes = [None] * len(self.graph.nodes)
        return {
            node.id: getattr(recorded, "primitive", None) or formulas.primitive_of(node.name)
            for node, recorded in zip(self.graph.nodes, nodes, strict=True)
            if not node.is_input and not node.members
        }

    def _formula(self, node: Node) -> dict[str, Any] | None:
        primitive = self.primitives.get(node.id)
        if primitive is None:
            return None
        if primitive not in self.described:
            self.described[primitive] = formulas.describe(primitive)
        return self.described[primitive]

    def _formula_number(self, formula: dict[str, Any] | None) -> int:
        """Where its text is among `formulas`, which hold each text once."""
        text = _formula_text(formula)
        if text not in self.formulas:
            self.formulas.append(text)
        return self.formulas.index(text)

    def _forward(self, node: Node, formula: dict[str, Any] | None) -> str:
        name, size = f"<b>{escape(node.name)}</b>", shape_text(node.shape)
        if node.is_input:
            return f"Forward: {name} is given, {size}."
        reads = [self.nodes[id].name for id in self.sources.get(node.id, [])]
        reads += [p.name for p in node.parameters]
        text = f"Forward: {name} reads {_listed(reads)} and gives {size}."
        if formula and formula["forward"]:
            text += f" <code>y = {escape(formula['forward'])}</code>"
        return text + (f" Kept for the way back: {_listed(node.kept)}." if node.kept else "")

    def _backward(self, node: Node, formula: dict[str, Any] | None) -> str:
        name = f"<b>{escape(node.name)}</b>"
        if node.is_input:
            norm = "" if node.gradient is None else f"; its norm is {_number(node.gradient)}"
            return f"Backward: ∂L/∂{name} is complete{norm}."
        gives = [p.name for p in node.parameters if p.trainable]
        sources = [self.nodes[id] for id in self.sources.get(node.id, [])]
        gives += [source.name for source in sources if source.requires_grad]
        kept = f" and what was kept ({_listed(node.kept)})" if node.kept else ""
        text = f"Backward: from g = ∂L/∂{name} {shape_text(node.shape)}{kept} "
        text += f"come the gradients of {_listed(gives)}."
        rules = [(x, rule) for x, rule, _ in (formula["gradients"] if formula else [])]
        return text + "".join(
            f" <code>∂L/∂{escape(x)} = {escape(rule)}</code>" for x, rule in rules[:2]
        )


def _listed(names: Any) -> str:
    return ", ".join(map(escape, names)) or "nothing"


def _number(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_number, value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if value == 0:
        return "0 exactly" if isinstance(value, float) else "0"
    small = isfinite(value) and abs(value) < 0.01
    return f"{value:.2e}".replace("e-0", "e-") if small else count_text(value)


def _facts(rows: list[tuple[str, str]]) -> str:
    shown = "".join(
        f"<dt>{escape(name)}<dd>{escape(str(value))}" for name, value in rows if value != ""
    )
    return f"<dl>{shown}<dt>reads<dd id=reads><dt>read by<dd id=readers></dl>"


def _other_fields(node: Node) -> list[tuple[str, str]]:
    """Whatever else was measured: a field that this file has not heard of is shown, too."""
    rows: list[tuple[str, str]] = []
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name in _SHOWN or value is None or value == field.default:
            continue
        name = field.name.replace("_", " ")
        if isinstance(value, ReceptiveField):
            rows.append((name, str(value)))
            continue
        if is_dataclass(value):
            rows += [
                (f"{name}: {inner.name}", _number(getattr(value, inner.name)))
                for inner in fields(value)
                if getattr(value, inner.name) is not False
            ]
        else:
            rows.append((name, _number(value)))
    return rows


def _maps(node: Node) -> str:
    """The thumbnails of the feature maps, where they were watched."""
    images = "".join(
        f'<img alt="feature map {i}" src="data:image/png;base64,{b64encode(png).decode()}">'
        for i, png in enumerate(getattr(node, "maps", ()))
    )
    return f"<p class=maps>{images}</p>" if images else ""


def _parameters(parameters: tuple[Parameter, ...], names: list[str] | None = None) -> str:
    if not parameters:
        return ""
    rows = []
    for name, p in zip(names or [p.name for p in parameters], parameters, strict=True):
        norm = "–" if p.gradient is None else _number(p.gradient)
        cells = (name, shape_text(p.shape), count_text(p.count), norm if p.trainable else "kept")
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells))
    return (
        "<table><caption>Parameters</caption><tr><th>name<th>shape<th>entries<th>‖∂L/∂p‖"
        f"{''.join(rows)}</table>"
    )


def _formula_text(formula: dict[str, Any] | None) -> str:
    if formula is None:
        return ""
    text = "<h3>What it computes</h3>"
    if formula["forward"]:
        text += f"<p class=formula>y = {escape(formula['forward'])}</p>"
    if formula["about"]:
        text += f"<p>{escape(formula['about'])}</p>"
    if formula["gradients"]:
        text += "<h3>Its gradient</h3><p>With g = ∂L/∂y, and ans = y:</p>"
    for name, rule, words in formula["gradients"]:
        text += f"<p class=formula>∂L/∂{escape(name)} = {escape(rule)}</p>"
        text += f"<p class=words>{escape(words)}</p>" if words else ""
    return text if len(text) > 40 else ""
