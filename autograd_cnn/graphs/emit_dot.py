"""The DOT source of a view: cards, clusters with captions, edges; and the ladder.

Every text is an HTML-like label, escaped in one place. A cluster's caption is a node beside the
first card rather than a cluster label, because Graphviz routes edges around nodes but not around
labels.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import shape_text
from .card import SMALL, Span, width_of
from .cards import Painter, kept_text
from .html_labels import card_html, lines_html, spans_html
from .model import Edge, Node
from .theme import CIVIDIS, FONT, line_width
from .transforms import merge_parallel

if TYPE_CHECKING:
    from .view import View


def body(view: View, images: bool = False) -> list[str]:
    """The lines between the braces of the digraph; `images` names the thumbnails' files."""
    emitter = _Emitter(view, images)
    lines = emitter.settings()
    lines += emitter.ladder() if view.backward == "ladder" else emitter.flow()
    return lines + emitter.legend()


def source(view: View, images: bool = False) -> str:
    """The whole digraph."""
    return "digraph computation {\n" + "\n".join(body(view, images)) + "\n}\n"


def images_of(view: View) -> dict[str, bytes]:
    """The thumbnails that a source with images names."""
    if "maps" not in view.show:
        return {}
    return {f"n{node.id}_{i}.png": image
            for node in view.shown.nodes for i, image in enumerate(node.maps)}  # fmt: skip


class _Emitter:
    def __init__(self, view: View, images: bool) -> None:
        self.images = images
        self.view, self.graph, self.painter = view, view.shown, Painter(view)
        self.theme = self.painter.theme
        self.edges = merge_parallel(self.graph.edges)
        self.order = {node.id: i for i, node in enumerate(self.graph.nodes)}
        self.by_id = {node.id: node for node in self.graph.nodes}
        self.readers = Counter(edge.source for edge in self.edges)
        self.sources = Counter(edge.target for edge in self.edges)
        self.boxes = self._find_boxes()

    def settings(self) -> list[str]:
        theme, apart = self.theme, 0.3
        if self.view.backward == "ladder":  # room for what stands on the rungs
            texts = [kept_text(node) for node in self.graph.nodes]
            apart = round(max(width_of(text, SMALL) for text in texts) / 120 + 0.3, 2)
        return [
            f'  graph [rankdir={self.view.direction}, bgcolor="{theme.background}", '
            f'fontname="{FONT}", nodesep={apart:g}, ranksep=0.3, pad=0.15, newrank=true];',
            f'  node [shape=plain, fontname="{FONT}", fontsize=10, fontcolor="{theme.ink}"];',
            f'  edge [fontname="{FONT}", fontsize=8, fontcolor="{theme.muted}", '
            f'color="{theme.line}", arrowsize=0.6];',
        ]

    def flow(self) -> list[str]:
        """Cards in nested clusters, then the edges."""
        inside: dict[int | None, list[Node]] = {}
        children: dict[int | None, list[int]] = {}
        for node in self.graph.nodes:
            around = [m for m in self.graph.enclosing(node.module) if m in self.boxes]
            inside.setdefault(around[-1] if around else None, []).append(node)
        for box in self.boxes:
            around = [m for m in self.graph.enclosing(box)[:-1] if m in self.boxes]
            children.setdefault(around[-1] if around else None, []).append(box)
        lines: list[str] = []
        self._cluster(None, inside, children, lines, "  ")
        lines += [self._edge(edge) for edge in self.edges]
        return lines + self._captions()

    def ladder(self) -> list[str]:
        """Forward and backward as two columns of equal ranks, with rungs between them."""
        theme, painter = self.theme, self.painter
        nodes = self.graph.nodes
        both = [node for node in nodes if node.requires_grad]
        lines = self._column("forward", theme.module_line)
        lines += [
            f"    n{n.id} [label={card_html(painter.card(n), self.images)}, group=f];"
            for n in nodes
        ]
        lines += ["  }", *self._column("backward", theme.gradient)]
        lines += [f"    b{n.id} [label={card_html(painter.gradient_card(n))}, group=b];"
                  for n in both]  # fmt: skip
        lines.append("  }")
        lines += [f"  {{ rank=same; n{node.id}; b{node.id}; }}" for node in both]
        for edge in self.edges:
            lines.append(self._edge(edge))
            if edge.differentiable and self.by_id[edge.source].requires_grad:
                label = self._text(f" grad {shape_text(edge.shape)}", theme.gradient)
                lines.append(
                    f"  b{edge.source} -> b{edge.target} [dir=back, style=dashed, "
                    f'color="{theme.gradient}", penwidth={line_width(edge.nbytes)}'
                    f"{self._weight(edge)}, label={label}];"
                )
        for node in both:
            if node.kept:
                label = self._text(kept_text(node), theme.muted)
                lines.append(
                    f"  n{node.id} -> b{node.id} [style=dotted, arrowhead=none, "
                    f'constraint=false, color="{theme.kept}", label={label}];'
                )
        label = self._text("seed 1", theme.ink)
        for id in self.graph.outputs:
            lines.append(
                f'  n{id}:s -> b{id}:s [color="{theme.seed}", penwidth=2, constraint=false, '
                f"label={label}];"
            )
        return lines

    def legend(self) -> list[str]:
        """The families that are present, the heat scale when there is one, what lines mean.

        It is the label of the whole graph, so that it takes no place among the ranks.
        """
        theme, painter = self.theme, self.painter
        entries = []
        for colour, ink, symbol, meaning in painter.legend():
            sign, words = spans_html([Span(symbol, ink)]), spans_html([Span(meaning, theme.muted)])
            entries.append(
                f'<TD BGCOLOR="{colour}" WIDTH="20">{sign}</TD><TD ALIGN="LEFT">{words}</TD>'
            )
        across = 3 if self.view.direction == "TB" else len(entries)
        wide = '<TD ALIGN="LEFT">'
        # columns share what is too wide: empty ones keep a lone symbol narrow
        entries += ['<TD COLSPAN="20"></TD>'] * (len(entries) < 3)
        inner = "".join(
            f"<TR>{''.join(entries[i : i + across])}</TR>" for i in range(0, len(entries), across)
        )
        rows = [f'{wide}<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="2">'
                f"{inner}</TABLE></TD>"]  # fmt: skip
        notes = painter.notes(self.view)
        if painter.range_text():
            rows.append(wide + spans_html([Span("██", colour) for colour in CIVIDIS]) + "</TD>")
            notes.insert(0, painter.range_text())
        rows += [f"{wide}{spans_html([Span(note, theme.muted)])}</TD>" for note in notes]
        table = "".join(f"<TR>{row}</TR>" for row in rows)
        return ['  graph [labelloc=b, labeljust=l, label=<<TABLE BORDER="0" CELLBORDER="0" '
                f'CELLSPACING="2" CELLPADDING="2">{table}</TABLE>>];']  # fmt: skip

    def _column(self, name: str, colour: str) -> list[str]:
        title = spans_html([Span(name, self.theme.ink, True, 12.0)])
        return [
            f'  subgraph cluster_{name} {{ color="{colour}"; style=rounded;',
            f"    label=<{title}>;",
        ]

    def _find_boxes(self) -> dict[int, Node]:
        """The modules with more than one visible node, with their first."""
        first: dict[int, Node] = {}
        boxes: dict[int, Node] = {}
        for node in self.graph.nodes:
            around = self.graph.enclosing(node.module)
            for module in around[: -1 if node.members else None]:
                if module in first:
                    boxes[module] = first[module]
                first.setdefault(module, node)
        return dict(sorted(boxes.items()))

    def _cluster(self, box, inside, children, lines, indent) -> None:
        """Clusters nest as deep as modules do: a handful of levels."""
        innermost = box
        for node in inside.get(box, []):
            label = card_html(self.painter.card(node, innermost), self.images)
            lines.append(f"{indent}n{node.id} [label={label}];")
        for child in children.get(box, []):
            backward = self.painter.in_backward(child)
            tint = self.theme.gradient_tint if backward else self.theme.module
            lines.append(f"{indent}subgraph cluster_{child} {{ style=\"rounded,filled\"; "
                         f'margin=10; fillcolor="{tint}"; '
                         f'color="{self.theme.module_line}"; label="";')  # fmt: skip
            label = lines_html(self.painter.caption(child))
            lines.append(f"{indent}  m{child} [label={label}];")
            self._cluster(child, inside, children, lines, indent + "  ")
            lines.append(indent + "}")

    def _captions(self) -> list[str]:
        """Each caption beside the first card of its module, inner ones nearer."""
        beside: dict[int, list[int]] = {}
        for box, node in self.boxes.items():
            beside.setdefault(node.id, []).append(box)
        lines = []
        for id, modules in beside.items():
            chain = [*(f"m{module}" for module in modules), f"n{id}"]
            lines.append(f"  {{ rank=same; {'; '.join(chain)}; }}")
            lines.append(f"  {' -> '.join(chain)} [style=invis];")
        return lines

    def _edge(self, edge: Edge) -> str:
        ends = self.by_id[edge.source], self.by_id[edge.target]
        text = self.painter.edge_text(edge, *ends)
        label = f"label={self._text(' ' + text, self.theme.muted)}, " if text else ""
        colour, dash = self.painter.edge_look(edge, *ends)
        look = "" if colour == self.theme.line else f', color="{colour}"'
        look += "" if dash == "solid" else f", style={dash}"
        line = (f"  n{edge.source} -> n{edge.target} [{label}"
                f"penwidth={line_width(edge.nbytes)}{self._weight(edge)}{look}];")  # fmt: skip
        if self.view.backward == "overlay" and self._returns(edge):
            line += (
                f"\n  n{edge.source} -> n{edge.target} [dir=back, style=dashed, constraint=false, "
                f'color="{self.theme.gradient}", penwidth={line_width(edge.nbytes) / 2 + 0.3:.2f}];'
            )
        return line

    def _weight(self, edge: Edge) -> str:
        """Edges along the main path weigh more: it is straight, and skips bend around it."""
        follows = self.order[edge.target] == self.order[edge.source] + 1
        fans = max(self.readers[edge.source], self.sources[edge.target])
        return ", weight=20" if follows and fans <= 3 else ""

    def _returns(self, edge: Edge) -> bool:
        """Whether a gradient was measured that comes back along an edge."""
        source = self.by_id[edge.source]
        return edge.differentiable and source.requires_grad and source.gradient is not None

    def _text(self, text: str, colour: str) -> str:
        """The label of an edge; above the line where edges run from left to right."""
        spans = spans_html([Span(self.painter.text(text), colour, False, SMALL)])
        if self.view.direction == "TB":
            return f"<{spans}>"
        return ('<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
                f'<TR><TD>{spans} </TD></TR><TR><TD HEIGHT="6"></TD></TR></TABLE>>')  # fmt: skip
