"""Hold gradients to the laws of differentiation: your operations, your models, the library's own.

`check(function, *args)` runs the laws of `docs/checking.md` and `gradcheck` makes a test of a
function with drawn arguments; `check_model` does it for a whole network and `check_table` for every
operation of the library; `mutation_score` measures whether the check itself can fail; `strategies`
draws arguments with Hypothesis.
"""

from importlib import import_module
from typing import Any

# Imported on first use: the pytest plugin lives here too, and must cost nothing.
_HOME = {
    "LAWS": "report", "Kink": "report", "Law": "report", "Report": "report",
    "Example": "blame", "Program": "programs", "Table": "table",
    "check": "checker", "check_model": "model", "check_table": "table", "command": "console",
    "gradcheck": "decorator", "mutation_score": "mutation",
}  # fmt: skip
_MODULES = ("records", "relations", "strategies")

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
