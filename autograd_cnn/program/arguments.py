"""The arguments of a compiled function: what a recording depends on, and what is read anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ProgramError
from ..kernels.devices import is_cupy
from ..tape import caller_line
from ..tensor import Tensor

_STATIC = (int, bool, str, bytes, type(None), complex)


def look(value: Any, key: list, values: list, objects: list | None = None) -> None:
    """Put what a recording depends on into a key, tensors and arrays into values."""
    kind = type(value)
    if kind is tuple or kind is list:
        key.append((kind, len(value)))
        for item in value:
            look(item, key, values, objects)
    elif isinstance(value, Tensor):
        array = value._data
        on_tape = value._tracked and not value.is_leaf
        key.append((kind, array.shape, array.dtype, array.strides, value._tracked, on_tape))
        values.append(value)
    elif kind is np.ndarray or is_cupy(value):
        key.append((kind, value.shape, value.dtype, value.strides))
        values.append(value)
    elif kind is float or isinstance(value, np.generic):
        key.append((kind, value.tobytes() if isinstance(value, np.generic) else value.hex()))
    elif kind in _STATIC:
        key.append((kind, value if kind is not complex else repr(value)))
    elif kind is slice:
        key.append(kind)
        look((value.start, value.stop, value.step), key, values, objects)
    elif isinstance(value, dict):
        key.append((kind, tuple(value)))
        for item in value.values():
            look(item, key, values, objects)
    elif isinstance(value, (tuple, list)):
        key.append((kind, len(value)))
        for item in value:
            look(item, key, values, objects)
    else:
        key.append(id(value))
        if objects is not None:
            objects.append(value)


def traced_arguments(value: Any, recorder: Any, places: Any) -> Any:
    """An argument with traced arrays for its arrays; tensors stay themselves and are followed."""
    if isinstance(value, Tensor):
        next(places)
        return value
    if type(value) is np.ndarray:
        return recorder.raw_argument(value, next(places))
    if is_cupy(value):
        raise ProgramError(f"a recording takes arrays on the CPU, at {caller_line()}")
    if isinstance(value, dict):
        return type(value)((k, traced_arguments(v, recorder, places)) for k, v in value.items())
    if isinstance(value, (tuple, list)):
        items = [traced_arguments(item, recorder, places) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def pattern(values: list) -> tuple | None:
    """Which of the arguments are the same object; None when all differ."""
    if len(values) < 2:
        return None
    identities = [id(value) for value in values]
    if len(set(identities)) == len(identities):
        return None
    return tuple(identities.index(identity) for identity in identities)
