"""Where an array lives, and how it moves: "cpu", "cuda" or "cuda:N"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..errors import DeviceError

_new: ContextVar[str | None] = ContextVar("device_of_new_tensors", default=None)


def is_cupy(array: Any) -> bool:
    """Whether an array is CuPy's, without importing CuPy."""
    return type(array).__module__.startswith("cupy")


def device_of(array: Any) -> str:
    """The device of an array, as in "cpu" or "cuda:0"."""
    return f"cuda:{array.device.id}" if is_cupy(array) else "cpu"


def array_module(device: str) -> Any:
    """NumPy for "cpu", CuPy for "cuda" or "cuda:N"; DeviceError with the remedy otherwise."""
    if device == "cpu":
        return np
    if device == "cuda" or (device.startswith("cuda:") and device[5:].isdigit()):
        from .cupy import cupy_module

        return cupy_module()
    raise DeviceError(f'device "{device}" is not known: use "cpu", "cuda" or "cuda:N"')


def to_device(array: Any, device: str) -> Any:
    """`array` on `device`; the same object when it is already there."""
    xp = array_module(device)
    if xp is np:
        return array.get() if is_cupy(array) else array
    number = int(device[5:] or 0) if device.startswith("cuda:") else 0
    count = xp.cuda.runtime.getDeviceCount()
    if number >= count:
        raise DeviceError(f'device "{device}" is not there: this machine has {count} GPU(s)')
    with xp.cuda.Device(number):
        return xp.asarray(array)


@contextmanager
def device_scope(device: str) -> Iterator[None]:
    """Make tensors, parameters and buffers on `device` inside the block.

    What `ag.tensor` is given lands there unless it says a device itself, and so do the parameters
    of a module that is built there. Existing tensors stay where they are.

    >>> import autograd_cnn as ag
    >>> with ag.device_scope("cpu"):
    ...     ag.tensor([1.0]).device
    'cpu'

    Raises DeviceError, before the block runs, for a device that is not there.
    """
    to_device(np.empty(0), device)
    token = _new.set(device)
    try:
        yield
    finally:
        _new.reset(token)


def placed(array: Any) -> Any:
    """An array where new tensors go: the device of the innermost `device_scope`, if any.

    One that is on a GPU stays there.
    """
    device = _new.get()
    return array if device is None or is_cupy(array) else to_device(array, device)
