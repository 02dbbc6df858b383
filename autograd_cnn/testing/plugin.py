"""The pytest plugin: `--gradcheck-report`, and broken laws told with their failing example.

Nothing is imported from the checker until a test has used it.
"""

from __future__ import annotations

from typing import Any

import pytest

_KEY = "autograd_cnn_gradcheck"


def pytest_addoption(parser: Any) -> None:
    """Add --gradcheck-report."""
    parser.getgroup("autograd_cnn").addoption(
        "--gradcheck-report", action="store_true", default=False,
        help="print the table of operations and laws of every gradient check that ran",
    )  # fmt: skip


def pytest_configure(config: Any) -> None:
    """Listen to the checks of this process, when the table is wanted."""
    if config.getoption("--gradcheck-report", False):
        config.pluginmanager.register(_Reporter(config), "autograd_cnn_gradcheck_reporter")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    """Say which law broke, on what: a section of its own in the failure."""
    outcome = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if error is not None and hasattr(error, "law") and hasattr(error, "sides"):
        outcome.get_result().sections.append(("broken law of differentiation", _told(error)))


def _told(error: Any) -> str:
    from .report import LAWS

    lines = [f"law {error.law}, {LAWS[error.law]}, by {error.culprit or error.name}"]
    if error.input_name:
        lines.append(f"in {error.input_name}" + (f" at {error.index}" if error.index else ""))
    lines += [f"{label}: {value}" for label, value in error.sides.items()]
    if error.line:
        lines.append(f"at {error.line}")
    if getattr(error, "example", None) is not None:
        lines += ["smallest failing example:", str(error.example)]
    return "\n".join(lines)


class _Reporter:
    """Gathers the reports of this process and of its workers, and prints their table."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.table: Any = None

    def pytest_collection_finish(self) -> None:
        from .report import LISTENERS

        LISTENERS.append(self.note)

    def note(self, report: Any) -> None:
        from .table import Table

        self.table = self.table or Table()
        self.table.add(report)

    def pytest_sessionfinish(self) -> None:
        from .report import LISTENERS

        if self.note in LISTENERS:
            LISTENERS.remove(self.note)
        output = getattr(self.config, "workeroutput", None)
        if output is not None and self.table is not None:
            output[_KEY] = [report.to_dict() for report in self.table.reports.values()]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker process gathered."""
        from .report import Report

        for fields in getattr(node, "workeroutput", {}).get(_KEY, ()):
            self.note(Report.from_dict(fields))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("gradient checks")
        empty = "no gradient was checked"
        terminalreporter.write_line(str(self.table) if self.table is not None else empty)
