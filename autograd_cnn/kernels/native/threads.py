"""One pool of threads for all native kernels; a kernel is one native call in each of them.

The calling thread does the first share itself. Native calls release the interpreter, so the
threads run side by side; while no kernel runs they sleep, and never spin on a core that BLAS needs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

_LINE = 16  # floats of a cache line
SMALL = 16 << 20
"""Multiplications below which waking a second thread costs more than it saves."""


def workers(multiplications: int, threads: int) -> int:
    """How many of the pool's threads a kernel should use."""
    return 1 if multiplications < SMALL else threads


def share_out(count: int, shares: int) -> np.ndarray:
    """The first and the end of each of some even shares."""
    bounds = np.array([count * share // shares for share in range(shares + 1)], np.int64)
    return np.ascontiguousarray(np.stack([bounds[:-1], bounds[1:]], axis=1))


class Pool:
    """Threads that wait for work, each with its own number."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.RLock()  # one kernel at a time: its buffers belong to the pool
        self.closed = False
        self._scratch = np.empty(0, np.float32)
        self._work: Callable[[int], object] = print
        self._wanted = [_closed() for _ in range(size - 1)]
        self._done = [_closed() for _ in range(size - 1)]
        for number in range(1, size):
            thread = threading.Thread(
                target=self._serve, args=(number,), name=f"autograd-cnn-{number}", daemon=True
            )
            thread.start()

    def scratch(self, floats: int) -> int:
        """The address of a buffer that is the caller's while it holds the pool, at a cache line."""
        if self._scratch.size < floats + _LINE:
            self._scratch = np.empty(floats + _LINE, np.float32)
        start = self._scratch.__array_interface__["data"][0]
        return start + -start % (4 * _LINE)

    def run(self, work: Callable[[int], object], workers: int) -> None:
        """work(0) … work(workers − 1), side by side; the caller holds `lock`.

        The caller's thread does the first, and those for which there is no thread.
        """
        self._work = work
        for wanted in self._wanted[: workers - 1]:
            wanted.release()
        interruption = None
        try:
            for number in (0, *range(self.size, workers)):
                work(number)
        except KeyboardInterrupt as error:
            interruption = error
        for done in self._done[: workers - 1]:
            interruption = _wait(done) or interruption
        if interruption is not None:
            self.close()  # a new pool starts afresh
            raise interruption

    def close(self) -> None:
        """End the threads, once the kernel that runs now is done."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            for wanted in self._wanted:
                wanted.release()

    def _serve(self, number: int) -> None:
        wanted, done = self._wanted[number - 1], self._done[number - 1]
        while True:
            wanted.acquire()
            if self.closed:
                return
            self._work(number)
            done.release()


def _wait(done: threading.Lock) -> KeyboardInterrupt | None:
    """Until a thread is done, come what may: it writes to memory that must not go away."""
    interruption = None
    while True:
        try:
            done.acquire()
            return interruption
        except KeyboardInterrupt as error:
            interruption = error


def _closed() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


_size = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_pool: Pool | None = None
_making = threading.Lock()


@contextmanager
def pool() -> Iterator[Pool]:
    """The pool, made when first asked for, and held for the block below."""
    while True:
        here = _open_pool()
        with here.lock:
            if not here.closed:
                yield here
                return


def _open_pool() -> Pool:
    global _pool
    with _making:
        if _pool is None or _pool.closed:
            _pool = Pool(_size)
        return _pool


def get_num_threads() -> int:
    """How many threads native kernels run on."""
    return _size


def set_num_threads(number: int) -> None:
    """Run native kernels on `number` threads from now on."""
    global _size, _pool
    if number < 1:
        raise ValueError(f"set_num_threads({number}): at least one thread is needed")
    with _making:
        old, _pool, _size = _pool, None, number
    if old is not None:
        old.close()


def _forget() -> None:
    """A forked child has none of its parent's threads: it makes its own pool when it needs one."""
    global _pool, _making
    _pool, _making = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
