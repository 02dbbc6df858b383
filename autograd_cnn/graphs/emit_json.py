"""The description as JSON, and back: what a program would read instead of a picture.

The schema is that of the classes in `model`, field by field, in format version 2: a field that is
absent has its default. Tuples are lists, thumbnails base64, and a number that JSON does not know
is "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import MISSING, Field, fields
from functools import cache
from math import isfinite
from typing import Any

from .model import Edge, Graph, Module, Node, Parameter, Statistics
from .receptive import ReceptiveField

FORMAT, VERSION = "autograd_cnn graph", 2


def text(graph: Graph) -> str:
    """Nodes, edges and modules with the fields that are not their defaults; the same each time."""
    record = {"format": FORMAT, "version": VERSION, "name": graph.name, "note": graph.note}
    lines = [json.dumps(record, ensure_ascii=False)[:-1]]
    for name in ("nodes", "edges", "modules"):
        rows = [json.dumps(_plain(item), ensure_ascii=False, allow_nan=False)
                for item in getattr(graph, name)]  # fmt: skip
        lines.append(f'"{name}": [' + ("\n " + ",\n ".join(rows) + "\n" if rows else "") + "]")
    lines.append(f'"outputs": {json.dumps(list(graph.outputs))}')
    return ",\n".join(lines) + "}\n"


def from_json(text: str | bytes) -> Graph:
    """The graph that `Graph.to_json` or a saved `.json` describes; it has no tape.

    >>> import autograd_cnn as ag
    >>> g = ag.graph(lambda x: ag.sum(ag.exp(x)), [1.0, 2.0])
    >>> ag.graphs.from_json(g.to_json()) == g
    True

    Raises ValueError for JSON that is no graph, or one of an unknown version.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f'this JSON is no graph: its "format" is not "{FORMAT}"')
    if record.get("version") != VERSION:
        raise ValueError(f"format version {record.get('version')!r} is not {VERSION}")
    try:
        return Graph(
            tuple(_node(node) for node in record["nodes"]),
            tuple(Edge(**_values(edge)) for edge in record["edges"]),
            tuple(Module(**_values(module)) for module in record["modules"]),
            tuple(record["outputs"]),
            record["name"],
            record["note"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this JSON is no graph: {error}") from error


def _node(record: dict[str, Any]) -> Node:
    values = _values(record)
    for name, kind in (("receptive_field", ReceptiveField), ("statistics", Statistics)):
        if name in values:
            values[name] = kind(**_values(values[name]))
    if "parameters" in values:
        values["parameters"] = tuple(Parameter(**_values(p)) for p in record["parameters"])
    if "maps" in values:
        values["maps"] = tuple(b64decode(image) for image in record["maps"])
    return Node(**values)


def _values(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: float(value) if value in _SPECIAL and name not in _WORDS else _tupled(value)
        for name, value in record.items()
    }


_SPECIAL = ("NaN", "Infinity", "-Infinity")
_WORDS = ("name", "kind", "summary", "attributes", "operand", "source")


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


@cache
def _fields(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, _default(field)) for field in fields(kind))


def _default(field: Field) -> Any:
    return _Required if field.default is MISSING else field.default


class _Required:
    """Equal to no value."""


def _plain(value: Any) -> Any:
    """A record without its defaults, in lists, strings and numbers."""
    if isinstance(value, (str, int, type(None))):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value).replace("inf", "Infinity").replace(
            "nan", "NaN")  # fmt: skip
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    found = ((name, getattr(value, name), default) for name, default in _fields(type(value)))
    return {name: _plain(item) for name, item, default in found if item != default}
