"""Lecture pictures of backward rules: max pooling, ReLU, softmax with cross-entropy, the chain."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from .. import ops
from ..engine import gradients
from ..errors import ShapeError, shape_text
from ..kernels.specs import per_axis
from ..rules import override
from ..tensor import Tensor, tensor
from .teaching_slide import (
    BLUE,
    GRADIENT,
    MUTED,
    PALE_BLUE,
    PALE_GREY,
    PALE_RED,
    TINTS,
    VERMILION,
    Slide,
    as_plane,
    blank,
    number,
    styled,
)


def max_pool_backward(x: Any, g: Any, kernel_size: Any = 2, stride: Any = None) -> Any:
    """Max pooling forward and backward on one plane H×W: the mask says where a gradient goes.

    Formula: y = max over each window; ∂L/∂x is g at the place of each window's maximum and 0
    elsewhere; overlapping windows add. At a tie the first entry of the window gets everything.

    >>> from autograd_cnn.graphs import teaching
    >>> x = [[2, 4, 8, 3], [9, 3, 4, 2], [5, 4, 6, 3], [2, 3, 1, 3]]
    >>> figure = teaching.max_pool_backward(x, [[1, 2], [2, 5]])

    Raises ShapeError for what is no plane or a gradient that does not fit, and
    MissingDependencyError without matplotlib.
    """
    x, g = as_plane("max_pool_backward", "x", x), as_plane("max_pool_backward", "g", g)
    plane = tensor(x[None, None], requires_grad=True)
    y, places = ops.max_pool2d(plane, kernel_size, stride, return_indices=True)
    if y.shape[2:] != g.shape:
        raise ShapeError(
            f"max_pool_backward: y is {shape_text(y.shape[2:])}, but g is {shape_text(g.shape)}"
        )
    back = gradients(y, plane, g[None, None]).numpy()[0, 0]
    winners = places.numpy()[0, 0]
    owner = {int(place): k for k, place in reversed(list(enumerate(winners.ravel())))}
    (rows, columns), out_rows = x.shape, g.shape[0]

    def in_x(i: int, j: int) -> str:
        k = owner.get(i * columns + j)
        return "white" if k is None else TINTS[k % len(TINTS)]

    def in_y(i: int, j: int) -> str:
        return TINTS[owner[int(winners[i, j])] % len(TINTS)]

    slide, right = Slide(), columns + 3.2
    middle, below = rows / 2, rows + 2.0
    slide.board("x", x, 0, 0, "x", in_x, lambda i, j: i * columns + j in owner)
    slide.board("y", y.numpy()[0, 0], right, middle - out_rows / 2, "y = max of each window", in_y)
    slide.arrow((columns + 0.4, middle), (right - 0.4, middle), "forward")
    top = below + middle - out_rows / 2
    slide.board("g", g, right, top, "g = ∂L/∂y", in_y)
    slide.board("gradient", back, 0, below, "∂L/∂x", in_x, lambda i, j: back[i, j] != 0,
                blank_zeros=True)  # fmt: skip
    slide.arrow((right - 0.4, below + middle), (columns + 0.4, below + middle), "backward",
                GRADIENT)  # fmt: skip
    _window_frames(slide, x.shape, kernel_size, stride, (0.0, below))
    slide.words(0, below + rows + 0.75, "tinted: where the maximum was, so where g goes",
                MUTED, "left")  # fmt: skip
    return slide.finish()


def _window_frames(slide: Slide, size: tuple, kernel_size: Any, stride: Any, tops: tuple) -> None:
    """The outlines of windows that do not overlap; overlapping ones would only confuse."""
    kernel = per_axis(kernel_size, 2, "kernel_size", 1)
    steps = kernel if stride is None else per_axis(stride, 2, "stride", 1)
    if any(s < k for s, k in zip(steps, kernel, strict=True)):
        return
    for top in tops:
        for i in range(0, size[0] - kernel[0] + 1, steps[0]):
            for j in range(0, size[1] - kernel[1] + 1, steps[1]):
                slide.frame(j, top + i, kernel[1], kernel[0], MUTED, 2.0)


def relu_rules(x: Any, g: Any) -> Any:
    """What backprop, deconvnet and guided backprop send through a ReLU, from one tape.

    Formula: backprop g·[x > 0] (Rumelhart et al. 1986), deconvnet g·[g > 0] (Zeiler and Fergus
    2014), guided g·[x > 0]·[g > 0] (Springenberg et al. 2015). At x = 0 nothing passes the first
    and the last. The forward pass is recorded once; only the rule going backward is another.

    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.relu_rules([[1, -1, 5]], [[-2, 3, -1]])

    Raises ShapeError for what is no plane, MissingDependencyError without matplotlib.
    """
    x, g = as_plane("relu_rules", "x", x), as_plane("relu_rules", "g", g)
    if x.shape != g.shape:
        raise ShapeError(f"relu_rules: x is {shape_text(x.shape)}, but g is {shape_text(g.shape)}")
    variable = tensor(x, requires_grad=True)
    y = ops.relu(variable)
    back = {"backprop": gradients(y, variable, g)}
    for rule in ("deconvnet", "guided"):
        with override(relu=rule):
            back[rule] = gradients(y, variable, g)
    formulas = ("g · [x > 0]", "g · [g > 0]", "g · [x > 0] · [g > 0]")
    slide, (rows, columns) = Slide(), x.shape
    step, below = max(columns, 4) + 1.9, rows + 2.9
    above = (("x", "x", x), ("y", "y = relu(x)", y.numpy()), ("g", "g = ∂L/∂y", g))
    for k, (name, title, values) in enumerate(above):
        slide.board(name, values, k * step, 0, title, _by_sign(values), blank_zeros=name == "y")
    slide.words(-0.2, rows + 1.15, "∂L/∂x by three rules, from one tape", GRADIENT, "left",
                bold=True)  # fmt: skip
    for k, (rule, gradient) in enumerate(back.items()):
        values = gradient.numpy()
        slide.board(rule, values, k * step, below, rule, _by_sign(values), blank_zeros=True)
        slide.words(k * step + columns / 2, below + rows + 0.6, formulas[k], MUTED)
    return slide.finish()


def _by_sign(values: np.ndarray) -> Callable[[int, int], str]:
    colours = {1: PALE_BLUE, -1: PALE_RED, 0: PALE_GREY}
    return lambda i, j: colours[int(np.sign(values[i, j]))]


def softmax_cross_entropy(logits: Any, label: int, names: Any = None) -> Any:
    """The gradient of softmax with cross-entropy: what was said minus what is right, δ = a − y.

    `logits` are the scores of one sample, `label` the right class, `names` those of the classes.
    The bars of δ are measured on the tape.

    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.softmax_cross_entropy([2.0, 1.0, 0.1], 0)

    Raises ShapeError when the logits are no row, ValueError for a class that is not there, and
    MissingDependencyError without matplotlib.
    """
    scores = np.asarray(logits.numpy() if isinstance(logits, Tensor) else logits, np.float64)
    if scores.ndim != 1 or not scores.size:
        raise ShapeError(f"softmax_cross_entropy: logits must be one row, got "
                         f"{shape_text(scores.shape)}")  # fmt: skip
    variable = tensor(scores[None], requires_grad=True)
    loss = ops.cross_entropy(variable, [label])
    delta = gradients(loss, variable).numpy()[0]
    said, right = ops.softmax(scores), np.eye(len(scores))[label]
    labels = [str(name) for name in (names if names is not None else range(len(scores)))]
    panels = (
        ("a = softmax(z)", said, BLUE), ("y, the right class", right, MUTED),
        ("δ = ∂L/∂z = a − y", delta, VERMILION),
    )  # fmt: skip
    figure = blank(max(10.5, 2.4 * len(scores)), 4.2)
    with styled():
        axes = figure.subplots(1, 3, sharey=True)
        for panel, (title, values, colour) in zip(axes, panels, strict=True):
            panel.bar(range(len(values)), values, color=colour, width=0.62)
            for k, value in enumerate(values):
                above = value >= 0
                text = panel.text(k, value + (0.03 if above else -0.03), number(value),
                                  ha="center", va="bottom" if above else "top")  # fmt: skip
                text.set_gid(title.partition(" ")[0].strip(","))
            panel.axhline(0, color=MUTED, linewidth=1.0)
            panel.set_title(title, pad=12)
            panel.set_xticks(range(len(values)), labels)
            panel.tick_params(length=0)
            panel.spines[["left", "bottom"]].set_visible(False)
            panel.set_yticks([])
            panel.set_ylim(min(-0.2, delta.min() - 0.3), 1.15)
        figure.suptitle(f"L = −ln a[{labels[label]}] = {number(loss.item())}", fontsize=15.0,
                        color=MUTED, y=0.06)  # fmt: skip
        figure.subplots_adjust(0.03, 0.2, 0.97, 0.88, wspace=0.12)
    return figure


def derivative_chain(x: float, *steps: Any, name: str = "x") -> Any:
    """A chain of scalar functions: values above, local derivatives on the way back, their product.

    Formula: ∂y/∂x = Π ∂(output of a step)/∂(its input). Each of `steps` is a pair of a label and a
    function of one tensor. Local derivatives and their product are taken from the tape.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn.graphs import teaching
    >>> figure = teaching.derivative_chain(2.0, ("square", ag.square), ("sin", ag.sin))

    Raises ValueError without steps, MissingDependencyError without matplotlib.
    """
    if not steps:
        raise ValueError("derivative_chain needs steps: pairs of a label and a function")
    values = [tensor(float(x), requires_grad=True)]
    for _, function in steps:
        values.append(function(values[-1]))
    local = [float(gradients(b, a).item()) for a, b in pairwise(values)]
    whole = [float(gradients(values[-1], value).item()) for value in values]
    slide = Slide()
    widths = [max(2.6, 0.34 * len(label) + 1.2) for label, _ in steps]
    left = 0.0
    gap = 2.6
    places = []
    for (label, _), width in zip(steps, widths, strict=True):
        left += gap
        slide.axes.add_patch(
            slide.rectangle((left, 0), width, 1.5, facecolor=PALE_BLUE, edgecolor=BLUE,
                            linewidth=1.8)
        )  # fmt: skip
        slide.words(left + width / 2, 0.75, label, bold=True, size=16.0)
        places.append((left, left + width))
        left += width
    starts, ends = [0.6, *(b for _, b in places)], [*(a for a, _ in places), left + gap - 0.6]
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        slide.arrow((start, 0.45), (end, 0.45))
        slide.words((start + end) / 2, -0.15, number(values[k].item()), BLUE, name="value")
        slide.arrow((end, 1.1), (start, 1.1), colour=GRADIENT)
        slide.words((start + end) / 2, 1.65, number(whole[k]), GRADIENT, name="gradient")
    for (a, b), derivative in zip(places, local, strict=True):
        slide.words((a + b) / 2, 2.05, f"× {number(derivative)}", GRADIENT, bold=True, name="local")
    slide.words(0.0, 0.75, name, bold=True, size=16.0)
    slide.words(left + gap, 0.75, "y", bold=True, size=16.0)
    product = " · ".join(f"({number(d)})" if d < 0 else number(d) for d in reversed(local))
    slide.words(0.0, 3.3, f"∂y/∂{name} = {product} = {number(whole[0])}", GRADIENT, "left",
                size=17.0, name="product")  # fmt: skip
    slide.words(0.0, 4.2, "blue: values, forward · brown: ∂y/∂(value), backward · ×: local "
                "derivative", MUTED, "left")  # fmt: skip
    return slide.finish()
