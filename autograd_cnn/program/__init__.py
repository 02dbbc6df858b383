"""Programs: record a function once; print, differentiate, simplify, save and replay it."""

from .compile import Compiled, compile
from .program import Program, trace
from .rules import RULES

__all__ = ["RULES", "Compiled", "Program", "compile", "trace"]
