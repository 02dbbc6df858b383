"""The table of operations and laws: every primitive held to every law, printed on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..errors import GradientError
from .checker import check_record, chosen_laws
from .report import LAWS, Law, Report


@dataclass
class Table:
    """Reports by the name of the operation, and the errors of those that broke a law."""

    reports: dict[str, Report] = field(default_factory=dict)
    errors: list[GradientError] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every law held everywhere."""
        broken = any(law.broken for r in self.reports.values() for law in r.laws.values())
        return not self.errors and not broken

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
                    where.setdefault((number, law.why_not or "nothing to compare"), []).append(name)
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
        held = sum(law.comparisons for r in self.reports.values() for law in r.laws.values())
        lines += [
            f"laws: {names}",
            "worst relative error (7 and 12: share of the bound allowed); 0 is exact, – does not "
            "apply, ✗ is broken",
            f"{len(self.reports)} operations, {held:,} comparisons, "
            f"{'every law holds' if self.ok else f'{len(self.errors)} broken'}",
        ]
        return "\n".join(lines)


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
    from .report import LISTENERS

    reports: list[Report] = []
    LISTENERS.append(reports.append)
    try:
        return check_record(name, order, laws, seed, draws)
    except GradientError as error:
        errors.append(error)
        return reports[-1]
    finally:
        LISTENERS.remove(reports.append)


def _cell(law: Law | None) -> str:
    if law is None or (not law.comparisons and not law.broken):
        return "–"
    if law.broken:
        return "✗"
    return "0" if law.worst == 0 else f"{law.worst:.0e}".replace("e-0", "e-").replace("e+0", "e+")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
