"""The table of a network: a row for each module and operation, and the totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import shape_text
from .memory import peak_bytes
from .model import Graph, Node, Shape, count_parameters
from .theme import bytes_text


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A module call, or an operation that is no module by itself.

    `parameters` counts those not counted in an earlier row of the same depth; `receptive_field` is
    that of the output.
    """

    name: str
    kind: str
    depth: int
    shape: Shape
    parameters: int
    multiplications: int
    nbytes: int
    kept_bytes: int
    seconds: float | None
    receptive_field: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Rows and totals of a graph; printing it shows the table, with rich in colour if it is there.

    Bytes are those of the operations' outputs; `kept_bytes` of what the tape holds for the
    backward pass beside parameters and inputs, `peak_bytes` the most alive at once without a tape.
    """

    rows: tuple[SummaryRow, ...]
    parameters: int
    fixed: int
    multiplications: int
    input_bytes: int
    output_bytes: int
    kept_bytes: int
    peak_bytes: int

    def __str__(self) -> str:
        table = [_HEADS[: self._columns()], *(cells[: self._columns()] for cells in self._cells())]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(cells, widths) for cells in table]
        rule = "─" * len(lines[0])
        return "\n".join([rule, lines[0], rule, *lines[1:], rule, *self.totals(), rule])

    __repr__ = __str__

    def __rich__(self) -> Any:
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, caption="\n".join(self.totals()), caption_justify="left")
        for i, head in enumerate(_HEADS[: self._columns()]):
            table.add_column(head, no_wrap=True, justify="left" if i < 2 or i == 6 else "right")
        for cells in self._cells():
            table.add_row(*cells[: self._columns()])
        return table

    def totals(self) -> list[str]:
        """The lines under the table."""
        fixed = f" and {self.fixed:,} fixed" if self.fixed else ""
        return [
            f"Parameters: {self.parameters:,}{fixed}",
            f"Multiplications: {self.multiplications:,} ({2 * self.multiplications:,} FLOP)",
            f"Input: {bytes_text(self.input_bytes)} · outputs: {bytes_text(self.output_bytes)} · "
            f"kept for backward: {bytes_text(self.kept_bytes)}",
            f"Alive at once, forward only: {bytes_text(self.peak_bytes)}",
        ]

    def _columns(self) -> int:
        return 8 if any(row.seconds is not None for row in self.rows) else 7

    def _cells(self) -> list[tuple[str, ...]]:
        last = _last_at_depth(self.rows)
        return [
            (
                _branch(row, last[i]) + f"{row.kind}: {row.name}".removesuffix(": "),
                shape_text(row.shape),
                f"{row.parameters:,}" if row.parameters else "–",
                f"{row.multiplications:,}" if row.multiplications else "–",
                bytes_text(row.nbytes),
                bytes_text(row.kept_bytes) if row.kept_bytes else "–",
                row.receptive_field or "–",
                f"{1e3 * row.seconds:.3f} ms" if row.seconds is not None else "–",
            )
            for i, row in enumerate(self.rows)
        ]


_HEADS = ("Layer", "Output", "Parameters", "Mult.", "Bytes", "Kept", "Sees", "Time")


def summarize(graph: Graph, depth: int | None = None) -> Summary:
    """The table of a graph, modules below a `depth` left out (1: the outermost only)."""
    rows: list[SummaryRow] = []
    members: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for module in graph.enclosing(node.module):
            members.setdefault(module, []).append(node)
    shown: dict[int, None] = {}
    for node in graph.nodes:
        around = graph.enclosing(node.module)
        for level, module in enumerate(around, 1):
            if module not in shown:
                shown[module] = None
                if depth is None or level <= depth:
                    record, inside = graph.modules[module], members[module]
                    call = f" (call {record.call})" if record.call > 1 else ""
                    rows.append(_row(record.name + call, record.kind, level - 1, inside))
        alone = around and len(members[around[-1]]) == 1
        if not alone and not node.is_input and (depth is None or len(around) < depth):
            rows.append(_row("", node.name, len(around), [node]))
    counts = {p.key: p for node in graph.nodes for p in node.parameters}
    return Summary(
        tuple(rows),
        graph.parameter_count,
        sum(p.count for p in counts.values() if not p.trainable),
        graph.multiplications,
        sum(node.nbytes for node in graph.nodes if node.is_input),
        sum(node.nbytes for node in graph.nodes if not node.is_input and not node.alias),
        graph.kept_bytes,
        peak_bytes(graph),
    )


def _row(name: str, kind: str, depth: int, nodes: list[Node]) -> SummaryRow:
    last = nodes[-1]
    times = [node.seconds for node in nodes if node.seconds is not None]
    field = last.receptive_field
    sees = "" if field is None else "all" if field.whole else "×".join(map(str, field.size))
    return SummaryRow(
        name,
        kind,
        depth,
        last.shape,
        count_parameters(nodes),
        sum(node.multiplications or 0 for node in nodes),
        sum(node.nbytes for node in nodes if not node.alias),
        sum(node.kept_bytes for node in nodes),
        sum(times) if times else None,
        sees,
    )


def _last_at_depth(rows: tuple[SummaryRow, ...]) -> list[list[bool]]:
    """For each row and each depth down to its own, whether no later sibling follows."""
    open_at: dict[int, bool] = {}
    result: list[list[bool]] = []
    for row in reversed(rows):
        open_at = {depth: later for depth, later in open_at.items() if depth <= row.depth}
        result.append([not open_at.get(depth, False) for depth in range(1, row.depth + 1)])
        open_at[row.depth] = True
    return result[::-1]


def _branch(row: SummaryRow, last: list[bool]) -> str:
    if not row.depth:
        return ""
    stems = ["   " if done else "│  " for done in last[:-1]]
    return "".join(stems) + ("└─ " if last[-1] else "├─ ")


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = [
        f"{cell:<{width}}" if i < 2 or i == 6 else f"{cell:>{width}}"
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip().ljust(sum(widths) + 2 * len(widths) - 2)
