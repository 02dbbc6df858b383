"""The layout in rows: one operation a row in the order of the tape, the ladder beside it.

Neighbours are joined down the middle; a tensor that skips rows leaves on the left and runs on a
rail until its last reader. Boxes are unbroken runs of rows, so that they never overlap, and
their captions stand in a gutter that no line enters. The backward pass is the mirror image, with
what the tape kept as dotted rungs between the two. Time grows as n·log n.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from ..errors import shape_text
from .card import SMALL, THUMBNAIL, Card, Span, card_size, cell_width, row_height, width_of
from .cards import Painter, kept_text
from .drawing import Drawing, Group, Image, Line, Rectangle, Text
from .model import Edge, Node
from .theme import CIVIDIS, line_width
from .transforms import merge_parallel

if TYPE_CHECKING:
    from .view import View

MARGIN, GAP, RAIL, BOX, HANGING, ENTRY = 14.0, 27.0, 9.0, 9.0, 7.0, 6.5


@dataclass(slots=True)
class Row:
    """One node: its cards, their widths and where they are."""

    node: Node
    card: Card
    mirror: Card | None
    width: float
    mirror_width: float
    height: float
    top: float = 0.0


def draw(view: View) -> Drawing:
    """The picture of a view in rows: both columns for a ladder, the forward one otherwise."""
    return _Rows(view).draw()


class _Rows:
    def __init__(self, view: View) -> None:
        self.view, self.graph, self.painter = view, view.shown, Painter(view)
        self.theme = self.painter.theme
        self.ladder, self.overlay = view.backward == "ladder", view.backward == "overlay"
        self.edges = merge_parallel(self.graph.edges)
        self.place = {node.id: i for i, node in enumerate(self.graph.nodes)}
        self.boxes = self._find_boxes()
        within = {i: module for first, (last, module) in self.boxes.items()
                  for i in range(first, last + 1)}  # fmt: skip
        self.rows = [self._row(node, within.get(i)) for i, node in enumerate(self.graph.nodes)]
        self.drawing = Drawing(self.painter.text(view.title), self.theme.background)

    def draw(self) -> Drawing:
        self._set_columns()
        self._set_rows()
        self._paint_boxes()
        self._paint_edges()
        for row in self.rows:
            self._paint_card(row.card, self.left, self.width, row)
            if row.mirror:
                self._paint_card(row.mirror, self.mirror_left, self.mirror_width, row)
            elif self.ladder:
                x, y = self.mirror_left + self.mirror_width / 2, row.top + row.height / 2
                self._label(x, y, "no gradient asked for", anchor="middle")
        if self.ladder:
            self._paint_titles()
            self._paint_rungs()
            self._paint_seeds()
        self._paint_legend()
        return self.drawing

    # what goes where

    def _find_boxes(self) -> dict[int, tuple[int, int]]:
        """Each run of two or more rows inside one outermost module: first row → (last, module).

        A module's rows are one run, but for a backward pass that others interrupt.
        """
        boxes: dict[int, tuple[int, int]] = {}
        open_box: tuple[int, int | None] = (0, None)
        for i, node in enumerate(self.graph.nodes):
            around = self.graph.enclosing(node.module)
            whole = bool(around) and node.members and around[0] == node.module
            module = around[0] if around and not whole else None
            if module is None or module != open_box[1]:
                open_box = (i, module)
            else:
                boxes[open_box[0]] = (i, module)
        return boxes

    def _row(self, node: Node, box: int | None) -> Row:
        mirror = None
        if self.ladder and node.requires_grad:
            mirror = self.painter.gradient_card(node, within=box)
        card = self.painter.card(node, box)
        width, height = card_size(card)
        wide, high = card_size(mirror) if mirror else (0.0, 0.0)
        return Row(node, card, mirror, width, wide, max(height, high))

    def _set_columns(self) -> None:
        """Gutter for captions, rails, forward cards, rungs, backward cards, rails."""
        edges = [(self.place[e.source], self.place[e.target], e) for e in self.edges]
        self.rails = _rails([(i, j) for i, j, _ in edges if j > i + 1])
        # rows whose label hangs below them, because no line leaves them downwards
        self.hanging = set(self.rails) - {i for i, j, _ in edges if j == i + 1}
        arriving = Counter(j for i, j, _ in edges if j > i + 1)
        for j, count in arriving.items():  # each arrow has a place of its own, up to a dozen
            self.rows[j].height = max(self.rows[j].height, 5.5 + ENTRY * min(count, 12))
        back = [(i, j) for i, j, e in edges if j > i + 1 and self._returns(e)]
        self.mirror_rails = _rails(back if self.ladder else [])
        self.captions = {first: self.painter.caption(module)
                         for first, (_, module) in self.boxes.items()}  # fmt: skip
        spans = [span for lines in self.captions.values() for line in lines for span in line]
        gutter = max((width_of(s.text, s.size, s.bold) for s in spans), default=0.0)
        gutter += 2 * BOX if gutter else 0.0
        deepest = max(self.rails.values(), default=-1) + 1
        self.left = MARGIN + gutter + (deepest * RAIL + 12.0 if deepest else BOX)
        self.width = max(row.width for row in self.rows)
        self.right = self.left + self.width + (BOX if self.boxes else 0.0)
        self.drawing.width = self.right + MARGIN
        if not self.ladder:
            text = max(width_of(shape_text(n.shape), SMALL) for n in self.graph.nodes)
            self.drawing.width = max(self.drawing.width, self.middle + text + 30)
            return
        labels = [width_of(kept_text(row.node), SMALL) for row in self.rows]
        self.mirror_left = self.right + max(70.0, *labels) + (30.0 if self.boxes else 24.0)
        self.mirror_width = max(row.mirror_width for row in self.rows) or 60.0
        deepest = max(self.mirror_rails.values(), default=-1) + 1
        self.drawing.width = self.mirror_left + self.mirror_width + MARGIN
        self.drawing.width += deepest * RAIL + 12.0 if deepest else BOX

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    def _set_rows(self) -> None:
        y = MARGIN + (34.0 if self.ladder else 8.0)
        self.first = y
        ends = {last: first for first, (last, _) in self.boxes.items()}
        for i, row in enumerate(self.rows):
            y += 10.0 if i in self.boxes else 0.0
            row.top = y
            y += row.height
            if i in ends:
                y += HANGING if i in self.hanging else 0.0
                needed = 13.0 * len(self.captions[ends[i]]) + 8.0
                y = max(y, self.rows[ends[i]].top + needed) + 10.0
            y += GAP
        self.drawing.height = y

    # painting

    def _paint_boxes(self) -> None:
        theme, rows = self.theme, self.rows
        for first, (last, module) in self.boxes.items():
            top, bottom = rows[first].top - BOX, rows[last].top + rows[last].height + BOX
            bottom += HANGING if last in self.hanging else 0.0
            bottom = max(bottom, top + 13.0 * len(self.captions[first]) + 8.0)
            tint = theme.gradient_tint if self.painter.in_backward(module) else theme.module
            self.drawing.items.append(Rectangle(
                MARGIN, top, self.right - MARGIN, bottom - top, tint, theme.module_line, 8.0
            ))  # fmt: skip
            if self.ladder:
                self.drawing.items.append(Rectangle(
                    self.mirror_left - BOX, top,
                    self.drawing.width - MARGIN - self.mirror_left + BOX, bottom - top, tint,
                    theme.module_line, 8.0,
                ))  # fmt: skip
            for i, line in enumerate(self.captions[first]):
                self.drawing.items.append(Text(MARGIN + BOX, top + 13.0 + 13.0 * i, tuple(line)))

    def _paint_card(self, card: Card, left: float, width: float, row: Row) -> None:
        """A card over the full height of its row; cells on the right are set to the right edge."""
        items: list = [Rectangle(left, row.top, width, row.height, card.fill, card.border, 3.0)]
        y = row.top
        for cells in card.rows:
            height = row_height(cells)
            if cells[0].fill:
                items.append(Rectangle(left, y, width, height, cells[0].fill, None, 3.0))
            for i, cell in enumerate(cells):
                x = left + 5.0 if not (i and cell.right) else left + width - 5.0
                if i and cell.fill and cell.fill != cells[0].fill:
                    extent = cell_width(cell)
                    items.append(Rectangle(left + width - extent - 1, y + 1, extent, height - 2,
                                           cell.fill, None, 2.0))  # fmt: skip
                if cell.bar is not None:
                    x = left + width - 79.0
                    items.append(Rectangle(x, y + height / 2 - 3, max(2.0, 74 * cell.bar), 6,
                                           cell.bar_colour))  # fmt: skip
                elif i and len(cells) == 3:
                    x = left + width - 86.0
                for k, (name, png) in enumerate(cell.images):
                    place = left + 5.0 + k * (THUMBNAIL + 2)
                    items.append(Image(place, y + 3, THUMBNAIL, name, png))
                if any(span.text for span in cell.spans):
                    anchor = "end" if i and cell.right else "start"
                    items.append(Text(x, y + height / 2, cell.spans, anchor))
            y += height
        thick = 2.0 if card.thick else 1.0
        items.append(Rectangle(left, row.top, width, row.height, "none", card.border, 3.0, thick))
        if card.double:
            items.append(Rectangle(left - 3, row.top - 3, width + 6, row.height + 6, "none",
                                   card.border, 4.0, 2.0))  # fmt: skip
        self.drawing.items.append(Group(card.key, card.tooltip, tuple(items)))

    def _paint_edges(self) -> None:
        arrivals: dict[tuple[int, bool], int] = {}
        for edge in self.edges:
            i, j = self.place[edge.source], self.place[edge.target]
            width = line_width(edge.nbytes)
            if j == i + 1:
                self._down(i, edge, width)
            else:
                self._along_rail(i, j, edge, width, arrivals)
            if self.ladder and self._returns(edge):
                if j == i + 1:
                    self._up(i, edge, width)
                else:
                    self._back_along_rail(i, j, width, arrivals)

    def _down(self, i: int, edge: Edge, width: float) -> None:
        above, below = self.rows[i], self.rows[i + 1]
        start, end = above.top + above.height, below.top
        text, colour, dash = self._look(edge, i, i + 1)
        self._line(((self.middle, start), (self.middle, end)), colour, width, dash)
        self._label(self.middle + 5 + width / 2, (start + end) / 2, text)
        if self.overlay and self._returns(edge):
            x = self.middle - 9 - width / 2
            self._line(((x, end), (x, start)), self.theme.gradient, width / 2 + 0.3, "dashed")

    def _look(self, edge: Edge, i: int, j: int) -> tuple[str, str, str]:
        """(label, colour, dash) of an edge between two rows."""
        source, target = self.rows[i].node, self.rows[j].node
        return (
            self.painter.edge_text(edge, source, target),
            *self.painter.edge_look(edge, source, target),
        )

    def _up(self, i: int, edge: Edge, width: float) -> None:
        x = self.mirror_left + self.mirror_width / 2
        start, end = self.rows[i + 1].top, self.rows[i].top + self.rows[i].height
        self._line(((x, start), (x, end)), self.theme.gradient, width, "dashed")
        if "shape" in self.view.show:
            text = f"grad {shape_text(edge.shape)}"
            self._label(x + 5 + width / 2, (start + end) / 2, text, self.theme.gradient)

    def _along_rail(self, i, j, edge, width, arrivals) -> None:
        """Out at the lower left of the source, in at the upper left of the reader."""
        x = self.left - 12.0 - RAIL * self.rails[i]
        leave = self.rows[i].top + self.rows[i].height - 5.0
        enter = self._entry(j, arrivals, False)
        points = ((self.left, leave), (x, leave), (x, enter), (self.left, enter))
        text, colour, dash = self._look(edge, i, j)
        self._line(points, colour, width, dash)
        if self.overlay and self._returns(edge):
            back = ((self.left, enter + 8), (x + 4, enter + 8), (x + 4, leave - 8),
                    (self.left, leave - 8))  # fmt: skip
            self._line(back, self.theme.gradient, width / 2 + 0.3, "dashed")
        if i in self.hanging:
            self._label(self.left + 2, self.rows[i].top + self.rows[i].height + 8.0, text)

    def _back_along_rail(self, i: int, j: int, width: float, arrivals: dict) -> None:
        """The mirror image: out at the upper right of the reader, in at the source's."""
        edge = self.mirror_left + self.mirror_width
        x = edge + 12.0 + RAIL * self.mirror_rails[i]
        leave = self._entry(j, arrivals, True)
        enter = self.rows[i].top + self.rows[i].height - 5.0
        points = ((edge, leave), (x, leave), (x, enter), (edge, enter))
        self._line(points, self.theme.gradient, width, "dashed")

    def _entry(self, j: int, arrivals: dict, mirrored: bool) -> float:
        count = arrivals[j, mirrored] = arrivals.get((j, mirrored), -1) + 1
        return self.rows[j].top + min(5.0 + ENTRY * count, self.rows[j].height - 7.0)

    def _returns(self, edge: Edge) -> bool:
        """Whether a gradient comes back along an edge."""
        source = self.graph.nodes[self.place[edge.source]]
        return edge.differentiable and source.requires_grad and source.gradient is not None

    def _paint_titles(self) -> None:
        y, theme = MARGIN + 10.0, self.theme
        for x, words, note in (
            (self.middle, "forward", ""),
            (self.mirror_left + self.mirror_width / 2, "backward", "  vector–Jacobian products"),
        ):
            spans = (Span(words, theme.ink, True, 12.0), Span(note, theme.muted, False, 9.0))
            self.drawing.items.append(Text(x, y, spans[: 2 if note else 1], "middle"))

    def _paint_rungs(self) -> None:
        start, end = self.left + self.width, self.mirror_left
        for row in self.rows:
            text = kept_text(row.node)
            if text and row.mirror:
                y = row.top + 13.0
                self._line(((start, y), (end, y)), self.theme.kept, 1.0, "dotted", False)
                self._label((self.right + end) / 2, y - 6, text, self.theme.muted, "middle")

    def _paint_seeds(self) -> None:
        """From each output to its gradient: under the last row, beside any other."""
        last = len(self.rows) - 1
        for id in self.graph.outputs:
            row = self.rows[self.place[id]]
            bottom, x = row.top + row.height, self.mirror_left + self.mirror_width / 2
            if self.place[id] == last:
                low = bottom + 16.0
                points = ((self.middle, bottom), (self.middle, low), (x, low), (x, bottom))
                label = (low - 7.0, "seed ∂L/∂L = 1")
            else:
                low = bottom - 3.0
                points = ((self.left + self.width, low), (self.mirror_left, low))
                label = (low + 7.0, "seed 1")
            self._line(points, self.theme.seed, 2.0)
            middle = (self.right + self.mirror_left) / 2
            self._label(middle, label[0], label[1], self.theme.ink, "middle")

    def _paint_legend(self) -> None:
        """The families that are present, then what the lines mean, wrapped to the width."""
        theme, y = self.theme, self.drawing.height
        entries = [(colour, ink, f" {symbol} ", meaning)
                   for colour, ink, symbol, meaning in self.painter.legend()]  # fmt: skip
        words = self.painter.notes(self.view)
        x, limit = MARGIN, max(self.drawing.width - MARGIN, 240.0)
        for colour, ink, symbol, meaning in entries:
            width = 22.0 + width_of(meaning, SMALL) + 12.0
            if x + width > limit and x > MARGIN:
                x, y = MARGIN, y + 16.0
            self.drawing.items.append(Rectangle(x, y - 6, 17, 12, colour, None, 2.0))
            self.drawing.items.append(Text(x + 8.5, y, (Span(symbol.strip(), ink),), "middle"))
            self._label(x + 21, y, meaning, theme.muted)
            x += width
        y += 16.0
        if self.painter.range_text():
            for i, colour in enumerate(CIVIDIS):
                self.drawing.items.append(Rectangle(MARGIN + 14.0 * i, y - 4, 14, 8, colour))
            self._label(MARGIN + 14.0 * len(CIVIDIS) + 6, y, self.painter.range_text(), theme.muted)
            y += 15.0
        for text in words:
            self._label(MARGIN, y, text, theme.muted)
            y += 13.0
            limit = max(limit, MARGIN + width_of(text, SMALL))
        self.drawing.height = y + MARGIN - 6.0
        self.drawing.width = max(self.drawing.width, limit + MARGIN)

    def _line(self, points, colour, width, dash="solid", arrow=True) -> None:
        self.drawing.items.append(Line(points, colour, width, dash, arrow))

    def _label(
        self, x: float, y: float, text: str, colour: str = "", anchor: str = "start"
    ) -> None:
        if text:
            span = Span(self.painter.text(text), colour or self.theme.muted)
            self.drawing.items.append(Text(x, y, (span,), anchor))


def _rails(spans: list[tuple[int, int]]) -> dict[int, int]:
    """A rail for each source whose tensor skips rows: 0 is next to the cards, nested ones inside.

    One rail holds a tensor until its last reader. Rails that overlap, taken together, sit as close
    to the cards as they can.
    """
    until: dict[int, int] = {}
    for i, j in spans:
        until[i] = max(until.get(i, j), j)
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    used, rails, together = 0, {}, []
    for i in sorted(until):
        while busy and busy[0][0] <= i:
            heappush(free, heappop(busy)[1])
        if not busy:
            rails |= {k: used - 1 - lane for k, lane in together}
            free, used, together = [], 0, []
        lane = heappop(free) if free else used
        used = max(used, lane + 1)
        heappush(busy, (until[i], lane))
        together.append((i, lane))
    rails |= {k: used - 1 - lane for k, lane in together}
    return rails
