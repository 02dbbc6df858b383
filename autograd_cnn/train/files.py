"""Weights in files: safetensors, written whole or not at all; never pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..atomic import write_atomically
from ..errors import DTypeError, require
from ..kernels.devices import to_device
from ..nn import Module
from ..tensor import Tensor


def save(model: Module | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a model's `state_dict`, or any dictionary of tensors or arrays, as safetensors.

    The file appears whole or not at all: a crash half-way leaves the old one.

    >>> import tempfile, pathlib, autograd_cnn as ag
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> ag.save({"w": ag.tensor([1.0, 2.0])}, path)
    >>> ag.load(path)["w"].tolist()
    [1.0, 2.0]

    Raises MissingDependencyError without safetensors.
    """
    state = model.state_dict() if isinstance(model, Module) else model
    write(state, path)


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, for `model.load_state_dict`."""
    return read(path)[0]


def write(
    state: Mapping[str, Any], path: str | os.PathLike[str], notes: Mapping[str, Any] | None = None
) -> None:
    """Write tensors and notes, any JSON, to a safetensors file, atomically."""
    require("safetensors", "train")
    safetensors = require("safetensors.numpy", "train")
    arrays = {name: _host_array(name, value) for name, value in state.items()}
    metadata = None if notes is None else {"notes": json.dumps(notes)}
    write_atomically(path, safetensors.save(arrays, metadata))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], Any]:
    """The tensors and the notes of a safetensors file."""
    safetensors = require("safetensors", "train")
    with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
        state = {name: Tensor(file.get_tensor(name)) for name in file.keys()}
        metadata = file.metadata() or {}
    return state, json.loads(metadata["notes"]) if "notes" in metadata else None


def _host_array(name: str, value: Any) -> np.ndarray:
    value = value._data if isinstance(value, Tensor) else value
    array = np.asarray(to_device(value, "cpu"), order="C")
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"safetensors cannot hold {name}: {array.dtype}")
    return array
