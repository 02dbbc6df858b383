"""The table of operations and laws: every primitive held to every law, printed on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..errors import GradientError
from .checker import chosen_laws
from .record_check import check_record
from .report import LAWS, Law, Report


@dataclass
class Table:
    """Reports by the name of the operation, and the errors of those that broke a law."""

    reports: dict[str, Report] = field(default_factory=dict)
    errors: list[GradientError] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every law held everywhere, and none was left open."""
        laws = [law for report in self.reports.values() for law in report.laws.values()]
        return not self.errors and not any(law.broken or law.open for law in laws)

    def add(self, report: Report) -> None:
        """Enter a report; several of one name become one line."""
        if report.name in self.reports:
            self.reports[report.name].absorb(report)
        else:
            self.reports[report.name] = report

    def why_not(self) -> str:
        """For every law that was not compared somewhere, the reasons and where."""
        where: dict[tuple[int, str], list[str]] = {}
        for name, report in sorted(self.reports.items()):
            for number, law in sorted(report.laws.items()):
                if not law.comparisons:
                    reason = law.why_not or law.reasons or "nothing to compare"
                    where.setdefault((number, reason), []).append(name)
        return "\n".join(
            f"{number:>3} {LAWS[number]}: {reason} ({_some(names)})"
            for (number, reason), names in sorted(where.items())
        )

    def __str__(self) -> str:
        width = max([9, *map(len, self.reports)])
        head = " " * width + "".join(f"{number:>8}" for number in LAWS)
        lines = [head]
        for name, report in sorted(self.reports.items()):
            cells = "".join(f"{_cell(report.laws.get(number)):>8}" for number in LAWS)
            lines.append(f"{name:<{width}}{cells}")
        lines.append(head)
        names = ", ".join(f"{number} {name}" for number, name in LAWS.items())
        laws = [law for report in self.reports.values() for law in report.laws.values()]
        made, skipped = (sum(law.comparisons for law in laws),
                         sum(sum(law.skipped.values()) for law in laws))  # fmt: skip
        open_ones = sum(law.open for law in laws)
        broken = sum(law.broken for law in laws)
        verdict = f"{broken} broken" + (f", {open_ones} open" if open_ones else "")
        lines += [
            f"laws: {names}",
            "worst relative error (7 and 12: share of the bound allowed); 0 is exact, – does not "
            "apply, ✗ is broken, ? is open: nothing could be concluded",
            f"{len(self.reports)} operations, {made:,} comparisons, {skipped:,} skipped, "
            f"{'every law holds' if self.ok else verdict}",
        ]
        return "\n".join(lines)

    def skips(self) -> str:
        """For every law the reasons of comparisons that could not be made, and how many."""
        found: dict[tuple[int, str], tuple[int, list[str]]] = {}
        for name, report in sorted(self.reports.items()):
            for number, law in sorted(report.laws.items()):
                for reason, count in law.skipped.items():
                    before, names = found.get((number, reason), (0, []))
                    found[number, reason] = before + count, [*names, name]
        return "\n".join(
            f"{number:>3} {LAWS[number]}: {count:,} skipped: {reason} ({_some(names)})"
            for (number, reason), (count, names) in sorted(found.items())
        )


def check_table(
    names: Iterable[str] | None = None, *, draws: int = 2, order: int = 2,
    laws: Iterable[int] | None = None, seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Table:  # fmt: skip
    """Hold every operation of the library (or `names`) to every law, at `draws` drawn arguments.

    >>> import autograd_cnn as ag
    >>> table = ag.testing.check_table(["exp", "conv"], draws=1, laws=[1, 2, 3])
    >>> table.ok, sorted(table.reports)
    (True, ['conv', 'exp'])

    Broken laws are gathered in `errors` and do not stop it. `progress` is called with each name.
    """
    from .records import COMPOSITES, RECORDS, load

    load()
    table, chosen = Table(), chosen_laws(laws, order)
    for name in [*RECORDS, *COMPOSITES] if names is None else names:
        if progress is not None:
            progress(name)
        table.add(_one(name, order, chosen, seed, draws, table.errors))
    return table


def _one(
    name: str, order: int, laws: tuple[int, ...], seed: int, draws: int, errors: list
) -> Report:
    """The report on one operation, broken or not."""
    from .blame import explain
    from .records import RECORDS
    from .report import LISTENERS

    reports: list[Report] = []
    LISTENERS.append(reports.append)
    try:
        return check_record(name, order, laws, seed, draws)
    except GradientError as error:
        if name in RECORDS:
            explain(error, RECORDS[name].function, (), {}, order, seed)
        errors.append(error)
        return reports[-1]
    finally:
        LISTENERS.remove(reports.append)


def _cell(law: Law | None) -> str:
    if law is None:
        return "–"
    if law.broken or law.open:
        return "✗" if law.broken else "?"
    if not law.comparisons:
        return "–"
    return "0" if law.worst == 0 else f"{law.worst:.0e}".replace("e-0", "e-").replace("e+0", "e+")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
