"""Watching a computation run: time, statistics, NaN and feature maps of every operation."""

from __future__ import annotations

from math import sqrt
from time import perf_counter
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..tape import observe
from .model import Statistics
from .thumbnails import thumbnails


class Seen:
    """What was seen of one operation."""

    __slots__ = ("maps", "seconds", "statistics", "value")

    def __init__(
        self,
        seconds: float | None,
        statistics: Statistics | None,
        value: float | None,
        maps: tuple[bytes, ...],
    ) -> None:
        self.seconds, self.statistics, self.value, self.maps = seconds, statistics, value, maps


class Watch:
    """Watches every recorded operation inside a `with` block; give it to `graph`.

    An operation's seconds run from the end of the operation before it to its own end, so Python
    between the two is counted, and the watching itself is not. The same holds for the rules of a
    backward pass inside the block (`loss.backward(retain_graph=True)`). `maps` is how many channels
    of the first image of a batch are kept as small grey pictures, from each output N×C×H×W.

    >>> import numpy as np, autograd_cnn as ag
    >>> x = ag.tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with ag.graphs.Watch() as watch, np.errstate(divide="ignore"):
    ...     y = ag.sum(ag.log(x))
    >>> first = ag.graph(y, watch=watch).first_nonfinite()
    >>> first.name, first.statistics.nonfinite
    ('log', 1)
    """

    def __init__(self, maps: int = 0) -> None:
        if maps < 0:
            raise ValueError(f"maps={maps}: a number of channels, at least 0")
        self.maps = maps
        self.nodes: WeakKeyDictionary[Any, Seen] = WeakKeyDictionary()
        self.backward_seconds: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self.managers: list[Any] = []
        self.last = 0.0

    def __enter__(self) -> Watch:
        manager = observe(self)
        manager.__enter__()
        self.managers.append(manager)
        self.last = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.managers.pop().__exit__(kind, error, traceback)

    def forward(self, primitive: Any, inputs: Any, attributes: Any, ans: Any, node: Any) -> None:
        """Called by the tape after each operation."""
        seconds = perf_counter() - self.last
        if node is not None:
            self.nodes[node] = self.look(ans, seconds)
        self.last = perf_counter()

    def backward(self, node: Any, g: Any, gradients: Any) -> None:
        """Called by the engine after each rule."""
        now = perf_counter()
        self.backward_seconds[node] = now - self.last
        self.last = perf_counter()

    def look(self, array: Any, seconds: float | None = None) -> Seen:
        """What an array looks like."""
        array = np.asarray(array.get() if hasattr(array, "get") else array)
        if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
            return Seen(seconds, None, None, ())
        value = float(array.reshape(-1)[0]) if array.size == 1 else None
        return Seen(seconds, statistics(array), value, thumbnails(array, self.maps))


def statistics(array: np.ndarray) -> Statistics:
    """Mean, deviation and range of the finite entries, counts of zeros and of the others."""
    values = array.ravel()
    if values.dtype.kind not in "iu":
        values = values.astype(np.float64, copy=False)
        finite = np.isfinite(values)
        if not finite.all():
            values = values[finite]
    if not values.size:
        return Statistics(0.0, 0.0, 0.0, 0.0, 0, array.size, array.size)
    mean = float(values.mean(dtype=np.float64))
    return Statistics(
        mean,
        sqrt(float(np.square(values - mean).mean())),
        float(values.min()),
        float(values.max()),
        int(values.size - np.count_nonzero(values)),
        int(array.size - values.size),
        int(array.size),
    )
