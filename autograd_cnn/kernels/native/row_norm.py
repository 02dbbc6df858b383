"""Layer, group and instance norm: each row of a matrix is normalised, and read from memory once.

A row is seen as the one channel of an image (see `normalization`); weight and bias go along it.
"""

from __future__ import annotations

import numpy as np

from . import memory
from .assembly import DOUBLE, FLOAT, Function, Value
from .machine import Machine
from .normalization import COMMON, Channels, Place, run

NORMALIZE = f"{COMMON} y* bias* eps*"
GRADIENT = f"{COMMON} g* result*"


def normalize(x, weight, bias, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, mean and 1/std of contiguous float32 rows, the last two with an entry a row."""
    y, (mean, inverse_std) = memory.empty(x.shape), np.empty((2, len(x)), np.float32)
    run(
        normalize_rows_share, NORMALIZE, x[None], weight is not None, bias is not None,
        weight=x if weight is None else weight, mean=mean, inverse_std=inverse_std,
        bias=x if bias is None else bias, y=y, eps=np.array(eps),
    )  # fmt: skip
    return y, mean, inverse_std


def input_grad(g, x, weight, mean, inverse_std) -> np.ndarray:
    """inverse_std·(ĝ − mean(ĝ) − x̂·mean(ĝ·x̂)) of each row, with ĝ = g·weight."""
    result = memory.empty(x.shape)
    run(
        rows_input_grad_share, GRADIENT, x[None], weight is not None, mean=mean,
        weight=x if weight is None else weight, inverse_std=inverse_std, g=g, result=result,
    )  # fmt: skip
    return result


def normalize_rows_share(machine: Machine, name: str, weighted: bool, biased: bool) -> Function:
    """(x − mean)/√(variance + eps)·weight + bias, for each row of a worker."""
    rows = Channels(machine, name, NORMALIZE)
    f, a = rows.function, rows.arguments
    with rows.each() as row:
        mean, inverse = rows.statistics(a["x"], a["eps"])
        f.store(mean, a["mean"] + row)
        f.store(inverse, a["inverse_std"] + row)

        def write(here: Place) -> None:
            y = (here.at(a["x"]) - here.of(mean)) * here.of(inverse)
            y = y * here.along(a["weight"]) if weighted else y
            here.put(y + here.along(a["bias"]) if biased else y, a["y"])

        rows.visit(write)
    return f


def rows_input_grad_share(machine: Machine, name: str, weighted: bool) -> Function:
    """inverse_std·(ĝ − mean(ĝ) − (x − mean)·inverse_std²·mean(ĝ·(x − mean)))."""
    rows = Channels(machine, name, GRADIENT)
    f, a = rows.function, rows.arguments
    with rows.each() as row:
        mean, inverse = f.load(a["mean"] + row), f.load(a["inverse_std"] + row)

        def gradient(here: Place) -> Value:
            g = here.at(a["g"])
            return g * here.along(a["weight"]) if weighted else g

        def terms(here: Place) -> list[Value]:
            g = gradient(here)
            return [g, g * (here.at(a["x"]) - here.of(mean))]

        total, products = rows.totals(2, terms)
        along, wide = f.convert(total / rows.count, FLOAT), f.convert(inverse, DOUBLE)
        across = f.convert(products * wide * wide / rows.count, FLOAT)

        def write(here: Place) -> None:
            slope = (here.at(a["x"]) - here.of(mean)) * here.of(across)
            here.put((gradient(here) - slope - here.of(along)) * here.of(inverse), a["result"])

        rows.visit(write)
    return f
