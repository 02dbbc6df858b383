"""Rows of a card below its header: parameters, totals, measures, feature maps, warnings."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

from ..errors import shape_text
from .card import Cell
from .metrics import METRICS, Metric, Scale
from .model import Node, count_parameters
from .scalar import chain_text, number_text
from .theme import ERROR, MARKS, bytes_text, count_text

if TYPE_CHECKING:
    from .cards import Painter

Row = tuple[Cell, ...]
MOST_ROWS = 6


def rows_of(painter: Painter, node: Node) -> Iterator[Row]:
    """All rows below the header, in the order in which they stand."""
    if node.members:
        yield from _module_rows(painter, node)
    else:
        yield from _parameter_rows(painter, node)
    if painter.scalar:
        yield from _scalar_rows(painter, node)
    yield from _facts(painter, node)
    if "maps" in painter.show and node.maps:
        images = tuple((f"n{node.id}_{i}.png", image) for i, image in enumerate(node.maps))
        yield (Cell((), images=images),)
    if painter.metric is not None and painter.scale is not None:
        value = painter.metric.value(node)
        if value is not None or painter.metric.missing:
            yield (heat_cell(painter, painter.metric, painter.scale, value, named=True),)
    yield from _warnings(painter, node)
    if node.mark:
        colour, words = MARKS[node.mark]
        yield (Cell((painter.span(words, "#FFFFFF", True),), colour),)


def gradient_rows(painter: Painter, node: Node) -> Iterator[Row]:
    """A row for the gradient of each parameter."""
    theme = painter.theme
    trainable = [p for p in node.parameters if p.trainable]
    for parameter in trainable[:MOST_ROWS]:
        left = painter.span(f"→ ∂L/∂{parameter.name} {shape_text(parameter.shape)}", theme.ink)
        known = parameter.gradient is not None
        norm = f"‖·‖ {parameter.gradient:.1e}" if known else "not computed"
        yield Cell((left,)), Cell((painter.span(norm, theme.ink),), None, True)
    if len(trainable) > MOST_ROWS:
        more = f"… and {len(trainable) - MOST_ROWS} more parameters"
        yield (Cell((painter.span(more, theme.muted),)),)


def gradient_cell(painter: Painter, value: float | None) -> Cell:
    """The norm of the gradient that reaches a node, coloured."""
    return heat_cell(painter, METRICS["grad_norm"], painter.gradients, value, named=False)


def heat_cell(
    painter: Painter, metric: Metric, scale: Scale, value: float | None, named: bool
) -> Cell:
    """Zero and "not computed" never look the same, and neither looks like a small number."""
    before = f"{metric.short} " if named else ""
    if value is None:
        return Cell((painter.span(before + metric.missing, painter.theme.muted),), None, not named)
    if not isfinite(value):
        return Cell((painter.span(f"{before}{value}", "#FFFFFF", True),), ERROR, not named)
    if value == 0.0 and scale.logarithmic:
        return Cell((painter.span(f"{before}0 exactly", "#000000", True),), "#FFFFFF", not named)
    fill, ink = scale.colours(value)
    return Cell((painter.span(before + metric.text(value), ink),), fill, not named)


def _parameter_rows(painter: Painter, node: Node) -> Iterator[Row]:
    if "params" not in painter.show:
        return
    for parameter in node.parameters:
        colour = painter.theme.ink if parameter.trainable else painter.theme.muted
        left = (painter.span(parameter.name, colour, parameter.trainable),
                painter.span(f" {shape_text(parameter.shape)}", colour))  # fmt: skip
        yield Cell(left), Cell((painter.span(count_text(parameter.count), colour),), None, True)


def _module_rows(painter: Painter, node: Node) -> Iterator[Row]:
    ink, whole = painter.theme.ink, painter.graph
    yield (Cell((painter.span(node.summary, ink),)),)
    for name, value, total, colour in (
        ("params", count_parameters([node]), whole.parameter_count, "#0072B2"),
        ("FLOP", 2 * (node.multiplications or 0), 2 * whole.multiplications, "#D55E00"),
        ("bytes out", node.nbytes, sum(n.nbytes for n in whole.nodes), "#009E73"),
    ):
        if value:
            bar = Cell((), None, False, min(1.0, value / max(total, 1)), colour)
            count = Cell((painter.span(count_text(value), ink),), None, True)
            yield Cell((painter.span(name, ink),)), count, bar


def _scalar_rows(painter: Painter, node: Node) -> Iterator[Row]:
    theme = painter.theme
    yield (Cell((painter.span(f"= {number_text(node.value)}", theme.ink, True),)),)
    if node.slope is not None:
        product = chain_text(painter.graph, node.id) if node.is_input else ""
        text = product or number_text(node.slope)
        yield (Cell((painter.span(f"∂f/∂ = {text}", theme.gradient),), theme.gradient_tint),)


def _facts(painter: Painter, node: Node) -> Iterator[Row]:
    """What `show` asks for beyond shapes, parameters and attributes, a muted row each."""
    facts, show = [], painter.show
    if "dtype" in show:
        facts.append(node.dtype)
    if "stats" in show and node.statistics is not None:
        seen = node.statistics
        numbers = [number_text(v) for v in (seen.mean, seen.std, seen.minimum, seen.maximum)]
        facts.append(f"μ {numbers[0]}  σ {numbers[1]}  [{numbers[2]}, {numbers[3]}]")
        if seen.zeros:
            facts.append(f"zeros {100 * seen.zeros / seen.count:.3g} %")
    if "receptive_field" in show and node.receptive_field is not None and not node.is_input:
        facts.append(f"sees {node.receptive_field}")
    if "kept" in show and node.kept:
        size = f" ({bytes_text(node.kept_bytes)})" if node.kept_bytes else ""
        facts.append("kept: " + ", ".join(node.kept) + size)
    if "source" in show and node.source:
        facts.append(node.source)
    for fact in facts:
        yield (Cell((painter.span(fact, painter.theme.muted),)),)


def _warnings(painter: Painter, node: Node) -> Iterator[Row]:
    """The first NaN or infinity stands out; what follows from it says so quietly."""
    first = painter.is_first_bad(node)
    seen = node.statistics
    if first:
        count = f": {seen.nonfinite:,} of {seen.count:,}" if seen and seen.nonfinite else " inside"
        text = f"{painter.warning} first NaN or infinity{count}"
        yield (Cell((painter.span(text, "#FFFFFF", True),), ERROR),)
    elif seen is not None and seen.nonfinite:
        text = f"{painter.warning} {seen.nonfinite:,} of {seen.count:,} not finite"
        yield (Cell((painter.span(text, painter.theme.error),)),)
    for parameter in node.parameters:
        if parameter.nonfinite:
            text = f"{painter.warning} {parameter.name}: {parameter.nonfinite:,} not finite"
            yield (Cell((painter.span(text, "#FFFFFF", True),), ERROR),)
