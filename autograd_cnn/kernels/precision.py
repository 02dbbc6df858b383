"""How exactly float32 products must be computed: a switch with PyTorch's name and words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PRECISIONS = ("highest", "high", "medium")
_precision = "high"


def set_float32_matmul_precision(precision: str) -> None:
    """Say from now on, in every thread, how exactly convolutions in float32 are computed.

    "highest": products and sums in float32 and nothing else, so whole numbers that fit are exact.
    "high", the default: also Winograd's algorithm where it is faster, which rounds in float32 too
    but a few more times; its error has a bound, and is about 1e-5 of the largest entry. "medium" is
    accepted and means the same. Results in other types, and of matmul, do not depend on it.

    Raises ValueError for another word.

    >>> import autograd_cnn as ag
    >>> before = ag.get_float32_matmul_precision()
    >>> ag.set_float32_matmul_precision("highest")
    >>> ag.get_float32_matmul_precision()
    'highest'
    >>> ag.set_float32_matmul_precision(before)
    """
    global _precision
    if precision not in PRECISIONS:
        words = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"set_float32_matmul_precision({precision!r}): use one of {words}")
    _precision = precision


def get_float32_matmul_precision() -> str:
    """How exactly convolutions in float32 are computed: "highest", "high" or "medium"."""
    return _precision


@contextmanager
def float32_matmul_precision(precision: str) -> Iterator[None]:
    """That precision inside the block, in every thread."""
    before = _precision
    set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        set_float32_matmul_precision(before)
