"""Large batches in pieces that fit the memory, and a bar for what takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .. import ops
from ..errors import MissingDependencyError, require
from ..tape import no_grad, observe
from ..tensor import Tensor, tensor
from .layers import Layers
from .target import Target, Unit, score_of

MAX_BYTES = 2**28


class _Bytes:
    """An observer that adds up what every operation makes."""

    total = 0

    def forward(self, primitive: Any, inputs: Any, attributes: Any, ans: Any, node: Any) -> None:
        self.total += ans.nbytes


def samples_that_fit(model: Callable, x: Tensor, max_bytes: int | None) -> int:
    """How many samples like those of x may run at once: all when `max_bytes` is None.

    One sample is run and the bytes of all its intermediate results are counted, so this errs on
    the safe side. Raises ValueError for fewer than one byte.
    """
    if max_bytes is None:
        return max(1, x.shape[0])
    if max_bytes < 1:
        raise ValueError(f"max_bytes must be at least 1, got {max_bytes}")
    counter = _Bytes()
    with no_grad(), observe(counter):
        model(x[:1])
    return max(1, max_bytes // max(1, counter.total))


def slices(count: int, size: int) -> Iterator[slice]:
    """0 … count in pieces of `size`, the last one shorter."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def scores(model: Callable, x: Tensor, target: Target, score: str = "logit") -> Tensor:
    """The score of each sample, off the tape."""
    layers = Layers(model)
    with no_grad():
        with observe(layers):
            outputs = model(x)
        return score_of(outputs, target, score, layers)


def scores_of_copies(
    model: Callable,
    copies: Callable[[slice], Any],
    count: int,
    like: Tensor,
    target: Target,
    score: str,
    max_bytes: int | None,
) -> np.ndarray:
    """The scores of `count` copies of one sample, made by `copies(part)`, in pieces that fit."""
    size = samples_that_fit(model, like, MAX_BYTES if max_bytes is None else max_bytes)
    found = []
    for part in slices(count, size):
        batch = tensor(copies(part), dtype=like.dtype, device=like.device)
        found.append(scores(model, batch, tiled(target, batch.shape[0]), score).numpy())
    return np.concatenate(found).astype(np.float64)


def tracked(items: Iterable[Any], total: int, title: str, progress: bool | None) -> Iterable[Any]:
    """The items, with a bar beside them: True always, None in a terminal only (and with rich)."""
    if progress is False or (progress is None and not sys.stdout.isatty()):
        return items
    try:
        rich = require("rich.progress", "train")
    except MissingDependencyError:
        if progress:
            raise
        return items
    return rich.track(items, description=title, total=total)


def joined(parts: list[Tensor]) -> Tensor:
    """The pieces as one batch."""
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, 0)


def tiled(target: Target, count: int) -> Target:
    """The target of a batch for `count` copies of that batch, one after the other."""
    if isinstance(target, Unit):
        channel, position = target.channel, target.position
        if channel is not None and np.ndim(channel):
            channel = np.tile(channel, count)
        if position is not None and np.ndim(position) > 1:
            position = np.tile(position, (count, 1))
        return replace(target, channel=channel, position=position)
    target = target.numpy() if isinstance(target, Tensor) else target
    return np.tile(target, count) if np.ndim(target) else target
