"""What a tensor's operators and methods call: the operations, which are not imported here.

Data flows one way, so tensors know their operations only by `bound`, filled in by `ops`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from .errors import TapeError


class _Bound:
    """The module of operations, and the function that goes backward."""

    operations: ModuleType
    backward: Callable[..., None]


bound = _Bound()


def _operator(name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """A binary operator, and the same with its operands the other way round."""

    def forward(self: Any, other: Any) -> Any:
        return getattr(bound.operations, name)(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return getattr(bound.operations, name)(other, self)

    return forward, reflected


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: bound.operations.compare(name, self, other)


class Operators:
    """Python's operators and NumPy's methods, each one call of an operation."""

    __slots__ = ()

    # operators

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("subtract")
    __mul__, __rmul__ = _operator("multiply")
    __truediv__, __rtruediv__ = _operator("divide")
    __pow__, __rpow__ = _operator("power")
    __matmul__, __rmatmul__ = _operator("matmul")
    __eq__, __ne__ = _comparison("equal"), _comparison("not_equal")
    __lt__, __le__ = _comparison("less"), _comparison("less_equal")
    __gt__, __ge__ = _comparison("greater"), _comparison("greater_equal")

    def __neg__(self) -> Any:
        return bound.operations.negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return bound.operations.abs(self)

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> Any:
        return bound.operations.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TapeError("tensors are not written to: use x = x.at[index].set(value) or .add(value)")

    @property
    def at(self) -> At:
        """Functional updates: `x.at[index].set(value)`, and `add`, `multiply`, `max`, `min`."""
        return At(self)

    # methods, as in NumPy and PyTorch

    @property
    def T(self) -> Any:
        return bound.operations.transpose(self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return bound.operations.sum(self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        return bound.operations.mean(self, axis, keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return bound.operations.var(self, axis, ddof, keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return bound.operations.std(self, axis, ddof, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        return bound.operations.max(self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        return bound.operations.min(self, axis, keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Any:
        return bound.operations.argmax(self, axis, keepdims)

    def reshape(self, *shape: Any) -> Any:
        return bound.operations.reshape(self, shape[0] if len(shape) == 1 else shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Any:
        return bound.operations.flatten(self, start_dim, end_dim)

    def transpose(self, *axes: Any) -> Any:
        return bound.operations.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def squeeze(self, axis: Any = None) -> Any:
        return bound.operations.squeeze(self, axis)

    def exp(self) -> Any:
        return bound.operations.exp(self)

    def log(self) -> Any:
        return bound.operations.log(self)

    def sqrt(self) -> Any:
        return bound.operations.sqrt(self)

    def clip(self, low: float | None = None, high: float | None = None) -> Any:
        return bound.operations.clip(self, low, high)


class At:
    """`x.at[index]`, waiting for what to do there."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getitem__(self, index: Any) -> Place:
        return Place(self.target, index)


class Place:
    """Some entries of a tensor, to be replaced or added to in a copy."""

    def __init__(self, target: Any, index: Any) -> None:
        self.target, self.index = target, index

    def set(self, value: Any) -> Any:
        """A copy with the entries replaced; with a repeated index the last value stays."""
        return bound.operations.index_set(self.target, self.index, value)

    def add(self, value: Any) -> Any:
        """A copy with `value` added to the entries; a repeated index adds each time."""
        return bound.operations.index_add(self.target, self.index, value)

    def multiply(self, value: Any) -> Any:
        """A copy with the entries multiplied by `value`; a repeated index multiplies each time."""
        return bound.operations.index_multiply(self.target, self.index, value)

    def max(self, value: Any) -> Any:
        """A copy with the larger of each entry and `value`."""
        return bound.operations.index_max(self.target, self.index, value)

    def min(self, value: Any) -> Any:
        """A copy with the smaller of each entry and `value`."""
        return bound.operations.index_min(self.target, self.index, value)
