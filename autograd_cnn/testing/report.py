"""What a check found: each law, how close, how many comparisons; and the error when one breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn

from ..errors import GradientError

LAWS = {
    1: "exact adjoint",
    2: "adjoint, jvp = vjp",
    3: "complex step",
    4: "Richardson",
    5: "higher orders",
    6: "linear in g",
    7: "rounding",
    8: "hygiene",
    9: "layouts",
    10: "relations",
    11: "kinks",
    12: "providers",
    13: "mutation",
    14: "programs",
}
"""The laws by their number in `docs/checking.md`."""

SHARES = (7, 12)
"""Laws whose errors are shares of a bound and not relative errors in double precision."""


@dataclass
class Law:
    """How one law fared: the worst relative error of its comparisons, or why it does not apply.

    `skipped` counts the comparisons that could not be made, by their reason.
    """

    number: int
    tolerance: float = 0.0
    worst: float = 0.0
    comparisons: int = 0
    why_not: str | None = None
    broken: bool = False
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return LAWS[self.number]

    @property
    def held(self) -> bool:
        """Whether something was compared, and nothing differed."""
        return self.comparisons > 0 and not self.broken

    @property
    def open(self) -> bool:
        """Whether the law applies, but every comparison had to be skipped."""
        return not self.comparisons and not self.broken and not self.why_not and bool(self.skipped)

    @property
    def reasons(self) -> str:
        """Why comparisons were skipped, and how many."""
        return "; ".join(f"{count} skipped: {why}" for why, count in sorted(self.skipped.items()))

    def __str__(self) -> str:
        start = f"{self.number:>4}  {self.name:<20}"
        notes = "; ".join(text for text in (self.why_not, self.reasons) if text)
        if self.broken:
            return f"{start}broken    {self.comparisons} comparisons"
        if self.open:
            return f"{start}?         nothing could be concluded; {notes}"
        if self.comparisons == 0:
            return f"{start}–         {notes or 'nothing to compare'}"
        allowed = "exact" if self.tolerance == 0 else f"allowed {self.tolerance:.0e}"
        allowed = "of the bound" if self.number in SHARES else allowed
        note = f"; {notes}" if notes else ""
        return f"{start}{self.worst:<9.2g} {allowed}, {self.comparisons} comparisons{note}"


@dataclass(frozen=True)
class Kink:
    """A place where a piecewise operation changes its piece, and how far it is from the point."""

    primitive: str
    line: str
    distance: float

    def __str__(self) -> str:
        away = "at the point itself" if self.distance == 0 else f"{self.distance:.2g} away"
        return f"{self.primitive} at {self.line}, {away}"


@dataclass
class Report:
    """Every law that was run on one function, its worst error, and what else was seen."""

    name: str
    laws: dict[int, Law] = field(default_factory=dict)
    evaluations: int = 0
    kinks: list[Kink] = field(default_factory=list)
    bytes_kept: int = 0
    bytes_declared: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest relative error of any law in double precision."""
        return max((law.worst for n, law in self.laws.items() if n not in SHARES), default=0.0)

    @property
    def open(self) -> list[int]:
        """The laws of which every comparison was skipped: they neither held nor broke."""
        return [number for number, law in sorted(self.laws.items()) if law.open]

    def absorb(self, other: Report) -> None:
        """Enter what another check of the same function found: the worst, the most, the nearest."""
        for number, theirs in other.laws.items():
            ours = self.law(number)
            if theirs.comparisons and not ours.comparisons:
                ours.why_not = theirs.why_not
            elif bool(theirs.comparisons) == bool(ours.comparisons):
                ours.why_not = ours.why_not or theirs.why_not
            ours.broken |= theirs.broken
            ours.comparisons += theirs.comparisons
            ours.worst = max(ours.worst, theirs.worst)
            ours.tolerance = max(ours.tolerance, theirs.tolerance)
            for reason, count in theirs.skipped.items():
                self.skip(number, reason, count)
        self.evaluations += other.evaluations
        self.kinks += [kink for kink in other.kinks if kink not in self.kinks]
        self.notes += [note for note in other.notes if note not in self.notes]
        self.bytes_kept = max(self.bytes_kept, other.bytes_kept)
        self.bytes_declared = max(self.bytes_declared, other.bytes_declared)

    def enter(self, number: int, error: float, tolerance: float) -> bool:
        """Count one comparison of a law; whether it is within the tolerance."""
        law = self.law(number)
        law.comparisons += 1
        law.worst = max(law.worst, float(error))
        law.tolerance = max(law.tolerance, float(tolerance))
        return error <= tolerance

    def skip(self, number: int, reason: str, count: int = 1) -> None:
        """Count comparisons of a law that could not be made, and say why."""
        skipped = self.law(number).skipped
        skipped[reason] = skipped.get(reason, 0) + count

    def law(self, number: int) -> Law:
        """The entry of a law, made on first use."""
        return self.laws.setdefault(number, Law(number))

    def __str__(self) -> str:
        held = sum(law.held for law in self.laws.values())
        lines = [f"{self.name}: {held} laws hold, {self.evaluations} evaluations"]
        lines += [str(self.laws[number]) for number in sorted(self.laws)]
        lines += [f"      kink: {kink}" for kink in self.kinks]
        if self.bytes_declared or self.bytes_kept:
            kept, declared = f"{self.bytes_kept:,}", f"{self.bytes_declared:,}"
            lines.append(f"      tape: {kept} bytes kept, {declared} declared")
        lines += [f"      {note}" for note in self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything as strings, numbers, lists and dictionaries, as JSON has them."""
        return asdict(self) | {"laws": [asdict(law) for law in self.laws.values()]}

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> Report:
        """The report that `to_dict` made these entries of."""
        own = {f.name: entries[f.name] for f in fields(cls)}
        laws = {law["number"]: Law(**law) for law in entries["laws"]}
        kinks = [Kink(**kink) for kink in entries["kinks"]]
        return cls(**own | {"laws": laws, "kinks": kinks})


def broken(
    law: int,
    name: str,
    what: str,
    sides: dict[str, Any] | None = None,
    *,
    error: float | None = None,
    tolerance: float | None = None,
    input_name: str | None = None,
    index: tuple | None = None,
    line: str | None = None,
) -> NoReturn:
    """Raise GradientError with everything that is known, in the message and as attributes."""
    lines = [f"law {law} ({LAWS[law]}) is broken by {name}: {what}"]
    width = max(map(len, sides), default=0) + 1 if sides else 0
    lines += [f"  {label + ':':<{width}}  {value!s}" for label, value in (sides or {}).items()]
    if error is not None:
        allowed = "exact equality is required" if not tolerance else f"allowed {tolerance:.1e}"
        lines.append(f"  relative error {error:.3g}; {allowed}")
    if line:
        lines.append(f"  {name}: {line}")
    raised: Any = GradientError("\n".join(lines))
    raised.law, raised.name, raised.sides, raised.error = law, name, dict(sides or {}), error
    raised.input_name, raised.index, raised.line, raised.culprit = input_name, index, line, None
    raised.example = raised.smallest = raised.relation = None
    raise raised


def told(error: Exception) -> str:
    """An error on one line, for the reason of a skipped comparison."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".rstrip(": ")


LISTENERS: list[Callable[[Report], None]] = []
"""Who is told of every finished check, as the pytest plugin is."""


def announce(report: Report) -> None:
    """Tell every listener of a finished check."""
    for listener in LISTENERS:
        listener(report)
