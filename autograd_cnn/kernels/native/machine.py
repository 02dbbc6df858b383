"""What the processor offers: the width of its vectors and how many of them it holds at once."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

OLDEST = (0, 45)
"""The first llvmlite with the pointers and the passes that the generator uses."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A set of vector instructions, and the shape of a register tile that fits it."""

    name: str
    lanes: int
    registers: int
    filters: int  # rows of a tile
    features: str  # what LLVM may use beyond the host's defaults, or must not

    def columns(self, rows: int) -> int:
        """How many vectors wide a tile of `rows` rows is: rows·columns sums, a row of operands."""
        return min(8, (self.registers - 1) // (rows + 1))


MACHINES = {
    # without the first flag LLVM splits vectors of 16 on some processors
    "avx512": Machine("avx512", 16, 32, 8, ",-prefer-256-bit,+avx512f,+fma"),
    "avx2": Machine("avx2", 8, 16, 4, ",-avx512f,+avx2,+fma"),
    "neon": Machine("neon", 4, 32, 8, ""),
    "plain": Machine("plain", 4, 16, 4, ""),
}
_forced: ContextVar[Machine | None] = ContextVar("machine", default=None)


def current() -> Machine:
    """The machine to generate code for: this one, unless `force` says otherwise."""
    return _forced.get() or detect()


@cache
def detect() -> Machine:
    """The widest vectors that this processor has."""
    return MACHINES[runnable()[0]]


@cache
def runnable() -> tuple[str, ...]:
    """The names of the machines whose code can run here, the fastest first."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if platform.machine().lower() in ("arm64", "aarch64"):
        return ("neon", "plain")
    names = []
    if features.get("avx512f") and features.get("fma"):
        names.append("avx512")
    if features.get("avx2") and features.get("fma"):
        names.append("avx2")
    return (*names, "plain")


@cache
def unusable() -> str:
    """Why no native code can run here; empty if it can."""
    import llvmlite

    if tuple(map(int, llvmlite.__version__.split(".")[:2])) < OLDEST:
        return f"llvmlite {llvmlite.__version__} is older than {'.'.join(map(str, OLDEST))}"
    return "" if sys.maxsize > 2**32 else "the processor's addresses have 32 bits"


@contextmanager
def force(name: str) -> Iterator[Machine]:
    """Generate code for the machine called `name` inside the block."""
    if name not in runnable():
        raise ValueError(f"this processor cannot run {name} code: {', '.join(runnable())}")
    token = _forced.set(MACHINES[name])
    try:
        yield MACHINES[name]
    finally:
        _forced.reset(token)
