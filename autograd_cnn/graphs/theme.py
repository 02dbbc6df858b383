"""Colours, symbols and the words of pictures. Families after Okabe and Ito (2008), heat cividis.

Symbol and text always repeat what a colour says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log2

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"


@dataclass(frozen=True, slots=True)
class Family:
    """How the operations of one family look: colour, text on it, tint below, symbol, name."""

    colour: str
    ink: str
    tint: str
    symbol: str
    ascii: str
    meaning: str


FAMILIES = {
    "input": Family("#333333", "#FFFFFF", "#FFFFFF", "▷", ">", "input"),
    "parameterised": Family("#0072B2", "#FFFFFF", "#E5F1F8", "▦", "#", "parameterised"),
    "normalisation": Family("#009E73", "#000000", "#E6F5F1", "≈", "~", "normalisation"),
    "activation": Family("#D55E00", "#000000", "#FBEFE5", "⌐", "/", "activation"),
    "pooling": Family("#56B4E9", "#000000", "#EEF7FD", "▼", "v", "pooling, reduction"),
    "elementwise": Family("#E69F00", "#000000", "#FDF5E5", "⊕", "+", "elementwise, merge"),
    "shape": Family("#777777", "#000000", "#F4F4F4", "↻", "=", "shape"),
    "loss": Family("#CC79A7", "#000000", "#FAF1F6", "★", "*", "loss"),
    "custom": Family("#F0E442", "#000000", "#FDFBE3", "◆", "@", "your own"),
    "gradient": Family("#8A3B00", "#FFFFFF", "#FFF6EE", "∂", "d", "gradient"),
    "module": Family("#444B58", "#FFFFFF", "#F7F7F9", "⊞", "[+]", "collapsed module"),
}

ERROR = "#B00020"
# difference → colour, words on the card
MARKS = {
    "added": ("#00734F", "+ added"),
    "removed": ("#B00020", "− removed"),
    "changed": ("#A05A00", "± changed"),
}

CIVIDIS = (
    "#00224E", "#1E3A6E", "#434E6C", "#61656F", "#7D7C78",
    "#9C9576", "#BCAF6F", "#DECB5E", "#FEE838",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours that do not depend on a family."""

    background: str
    ink: str
    muted: str
    line: str
    module: str
    module_line: str
    gradient: str
    gradient_tint: str
    seed: str
    kept: str
    error: str
    tinted: bool = True
    body: str | None = None


THEMES = {
    "light": Theme("#FFFFFF", "#000000", "#666666", "#444444", "#F7F7F9", "#C8C8D0",
                   "#8A3B00", "#FFF6EE", "#CC79A7", "#777777", "#B00020"),
    "dark": Theme("#15181D", "#F0F0F0", "#A8AEB8", "#B4BAC4", "#1D2127", "#454C57",
                  "#FFB27A", "#33261C", "#E59CC6", "#9AA1AC", "#FF8A9B", True, "#262B33"),
    "print": Theme("#FFFFFF", "#000000", "#444444", "#222222", "#FFFFFF", "#999999",
                   "#8A3B00", "#FFFFFF", "#CC79A7", "#555555", "#B00020", False, "#FFFFFF"),
}  # fmt: skip

ASCII = str.maketrans({
    "×": "x", "∂": "d", "‖": "|", "·": "-", "→": "->", "ε": "eps ", "α": "alpha", "β": "beta",
    "…": "..", "₂": "", "∝": "~", "−": "-",
})  # fmt: skip


def count_text(count: float) -> str:
    """A count with three digits: 1150 is `1.15k`."""
    for unit in ("", "k", "M", "G", "T"):
        if abs(count) < 999.5 or unit == "T":
            return f"{count:.3g}{unit}"
        count /= 1000
    return ""


def bytes_text(nbytes: float) -> str:
    """Bytes with three digits, in units of 1024: 1536 is `1.5 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 999.5 or unit == "GiB":
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1024
    return ""


def time_text(seconds: float) -> str:
    """A time with three digits: `1.25 ms`, `730 µs`."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1.0 or unit == "µs":
            return f"{seconds * scale:.3g} {unit}"
    return ""


@lru_cache(maxsize=4096)
def line_width(nbytes: int) -> float:
    """The width of an edge in points: 0.6 up to 256 bytes, then 0.28 for each doubling."""
    return round(0.6 + 0.28 * max(0.0, log2(max(nbytes, 1) / 256)), 2)
