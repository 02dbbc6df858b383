"""Matrix products by BLAS, on the threads of our own pool.

A product of BLAS's on several threads leaves them spinning for a while, on the cores that the next
kernel needs: with two pools on two cores a step took twice as long as with one. So BLAS is asked to
use one thread for the length of a product, and the pool's threads each compute a share of it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..arrays import Array
from . import memory, threads

ONE_THREAD = 1 << 15
"""Multiplications up to which BLAS uses one thread anyway."""


def shared(x: Array, y: Array) -> bool:
    """Whether a product of these arrays is one that is shared out here: two matrices, not tiny."""
    return (
        type(x) is type(y) is np.ndarray
        and x.ndim == y.ndim == 2
        and x.shape[1] == y.shape[0]
        and x.dtype == y.dtype
        and x.dtype in (np.float32, np.float64)
        and x.shape[0] * y.size > ONE_THREAD
        and bool(_libraries())
    )


def matmul(x: Array, y: Array) -> Array:
    """x·y, its rows or its columns shared out, whichever are more."""
    out = memory.empty((x.shape[0], y.shape[1]), x.dtype)
    workers = threads.workers(x.shape[0] * y.size, threads.get_num_threads())
    by_rows = x.shape[0] >= y.shape[1]
    bounds = threads.share_out(max(out.shape), workers)

    def share(worker: int) -> None:
        here = slice(*bounds[worker])
        if by_rows:
            np.matmul(x[here], y, out=out[here])
        else:
            np.matmul(x, y[:, here], out=out[:, here])

    libraries = _libraries()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        if workers == 1:
            np.matmul(x, y, out=out)
        else:
            with threads.pool() as pool:
                pool.run(share, workers)
    finally:
        for library, number in zip(libraries, before, strict=True):
            library.set_num_threads(number)
    return out


@cache
def _libraries() -> tuple[Any, ...]:
    """The BLAS that NumPy has loaded, if its number of threads can be set."""
    try:
        import threadpoolctl
    except ImportError:
        return ()
    found = threadpoolctl.ThreadpoolController().select(user_api="blas")
    return tuple(found.lib_controllers)
