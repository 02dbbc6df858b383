"""A drawing: rectangles, texts and lines at fixed places, in points, y downwards.

Our own layouts end in one. It is written as SVG here, or placed by Graphviz for other formats.
Items are not frozen: making a frozen one takes three times as long, and a drawing has many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from .card import SMALL, Span
from .html_labels import escape
from .theme import FONT
from .thumbnails import data_uri

Point = tuple[float, float]


@dataclass(slots=True)
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


@dataclass(slots=True)
class Image:
    """A small PNG from its upper left corner, with a name for programs that read files."""

    x: float
    y: float
    side: float
    name: str
    png: bytes


@dataclass(slots=True)
class Text:
    """One line of text; `x` is its start, middle or end, `y` the middle of its height."""

    x: float
    y: float
    spans: tuple[Span, ...]
    anchor: str = "start"

    @property
    def size(self) -> float:
        return max(span.size for span in self.spans)


@dataclass(slots=True)
class Line:
    """A line through right-angled corners, rounded; `arrow` puts a head at its end."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.0
    dash: str = "solid"
    arrow: bool = True


@dataclass(slots=True)
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
            f'viewBox="0 0 {size}" font-family="{FONT}" font-size="{_n(SMALL)}" role="img">',
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


@lru_cache(maxsize=1 << 14)
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
        line = f' stroke="{item.line}"' if item.line else ""
        line += (
            f' stroke-width="{_n(item.line_width)}"' if item.line and item.line_width != 1 else ""
        )
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
        place = f' x="{_n(item.x)}" y="{_n(item.y + 0.36 * item.size)}"{anchor}'
        first, *others = item.spans
        inner = "".join([f"<tspan{_other_look(s, first)}>{escape(s.text)}</tspan>" for s in others])
        space = ' xml:space="preserve"' if inner else ""
        parts.append(f"<text{place}{_look(first)}{space}>{escape(first.text)}{inner}</text>")
    else:
        _write_line(item, parts)


def _look(span: Span) -> str:
    """The attributes of a text, the document's own size left out."""
    size = f' font-size="{_n(span.size)}"' if span.size != SMALL else ""
    weight = ' font-weight="bold"' if span.bold else ""
    return f'{size}{weight} fill="{span.colour}"'


def _other_look(span: Span, first: Span) -> str:
    """The attributes in which a piece differs from the text that it stands in."""
    size = f' font-size="{_n(span.size)}"' if span.size != first.size else ""
    weight = "" if span.bold == first.bold else ' font-weight="bold"' if span.bold else (
        ' font-weight="normal"')  # fmt: skip
    return size + weight + (f' fill="{span.colour}"' if span.colour != first.colour else "")


def _write_line(line: Line, parts: list[str]) -> None:
    points = shortened(line)
    if len(points) == 2:
        path, curve = list(points), "L"
    else:
        path, curve = corners(points), "C"
    text = f"M{_n(path[0][0])},{_n(path[0][1])}{curve}" + " ".join(
        [f"{_n(x)},{_n(y)}" for x, y in path[1:]]
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
