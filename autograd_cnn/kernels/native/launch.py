"""How a driver is started: tables of words with names, buffers of the pool, one call a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from .assembly import Function
from .compiler import SHARE, address
from .machine import Machine
from .threads import share_out, workers

__all__ = ["fill", "run", "share_out", "table", "where", "workers"]


def table(names: str, **values: int | np.ndarray) -> np.ndarray:
    """A record of 64-bit words: numbers, and the addresses of arrays (which must stay alive)."""
    fields = [name.rstrip("*") for name in names.split()]
    missing = set(fields) ^ set(values)
    if missing:
        raise TypeError(f"fields that are missing or unknown: {', '.join(sorted(missing))}")
    return np.array([_word(values[name]) for name in fields], np.int64)


def fill(names: str, words: np.ndarray, **values: int) -> np.ndarray:
    """A copy of a record with some of its words set."""
    places, words = _places(names), words.copy()
    for name, value in values.items():
        words[places[name]] = value
    return words


@cache
def _places(names: str) -> dict[str, int]:
    return {name.rstrip("*"): place for place, name in enumerate(names.split())}


def where(array: np.ndarray) -> int:
    """The address of an array's first entry."""
    return array.__array_interface__["data"][0]


def _word(value: int | np.ndarray) -> int:
    return where(value) if isinstance(value, np.ndarray) else value


@cache
def _driver(machine: Machine, build: Callable[..., Function], *parameters: object):
    return SHARE(address(machine, build, *parameters))


def run(pool, machine: Machine, build, words: np.ndarray, workers: int, *parameters) -> None:
    """Run a driver with a record of arguments in `workers` threads of a pool that is held."""
    driver, record = _driver(machine, build, *parameters), where(words)
    if workers == 1:
        driver(record, 0)
    else:
        pool.run(lambda worker: driver(record, worker), workers)
