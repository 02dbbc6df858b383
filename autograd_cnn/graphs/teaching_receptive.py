"""Lecture pictures of receptive fields: how they grow with depth, with and without dilation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..engine import gradients
from ..errors import require
from ..tensor import tensor
from .teaching_slide import BLUE, HAIR, INK, MUTED, TITLE, VERMILION, blank, styled

Layers = Sequence[tuple[int, ...]]
RIM = 2


def receptive_field_1d(**networks: Layers) -> Any:
    """The units that one output sees in chains of 1-D convolutions, one panel a network.

    A network is a list of layers (kernel, stride, dilation), the last two 1 unless given. Formula:
    r ← r + (kernel − 1)·dilation·jump, jump ← jump·stride. Filled circles and lines are what the
    top unit is computed from.

    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.receptive_field_1d(plain=[(3,), (3,)], dilated=[(3,), (3, 1, 2)])

    Raises ValueError without networks, MissingDependencyError without matplotlib.
    """
    plans = _plans("receptive_field_1d", networks)
    widest = max(sizes[-1][0] for _, sizes in plans.values())
    deepest = max(len(layers) for layers, _ in plans.values())
    figure = blank(max(8.0, 0.46 * (widest + 2 * RIM) + 4.4), (0.95 * deepest + 1.1) * len(plans))
    with styled():
        panels = figure.subplots(len(plans), 1, squeeze=False, sharex=True)[:, 0]
        for panel, (name, (layers, sizes)) in zip(panels, plans.items(), strict=True):
            _draw_chain(panel, layers, sizes, widest)
            panel.set_title(name.replace("_", " "), loc="left", pad=4)
        figure.subplots_adjust(0.01, 0.01, 0.99, 0.93, hspace=0.22)
    return figure


def _draw_chain(panel: Any, layers: list, sizes: list, widest: int) -> None:
    """Rows of circles; the field of the top unit is found by walking down, tap by tap."""
    seen: list[set[int]] = [{0}]
    for kernel, stride, dilation in reversed(layers):
        seen.append({i * stride + tap * dilation for i in seen[-1] for tap in range(kernel)})
    seen.reverse()
    start, jumps = (widest - sizes[-1][0]) / 2 + RIM, [1, *(jump for _, jump in sizes)]
    field = [1, *(r for r, _ in sizes)]
    # a unit stands over the middle of what it sees
    place = [lambda i, k=k: start + i * jumps[k] + (field[k] - 1) / 2 for k in range(len(jumps))]
    for k, (kernel, stride, dilation) in enumerate(layers, 1):
        for i in sorted(seen[k]):
            for tap in range(kernel):
                below = i * stride + tap * dilation
                panel.plot([place[k - 1](below), place[k](i)], [k - 1, k], color=BLUE,
                           linewidth=1.2, zorder=1)  # fmt: skip
        text = f"k{kernel} s{stride} d{dilation}   r = {field[k]}"
        panel.text(widest + 2 * RIM + 0.6, k, text, va="center").set_gid("field")
    panel.text(widest + 2 * RIM + 0.6, 0, "input", va="center", color=MUTED)
    for k, units in enumerate(seen):
        last = int((widest + 2 * RIM - 1 - place[k](0)) // jumps[k])
        first = -int(place[k](0) // jumps[k])
        for i in range(first, last + 1):
            filled = i in units
            top = k == len(layers)
            colour = VERMILION if top and filled else BLUE if filled else "white"
            panel.plot(place[k](i), k, "o", markersize=15, markerfacecolor=colour,
                       markeredgecolor=INK if filled else HAIR, zorder=2)  # fmt: skip
    panel.set(xlim=(-0.8, widest + 2 * RIM + 7.6), ylim=(-0.45, len(layers) + 0.45))
    panel.set_axis_off()


def receptive_field_2d(**networks: Layers) -> Any:
    """How often one output uses each pixel in chains of 2-D convolutions, one panel a network.

    A network is a list of layers (kernel, stride, dilation), the last two 1 unless given. The
    counts are the gradient of the unit in a network whose weights are all 1, so the picture is the
    support of a true gradient; the squares are the fields after each layer. Equal dilations leave
    holes, growing ones do not (Yu and Koltun 2016).

    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.receptive_field_2d(plain=[(3,), (3,)], dilated=[(3,), (3, 1, 2)])

    Raises ValueError without networks, MissingDependencyError without matplotlib.
    """
    plans = _plans("receptive_field_2d", networks)
    widest = max(sizes[-1][0] for _, sizes in plans.values()) + 2
    colours = require("matplotlib", "plot").colormaps["Blues"]
    figure = blank(4.6 * len(plans), 5.4)
    with styled():
        panels = figure.subplots(1, len(plans), squeeze=False)[0]
        for panel, (name, (layers, sizes)) in zip(panels, plans.items(), strict=True):
            r = sizes[-1][0]
            paths = path_counts(layers)
            offset = (widest - r) / 2
            for (i, j), count in np.ndenumerate(paths):
                share = np.log1p(count) / np.log1p(paths.max())
                face = "white" if count == 0 else colours(0.15 + 0.75 * share)
                panel.fill_between([offset + j, offset + j + 1], offset + i, offset + i + 1,
                                   facecolor=face, edgecolor=HAIR, linewidth=0.6)  # fmt: skip
            for size, _ in sizes:
                low = (widest - size) / 2
                high = low + size
                panel.plot([low, high, high, low, low], [low, low, high, high, low],
                           color=VERMILION, linewidth=2.2)  # fmt: skip
            panel.set(xlim=(0, widest), ylim=(widest, 0), aspect="equal")
            panel.set_axis_off()
            panel.set_title(name.replace("_", " "), fontsize=TITLE)
            used = int((paths > 0).sum())
            panel.text(widest / 2, widest + 0.2, f"{r}×{r} field\n{used} of {r * r} pixels used",
                       ha="center", va="top").set_gid("field")  # fmt: skip
        figure.subplots_adjust(0.02, 0.16, 0.98, 0.92, wspace=0.06)
    return figure


def path_counts(layers: Layers) -> np.ndarray:
    """The number of paths from each pixel of the field to the unit, by a true gradient.

    >>> from autograd_cnn.graphs.teaching_receptive import path_counts
    >>> path_counts([(2,), (2,)]).tolist()
    [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    """
    layers, sizes = _plan(layers)
    r = sizes[-1][0]
    x = y = tensor(np.zeros((1, 1, r, r)), requires_grad=True)
    for kernel, stride, dilation in layers:
        y = ops.conv2d(y, np.ones((1, 1, kernel, kernel)), None, stride, 0, dilation)
    return gradients(y, x).numpy()[0, 0].round().astype(int)


def _plans(function: str, networks: dict[str, Layers]) -> dict[str, tuple[list, list]]:
    if not networks:
        raise ValueError(f"{function} needs networks, such as plain=[(3,), (3,)]")
    return {name: _plan(layers) for name, layers in networks.items()}


def _plan(layers: Layers) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Layers with stride and dilation, and (field, jump) after each of them."""
    full, sizes, field, jump = [], [], 1, 1
    for layer in layers:
        kernel, stride, dilation = (*layer, 1, 1)[: max(len(layer), 3)] if len(layer) > 1 else (
            layer[0], 1, 1)  # fmt: skip
        field += (kernel - 1) * dilation * jump
        jump *= stride
        full.append((kernel, stride, dilation))
        sizes.append((field, jump))
    return full, sizes
