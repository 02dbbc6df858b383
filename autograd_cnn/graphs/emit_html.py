"""A picture as one HTML file that needs no network: the SVG in rows, its data, a small viewer.

The cards are painted once, by the layout in rows; the script only moves, hides and colours them,
so the page shows the whole graph where scripts are forbidden.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RuleError, TapeError, shape_text
from . import layout_lanes
from .cards import Painter, width_of
from .drawing import Drawing, Group, Rectangle
from .html_labels import escape
from .measure import is_measured, with_gradients
from .metrics import metric_of
from .model import Graph, Node
from .theme import CIVIDIS, FAMILIES, THEMES
from .transforms import collapse, grouped, merge_parallel
from .viewer_text import METRICS, Words

if TYPE_CHECKING:
    from .view import View

LARGEST = 2_000
POLICY = (
    "default-src 'none'; img-src data:; script-src '{script}'; style-src '{style}'; "
    "base-uri 'none'; form-action 'none'"
)
HINT = "Press ▶ (or p) to watch the forward pass"
_HERE = Path(__file__)
_COLOURS = {
    "grad_norm": "gradient", "flops": "flop", "bytes": "nbytes", "time": "seconds",
    "backward_time": "backward_seconds",
}  # fmt: skip
# the colours that every theme has, as variables of the page's style sheet
_VARIABLES = {
    name: f"var(--{name.replace('_', '-')})"
    for name, value in asdict(THEMES["light"]).items()
    if isinstance(value, str) and value.startswith("#")
}
_PAGE_THEME = replace(THEMES["light"], **_VARIABLES)


def page(view: View) -> str:
    """The HTML document of a view.

    It shows every operation (above 2,000 of them what the view shows), with the modules collapsed
    that are collapsed in the view (a folded run in a module of its own), and the backward pass
    beside the forward one wherever gradients are known or can still be measured. Its script has no
    network, and its content security policy allows no other.
    """
    graph = _graph_to_show(view)
    drawing = _drawing(view, graph)
    style = _style()
    script = _HERE.with_name("viewer.js").read_text("utf-8")
    lines = (line.lstrip() for line in script.splitlines(keepends=True))
    script = "".join(line for line in lines if not line.startswith("//"))
    policy = POLICY.format(script=_digest(script), style=_digest(style))
    data = json.dumps(_data(view, graph), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "policy": policy,
        "title": escape(view.title),
        "theme": "dark" if view.theme == "dark" else "light" if view.theme == "print" else "auto",
        "style": style,
        "legend": _legend(graph),
        "metrics": "".join(f'<option value="{key}">{escape(label)}</option>'
                           for key, label, _ in _present_metrics(view, graph)),
        "heat": "".join(f'<rect x="{12 * i}" width="12" height="12" fill="{colour}"/>'
                        for i, colour in enumerate(CIVIDIS)),
        "arrows": "".join(
            f'<marker id="arrow-{kind}" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="8" '
            f'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
            f'<path d="M0,0.5L8,4 0,7.5Z" class="fill-{kind}"/></marker>'
            for kind in ("line", "gradient", "seed", "accent")
        ),
        "note": escape(view.note if graph is view.shown else ""),
        "data": data.replace("<", r"\u003c"),
        "script": script,
        # quotes in names are escaped, so this finds attributes only; the policy forbids them
        "svg": re.sub(r' style="[^"]*"', "", drawing.svg()),
    }  # fmt: skip
    document = _HERE.with_name("viewer.html").read_text("utf-8")
    pieces = document.split("{{")
    return pieces[0] + "".join(
        parts[piece.partition("}}")[0]] + piece.partition("}}")[2] for piece in pieces[1:]
    )


def _graph_to_show(view: View) -> Graph:
    """Every operation while a browser can hold them, with gradients if they can be had."""
    graph = view.graph
    if not is_measured(graph):
        try:
            graph = with_gradients(graph)
        except (TapeError, RuleError):
            pass
    if len(graph.nodes) > LARGEST:
        return view.shown
    return grouped(graph, view.shown) if view.backward != "only" else graph


def _drawing(view: View, graph: Graph) -> Drawing:
    """The static picture of all operations, then the hidden cards of the collapsed modules."""
    drawing = layout_lanes.draw(_plain_view(view, graph, None))
    drawing.items = [_tinted(item) for item in drawing.items]
    for depth in range(1, _deepest(graph) + 1):
        plain = _plain_view(view, graph, depth)
        keys = {f"n{n.id}": f"m{n.module}" for n in _joined(plain.shown, graph)}
        keys |= {key.replace("n", "b"): name.replace("m", "q") for key, name in keys.items()}
        drawing.items += [
            replace(_tinted(item), key=keys[item.key])
            for item in layout_lanes.draw(plain).items
            if isinstance(item, Group) and item.key in keys
        ]
    return drawing


def _plain_view(view: View, graph: Graph, depth: int | None) -> View:
    """The view as rows in the page's colours, whole or collapsed to a depth."""
    THEMES.setdefault("page", _PAGE_THEME)
    plain = copy(view)
    plain.graph, plain.shown, plain.note = graph, collapse(graph, depth) if depth else graph, ""
    plain.level, plain.depth, plain.color, plain.theme = "op", depth, None, "page"
    plain.backward = "ladder" if is_measured(graph) else None
    return plain


def _joined(collapsed: Graph, graph: Graph) -> Iterator[Node]:
    """The nodes that stand for a module in one graph and do not in the other."""
    before = {node.id: node.members for node in graph.nodes}
    for node in collapsed.nodes:
        if node.members and node.members != before[node.id]:
            yield node


def _deepest(graph: Graph) -> int:
    return max((len(module.path) for module in graph.modules), default=0)


def _tinted(item: Any) -> Any:
    """A card whose tint gives way to the page's dark one."""
    if isinstance(item, Group) and isinstance(item.items[0], Rectangle):
        frame = item.items[0]
        if frame.fill.startswith("#"):
            frame = replace(frame, fill=f"var(--body,{frame.fill})")
        return replace(item, items=(frame, *item.items[1:]))
    return item


def _data(view: View, graph: Graph) -> dict[str, Any]:
    metrics = _present_metrics(view, graph)
    words = Words(graph, metrics)
    items = {f"n{node.id}": words.node(node) for node in graph.nodes}
    captions: list[list[str]] = [[] for _ in graph.modules]
    painter = Painter(_plain_view(view, graph, None))
    for module, members in words.members.items():
        if len(members) > 1:
            items[f"m{module}"] = words.module(module)
            lines = painter.caption(module)
            captions[module] = ["".join(span.text for span in line) for line in lines]
    edges = merge_parallel(graph.edges)
    return {
        "nodes": [{"id": node.id, "module": node.module} for node in graph.nodes],
        "edges": [
            [e.source, e.target, shape_text(e.shape), e.nbytes, e.differentiable, e.count]
            for e in edges
        ],
        "modules": [
            {
                "name": module.name,
                "parent": module.parent,
                "caption": captions[module.index],
                "width": round(max((width_of(line, 9.0) for line in captions[module.index]),
                                   default=0.0)),
            }
            for module in graph.modules
        ],
        "outputs": graph.outputs,
        "items": items,
        "formulas": words.formulas,
        "metrics": [{"key": key, "label": label} for key, label, _ in metrics],
        "colour": "own" if callable(view.color) else _COLOURS.get(view.color or "", ""),
        "collapsed": _collapsed_in(view, graph, words),
        "heat": CIVIDIS,
        "hint": HINT + (", then the backward pass." if is_measured(graph) else "."),
    }  # fmt: skip


def _present_metrics(view: View, graph: Graph) -> list[tuple]:
    """The metrics that are above zero somewhere, and the user's own."""
    present = [m for m in METRICS if any(m[2]([node]) for node in graph.nodes)]
    own = metric_of(view.color) if callable(view.color) else None
    if own is not None:
        # of a collapsed module it is that of its last operation, as for the norm
        present.append(("own", own.name, lambda nodes: own.value(nodes[-1])))
    return present


def _collapsed_in(view: View, graph: Graph, words: Words) -> list[int]:
    """The outermost modules that lie within one card of the view."""
    if graph is view.shown:
        return []
    whole = {id: node.id for node in view.shown.nodes for id in node.members}
    found: list[int] = []
    for module, members in words.members.items():
        cards = {whole.get(node.id) for node in members}
        if len(cards) == 1 and None not in cards and len(members) > 1:
            found.append(module)
    return found


def _legend(graph: Graph) -> str:
    """The families that are present, as a list."""
    present = {node.family for node in graph.nodes} | ({"module"} if graph.modules else set())
    return "".join(
        f'<li class="{name}"><b>{look.symbol}</b> {look.meaning}</li>'
        for name, look in FAMILIES.items()
        if name in present
    )


def _style() -> str:
    """The style sheet, with the palettes of the themes as variables."""
    light, dark = (
        "".join(f"--{name.replace('_', '-')}:{getattr(THEMES[theme], name)};"
                for name in _VARIABLES)
        for theme in ("light", "dark")
    )  # fmt: skip
    dark += f"--body:{THEMES['dark'].body};"
    families = "".join(
        f".{name} b{{background:{look.colour};color:{look.ink}}}" for name, look in FAMILIES.items()
    )
    rules = _HERE.with_name("viewer.css").read_text("utf-8")
    return rules.replace("LIGHT", light).replace("DARK", dark) + families


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
