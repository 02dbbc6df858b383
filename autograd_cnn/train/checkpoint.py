"""Checkpoints: everything needed to go on with a training that was interrupted, in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..errors import ShapeError
from ..nn import Module
from ..optim import Optimizer
from .files import read, write
from .history import History


def write_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimizer: Optimizer,
    schedule: Any,
    history: History,
    best: Mapping[str, Any],
) -> None:
    """Write the state after an epoch: weights, the best weights, optimizer, schedule, history."""
    saved = optimizer.state_dict()
    arrays, numbers = {}, {}
    for number, kept in saved["state"].items():
        for name, value in kept.items():
            if hasattr(value, "shape"):
                arrays[f"optimizer.{number}.{name}"] = value
            else:
                numbers[f"{number}.{name}"] = value
    arrays |= {f"model.{name}": value for name, value in model.state_dict().items()}
    arrays |= {f"best.{name}": value for name, value in best.items()}
    notes = {
        "optimizer": {"kind": type(optimizer).__name__, "groups": saved["param_groups"]},
        "numbers": numbers,
        "schedule": schedule.state_dict() if schedule is not None else None,
        "history": history.as_dict(),
    }
    write(arrays, path, notes)


def read_checkpoint(
    path: str | os.PathLike[str], model: Module, optimizer: Optimizer, schedule: Any
) -> tuple[History, dict[str, Any]]:
    """Take up the state of a checkpoint: its history and its best weights.

    Raises ValueError for a file that is no checkpoint, or one of another optimizer.
    """
    arrays, notes = read(path)
    if not isinstance(notes, dict) or "history" not in notes:
        raise ValueError(f"{path} holds weights, but is not a checkpoint of fit()")
    kind = notes["optimizer"]["kind"]
    if kind != type(optimizer).__name__:
        raise ValueError(f"{path} was made with {kind}, not {type(optimizer).__name__}")
    model.load_state_dict(_under("model.", arrays))
    state: dict[int, dict[str, Any]] = {}
    for path_, value in (_under("optimizer.", arrays) | notes["numbers"]).items():
        number, _, name = path_.partition(".")
        state.setdefault(int(number), {})[name] = value
    try:
        optimizer.load_state_dict({"state": state, "param_groups": notes["optimizer"]["groups"]})
    except (ValueError, ShapeError) as error:
        raise ValueError(f"{path}: the optimizer's state does not fit: {error}") from error
    if schedule is not None and notes["schedule"] is not None:
        schedule.load_state_dict(notes["schedule"])
    return History(**notes["history"]), _under("best.", arrays)


def _under(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {name[len(prefix) :]: v for name, v in state.items() if name.startswith(prefix)}
