"""What a view can colour nodes by: one number a node, how it reads, and what its absence means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite, log10
from typing import Any

from .model import Node
from .theme import CIVIDIS, bytes_text, count_text, time_text


@dataclass(frozen=True, slots=True)
class Metric:
    """A number for each node: its short name on cards, its name in the legend, its text.

    `missing` stands on the card of a node without the number; "" for no row at all.
    """

    short: str
    name: str
    value: Callable[[Node], float | None]
    text: Callable[[float], str]
    missing: str = ""


METRICS = {
    "grad_norm": Metric("‖∂L‖", "‖∂L/∂out‖₂", lambda node: node.gradient,
                        lambda value: f"{value:.1e}", "not computed"),
    "flops": Metric("FLOP", "FLOP",
                    lambda node: None if node.multiplications is None
                    else 2.0 * node.multiplications, count_text),
    "bytes": Metric("out", "bytes of output", lambda node: float(node.nbytes), bytes_text),
    "time": Metric("time", "time", lambda node: node.seconds, time_text),
    "backward_time": Metric("∂ time", "time of the backward pass",
                            lambda node: node.backward_seconds, time_text),
}  # fmt: skip


def metric_of(colour: Any) -> Metric | None:
    """The metric of a view's `color`: one of ours, or a function of a node."""
    if colour is None or isinstance(colour, str):
        return METRICS.get(colour or "")
    name = getattr(colour, "__name__", type(colour).__name__)
    name = "value" if name == "<lambda>" else name.replace("_", " ")
    return Metric(name, name, colour, lambda value: f"{value:.3g}".replace("-", "−"))


class Scale:
    """Cividis over the values present: logarithmic where all are positive, else linear."""

    def __init__(self, metric: Metric, nodes: Iterable[Node]) -> None:
        values = [metric.value(node) for node in nodes]
        finite = [float(v) for v in values if v is not None and isfinite(v)]
        self.logarithmic = all(value >= 0 for value in finite)
        finite = [v for v in finite if v > 0] if self.logarithmic else finite
        self.known = bool(finite)
        self.low, self.high = (min(finite), max(finite)) if finite else (1.0, 1.0)

    def colours(self, value: float) -> tuple[str, str]:
        """The colour of a value, and that of text on it."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = log10(value), log10(low), log10(high)
        share = (value - low) / (high - low) if high > low else 0.0
        step = min(len(CIVIDIS) - 1, max(0, int(share * len(CIVIDIS))))
        return CIVIDIS[step], "#FFFFFF" if step < 5 else "#000000"

    def text(self, metric: Metric) -> str:
        """The ends of the scale, for the legend."""
        kind = "log" if self.logarithmic else "linear"
        return f"{metric.name}, {kind}: {metric.text(self.low)} … {metric.text(self.high)}"
