"""Where recording takes hold: a few methods that look for a recorder while any recording runs.

They are put in place when the first recording begins and taken away when the last one ends, so
nothing is slower outside. Other threads find no recorder in their context and go the usual way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any

import numpy as np

from .. import kernels
from ..ops import random
from ..optim.optimizer import Optimizer
from ..primitive import Primitive
from ..tensor import Tensor
from .traced import Traced

tensor_module: Any = sys.modules[Tensor.__module__]  # the package's `tensor` is the function
active: ContextVar[Any] = ContextVar("recorder", default=None)

APPLY = Primitive.apply
DRAW = random._draw
DATA: Any = vars(Tensor)["_data"]  # where a tensor really keeps its array
GRAD: Any = vars(Tensor)["grad"]
STEP = Optimizer._step_one
_INIT, _ARRAY_MODULE = Tensor.__init__, tensor_module.array_module

_lock = RLock()
_count = 0


@contextmanager
def recording(recorder: Any) -> Iterator[None]:
    """Let a recorder see everything inside the block, in this thread."""
    _change(1)
    token, provider = active.set(recorder), kernels._cpu.set(recorder.kernels)
    try:
        yield
    finally:
        kernels._cpu.reset(provider)
        active.reset(token)
        _change(-1)


class Paused:
    """Run a block as if nothing were recorded; a class, for it surrounds every kernel."""

    __slots__ = ("provider", "recorder", "token")

    def __init__(self, recorder: Any) -> None:
        self.recorder = recorder

    def __enter__(self) -> None:
        self.token, self.provider = active.set(None), kernels._cpu.set(self.recorder.below)

    def __exit__(self, *error: Any) -> None:
        kernels._cpu.reset(self.provider)
        active.reset(self.token)


def _change(by: int) -> None:
    global _count
    with _lock:
        before, _count = _count, _count + by
        if not before or not _count:
            _install(bool(_count))


def _install(on: bool) -> None:
    Primitive.apply = _apply if on else APPLY
    Tensor._data = property(_read, _write) if on else DATA
    Tensor.grad = property(_read_grad, _write_grad) if on else GRAD
    Tensor.__init__ = _initialise if on else _INIT
    tensor_module.array_module = _array_module if on else _ARRAY_MODULE
    random._draw = _draw if on else DRAW
    Optimizer._step_one = _step_one if on else STEP


def is_inside(tensor: Tensor) -> bool:
    """Whether a tensor was made by the recording, or is still being made."""
    try:
        return type(DATA.__get__(tensor)) is Traced
    except AttributeError:
        return True


def _apply(self: Primitive, inputs: tuple, attributes: dict) -> Any:
    recorder = active.get()
    if recorder is None:
        return APPLY(self, inputs, attributes)
    return recorder.apply(self, inputs, attributes)


def _read(self: Tensor) -> Any:
    array, recorder = DATA.__get__(self), active.get()
    if recorder is None or type(array) is Traced:
        return array
    return recorder.read(self, array)


def _write(self: Tensor, value: Any) -> None:
    recorder = active.get()
    if recorder is None:
        DATA.__set__(self, value)
    elif is_inside(self):
        DATA.__set__(self, value if type(value) is Traced else recorder.constant(value))
    else:
        recorder.write(self, value)


def _read_grad(self: Tensor) -> Any:
    recorder = active.get()
    if recorder is None or is_inside(self):
        return GRAD.__get__(self)
    return recorder.read_grad(self)


def _write_grad(self: Tensor, value: Any) -> None:
    recorder = active.get()
    if recorder is None or is_inside(self):
        GRAD.__set__(self, value)
    else:
        recorder.write_grad(self, value)


def _initialise(
    self: Tensor, data: Any, requires_grad: bool = False, name: str | None = None
) -> None:
    if active.get() is None:
        return _INIT(self, data, requires_grad, name)
    data = data._data if isinstance(data, Tensor) else data
    if type(data) is not Traced:
        return _INIT(self, data, requires_grad, name)
    _INIT(self, np.empty(0, data.dtype), False, name)
    self._data = data
    if requires_grad:
        self.requires_grad = True


def _array_module(device: str) -> Any:
    recorder = active.get()
    return _ARRAY_MODULE(device) if recorder is None or device != "cpu" else recorder.kernels.xp


def _draw(rng: Any) -> Any:
    recorder = active.get()
    return DRAW(rng) if recorder is None else recorder.draw(rng)


def _step_one(self: Optimizer, parameter: Tensor, group: dict) -> None:
    recorder = active.get()
    if recorder is None:
        STEP(self, parameter, group)
    else:
        recorder.step(self, parameter, group)
