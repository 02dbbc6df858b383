"""A drawing: rectangles, texts and lines at fixed places, in points, y downwards.

Our own layouts end in one. It is written as SVG here, or placed by Graphviz for other formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .card import Span
from .html_labels import escape
from .theme import FONT
from .thumbnails import data_uri

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A box from its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    line: str | None = None
    radius: float = 0.0
    line_width: float = 1.0


@dataclass(frozen=True, slots=True)
class Image:
    """A small PNG from its upper left corner, with a name for programs that read files."""

    x: float
    y: float
    side: float
    name: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `x` is its start, middle or end, `y` the middle of its height."""

    x: float
    y: float
    spans: tuple[Span, ...]
    anchor: str = "start"

    @property
    def size(self) -> float:
        return max(span.size for span in self.spans)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through right-angled corners, rounded; `arrow` puts a head at its end."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.0
    dash: str = "solid"
    arrow: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs to one node, with a tooltip."""

    key: str
    tooltip: str
    items: tuple[Rectangle | Text | Image, ...]


@dataclass(slots=True)
class Drawing:
    """Items in the order in which they are painted."""

    title: str
    background: str
    width: float = 0.0
    height: float = 0.0
    items: list[Rectangle | Text | Line | Group] = field(default_factory=list)

    def svg(self) -> str:
        """The drawing as one SVG document, byte for byte the same each time."""
        size = f"{_n(self.width)} {_n(self.height)}"
        width, height = size.split()
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
            f'viewBox="0 0 {size}" font-family="{FONT}" role="img">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="100%" height="100%" fill="{self.background}"/>',
        ]
        for item in self.items:
            _write(item, parts)
        parts.append("</svg>\n")
        return "\n".join(parts)


ARROW = 6.0
DASHES = {"solid": "", "dashed": "4,2.5", "dotted": "1.2,2.6"}


def corners(points: tuple[Point, ...], radius: float = 6.0) -> list[Point]:
    """A polyline as a cubic Bézier path (start, then three points a segment), corners rounded."""
    path = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into, out = _towards(corner, before, radius), _towards(corner, after, radius)
        path += [*_straight(path[-1], into), _mix(into, corner), _mix(out, corner), out]
    return path + _straight(path[-1], points[-1])


def shortened(line: Line) -> tuple[Point, ...]:
    """The points of a line that leaves room for its arrow head."""
    if not line.arrow:
        return line.points
    end, before = line.points[-1], line.points[-2]
    return (*line.points[:-1], _towards(end, before, head(line)))


def head(line: Line) -> float:
    """The length of a line's arrow head."""
    return ARROW + 0.4 * line.width


def _towards(start: Point, end: Point, distance: float) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = abs(dx) + abs(dy)
    share = min(0.5, distance / length) if length else 0.0
    return start[0] + dx * share, start[1] + dy * share


def _mix(outer: Point, corner: Point) -> Point:
    return outer[0] * 0.45 + corner[0] * 0.55, outer[1] * 0.45 + corner[1] * 0.55


def _straight(start: Point, end: Point) -> list[Point]:
    dx, dy = (end[0] - start[0]) / 3, (end[1] - start[1]) / 3
    return [(start[0] + dx, start[1] + dy), (end[0] - dx, end[1] - dy), end]


def _n(value: float) -> str:
    """A coordinate with one digit after the point at most."""
    return f"{value:.1f}".removesuffix(".0")


def _write(item: Rectangle | Text | Image | Line | Group, parts: list[str]) -> None:
    if isinstance(item, Group):
        parts.append(f'<g id="{item.key}"><title>{escape(item.tooltip)}</title>')
        for inner in item.items:
            _write(inner, parts)
        parts.append("</g>")
    elif isinstance(item, Rectangle):
        line = f' stroke="{item.line}" stroke-width="{_n(item.line_width)}"' if item.line else ""
        radius = f' rx="{_n(item.radius)}"' if item.radius else ""
        parts.append(
            f'<rect x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.width)}" '
            f'height="{_n(item.height)}"{radius} fill="{item.fill}"{line}/>'
        )
    elif isinstance(item, Image):
        parts.append(
            f'<image x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.side)}" '
            f'height="{_n(item.side)}" href="{data_uri(item.png)}" '
            'style="image-rendering:pixelated"/>'
        )
    elif isinstance(item, Text):
        anchor = f' text-anchor="{item.anchor}"' if item.anchor != "start" else ""
        place = f'x="{_n(item.x)}" y="{_n(item.y + 0.36 * item.size)}"{anchor}'
        spans = [_span(span, "tspan") for span in item.spans[1:]]
        first = _span(item.spans[0], f"text {place}", "".join(spans))
        parts.append(first)
    else:
        _write_line(item, parts)


def _span(span: Span, tag: str, inner: str = "") -> str:
    # a tspan inside a bold text would be bold too
    bold = ' font-weight="bold"' if span.bold else ' font-weight="normal"' if tag == "tspan" else ""
    space = ' xml:space="preserve"' if inner else ""
    return (
        f'<{tag} font-size="{_n(span.size)}"{bold} fill="{span.colour}"{space}>'
        f"{escape(span.text)}{inner}</{tag.partition(' ')[0]}>"
    )


def _write_line(line: Line, parts: list[str]) -> None:
    path = corners(shortened(line))
    text = f"M{_n(path[0][0])},{_n(path[0][1])}C" + " ".join(
        f"{_n(x)},{_n(y)}" for x, y in path[1:]
    )
    dash = f' stroke-dasharray="{DASHES[line.dash]}"' if DASHES[line.dash] else ""
    parts.append(
        f'<path d="{text}" fill="none" stroke="{line.colour}" stroke-width="{line.width:g}"{dash}/>'
    )
    if line.arrow:
        (x, y), (bx, by) = line.points[-1], path[-1]
        side = 0.4 + 0.04 * line.width
        dx, dy = (x - bx) * side, (y - by) * side
        parts.append(
            f'<path d="M{_n(x)},{_n(y)}L{_n(bx - dy)},{_n(by + dx)} {_n(bx + dy)},{_n(by - dx)}Z" '
            f'fill="{line.colour}"/>'
        )
