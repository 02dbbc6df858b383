"""A picture of a graph: what to show, how to place it, and what file to write."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ..atomic import write_atomically
from ..errors import MissingDependencyError, require
from . import emit_dot, emit_json, emit_network, emit_scalar, layout_lanes
from .measure import is_measured, with_gradients
from .metrics import METRICS
from .mirror import mirrored
from .model import Graph, Node
from .render import RenderError, available, limited, place, render
from .scalar import has_derivatives, with_derivatives
from .transforms import collapse, fold_repeats

FORMATS = ("svg", "png", "pdf", "gv", "dot", "json", "graphml", "gexf", "mmd", "mermaid", "html")
SHOWN = (
    "shape", "params", "attrs", "dtype", "stats", "maps", "receptive_field", "kept", "source",
)  # fmt: skip
ALSO = {"saved": "kept"}
VISIBLE = 150
CHOICES = {
    "level": ("op", "module", "scalar"),
    "backward": (None, "ladder", "overlay", "only"),
    "direction": (None, "TB", "LR"),
    "layout": ("auto", "dot", "lanes"),
    "theme": ("light", "dark", "print"),
    "symbols": ("unicode", "ascii"),
}


class View:
    """A picture of a graph.

    `level="module"` shows the outermost modules as cards (`depth` deeper ones), `level="op"` each
    operation; with `fold` runs of equal modules are one card. `level="scalar"` shows, for a
    computation with single numbers, each value, ∂f/∂value and the local derivatives.

    `backward="ladder"` sets the backward pass beside the forward one, `"overlay"` draws its edges
    over it, `"only"` draws nothing else; all measure gradient norms. `color` adds to each card a
    coloured row: grad_norm, flops, bytes (of output), time or backward_time (a `Watch` is needed),
    or a function from a `Node` to a number, or None for no row.

    `show` chooses among shape, params, attrs, dtype, stats and maps (a `Watch` is needed),
    receptive_field, kept (or saved) and source. `layout` is Graphviz's `"dot"`, our `"lanes"` (one
    operation a row, downwards, skips on rails beside them; the ladder always uses it), or `"auto"`:
    dot while the graph is small enough for it. Above 150 nodes `"auto"` collapses modules, and a
    note in the legend says so. `direction` is TB or, for scalars, LR unless given.
    `symbols="ascii"` is for poor fonts.

    Raises ValueError for an option that is not there or that needs a `Watch`, TapeError when
    gradients are asked for and the tape is gone.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        level: str = "op",
        depth: int | None = None,
        fold: bool = True,
        backward: str | None = None,
        color: str | Callable[[Node], float | None] | None = None,
        show: tuple[str, ...] = ("shape", "params", "attrs"),
        direction: str | None = None,
        layout: str = "auto",
        theme: str = "light",
        symbols: str = "unicode",
    ) -> None:
        self.level, self.depth, self.fold = level, depth, fold
        self.backward, self.color, self.show = (
            backward,
            color,
            tuple(ALSO.get(word, word) for word in show),
        )
        self.direction, self.layout, self.theme, self.symbols = direction, layout, theme, symbols
        self._check(graph)
        self.direction = direction or ("LR" if level == "scalar" else "TB")
        if (backward or color == "grad_norm") and not is_measured(graph):
            graph = with_gradients(graph)
        if level == "scalar" and not has_derivatives(graph):
            graph = with_derivatives(graph)
        self.graph = graph
        self.shown, note = self._collapsed()
        if backward == "only":
            self.shown = mirrored(self.shown)
        self.note = " · ".join(words for words in (graph.note, note) if words)
        self.title = f"Computation graph of {len(graph.nodes)} operations"

    def _check(self, graph: Graph) -> None:
        check_options(vars(self))
        for wanted, there, how in (
            (self.color == "time", "seconds", "watch=True"),
            (self.color == "backward_time", "backward_seconds", "watch=True"),
            ("stats" in self.show, "statistics", "watch=True"),
            ("maps" in self.show, "maps", "watch=ag.graphs.Watch(maps=6)"),
        ):
            if wanted and not any(getattr(node, there) for node in graph.nodes):
                raise ValueError(
                    f"nobody watched the {there} of this graph: ag.graph(f, *examples, {how}), or "
                    "compute inside `with ag.graphs.Watch() as watch` and pass watch=watch"
                )

    def __repr__(self) -> str:
        return f"<view: {len(self.shown.nodes)} nodes, {self.backward or self.level}>"

    @cached_property
    def source(self) -> str:
        """The DOT source, without thumbnails: DOT can only name their files."""
        return self._dot()

    def to_graphviz(self) -> Any:
        """A `graphviz.Digraph` with the same source; MissingDependencyError without graphviz."""
        graphviz = require("graphviz", "graph")
        body = self.source.splitlines(keepends=True)[1:-1]
        return graphviz.Digraph("computation", body=body)

    def pipe(self, format: str = "svg") -> bytes:
        """The picture, or the data of what it shows, as bytes.

        Pictures are svg, png, pdf, gv or dot, html and mmd (Mermaid), data json, graphml and gexf.
        SVG of a ladder or of lanes and html need nothing installed, png, pdf and other SVG need
        Graphviz, graphml and gexf networkx. Raises ValueError for another format and for Mermaid
        above 200 edges, MissingDependencyError, or RenderError.
        """
        check_format(format)
        if format == "json":
            return emit_json.text(self.shown).encode()
        if format in ("gv", "dot"):
            return self.source.encode()
        if format == "graphml":
            return emit_network.graphml(self.shown)
        if format == "gexf":
            return emit_network.gexf(self.shown)
        if format in ("mmd", "mermaid"):
            return emit_network.mermaid(self)
        if format == "html":
            from .emit_html import page

            return page(self).encode()
        return self._picture(format, 60.0)

    def save(self, path: str | os.PathLike) -> Path:
        """Write the picture; the suffix says as what. The file appears whole or not at all.

        Raises what `pipe` raises, before anything is written.
        """
        return write_atomically(path, self.pipe(Path(path).suffix.removeprefix(".").lower()))

    def _repr_svg_(self) -> str | None:
        try:
            if len(self.shown.nodes) > 2_000:  # too much for a page; the text says how large it is
                return None
            return self._picture("svg", 2.0).decode()
        except Exception:  # a notebook shows the text instead
            return None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        svg = self._repr_svg_()
        bundle = {"text/plain": f"<view: {self.title}>"}
        return bundle if svg is None else {"image/svg+xml": svg, **bundle}

    def _collapsed(self) -> tuple[Graph, str]:
        """The graph at the level asked for, and a note when that was not every operation."""
        graph = self.graph
        if self.level == "scalar":
            return graph, ""
        if self.level == "module" or self.depth is not None:
            shown = collapse(graph, self.depth or 1)
            return (fold_repeats(shown) if self.fold else shown), ""
        if len(graph.nodes) <= VISIBLE or self.layout != "auto" or not graph.modules:
            return graph, ""
        deepest = max(len(module.path) for module in graph.modules)
        for depth in range(deepest, 0, -1):
            shown = collapse(graph, depth)
            shown = fold_repeats(shown) if self.fold else shown
            if len(shown.nodes) <= VISIBLE or depth == 1:
                break
        note = f"modules of depth {depth} collapsed: {len(shown.nodes)} of {len(graph.nodes)} nodes"
        return shown, note

    def _picture(self, format: str, timeout: float) -> bytes:
        layout = self._layout()
        if layout != "lanes":
            images = emit_dot.images_of(self)
            source = self._dot(bool(images))
            source = limited(source) if layout == "limited" else source
            if format == "png":
                source = source.replace("graph [", "graph [dpi=144, ", 1)
            try:
                return render(source, format, timeout=min(timeout, self._patience()),
                              images=images)  # fmt: skip
            except (RenderError, MissingDependencyError):
                # our own layout needs no Graphviz for SVG, and never hangs
                if self.layout == "dot" or (format != "svg" and not available()):
                    raise
        drawing = layout_lanes.draw(self)
        return drawing.svg().encode() if format == "svg" else place(drawing, format, timeout)

    def _dot(self, images: bool = False) -> str:
        if self.level == "scalar":
            lines = emit_scalar.body(self)
            return "digraph computation {\n" + "\n".join(lines) + "\n}\n"
        return emit_dot.source(self, images)

    def _patience(self) -> float:
        return 10.0 if self.layout == "auto" else 60.0

    def _layout(self) -> str:
        """Graphviz's time grows with the total span of the edges, not with their number."""
        if self.backward == "ladder" or self.layout == "lanes":
            return "lanes"
        if self.layout == "dot":
            return "dot"
        if self.backward == "overlay":  # dot would draw the gradients through the labels
            return "lanes"
        if len(self.shown.nodes) > 600:
            return "lanes"
        span = _total_span(self.shown)
        return "dot" if span <= 5_000 else "limited" if span <= 15_000 else "lanes"


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError for what no view understands, whatever the graph; all may be left out."""
    for name, allowed in CHOICES.items():
        if options.get(name, allowed[0]) not in allowed:
            raise ValueError(f"{name}={options[name]!r} is none of {allowed}")
    color, show = options.get("color"), options.get("show", ())
    if not (color is None or callable(color) or color in METRICS):
        raise ValueError(f"color={color!r} is none of {tuple(METRICS)} and no function")
    unknown = [name for name in show if name not in (*SHOWN, *ALSO)]
    if unknown:
        raise ValueError(f"show={unknown} is not among {SHOWN}")
    if options.get("level") == "scalar" and (
        options.get("backward") or options.get("depth") is not None
    ):
        raise ValueError(
            'level="scalar" shows every operation with its gradient: leave out backward and depth'
        )
    depth = options.get("depth")
    if depth is not None and depth < 1:
        raise ValueError(f"depth {depth} is below 1, the outermost modules")


def check_format(format: str) -> None:
    """Raise ValueError for a format, or a suffix, that no picture can be written as."""
    if format.lower() not in FORMATS:
        raise ValueError(f"format {format!r} is none of {', '.join(FORMATS)}")


def _total_span(graph: Graph) -> int:
    """The ranks that all edges together cross, a rank being the longest path to a node."""
    rank = {node.id: 0 for node in graph.nodes}
    for edge in sorted(graph.edges, key=lambda edge: edge.target):
        rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    return sum(rank[edge.target] - rank[edge.source] for edge in graph.edges)
