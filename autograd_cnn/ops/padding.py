"""Padding with a constant, with the border entry, with the mirror image, and around the circle."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError, shape_text
from .reduce import broadcast_to
from .shape import concatenate, flip, width_pairs
from .shape import pad as _pad_constant

_NAMES = {"constant": "constant", "reflect": "reflect", "replicate": "replicate",
          "circular": "circular", "edge": "replicate", "wrap": "circular"}  # fmt: skip


def pad(x: Any, widths: Any, value: float = 0.0, mode: str = "constant") -> Any:
    """x with entries put around it; `widths` holds (before, after) for each axis, or for all.

    Modes, on 1 2 3 with two before: "constant" v v 1 2 3 with v = `value`; "reflect" 3 2 1 2 3;
    "replicate" 1 1 1 2 3 ("edge" in NumPy); "circular" 2 3 1 2 3 ("wrap").

    >>> import autograd_cnn as ag
    >>> ag.pad(ag.tensor([1.0, 2.0, 3.0]), (2, 1), mode="reflect").tolist()
    [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]

    Raises ShapeError for a wrong number of pairs, a negative width, and one that needs more
    entries than there are; ValueError for another mode.
    """
    if mode not in _NAMES:
        raise ValueError(f'pad: mode "{mode}" is none of {", ".join(_NAMES)}')
    mode = _NAMES[mode]
    if mode == "constant":
        return _pad_constant(x, widths, value)
    pairs = width_pairs(x, widths)
    for axis, pair in enumerate(pairs):
        _check_width(mode, x, axis, max(pair))
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            x = _padded_along(x, axis, before, after, mode)
    return x


def _padded_along(x: Any, axis: int, before: int, after: int, mode: str) -> Any:
    n = x.shape[axis]

    def part(start: int, stop: int) -> Any:
        return x[(slice(None),) * axis + (slice(start, stop),)]

    if mode == "reflect":
        left, right = flip(part(1, before + 1), axis), flip(part(n - 1 - after, n - 1), axis)
    elif mode == "circular":
        left, right = part(n - before, n), part(0, after)
    else:
        left, right = (
            broadcast_to(end, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
            for end, count in ((part(0, 1), before), (part(n - 1, n), after))
        )
    pieces = [(left, before), (x, n), (right, after)]
    return concatenate([piece for piece, length in pieces if length], axis)


def _check_width(mode: str, x: Any, axis: int, width: int) -> None:
    n = x.shape[axis]
    most = {"reflect": n - 1, "circular": n, "replicate": width if n else 0}[mode]
    if width > max(most, 0):
        raise ShapeError(
            f"pad: {mode} takes at most {max(most, 0)} entries from axis {axis} of "
            f"{shape_text(x.shape)}, {n} long, and {width} were asked for"
        )
