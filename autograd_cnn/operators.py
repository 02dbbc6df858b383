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


class Operators:
    """Python's operators and NumPy's methods, each one call of an operation."""

    __slots__ = ()

    # operators

    def __add__(self, other: Any) -> Any:
        return bound.operations.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return bound.operations.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return bound.operations.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return bound.operations.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return bound.operations.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return bound.operations.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return bound.operations.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return bound.operations.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return bound.operations.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return bound.operations.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return bound.operations.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return bound.operations.matmul(other, self)

    def __neg__(self) -> Any:
        return bound.operations.negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return bound.operations.abs(self)

    def __eq__(self, other: object) -> Any:  # type: ignore[override]
        return bound.operations.compare("equal", self, other)

    def __ne__(self, other: object) -> Any:  # type: ignore[override]
        return bound.operations.compare("not_equal", self, other)

    def __lt__(self, other: Any) -> Any:
        return bound.operations.compare("less", self, other)

    def __le__(self, other: Any) -> Any:
        return bound.operations.compare("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return bound.operations.compare("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return bound.operations.compare("greater_equal", self, other)

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> Any:
        return bound.operations.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TapeError("tensors are not written to: use x = x.at[index].set(value) or .add(value)")

    @property
    def at(self) -> At:
        """Functional updates: `x.at[index].set(value)` and `x.at[index].add(value)`."""
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
