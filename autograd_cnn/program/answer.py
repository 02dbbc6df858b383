"""What a compiled function returns: its structure, and how a replay makes each leaf of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tree
from ..tensor import Tensor
from .listing import Slot
from .replay import Result


class Leaf:
    """A leaf of the answer: how a replay makes it, and what it is this time."""

    __slots__ = ("result", "value")

    def __init__(self, result: Result, value: Any) -> None:
        self.result, self.value = result, value


def moved(result: Result, places: dict) -> Result:
    """Where a result is now; an array that was its own and now is another's is copied."""
    if not isinstance(result.value, Slot):
        return result
    slot = places.get(result.value, result.value)
    kind = "array's copy" if result.kind == "array" and slot != result.value else result.kind
    return Result(kind, slot, result.node)


def arrays_of(answer: Any) -> list:
    """The leaves of an answer, tensors as arrays."""
    return [leaf._data if isinstance(leaf, Tensor) else leaf for leaf in tree.leaves(answer)]


def alike(first: list, second: list) -> bool:
    """Whether two lists hold the same values, arrays entry by entry and NaN equal to NaN."""
    return len(first) == len(second) and all(
        np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")
        if hasattr(a, "shape") and hasattr(b, "shape") else a is b or a == b
        for a, b in zip(first, second, strict=True)
    )  # fmt: skip
