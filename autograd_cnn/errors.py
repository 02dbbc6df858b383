"""Every exception the library raises, and the helper that asks for an optional dependency."""

from __future__ import annotations

import importlib
from types import ModuleType


class ShapeError(ValueError):
    """Shapes that do not fit together; the message shows the arithmetic."""


class DTypeError(TypeError):
    """A data type that the operation cannot work with."""


class DeviceError(RuntimeError):
    """A device that is missing, or operands that live on different devices."""


class TapeError(RuntimeError):
    """The tape cannot answer: it was freed, never recorded, or does not hold the value asked for."""


class RuleError(RuntimeError):
    """A backward rule that is malformed or that failed; names the operation and the user's line."""


class AnomalyError(ArithmeticError):
    """The first NaN or infinity, with the operation that made it and the user's line."""


class GradientError(AssertionError):
    """A law of differentiation that a rule breaks, with the values on both sides."""


class MissingDependencyError(ImportError):
    """An optional dependency is not installed; the message says what to install."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional `module`, or say which extra of ours brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f'{module} is not installed: pip install "autograd-cnn[{extra}]"'
        ) from error


def shape_text(shape) -> str:
    """`(2, 3, 8)` as `2×3×8`, and `()` as `scalar`."""
    return "×".join(map(str, shape)) if len(shape) else "scalar"
