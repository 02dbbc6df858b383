"""How work is cut into blocks that fit registers, and memory into places."""

from __future__ import annotations

import numpy as np

from .machine import Machine
from .plan import odd_lines

TALLEST = 14
"""Rows of a tile whose vectors run along filters; more than a few hide the time of a sum."""


def blocks(total: int, most: int) -> list[tuple[int, int]]:
    """Starts and sizes of the fewest even parts of at most `most`, the bigger ones first."""
    count = -(-total // most)
    small, big = divmod(total, count)
    sizes = [small + 1] * big + [small] * (count - big)
    return [(sum(sizes[:number]), size) for number, size in enumerate(sizes)]


def even(total: int, most: int) -> int:
    """The size of the biggest of the fewest even parts of at most `most`."""
    return -(-total // -(-total // most))


def filter_vectors(filters: int, lanes: int) -> int:
    """Vectors of filters of a tile: few are done twice as the last moves back, and two are best."""
    vectors = -(-filters // lanes)
    return min(
        (c for c in (2, 3, 4, 1) if c * lanes <= filters), key=lambda c: -(-vectors // c) * c
    )


def tallest(columns: int, machine: Machine) -> int:
    """Rows of sums that the registers hold beside a row of operands and one more."""
    return min((machine.registers - 1 - columns) // columns, TALLEST)


def places(*sizes: int) -> tuple[list[int], int]:
    """Where parts of these sizes begin, one after the other, and how long they are together."""
    ends = np.cumsum([0, *map(odd_lines, sizes)]).tolist()
    return ends[:-1], ends[-1]
