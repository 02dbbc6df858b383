"""Recycled memory for large answers: a block that nobody reads any more serves the next one.

Fresh memory costs a page fault every 4 KiB at its first use, and large arrays get fresh memory
every time. A block goes home when the last array over it is gone. Blocks at home and in use
together never exceed five quarters of the most that was in use at once.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from math import prod

import numpy as np

SMALLEST = 1 << 18
"""Bytes from which an array's memory is recycled; the system keeps smaller memory itself."""
_ROOM = 1.25  # of the most in use at once; with less, sizes that peak in turn drive each other out
_LINE = 64


class Recycler:
    """Blocks of memory, in use and at home."""

    def __init__(self) -> None:
        self.used = self.idle = self.most = 0  # bytes in use, at home, and in use at once
        self._lock = threading.RLock()  # a garbage collection may come in between and ask for more
        self._returned: deque[np.ndarray] = deque()
        self._home: dict[int, list[np.ndarray]] = {}  # by size; the last to be asked for is last

    def empty(self, shape: tuple[int, ...], dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
        """An array with any values in it, at a cache line if it is large."""
        dtype = np.dtype(dtype)
        size = prod(shape) * dtype.itemsize
        if size < SMALLEST or dtype.hasobject:
            return np.empty(shape, dtype)
        with self._lock:
            memory = self._take(_rounded(size))
        return np.ndarray(shape, dtype, np.asarray(_Block(memory, self._returned, size)))

    def release(self) -> int:
        """Give the memory at home back to the system; how many bytes it was."""
        with self._lock:
            self._welcome()
            before = self.idle
            self._shrink(0)
            self.most = self.used
            return before

    def forget_lock(self) -> None:
        """In a forked child: the thread that held the lock is not there to open it."""
        self._lock = threading.RLock()

    def _take(self, size: int) -> np.ndarray:
        self._welcome()
        self._home[size] = blocks = self._home.pop(size, [])
        if blocks:
            memory = blocks.pop()
            self.idle -= size
        else:
            self._shrink(max(0, int(_ROOM * self.most) - self.used - size))
            memory = self._fresh(size + _LINE)
        self.used += size
        self.most = max(self.most, self.used)
        return memory

    def _fresh(self, size: int) -> np.ndarray:
        try:
            return np.empty(size, np.uint8)
        except MemoryError:
            self._shrink(0)
            return np.empty(size, np.uint8)

    def _welcome(self) -> None:
        """Take in the blocks that came home since the last call."""
        while self._returned:
            memory = self._returned.popleft()
            size = memory.size - _LINE
            self._home.setdefault(size, []).append(memory)
            self.used -= size
            self.idle += size

    def _shrink(self, idle: int) -> None:
        """Keep at most so many bytes at home; the sizes that were not asked for go first."""
        for size, blocks in list(self._home.items()):
            while blocks and self.idle > idle:
                blocks.pop()
                self.idle -= size
            if not blocks:
                del self._home[size]


class _Block:
    """What the arrays over some memory hold; without them the memory goes home.

    It takes no lock on the way: it may die at any time, in any thread.
    """

    __slots__ = ("__array_interface__", "_home", "_memory")

    def __init__(self, memory: np.ndarray, home: deque, size: int) -> None:
        self._memory, self._home = memory, home
        start = memory.__array_interface__["data"][0]
        self.__array_interface__ = {
            "version": 3, "shape": (size,), "typestr": "|u1",
            "data": (start + -start % _LINE, False),
        }  # fmt: skip

    def __del__(self) -> None:
        self._home.append(self._memory)


def _rounded(size: int) -> int:
    """The next size with four leading binary digits: some sizes serve their neighbours too."""
    step = 1 << (size.bit_length() - 4)
    return -(-size // step) * step


_recycler = Recycler()
empty = _recycler.empty


def release_memory() -> int:
    """Give the memory that large answers left behind back to the system; returns its bytes.

    Kernels keep such memory for the answers to come, never more than was in use at once.

    >>> import autograd_cnn as ag
    >>> freed = ag.kernels.release_memory()
    >>> ag.kernels.release_memory()
    0
    """
    return _recycler.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_recycler.forget_lock)
