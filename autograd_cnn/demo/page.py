"""The look of the demo's page, and the few pieces of HTML that it is made of."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

# nothing is fetched and nothing runs: pictures are in the page, and there is no script
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1b; --soft: #5c5c5c; --line: #ddd;
  --tint: #f5f6f8; --accent: #0072B2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #e8e8e6; --soft: #a3a6aa; --line: #34383d; --tint: #1f2226;
    --accent: #56B4E9; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .6rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 3.6rem 0 .5rem; }
h2 span { color: var(--accent); margin-right: .5rem; font-variant-numeric: tabular-nums; }
p { max-width: 44rem; margin: .6rem 0; }
.lead { font-size: 1.1rem; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem;
  margin: 2rem 0 0; padding: 0; list-style: none; }
.tiles li { background: var(--tint); border-radius: .6rem; padding: .9rem 1.1rem; }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.3; }
.tiles span { color: var(--soft); font-size: .88rem; }
figure { margin: 1.4rem 0 0; }
figure a, figure > img { display: block; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; background: #fff;
  border-radius: .6rem; padding: .9rem; }
@media (prefers-color-scheme: light) { figure img { border: 1px solid var(--line); } }
figcaption { color: var(--soft); font-size: .92rem; margin-top: .6rem; max-width: 44rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1.4rem 0 0; font-variant-numeric: tabular-nums;
  font-size: .95rem; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .35rem 1.4rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; white-space: nowrap; }
td:last-child { white-space: normal; }
td.number, th.number { text-align: right; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .9rem; }
code { font: .92em ui-monospace, "DejaVu Sans Mono", monospace; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole HTML document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def heading(number: int, text: str) -> str:
    """The heading of a numbered section."""
    return f"<h2><span>{number}</span>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `backticks` become code."""
    pieces = escape(text, quote=False).split("`")
    marked = "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
    return f'<p class="{kind}">{marked}</p>' if kind else f"<p>{marked}</p>"


def tiles(facts: Sequence[tuple[str, str]]) -> str:
    """A row of large numbers, each with what it counts."""
    items = (f"<li><b>{escape(value)}</b><span>{escape(what)}</span></li>" for value, what in facts)
    return f'<ul class="tiles">{"".join(items)}</ul>'


def picture(content: bytes, kind: str, description: str, caption: str, width: int = 0) -> str:
    """A picture inside the page: `kind` is "png" or "svg+xml", `width` in pixels if not its own."""
    data = b64encode(content).decode()
    size = f' width="{width}"' if width else ""
    return (
        f'<figure><img src="data:image/{kind};base64,{data}" alt="{escape(description)}"{size}>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> str:
    """A table; the columns whose places are in `numbers` stand right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        kinds = (' class="number"' if place in numbers else "" for place in range(len(values)))
        made = (f"<{tag}{k}>{escape(v)}</{tag}>" for k, v in zip(kinds, values, strict=True))
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(cells("td", row) for row in rows)
    return f'<div class="wide"><table>{cells("th", columns)}{body}</table></div>'
