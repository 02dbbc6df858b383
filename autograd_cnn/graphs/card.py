"""Cards as plain data, and how much room they take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from unicodedata import east_asian_width

SMALL, NORMAL = 8.0, 10.0
PAD, LEADING = 5.0, 1.3
THUMBNAIL = 18.0


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text of one look."""

    text: str
    colour: str
    bold: bool = False
    size: float = SMALL


@dataclass(frozen=True, slots=True)
class Cell:
    """Some text, a bar of `bar` (0 to 1) of the full length, or small images (name, PNG)."""

    spans: tuple[Span, ...]
    fill: str | None = None
    right: bool = False
    bar: float | None = None
    bar_colour: str = ""
    images: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """Rows of one to three cells in a frame; a row of one cell spans the card.

    A `thick` frame marks a difference, a `double` one the first bad value.
    """

    key: str
    rows: tuple[tuple[Cell, ...], ...]
    border: str
    fill: str
    tooltip: str = ""
    thick: bool = False
    double: bool = False


@lru_cache(maxsize=4096)
def width_of(text: str, size: float, bold: bool = False) -> float:
    """The width of text in points, as DejaVu Sans (the widest of our fonts) would set it."""
    return sum(_width(character) for character in text) * size * (1.1 if bold else 1.0)


def _width(character: str) -> float:
    if character in " iljI.,:;'|!`":
        return 0.34
    if character in 'ftr()[]{}/\\-"':
        return 0.42
    if character in "mwMW%@":
        return 0.95
    if character.isascii():
        return 0.69 if character.isupper() else 0.63
    return 1.05 if east_asian_width(character) in "WF" else 0.8


def cell_width(cell: Cell) -> float:
    """The width that a cell asks for, its padding included."""
    if cell.bar is not None:
        return 84.0
    if cell.images:
        return len(cell.images) * (THUMBNAIL + 2) + 2 * PAD
    return sum(width_of(s.text, s.size, s.bold) for s in cell.spans) + 2 * PAD


def row_height(row: tuple[Cell, ...]) -> float:
    """The height of a row, its padding included."""
    if any(cell.images for cell in row):
        return THUMBNAIL + 6.0
    largest = max([span.size for cell in row for span in cell.spans], default=SMALL)
    return largest * LEADING + 6.0


def card_size(card: Card) -> tuple[float, float]:
    """The width and height that a card asks for."""
    width = max(sum(cell_width(cell) for cell in row) for row in card.rows)
    return width, sum(row_height(row) for row in card.rows)
