"""The generated code of pooling: planes, rows of outputs, and along a row vectors of windows.

A vector takes windows that lie inside their rows on both sides; those at the ends of a row are done
one by one. Windows reach above and below only as far as there are rows. So nothing is padded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .assembly import FLOAT, INTEGER, Function, Value, Variable
from .drivers import Share
from .machine import Machine

WINDOWS = """x* y* bounds* height width rows columns kernel_rows stride_rows above low
    high vectors"""
MAX = f"{WINDOWS} switches*"
AVERAGE = f"{WINDOWS} counts*"
SCATTER = """x* y* bounds* height width rows columns stride_rows above stride left vectors
    switches* taps* count"""
_BYTE = "i8"


@dataclass(frozen=True, slots=True)
class Line:
    """What is fixed when code is generated: vectors' lanes, and how a window lies along a row.

    `down` is how far apart the rows of a window are.
    """

    lanes: int
    kernel: int
    stride: int
    step: int
    left: int
    down: int

    def __str__(self) -> str:
        return f"{self.lanes}_{self.kernel}_{self.stride}_{self.step}_{self.left}_{self.down}"

    def offset(self, tap: int) -> int:
        """Where a tap of the first window lies in the row."""
        return tap * self.step - self.left

    def block(self, tap: int) -> int:
        """Where the vectors begin from which a tap of several windows is taken."""
        return self.offset(tap) // self.stride * self.stride


def max_share(machine: Machine, name: str, line: Line) -> Function:
    """The largest entry of each window, NaN being the largest, and the number of its first tap."""
    rows = _Rows(machine, name, MAX, line)
    f, a = rows.function, rows.arguments
    for window in rows.windows():
        best = Variable(f, window.spread(f.real(float("-inf"))))
        first = window.top * line.kernel + window.leftmost
        switch = Variable(f, window.spread(f.convert(first, FLOAT)))
        for value, number in window.entries():
            here = best.get()
            larger, known = f.test("ugt", value, here), f.test("ord", here, here)
            better = f.emit(larger.kind, f"and {larger.kind} {larger.text}, {known.text}")
            best.set(f.choose(better, value, here))
            switch.set(f.choose(better, window.spread(f.convert(number, FLOAT)), switch.get()))
        f.store(best.get(), a["y"] + window.place)
        kind = window.kind.replace(FLOAT, _BYTE)
        byte = f.emit(kind, f"fptoui {window.kind} {switch.get().text} to {kind}")
        target = f.step(a["switches"], window.place, _BYTE)
        f.line(f"store {kind} {byte.text}, ptr {target.text}, align 1")
    return f


def average_share(machine: Machine, name: str, line: Line) -> Function:
    """The sum of each window over its count."""
    rows = _Rows(machine, name, AVERAGE, line)
    f, a = rows.function, rows.arguments
    for window in rows.windows():
        total = Variable(f, window.spread(f.real(0)))
        for value, _ in window.entries():
            total.set(total.get() + value)
        count = f.load(a["counts"] + window.place_in_plane, window.kind)
        f.store(total.get() / count, a["y"] + window.place)
    return f


def scatter_share(machine: Machine, name: str) -> Function:
    """Entries added, one by one, to where their switches point; zeros elsewhere."""
    share = Share(machine, name, SCATTER)
    f, a = share.function, share.arguments
    with _planes(share) as (x, y, switches), f.loop(a["columns"]) as column:
        byte = f.step(switches, column, _BYTE)
        tap = f.emit(_BYTE, f"load {_BYTE}, ptr {byte.text}, align 1")
        tap = f.emit(INTEGER, f"zext {_BYTE} {tap.text} to i64")
        offset = f.load(f.step(a["taps"], tap, INTEGER), INTEGER)
        here = x + (column * a["stride"] - a["left"] + offset)
        f.store(f.load(here) + f.load(y + column), here)
    return f


def double_share(machine: Machine, name: str, lanes: int, switched: bool) -> Function:
    """Rows of entries into two rows of twice the length: windows of 2×2, side by side.

    Each goes to where its switch says, zeros elsewhere; or its share, over the count, everywhere.
    """
    share = Share(replace(machine, lanes=lanes), name, SCATTER)
    f, a = share.function, share.arguments
    with _planes(share) as (x, y, switches), f.loop(a["vectors"]) as number:
        column = f.smaller(number * lanes, a["columns"] - lanes)
        entries = f.load(y + column, f.vector)
        if switched:
            taps = _chosen(f, entries, f.step(switches, column, _BYTE))
        else:
            taps = [entries / f.splat(f.convert(a["count"], FLOAT))] * 4
        for row in range(2):
            even, odd = taps[2 * row : 2 * row + 2]
            for start in (0, lanes // 2):
                half = range(start, start + lanes // 2)
                mixed = f.shuffle(even, odd, [lane + side for lane in half for side in (0, lanes)])
                f.store(mixed, x + a["width"] * row + column * 2 + start * 2)
    return f


@contextmanager
def _planes(share: Share) -> Iterator[tuple[Value, Value, Value]]:
    """The block below for each row of y: where its first window, it and its switches begin."""
    f, a = share.function, share.arguments
    first, last = share.bounds("bounds")
    with f.loop(last, start=first) as plane:
        x = a["x"] + plane * a["height"] * a["width"]
        f.clear(x, a["height"] * a["width"])
        with f.loop(a["rows"]) as row:
            place = (plane * a["rows"] + row) * a["columns"]
            target = x + (row * a["stride_rows"] - a["above"]) * a["width"]
            yield target, a["y"] + place, f.step(a["switches"], place, _BYTE)


def _chosen(f: Function, entries: Value, switches: Value) -> list[Value]:
    """For each of four taps the entries whose switch it is, and zeros."""
    kind, taps = f.vector.replace(FLOAT, _BYTE), []
    byte = f.emit(kind, f"load {kind}, ptr {switches.text}, align 1")
    for number in range(4):
        same = ", ".join([f"{_BYTE} {number}"] * f.lanes)
        hit = f.emit(f.condition(f.vector), f"icmp eq {kind} {byte.text}, <{same}>")
        taps.append(f.choose(hit, entries, f.zeros()))
    return taps


class _Rows(Share):
    """The loops over planes, rows and windows."""

    def __init__(self, machine: Machine, name: str, names: str, line: Line) -> None:
        super().__init__(replace(machine, lanes=line.lanes), name, names)
        self.line = line

    def windows(self) -> Iterator[_Window]:
        """The code around a vector of windows, and then that around one."""
        f, a = self.function, self.arguments
        first, last = self.bounds("bounds")
        with f.loop(last, start=first) as plane, f.loop(a["rows"]) as row:
            above, step = row * a["stride_rows"] - a["above"], self.line.down
            x = a["x"] + (plane * a["height"] + above) * a["width"]
            top = (f.larger(f.integer(0) - above, 0) + (step - 1)) // step
            bottom = f.smaller((a["height"] - above + (step - 1)) // step, a["kernel_rows"])
            here = (self, x, plane * a["rows"] * a["columns"], top, bottom, row * a["columns"])
            with f.loop(a["vectors"]) as number:
                column = f.smaller(a["low"] + number * f.lanes, a["high"] - f.lanes)
                yield _Window(*here, column, f.vector)
            inside = a["high"] - a["low"]
            with f.loop(a["columns"] - inside) as number:
                column = f.choose(number < a["low"], number, number + inside)
                yield _Window(*here, column, FLOAT)


class _Window:
    """A window, or as many neighbours as a vector has lanes."""

    def __init__(
        self, rows: _Rows, x: Value, plane: Value, top: Value, bottom: Value, row: Value,
        column: Value, kind: str,
    ) -> None:  # fmt: skip
        self.rows, self.x, self.kind, self.column = rows, x, kind, column
        self.top, self.bottom = top, bottom
        self.place_in_plane = row + column
        self.place = plane + self.place_in_plane
        f, line = rows.function, rows.line
        self.start = column * line.stride
        self.leftmost, self.rightmost = f.integer(0), f.integer(line.kernel)
        if kind == FLOAT:
            left, reach = self.start - line.left, line.step - 1
            width = rows.arguments["width"]
            self.leftmost = (f.larger(f.integer(0) - left, 0) + reach) // line.step
            self.rightmost = f.smaller((width - left + reach) // line.step, line.kernel)

    def spread(self, value: Value) -> Value:
        """One number for each window."""
        return value if self.kind == FLOAT else self.rows.function.splat(value)

    def entries(self) -> Iterator[tuple[Value, Value]]:
        """What each tap that is there sees, and the tap's number; the body's code comes between."""
        f, line = self.rows.function, self.rows.line
        with f.loop(self.bottom, start=self.top) as tap_row:
            row, first = self._row(tap_row) + self.start, tap_row * line.kernel
            if self.kind == FLOAT:
                with f.loop(self.rightmost, start=self.leftmost) as tap:
                    yield f.load(row + (tap * line.step - line.left)), first + tap
            else:
                for tap in range(line.kernel):
                    block = line.block(tap)
                    value = _every(f, row + block, line.stride, line.offset(tap) - block)
                    yield value, first + tap

    def _row(self, tap_row: Value) -> Value:
        return self.x + tap_row * self.rows.line.down * self.rows.arguments["width"]


def _every(f: Function, pointer: Value, stride: int, lane: int) -> Value:
    """A vector of every stride-th entry, from that at `lane` on; whole vectors are read."""
    kept = f.load(pointer, f.vector)
    for part in range(stride):
        wanted = [i * stride + lane - part * f.lanes for i in range(f.lanes)]
        seen = f.load(pointer + part * f.lanes, f.vector) if part else kept
        merged = [f.lanes + w if 0 <= w < f.lanes else i for i, w in enumerate(wanted)]
        kept = f.shuffle(kept, seen, merged)
    return kept
