"""What stands on a card, before anyone decides how it is laid out or written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import shape_text
from .card import NORMAL, SMALL, Card, Cell, Span, card_size, cell_width, row_height, width_of
from .card_rows import gradient_cell, gradient_rows, rows_of
from .metrics import METRICS, Scale, metric_of
from .model import Edge, Graph, Node, count_parameters
from .scalar import number_text
from .scopes import is_pass
from .theme import ASCII, ERROR, FAMILIES, MARKS, THEMES, Theme, count_text

if TYPE_CHECKING:
    from .view import View

__all__ = [
    "NORMAL", "SMALL", "Card", "Cell", "Painter", "Span", "card_size", "cell_width", "row_height",
    "width_of",
]  # fmt: skip


class Painter:
    """Makes cards and captions for the options of one view."""

    def __init__(self, view: View) -> None:
        self.show, self.ascii = view.show, view.symbols == "ascii"
        self.theme: Theme = THEMES[view.theme]
        self.graph: Graph = view.shown
        self.scalar, self.ladder = view.level == "scalar", view.backward == "ladder"
        self.metric = metric_of(view.color)
        self.scale = Scale(self.metric, self.graph.nodes) if self.metric else None
        self.gradients = Scale(METRICS["grad_norm"], self.graph.nodes)
        first = view.graph.first_nonfinite()
        self.first_bad = -1 if first is None else first.id
        self.warning = "!!" if self.ascii else "⚠"
        self.headers: dict[tuple, tuple[Cell, ...]] = {}

    def text(self, text: str) -> str:
        """Text with our own signs replaced where the font is poor."""
        return text.translate(ASCII) if self.ascii else text

    def symbol(self, family: str) -> str:
        look = FAMILIES.get(family, FAMILIES["custom"])
        return look.ascii if self.ascii else look.symbol

    def card(self, node: Node, within: int | None = None) -> Card:
        """A node's card; `within` is the module whose caption is drawn around it already."""
        if node.family == "gradient":
            return self.gradient_card(node, f"n{node.id}", within)
        look = FAMILIES.get(node.family, FAMILIES["custom"])
        rows = [self._header(node, self.belongs(node, within)), *rows_of(self, node)]
        theme, border = self.theme, look.colour
        fill = theme.body or (look.tint if theme.tinted else "#FFFFFF")
        if node.order:
            fill, border = theme.gradient_tint, theme.gradient
        if node.mark:
            border = MARKS[node.mark][0]
        bad = self.is_first_bad(node)
        tooltip = " ".join(part for part in (node.name, node.attributes, node.source) if part)
        return Card(f"n{node.id}", tuple(rows), ERROR if bad else border, fill, tooltip,
                    bool(node.mark), bad)  # fmt: skip

    def _header(self, node: Node, belongs: str) -> tuple[Cell, ...]:
        """Symbol, name, module and attributes; equal ones are made once."""
        attributes = node.attributes if "attrs" in self.show else ""
        key = (node.family, node.name, belongs, attributes)
        if key not in self.headers:
            look = FAMILIES.get(node.family, FAMILIES["custom"])
            spans = [self.span(f"{self.symbol(node.family)} ", look.ink, False, NORMAL),
                     self.span(node.name, look.ink, True, NORMAL)]  # fmt: skip
            if belongs:
                spans.append(self.span(f" · {belongs}", look.ink, False, SMALL))
            right = Cell((self.span(attributes, look.ink),), look.colour, True)
            self.headers[key] = Cell(tuple(spans), look.colour), right
        return self.headers[key]

    def gradient_card(self, node: Node, key: str = "", within: int | None = None) -> Card:
        """The backward half of a node: the norm that reaches it, a row for each parameter."""
        theme = self.theme
        of = node.name if not node.is_input or node.name != "input" else f"input {node.id}"
        title = of if node.family == "gradient" else f"∂L/∂{of}"
        spans = [self.span(title, theme.ink, True, NORMAL)]
        belongs = self.belongs(node, within)
        if belongs:
            spans.append(self.span(f" · {belongs}", theme.ink, False, SMALL))
        rows = [(Cell(tuple(spans)),
                 gradient_cell(self, node.gradient)), *gradient_rows(self, node)]  # fmt: skip
        return Card(key or f"b{node.id}", tuple(rows), theme.gradient, theme.gradient_tint,
                    f"gradient of {of.removeprefix('∂L/∂')}")  # fmt: skip

    def edge_look(self, edge: Edge, source: Node, target: Node) -> tuple[str, str]:
        """(colour, dash) of an edge: solid data, dashed gradients, dotted what was kept."""
        if edge.mark:
            return MARKS[edge.mark][0], "dashed" if edge.mark == "removed" else "solid"
        if target.family == "gradient" or source.order:
            return self.theme.gradient, "dashed"
        if target.order:
            return self.theme.kept, "dotted"
        return self.theme.line, "solid"

    def edge_text(self, edge: Edge, source: Node, target: Node) -> str:
        """`N×C×H×W`, or the local derivative between scalars; "" where nothing is to be shown."""
        if self.scalar:
            return derivative_text(edge, self.graph, target)
        return edge_text(edge, target) if "shape" in self.show else ""

    def is_first_bad(self, node: Node) -> bool:
        """Whether a node is, or stands for, the first with a NaN or an infinity."""
        return self.first_bad == node.id or self.first_bad in node.members

    def in_backward(self, module: int) -> bool:
        """Whether a module is a whole backward pass or inside one."""
        return is_pass(self.graph.modules[self.graph.enclosing(module)[0]])

    def caption(self, module: int) -> list[list[Span]]:
        """The lines that name a module: attribute and class, then parameters and FLOP."""
        theme, record = self.theme, self.graph.modules[module]
        call = f" (call {record.call})" if record.call > 1 else ""
        members = [n for n in self.graph.nodes if module in self.graph.enclosing(n.module)]
        kind = [] if record.kind == "backward" else [record.kind]
        facts = [*kind, *self.totals(members)]
        return [
            [self.span(record.name + call, theme.ink, True, NORMAL)],
            *([self.span(fact, theme.muted)] for fact in facts),
        ]

    def totals(self, nodes: list[Node]) -> list[str]:
        """`2.35k params` and `604k FLOP`, where there are any; a multiply-add is two FLOP."""
        parameters = count_parameters(nodes)
        flops = 2 * sum(node.multiplications or 0 for node in nodes)
        facts = [f"{count_text(parameters)} params"] if parameters else []
        return facts + ([f"{count_text(flops)} FLOP"] if flops else [])

    def belongs(self, node: Node, within: int | None) -> str:
        """The attribute path of a node's module below the module drawn around it."""
        chain = self.graph.enclosing(node.module)
        if within in chain:
            chain = chain[chain.index(within) + 1 :]
        if node.members and chain:
            chain = chain[:-1]
        return ".".join(self.graph.modules[module].name for module in chain)

    def legend(self) -> list[tuple[str, str, str, str]]:
        """(colour, text on it, symbol, meaning) of the families that are present."""
        present = {node.family for node in self.graph.nodes}
        rows = [(f.colour, f.ink, self.symbol(name), f.meaning)
                for name, f in FAMILIES.items() if name in present]  # fmt: skip
        if present - set(FAMILIES):
            rows.append((*rows[-1][:2], self.symbol("custom"), "other"))
        return rows

    def notes(self, view: View) -> list[str]:
        """What the lines mean, and what is not shown."""
        if self.scalar:
            words = [
                "on an edge: the local derivative ∂next/∂this",
                "∂f/∂: the products of these along each path to the output f, summed",
            ]
        else:
            words = ["edge label: shape · width: log bytes"]
        dashed = view.backward is not None or any(node.order for node in self.graph.nodes)
        if self.ladder or (dashed and view.backward is None):
            words.append("dotted: kept for backward · dashed: gradient")
        elif dashed:
            words.append("dashed: gradient")
        return [self.text(word) for word in (*words, view.note) if word]

    def range_text(self) -> str:
        """The ends of the heat scales of the metric and of a ladder's gradients."""
        texts = []
        if self.metric is not None and self.scale is not None:
            texts.append(self.scale.text(self.metric))
        if self.ladder or any(node.family == "gradient" for node in self.graph.nodes):
            texts.append(self.gradients.text(METRICS["grad_norm"]))
        return self.text(" · ".join(dict.fromkeys(texts)))

    def span(self, text: str, colour: str, bold: bool = False, size: float = SMALL) -> Span:
        """A piece of text in the view's symbols."""
        return Span(self.text(text), colour, bold, size)


def kept_text(node: Node) -> str:
    """What stands on the rung between an operation and its gradient."""
    return "kept: " + ", ".join(node.kept) if node.kept else ""


def edge_text(edge: Edge, reader: Node) -> str:
    """`N×C×H×W`, with the operand's name where it is not the plain first one, and a count."""
    text = shape_text(edge.shape)
    if edge.position and reader.family in ("parameterised", "normalisation", "loss"):
        text = f"{edge.operand}: {text}"
    return text + (f"  (×{edge.count})" if edge.count > 1 else "")


def derivative_text(edge: Edge, graph: Graph, reader: Node) -> str:
    """`×w₂ = 0.5`: the local derivative, in words where an operation multiplies."""
    if edge.derivative is None:
        return ""
    value = number_text(edge.derivative)
    if reader.name == "multiply" and edge.count == 1:
        others = [e.source for e in graph.edges
                  if e.target == reader.id and e.position != edge.position]  # fmt: skip
        named = [graph.node(id) for id in others]
        if named and named[0].is_input and named[0].name != "input":
            return f"×{named[0].name} = {value}"
    return f"×{value}" + (" (both)" if edge.count > 1 else "")
