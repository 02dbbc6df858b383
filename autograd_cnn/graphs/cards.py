"""What stands on a card, before anyone decides how it is laid out or written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from ..errors import shape_text
from .model import Graph, Node, count_parameters
from .theme import ASCII, FAMILIES, THEMES, Theme, count_text, heat

if TYPE_CHECKING:
    from .view import View

SMALL, NORMAL = 8.0, 10.0
PAD, LEADING = 5.0, 1.3
MOST_ROWS = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text of one look."""

    text: str
    colour: str
    bold: bool = False
    size: float = SMALL


@dataclass(frozen=True, slots=True)
class Cell:
    """Some text, or a bar of `bar` (0 to 1) of the full length."""

    spans: tuple[Span, ...]
    fill: str | None = None
    right: bool = False
    bar: float | None = None
    bar_colour: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """Rows of one to three cells in a frame; a row of one cell spans the card."""

    key: str
    rows: tuple[tuple[Cell, ...], ...]
    border: str
    fill: str
    tooltip: str = ""


class Painter:
    """Makes cards and captions for the options of one view."""

    def __init__(self, view: View) -> None:
        self.show, self.ascii = view.show, view.symbols == "ascii"
        self.theme: Theme = THEMES[view.theme]
        self.colour = view.color
        self.graph: Graph = view.shown
        norms = [n.gradient for n in self.graph.nodes if n.gradient and isfinite(n.gradient)]
        self.low, self.high = (min(norms), max(norms)) if norms else (1.0, 1.0)

    def text(self, text: str) -> str:
        """Text with our own signs replaced where the font is poor."""
        return text.translate(ASCII) if self.ascii else text

    def symbol(self, family: str) -> str:
        look = FAMILIES.get(family, FAMILIES["custom"])
        return look.ascii if self.ascii else look.symbol

    def card(self, node: Node, within: int | None = None) -> Card:
        """A node's card; `within` is the module whose caption is drawn around it already."""
        look = FAMILIES.get(node.family, FAMILIES["custom"])
        header = self._span(f"{self.symbol(node.family)} ", look.ink, False, NORMAL)
        name = self._span(node.name, look.ink, True, NORMAL)
        spans = [header, name]
        belongs = self.belongs(node, within)
        if belongs:
            spans.append(self._span(f" · {belongs}", look.ink, False, SMALL))
        attributes = node.attributes if "attrs" in self.show else ""
        rows = [(Cell(tuple(spans), look.colour),
                 Cell((self._span(attributes, look.ink),), look.colour, True))]  # fmt: skip
        rows += self._module_rows(node) if node.members else self._parameter_rows(node)
        rows += self._extra_rows(node)
        if self.colour == "grad_norm":
            rows.append((self._gradient_cell(node),))
        fill = self.theme.body or (look.tint if self.theme.tinted else "#FFFFFF")
        tooltip = " ".join(part for part in (node.name, node.attributes, node.source) if part)
        return Card(f"n{node.id}", tuple(rows), look.colour, fill, tooltip)

    def gradient_card(self, node: Node) -> Card:
        """The backward half of a node: the norm that reaches it, a row for each parameter."""
        theme = self.theme
        of = node.name if not node.is_input or node.name != "input" else f"input {node.id}"
        title = Cell((self._span(f"∂L/∂{of}", theme.ink, True, NORMAL),))
        rows = [(title, self._heat_cell(node.gradient))]
        trainable = [p for p in node.parameters if p.trainable]
        for parameter in trainable[:MOST_ROWS]:
            left = self._span(f"→ ∂L/∂{parameter.name} {shape_text(parameter.shape)}", theme.ink)
            norm = "not computed" if parameter.gradient is None else (
                f"‖·‖ {parameter.gradient:.1e}")  # fmt: skip
            rows.append((Cell((left,)), Cell((self._span(norm, theme.ink),), None, True)))
        if len(trainable) > MOST_ROWS:
            more = f"… and {len(trainable) - MOST_ROWS} more parameters"
            rows.append((Cell((self._span(more, theme.muted),)),))
        return Card(f"b{node.id}", tuple(rows), theme.gradient, theme.gradient_tint,
                    f"gradient of {node.name}")  # fmt: skip

    def caption(self, module: int) -> list[list[Span]]:
        """The lines that name a module: attribute and class, then parameters and FLOP."""
        theme, record = self.theme, self.graph.modules[module]
        call = f" (call {record.call})" if record.call > 1 else ""
        members = [n for n in self.graph.nodes if module in self.graph.enclosing(n.module)]
        facts = [record.kind, *self.totals(members)]
        return [
            [self._span(record.name + call, theme.ink, True, NORMAL)],
            *([self._span(fact, theme.muted)] for fact in facts),
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

    def range_text(self) -> str:
        """The ends of the heat scale."""
        return self.text(f"‖∂L/∂out‖₂, log: {self.low:.1e} … {self.high:.1e}")

    def _span(self, text: str, colour: str, bold: bool = False, size: float = SMALL) -> Span:
        return Span(self.text(text), colour, bold, size)

    def _parameter_rows(self, node: Node) -> list[tuple[Cell, ...]]:
        if "params" not in self.show:
            return []
        rows = []
        for parameter in node.parameters:
            colour = self.theme.ink if parameter.trainable else self.theme.muted
            left = (self._span(parameter.name, colour, parameter.trainable),
                    self._span(f" {shape_text(parameter.shape)}", colour))  # fmt: skip
            count = self._span(count_text(parameter.count), colour)
            rows.append((Cell(left), Cell((count,), None, True)))
        return rows

    def _module_rows(self, node: Node) -> list[tuple[Cell, ...]]:
        theme = self.theme
        rows: list[tuple[Cell, ...]] = [(Cell((self._span(node.summary, theme.ink),)),)]
        whole = self.graph
        for name, value, total, colour in (
            ("params", count_parameters([node]), whole.parameter_count, "#0072B2"),
            ("FLOP", 2 * (node.multiplications or 0), 2 * whole.multiplications, "#D55E00"),
            ("bytes out", node.nbytes, sum(n.nbytes for n in whole.nodes), "#009E73"),
        ):
            if value:
                bar = Cell((), None, False, min(1.0, value / max(total, 1)), colour)
                count = Cell((self._span(count_text(value), theme.ink),), None, True)
                rows.append((Cell((self._span(name, theme.ink),)), count, bar))
        return rows

    def _extra_rows(self, node: Node) -> list[tuple[Cell, ...]]:
        facts = []
        if "dtype" in self.show:
            facts.append(node.dtype)
        if "source" in self.show and node.source:
            facts.append(node.source)
        if "kept" in self.show and node.kept:
            facts.append("kept: " + ", ".join(node.kept))
        return [(Cell((self._span(fact, self.theme.muted),)),) for fact in facts]

    def _gradient_cell(self, node: Node) -> Cell:
        cell = self._heat_cell(node.gradient)
        return replace(cell, spans=tuple(replace(s, text=self.text("‖∂L‖ ") + s.text)
                                         for s in cell.spans), right=False)  # fmt: skip

    def _heat_cell(self, value: float | None) -> Cell:
        """Zero and "not computed" never look the same, and neither looks like a small norm."""
        if value is None:
            return Cell((self._span("not computed", self.theme.muted),), None, True)
        if value == 0.0:
            return Cell((self._span("0 exactly", "#000000", True),), "#FFFFFF", True)
        if not value < float("inf"):
            return Cell((self._span(f"{value}", "#FFFFFF", True),), "#B00020", True)
        fill, ink = heat(value, self.low, self.high)
        return Cell((self._span(f"{value:.1e}", ink),), fill, True)


@lru_cache(maxsize=4096)
def width_of(text: str, size: float, bold: bool = False) -> float:
    """The width of text in points, as DejaVu Sans (the widest of our fonts) would set it."""
    return sum(_width(character) for character in text) * size * (1.1 if bold else 1.0)


def _width(character: str) -> float:
    if character in " iljI.,:;'|!`":
        return 0.34
    if character in 'ftr()[]{}/\\-"':
        return 0.42
    if character in "mwMW%@":
        return 0.95
    if character.isascii():
        return 0.69 if character.isupper() else 0.63
    return 1.05 if east_asian_width(character) in "WF" else 0.8


def cell_width(cell: Cell) -> float:
    """The width that a cell asks for, its padding included."""
    if cell.bar is not None:
        return 84.0
    return sum(width_of(s.text, s.size, s.bold) for s in cell.spans) + 2 * PAD


def row_height(row: tuple[Cell, ...]) -> float:
    """The height of a row, its padding included."""
    sizes = [span.size for cell in row for span in cell.spans] or [SMALL]
    return max(sizes) * LEADING + 6.0


def card_size(card: Card) -> tuple[float, float]:
    """The width and height that a card asks for."""
    width = max(sum(cell_width(cell) for cell in row) for row in card.rows)
    return width, sum(row_height(row) for row in card.rows)
