"""Hold gradients to the laws of differentiation: your operations, your models, the library's own.

`check(function, *args)` runs the laws of `docs/checking.md`; `check_model` does it for a whole
network; `mutation_score` measures whether the check itself can fail; `strategies` draws arguments
with Hypothesis.
"""

from importlib import import_module
from typing import Any

from .checker import check
from .model import check_model
from .mutation import mutation_score
from .report import LAWS, Kink, Law, Report

__all__ = [
    "LAWS", "Kink", "Law", "Report", "check", "check_model", "mutation_score", "records",
    "strategies",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("records", "strategies"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
