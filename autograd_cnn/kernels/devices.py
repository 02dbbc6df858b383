"""Where an array lives, and how it moves: "cpu", "cuda" or "cuda:N"."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DeviceError


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
