"""The DOT source of scalars: boxes hold a value and its ∂f/∂, circles are operations.

On each edge into a circle stands the local derivative; a box's ∂f/∂ is the sum, over the edges
that leave it, of the local derivative times the ∂f/∂ at the other end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .card import NORMAL, SMALL, Span
from .cards import Painter
from .html_labels import spans_html
from .model import Edge, Node
from .scalar import chain_text, number_text
from .theme import FAMILIES, FONT
from .transforms import merge_parallel

if TYPE_CHECKING:
    from .view import View

SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "power": "^"}
WRITTEN = {"add": " + ", "subtract": " − ", "multiply": "·", "divide": "/", "power": "^"}
LONGEST = 13


def body(view: View) -> list[str]:
    """The lines between the braces of the digraph."""
    painter = Painter(view)
    theme, graph = painter.theme, view.shown
    labels = expressions(graph.nodes, graph.edges, graph.outputs)
    lines = [
        f'  graph [rankdir={view.direction}, bgcolor="{theme.background}", fontname="{FONT}", '
        "nodesep=0.25, ranksep=0.35, pad=0.15];",
        f'  node [shape=plain, fontname="{FONT}", fontsize=10, fontcolor="{theme.ink}"];',
        f'  edge [fontname="{FONT}", fontsize=8, color="{theme.line}", arrowsize=0.6];',
    ]
    for node in graph.nodes:
        lines.append(f"  n{node.id} [label={_box(painter, node, labels[node.id])}];")
        if not node.is_input:
            look = FAMILIES.get(node.family, FAMILIES["custom"])
            sign = painter.span(SIGNS.get(node.name, node.name), look.ink, True, NORMAL)
            lines.append(
                f"  o{node.id} [shape=circle, style=filled, margin=0.02, width=0.3, "
                f'color="{look.colour}", fillcolor="{look.colour}", label=<{spans_html([sign])}>];'
            )
            lines.append(f"  o{node.id} -> n{node.id} [weight=10];")
    by_id = {node.id: node for node in graph.nodes}
    for edge in merge_parallel(graph.edges):
        text = painter.edge_text(edge, by_id[edge.source], by_id[edge.target])
        label = spans_html([painter.span(f" {text} ", theme.gradient)]) if text else ""
        lines.append(f"  n{edge.source} -> o{edge.target}{f' [label=<{label}>]' if label else ''};")
    notes = "".join(
        f'<TR><TD ALIGN="LEFT">{spans_html([Span(note, theme.muted)])}</TD></TR>'
        for note in painter.notes(view)
    )
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="1">{notes}</TABLE>'
    return [*lines, f"  graph [labelloc=b, labeljust=l, label=<{table}>];"]


def expressions(
    nodes: tuple[Node, ...], edges: tuple[Edge, ...], outputs: tuple[int, ...]
) -> dict[int, str]:
    """What stands for each node: its formula while that is short, else a name v1, v2, …"""
    operands: dict[int, dict[int, int]] = {}
    for edge in edges:
        operands.setdefault(edge.target, {})[edge.position] = edge.source
    texts: dict[int, str] = {}
    names = 0
    for node in nodes:
        if node.is_input:
            texts[node.id] = node.name
            continue
        text = _formula(node, operands.get(node.id, {}), texts)
        if len(text) > LONGEST:
            names += 1
            text = f"v{names}"
        texts[node.id] = text
    if len(outputs) == 1:
        text = texts[outputs[0]]
        texts[outputs[0]] = "f" if text.startswith("v") and text[1:].isdigit() else f"f = {text}"
    return texts


def _formula(node: Node, operands: dict[int, int], texts: dict[int, str]) -> str:
    words = {position: texts[id] for position, id in operands.items()}
    if node.name not in WRITTEN:
        return f"{node.name}({', '.join(words[position] for position in sorted(words))})"
    pair = [words.get(i) or _constant(node, "xy"[i]) for i in (0, 1)]
    if node.name != "add":
        pair = [f"({word})" if " " in word and "(" not in word else word for word in pair]
    return WRITTEN[node.name].join(pair)


def _constant(node: Node, operand: str) -> str:
    """A plain number among the operands, where the tape kept it."""
    for word in node.attributes.split():
        if word.startswith(f"{operand}="):
            return word[2:].replace("-", "−")
    return "c"


def _box(painter: Painter, node: Node, name: str) -> str:
    """Name and value above, ∂f/∂ below; an input shows the chain rule multiplied out."""
    theme = painter.theme
    words = spans_html([painter.span(name, theme.ink, True, NORMAL)])
    value = spans_html([painter.span(number_text(node.value), theme.ink, False, NORMAL)])
    fill = theme.module if node.is_input else theme.body or "#FFFFFF"
    rows = [f'<TR><TD ALIGN="LEFT" BGCOLOR="{fill}">{words}</TD>'
            f'<TD ALIGN="RIGHT" BGCOLOR="{fill}">{value}</TD></TR>']  # fmt: skip
    if node.slope is not None:
        product = chain_text(painter.graph, node.id) if node.is_input else ""
        of = node.name if node.is_input and len(node.name) < 8 else ""
        text = f"∂f/∂{of} = {product or number_text(node.slope)}"
        slope = spans_html([painter.span(text, theme.gradient, False, SMALL + 1)])
        rows.append(f'<TR><TD COLSPAN="2" BGCOLOR="{theme.gradient_tint}">{slope}</TD></TR>')
    return (
        f'<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3" COLOR="{theme.line}">'
        f"{''.join(rows)}</TABLE>>"
    )
