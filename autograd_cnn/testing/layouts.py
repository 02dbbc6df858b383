"""One array in every memory layout that NumPy has."""

from __future__ import annotations

import numpy as np

LAYOUTS = ("C", "F", "reversed", "strided", "offset", "read-only")
"""Row by row, column by column, negative strides, every second entry, not at the start of its
memory, not writeable. `repeated` makes zero strides."""


def relaid(x: np.ndarray, layout: str) -> np.ndarray:
    """The same values in another layout; ValueError for one that is not in `LAYOUTS`."""
    if layout == "C":
        return np.array(x, order="C")
    if layout == "F":
        return np.array(x, order="F")
    if layout == "reversed":
        turn = (slice(None, None, -1),) * x.ndim
        return np.array(x[turn], order="C")[turn]
    if layout == "strided":
        sparse = np.full([2 * n for n in x.shape], -1, x.dtype)
        view = sparse[(*(slice(None, None, 2),) * x.ndim, ...)]
        view[...] = x
        return view
    if layout == "offset":
        memory = np.full(x.size + 3, -1, x.dtype)
        memory[3:] = x.reshape(-1)
        return memory[3:].reshape(x.shape)
    if layout == "read-only":
        copy = np.array(x, order="C")
        copy.flags.writeable = False
        return copy
    raise ValueError(f'layout "{layout}" is not one of {", ".join(LAYOUTS)}')


def repeated(x: np.ndarray, axis: int = 0) -> np.ndarray:
    """The first slice along an axis at every place of it, by a stride of zero."""
    if not x.size:
        return x
    first = np.array(x[(slice(None),) * axis + (slice(0, 1),)])
    return np.broadcast_to(first, x.shape)
