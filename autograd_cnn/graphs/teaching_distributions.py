"""Lecture pictures of distributions: what batch normalisation does to one channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..tensor import Tensor
from .teaching_slide import BLUE, GREEN, MUTED, ORANGE, blank, number, styled


def batch_norm_histograms(
    x: Any, weight: float = 1.0, bias: float = 0.0, channel: int = 0, eps: float = 1e-5
) -> Any:
    """One channel of N×C×… before batch normalisation, normalised, and scaled and shifted.

    Formula: x̂ = (x − mean)/√(var + ε) with the mean and biased variance of the batch, and
    y = γ·x̂ + β (Ioffe and Szegedy 2015), by `ag.batch_norm` in training. The three histograms
    share their axis, so that shift and stretch can be seen.

    >>> import numpy as np
    >>> from autograd_cnn.graphs import teaching
    >>> x = 3.0 + 2.0 * np.random.default_rng(0).standard_normal((64, 1))
    >>> figure = teaching.batch_norm_histograms(x, weight=0.5, bias=-2.0)

    Raises ShapeError when x has no such channel, MissingDependencyError without matplotlib.
    """
    array = np.asarray(x.numpy() if isinstance(x, Tensor) else x, np.float64)
    if array.ndim < 2 or not 0 <= channel < array.shape[1]:
        raise ShapeError(
            f"batch_norm_histograms: channel {channel} of {shape_text(array.shape)}, which must be "
            "N×C×…"
        )
    one = array[:, channel : channel + 1]
    gamma, beta = np.array([float(weight)]), np.array([float(bias)])
    unit = ops.batch_norm(one, training=True, eps=eps)
    scaled = ops.batch_norm(one, weight=gamma, bias=beta, training=True, eps=eps)
    panels = (
        ("x, before", one, MUTED), ("x̂ = (x − mean)/√(var + ε)", unit, BLUE),
        (f"y = {number(weight)}·x̂ {'−' if bias < 0 else '+'} {number(abs(bias))}", scaled, GREEN),
    )  # fmt: skip
    together = np.concatenate([np.asarray(values).ravel() for _, values, _ in panels])
    edges = np.linspace(together.min(), together.max(), 61)
    figure = blank(10.5, 6.6)
    with styled():
        axes = figure.subplots(3, 1, sharex=True)
        for panel, (title, values, colour) in zip(axes, panels, strict=True):
            values = np.asarray(values).ravel()
            panel.hist(values, edges, color=colour)
            panel.axvline(values.mean(), color=ORANGE, linewidth=2.5)
            panel.set_title(title, loc="left", pad=6)
            # a mean of 1e-17 is a zero for a reader
            mean, deviation = (number(round(float(v), 6)) for v in (values.mean(), values.std()))
            panel.text(1.0, 1.06, f"mean {mean}, deviation {deviation}", ha="right",
                       transform=panel.transAxes, color=MUTED).set_gid("facts")  # fmt: skip
            panel.set_yticks([])
            panel.spines["left"].set_visible(False)
        axes[-1].set_xlabel(f"value, channel {channel} of {shape_text(array.shape)}")
        figure.subplots_adjust(0.04, 0.11, 0.97, 0.93, hspace=0.42)
    return figure
