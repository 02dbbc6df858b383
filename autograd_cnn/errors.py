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
    """The tape cannot answer: freed, never recorded, or without the value asked for."""


class RuleError(RuntimeError):
    """A backward rule that is malformed or that failed; names the operation and the user's line."""


class AnomalyError(ArithmeticError):
    """The first NaN or infinity, with the operation that made it and the user's line."""


class GradientError(AssertionError):
    """A law of differentiation that a rule breaks, with the values on both sides."""


class ProgramError(RuntimeError):
    """Something that a recorded program cannot do, or cannot do without a risk of being wrong."""


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


def require_arrays(name: str, *operands) -> None:
    """Raise DTypeError for an operand of the operation `name` that is no array and no tensor."""
    for operand in operands:
        if not hasattr(operand, "shape"):
            raise DTypeError(f"{name} needs arrays or tensors, not {type(operand).__name__}")


def require_floats(name: str, *operands) -> None:
    """Raise DTypeError for an operand of the operation `name` that holds no fractions."""
    require_arrays(name, *operands)
    for operand in operands:
        if operand.dtype.kind not in "fc" and operand.dtype.name != "bfloat16":
            raise DTypeError(f"{name} needs floating-point numbers, got {operand.dtype}")


def explain_broadcast(name: str, operands, error: Exception) -> None:
    """Raise ShapeError with the shapes if the operands of `name` do not broadcast together."""
    shapes = [tuple(getattr(operand, "shape", ())) for operand in operands]
    lengths: dict[int, int] = {}
    for shape in shapes:
        for axis, n in enumerate(reversed(shape), 1):
            if n != 1 and lengths.setdefault(axis, n) != n:
                raise ShapeError(
                    f"{name}: {' and '.join(map(shape_text, shapes))} do not broadcast: axis "
                    f"{-axis} is {lengths[axis]} and {n} long".replace("-", "−")
                ) from error


def shape_text(shape) -> str:
    """`(2, 3, 8)` as `2×3×8`, and `()` as `scalar`."""
    return "×".join(map(str, shape)) if len(shape) else "scalar"
