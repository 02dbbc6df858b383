"""Layers that put entries around sequences, images and volumes.

`padding` is a number, or a pair for each axis, the last axis first: (left, right, top, bottom, …).
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..errors import ShapeError
from .module import Module


class _Pad(Module):
    ndim: int
    mode = "constant"

    def __init__(self, padding: Any, value: float = 0.0) -> None:
        super().__init__()
        sides = (padding,) * (2 * self.ndim) if isinstance(padding, int) else tuple(padding)
        if len(sides) != 2 * self.ndim:
            names = ("left", "right", "top", "bottom", "front", "back")[: 2 * self.ndim]
            raise ShapeError(
                f"{type(self).__name__}: padding {padding} is no number and no ({', '.join(names)})"
            )
        self.padding, self.value = sides, value

    def forward(self, x: Any) -> Any:
        pairs = zip(self.padding[::2], self.padding[1::2], strict=True)
        none = ((0, 0),) * (x.ndim - self.ndim)
        return ops.pad(x, (*none, *reversed([*pairs])), self.value, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding, value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class _ReflectionPad(_ZeroPad):
    mode = "reflect"


class _ReplicationPad(_ZeroPad):
    mode = "replicate"


class _CircularPad(_ZeroPad):
    mode = "circular"


class ConstantPad1d(_ConstantPad):
    """Sequences with a value around them."""

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """Images with a value around them."""

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """Volumes with a value around them."""

    ndim = 3


class ZeroPad1d(_ZeroPad):
    """Sequences with zeros around them."""

    ndim = 1


class ZeroPad2d(_ZeroPad):
    """Images with zeros around them."""

    ndim = 2


class ZeroPad3d(_ZeroPad):
    """Volumes with zeros around them."""

    ndim = 3


class ReflectionPad1d(_ReflectionPad):
    """Sequences with their mirror image around them, the border entry not repeated."""

    ndim = 1


class ReflectionPad2d(_ReflectionPad):
    """Images with their mirror image around them, the border entry not repeated."""

    ndim = 2


class ReflectionPad3d(_ReflectionPad):
    """Volumes with their mirror image around them, the border entry not repeated."""

    ndim = 3


class ReplicationPad1d(_ReplicationPad):
    """Sequences with their border entries repeated around them."""

    ndim = 1


class ReplicationPad2d(_ReplicationPad):
    """Images with their border entries repeated around them."""

    ndim = 2


class ReplicationPad3d(_ReplicationPad):
    """Volumes with their border entries repeated around them."""

    ndim = 3


class CircularPad1d(_CircularPad):
    """Sequences that go on around themselves from the other side."""

    ndim = 1


class CircularPad2d(_CircularPad):
    """Images that go on around themselves from the other side."""

    ndim = 2


class CircularPad3d(_CircularPad):
    """Volumes that go on around themselves from the other side."""

    ndim = 3
