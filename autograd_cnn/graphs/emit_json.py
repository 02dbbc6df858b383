"""The description as JSON: what a program would read instead of a picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from .model import Graph


def text(graph: Graph) -> str:
    """Nodes, edges and modules with all their fields; the same bytes each time."""
    record: dict[str, Any] = {
        "format": "autograd_cnn graph",
        "version": 1,
        "nodes": [_plain(asdict(node)) for node in graph.nodes],
        "edges": [asdict(edge) for edge in graph.edges],
        "modules": [asdict(module) for module in graph.modules],
        "outputs": list(graph.outputs),
    }
    return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=True) + "\n"


def _plain(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "fingerprint"}
