"""Graphviz's HTML-like labels, escaped: a malformed one would only be reported on stderr."""

from __future__ import annotations

from .card import THUMBNAIL, Card, Cell, Span

_ESCAPES = str.maketrans({
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": " ", "\t": " ", "\r": " ",
})  # fmt: skip


def escape(text: str) -> str:
    """Text that XML and Graphviz both read back unchanged; what XML cannot hold becomes �."""
    text = text.translate(_ESCAPES)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _allowed(c) else "�" for c in text)


def _allowed(character: str) -> bool:
    code = ord(character)
    return code >= 0x20 and not 0xD800 <= code <= 0xDFFF and code not in (0x7F, 0xFFFE, 0xFFFF)


def spans_html(spans: tuple[Span, ...] | list[Span]) -> str:
    """Pieces of text of one line."""
    parts = []
    for span in spans:
        if span.text:
            text = f"<B>{escape(span.text)}</B>" if span.bold else escape(span.text)
            parts.append(f'<FONT COLOR="{span.colour}" POINT-SIZE="{span.size:g}">{text}</FONT>')
    return "".join(parts) or " "


def card_html(card: Card, images: bool = False) -> str:
    """A card as a table; rows of one cell span it. Images are files, so they are optional."""
    columns = max(len(row) for row in card.rows)
    rows = []
    for row in card.rows:
        cells = [c for c in row if c.bar is not None or (images and c.images)
                 or any(s.text for s in c.spans)]  # fmt: skip
        if not cells:
            continue
        span = columns - len(cells) + 1
        texts = [_cell_html(cell, span if i == 0 else 1) for i, cell in enumerate(cells)]
        rows.append(f"<TR>{''.join(texts)}</TR>")
    table = (
        f'<TABLE BORDER="{2 if card.thick else 1}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3" '
        f'COLOR="{card.border}" BGCOLOR="{card.fill}">{"".join(rows)}</TABLE>'
    )
    if card.double:
        table = (
            f'<TABLE BORDER="2" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" '
            f'COLOR="{card.border}"><TR><TD>{table}</TD></TR></TABLE>'
        )
    return f"<{table}>"


def lines_html(lines: list[list[Span]]) -> str:
    """Lines of text, one below the other, aligned left."""
    rows = "".join(f'<TR><TD ALIGN="LEFT">{spans_html(line)}</TD></TR>' for line in lines)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'


def _cell_html(cell: Cell, span: int) -> str:
    fill = f' BGCOLOR="{cell.fill}"' if cell.fill else ""
    columns = f' COLSPAN="{span}"' if span > 1 else ""
    if cell.bar is not None:
        length = max(2, round(72 * cell.bar))
        inner = (
            '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>'
            f'<TD BGCOLOR="{cell.bar_colour}" WIDTH="{length}" HEIGHT="6" FIXEDSIZE="TRUE"></TD>'
            f'<TD WIDTH="{74 - length}" HEIGHT="6" FIXEDSIZE="TRUE"></TD></TR></TABLE>'
        )
        return f'<TD ALIGN="LEFT"{columns}>{inner}</TD>'
    if cell.images:
        side = f'WIDTH="{THUMBNAIL:g}" HEIGHT="{THUMBNAIL:g}" FIXEDSIZE="TRUE"'
        pictures = "".join(
            f'<TD {side}><IMG SRC="{name}" SCALE="TRUE"/></TD>' for name, _ in cell.images
        )
        inner = (
            '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="0"><TR>'
            f"{pictures}</TR></TABLE>"
        )
        return f'<TD ALIGN="LEFT"{columns}>{inner}</TD>'
    side = "RIGHT" if cell.right else "LEFT"
    return f'<TD ALIGN="{side}"{fill}{columns}>{spans_html(cell.spans)}</TD>'
