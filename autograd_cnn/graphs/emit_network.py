"""The graph for other programs: networkx, GraphML, GEXF, Mermaid."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from ..errors import require, shape_text
from .html_labels import escape
from .model import Graph, Node
from .theme import FAMILIES
from .transforms import merge_parallel

if TYPE_CHECKING:
    from .view import View

MOST_EDGES = 200


def network(graph: Graph) -> Any:
    """A networkx MultiDiGraph whose attributes are numbers, strings and booleans only."""
    networkx = require("networkx", "graph")
    result = networkx.MultiDiGraph(name=graph.name)
    for node in graph.nodes:
        result.add_node(node.id, **_facts(graph, node))
    for edge in graph.edges:
        result.add_edge(
            edge.source,
            edge.target,
            key=edge.position,
            shape=shape_text(edge.shape),
            nbytes=edge.nbytes,
            operand=edge.operand,
            differentiable=edge.differentiable,
            count=edge.count,
        )
    return result


def graphml(graph: Graph) -> bytes:
    """GraphML, for yEd, Gephi or Cytoscape; MissingDependencyError without networkx."""
    networkx = require("networkx", "graph")
    file = io.BytesIO()
    networkx.write_graphml_xml(_writable(graph), file, named_key_ids=True)
    return file.getvalue()


def gexf(graph: Graph) -> bytes:
    """GEXF, for Gephi, without the date that would make two files differ."""
    networkx = require("networkx", "graph")
    result = _writable(graph)
    for _, facts in result.nodes(data=True):
        facts["label"] = facts["name"]
    text = "\n".join(networkx.generate_gexf(result, version="1.2draft"))
    text = re.sub(r' lastmodifieddate="[^"]*"', "", text)
    return ('<?xml version="1.0" encoding="utf-8"?>\n' + text + "\n").encode()


def mermaid(view: View) -> bytes:
    """A Mermaid flow chart, which GitHub and many wikis draw.

    Raises ValueError above 200 edges, where Mermaid itself gives up.
    """
    graph = view.shown
    edges = merge_parallel(graph.edges)
    if len(edges) > MOST_EDGES:
        raise ValueError(
            f"Mermaid draws up to {MOST_EDGES} edges well, and this view has {len(edges)}: "
            'collapse modules (level="module" or depth=1), slice, or save as svg'
        )
    lines = [f"flowchart {view.direction}"]
    for node in graph.nodes:
        text = " ".join(part for part in (node.name, node.attributes) if part)
        lines.append(f'  n{node.id}["{_quoted(text)}"]:::{node.family}')
    for edge in edges:
        times = f" ×{edge.count}" if edge.count > 1 else ""
        label = f'|"{shape_text(edge.shape)}{times}"|' if "shape" in view.show else ""
        lines.append(f"  n{edge.source} -->{label} n{edge.target}")
    for family in dict.fromkeys(node.family for node in graph.nodes):
        look = FAMILIES.get(family, FAMILIES["custom"])
        lines.append(f"  classDef {family} fill:{look.colour},color:{look.ink}")
    if view.note:
        lines.append(f"  %% {view.note}")
    return ("\n".join(lines) + "\n").encode()


def _facts(graph: Graph, node: Node) -> dict[str, Any]:
    statistics = node.statistics
    optional = {
        "multiplications": node.multiplications,
        "gradient": node.gradient,
        "seconds": node.seconds,
        "backward_seconds": node.backward_seconds,
        "nonfinite": statistics.nonfinite if statistics else None,
        "receptive_field": str(node.receptive_field) if node.receptive_field else None,
    }
    return {
        "name": node.name,
        "family": node.family,
        "shape": shape_text(node.shape),
        "dtype": node.dtype,
        "nbytes": node.nbytes,
        "attributes": node.attributes,
        "parameters": sum(p.count for p in node.parameters if p.trainable),
        "parameter_names": ", ".join(p.name for p in node.parameters if p.trainable),
        "kept": ", ".join(node.kept),
        "kept_bytes": node.kept_bytes,
        "module": ".".join(graph.path(node.module)),
        "requires_grad": node.requires_grad,
        "output": node.id in graph.outputs,
        "source": node.source,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _writable(graph: Graph) -> Any:
    """The network with texts that XML can hold."""
    result = network(graph)
    for facts in [facts for *_, facts in result.nodes(data=True)] + [
        facts for *_, facts in result.edges(data=True)
    ]:
        for name, value in facts.items():
            if isinstance(value, str):
                facts[name] = _held(value)
    return result


def _held(text: str) -> str:
    """Text without the characters that XML has no way to write; the writer escapes the rest."""
    return "".join(c if escape(c) != "�" else "�" for c in text)


def _quoted(text: str) -> str:
    """Mermaid reads `#quot;` and its like inside quotes; markup and line ends must not reach it."""
    text = _held(text).replace("#", "#35;").replace("&", "#amp;").replace('"', "#quot;")
    text = text.replace("<", "#lt;").replace(">", "#gt;").replace("\\", "#92;").replace("`", "#96;")
    return " ".join(text.split())
