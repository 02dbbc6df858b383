"""Pictures from DOT by Graphviz: the `dot` program if there is one, else pygraphviz.

pygraphviz holds the interpreter's lock while it works and prints its complaints, so it runs in a
process of its own, which can be stopped and whose messages are read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from ..errors import require
from .card import width_of
from .drawing import Drawing, Group, Image, Line, Point, Rectangle, Text, corners, head, shortened
from .html_labels import spans_html
from .theme import FONT
from .thumbnails import data_uri

_CHILD = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog=sys.argv[2]))
"""


class RenderError(RuntimeError):
    """Graphviz failed or took too long; the message holds what it printed."""


def available() -> bool:
    """Whether Graphviz can be reached in one of the two ways."""
    return shutil.which("dot") is not None or find_spec("pygraphviz") is not None


def render(
    source: str,
    format: str,
    engine: str = "dot",
    timeout: float = 60.0,
    images: Mapping[str, bytes] | None = None,
) -> bytes:
    """DOT source as svg, png or pdf; `images` are the PNG files it names, inlined in an svg.

    Raises MissingDependencyError when Graphviz is not there, RenderError with its own words when
    it fails, complains about the source, or needs longer than `timeout` seconds.
    """
    program = shutil.which("dot")
    if program is not None:
        command = [program, f"-T{format}", f"-K{engine}"]
    else:
        if not available():
            require("pygraphviz", "graph")
        command = [sys.executable, "-c", _CHILD, format, engine]
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, png in (images or {}).items():
                (Path(folder) / name).write_bytes(png)
            done = subprocess.run(command, input=source.encode(), capture_output=True,
                                  timeout=timeout, cwd=folder)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise RenderError(
            f"Graphviz needed more than {timeout:g} s for {len(source)} characters of DOT; "
            'collapse modules (level="module" or depth=1) or use layout="lanes"'
        ) from error
    messages = done.stderr.decode(errors="replace").splitlines()
    complaints = [m for m in messages if "error" in m.lower() and "fontconfig" not in m.lower()]
    if done.returncode or complaints or not done.stdout:
        words = "\n".join(complaints or messages[-5:]) or f"exit status {done.returncode}"
        raise RenderError(f"Graphviz could not draw the graph as {format}: {words}")
    return _inlined(done.stdout, images) if images and format == "svg" else done.stdout


def _inlined(svg: bytes, images: Mapping[str, bytes]) -> bytes:
    for name, png in images.items():
        svg = svg.replace(f'href="{name}"'.encode(), f'href="{data_uri(png)}"'.encode())
    return svg


def limited(source: str) -> str:
    """The source with Graphviz's iterations cut, for graphs with long edges."""
    return source.replace("graph [", "graph [nslimit=0.1, nslimit1=0.1, mclimit=0.1, ", 1)


def place(drawing: Drawing, format: str, timeout: float = 60.0) -> bytes:
    """A finished drawing as png or pdf: Graphviz only paints what is already placed."""
    images = {
        image.name: image.png
        for item in drawing.items if isinstance(item, Group)
        for image in item.items if isinstance(image, Image)
    }  # fmt: skip
    return render(placed_source(drawing), format, "nop2", timeout, images)


def placed_source(drawing: Drawing) -> str:
    """A drawing as DOT with every position given, in points, y upwards."""
    lines = [
        "digraph placed {",
        f'  graph [bgcolor="{drawing.background}", outputorder=nodesfirst, pad=0, dpi=144];',
        '  node [fixedsize=true, margin=0, label="", fontname="' + FONT + '"];',
    ]
    height = drawing.height
    frame = Rectangle(0, 0, drawing.width, height, drawing.background)
    flat = [frame]
    for item in drawing.items:
        flat.extend(item.items if isinstance(item, Group) else [item])
    for i, item in enumerate(flat):
        if isinstance(item, Rectangle):
            lines.append(_box(i, item, height))
        elif isinstance(item, Image):
            lines.append(_image(i, item, height))
        elif isinstance(item, Text):
            lines.append(_text(i, item, height))
        else:
            lines += _line(i, item, height)
    return "\n".join(lines) + "\n}\n"


def _box(i: int, box: Rectangle, height: float) -> str:
    filled = box.fill != "none"
    style = ",".join(["rounded"] * bool(box.radius > 3) + ["filled"] * filled) or "solid"
    x, y = box.x + box.width / 2, height - box.y - box.height / 2
    colour = box.line or box.fill
    fill = f'fillcolor="{box.fill}", ' if filled else ""
    pen = box.line_width if box.line else 0
    return (
        f'  r{i} [shape=box, style="{style}", {fill}color="{colour}", penwidth={pen:g}, '
        f'pos="{x:.2f},{y:.2f}", width={box.width / 72:.4f}, height={box.height / 72:.4f}];'
    )


def _image(i: int, image: Image, height: float) -> str:
    x, y = image.x + image.side / 2, height - image.y - image.side / 2
    return (
        f'  i{i} [shape=none, pos="{x:.2f},{y:.2f}", width={image.side / 72:.4f}, '
        f'height={image.side / 72:.4f}, image="{image.name}", imagescale=both];'
    )


def _text(i: int, text: Text, height: float) -> str:
    """Text in a cell of its own width, so that it starts, stands or ends where it should."""
    width = 4.0 + sum(width_of(span.text, span.size, span.bold) for span in text.spans)
    side = {"start": "LEFT", "middle": "CENTER", "end": "RIGHT"}[text.anchor]
    x = text.x + {"start": width / 2, "middle": 0.0, "end": -width / 2}[text.anchor]
    y = height - text.y - 0.08 * text.size  # Graphviz leaves more room below a line than above
    label = (
        '<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>'
        f'<TD ALIGN="{side}" WIDTH="{width:.0f}">{spans_html(text.spans)}</TD></TR></TABLE>>'
    )
    return (
        f'  t{i} [shape=none, pos="{x:.2f},{y:.2f}", width={width / 72:.4f}, '
        f"height=0.15, label={label}];"
    )


def _line(i: int, line: Line, height: float) -> list[str]:
    path = " ".join(_point(point, height) for point in corners(shortened(line)))
    end = f"e,{_point(line.points[-1], height)} " if line.arrow else ""
    arrow = f"arrowsize={head(line) / 10:.3f}" if line.arrow else "arrowhead=none"
    ends = [
        f'  {name}{i} [style=invis, width=0.01, height=0.01, pos="{_point(point, height)}"];'
        for name, point in (("a", line.points[0]), ("z", line.points[-1]))
    ]
    return [
        *ends,
        f'  a{i} -> z{i} [pos="{end}{path}", color="{line.colour}", penwidth={line.width:g}, '
        f"style={line.dash}, {arrow}];",
    ]


def _point(point: Point, height: float) -> str:
    return f"{point[0]:.2f},{height - point[1]:.2f}"
