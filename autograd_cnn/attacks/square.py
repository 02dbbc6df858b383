"""Square: random squares, kept where the margin rises. Black box: it sees the logits only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..tensor import Tensor
from .attack import Attack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import column, generators, like, logits_of, pick, put
from .norms import L2, Linf, as_norm


class Square(Attack):
    """Random search with squares that shrink as it goes on (Andriushchenko et al. 2020).

    For "linf" each proposal sets a square of every channel to ±ε, from a start of vertical
    stripes; for "l2" it moves the weight of one square window to another, shaped like a hill. A
    proposal is kept where the margin rises. Squares cover the part `p` of the image at first.
    Each of the `queries` is one image shown to the model; a fooled sample asks no more.

    Raises ShapeError for images that are not N×C×H×W, ValueError for settings out of range.
    """

    def __init__(
        self, norm: str = "linf", queries: int = 5000, p: float = 0.05, seed: int = 0
    ) -> None:
        if queries < 1 or not 0 < p <= 1:
            raise ValueError(f"Square: queries ≥ 1 and p in (0, 1], got {queries} and {p}")
        self.norm = as_norm(norm, {"linf": Linf, "l2": L2}, "Square")
        self.queries, self.p, self.seed = queries, p, seed

    def run(
        self, model: BoundedModel, x: Tensor, criterion: Criterion, epsilon: np.ndarray
    ) -> Tensor:
        if x.ndim != 4:
            raise ShapeError(f"Square: images are N×C×H×W, got {shape_text(x.shape)}")
        draws = generators(x, self.seed)
        propose: Any = _stripes_and_squares if isinstance(self.norm, Linf) else _hills
        pending, moved = np.arange(len(x)), x
        highest = np.full(len(x), -np.inf)
        for query in range(self.queries):
            side = self._side(query, x.shape)
            part, now = pick(x, pending), pick(moved, pending)
            changes = (now - part).numpy().astype(np.float64)
            trial = [
                propose(change, radius, side, query == 0, draw)
                for change, radius, draw in zip(
                    changes, epsilon[pending], (draws[p] for p in pending), strict=True
                )
            ]
            trial = part + like(np.stack(trial), x)
            trial = self.project(trial, part, column(epsilon[pending], x), model.bounds)
            wanted = criterion.select(pending)
            logits = logits_of(model, trial)
            margins = wanted.margin(logits).numpy().astype(np.float64)
            rising = np.flatnonzero(margins > highest[pending])
            moved = put(moved, pending[rising], pick(trial, rising))
            highest[pending[rising]] = margins[rising]
            pending = pending[~wanted.is_met(logits)]
            if not pending.size:
                break
        return moved

    def _side(self, query: int, shape: tuple[int, ...]) -> int:
        """The side of the square: p halves at the published points of a run of 10,000."""
        scaled = query * 10_000 // self.queries
        halvings = sum(scaled > point for point in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
        part = self.p / 2**halvings
        side = round((part * shape[2] * shape[3]) ** 0.5)
        return int(min(max(side, 1), min(shape[2:])))


def _stripes_and_squares(change, radius, side, first, draw):
    """±radius: stripes to begin with, then one square of every channel."""
    channels, height, width = change.shape
    if first:
        return np.broadcast_to(
            radius * draw.choice([-1.0, 1.0], (channels, 1, width)), change.shape
        )
    i, j = draw.integers(0, height - side + 1), draw.integers(0, width - side + 1)
    trial = change.copy()
    # the same square again would be a wasted query
    for _ in range(20):
        trial[:, i : i + side, j : j + side] = radius * draw.choice([-1.0, 1.0], (channels, 1, 1))
        if not np.array_equal(trial, change):
            break
    return trial


def _hills(change, radius, side, first, draw):
    """Weight ‖δ‖₂ = radius: hills everywhere to begin with, then from one window to another."""
    channels, height, width = change.shape
    if first:
        trial = np.zeros_like(change)
        block = max(3, min(height, width) // 5)
        for i in range(0, height, block):
            for j in range(0, width, block):
                h, w = min(block, height - i), min(block, width - j)
                signs = draw.choice([-1.0, 1.0], (channels, 1, 1))
                trial[:, i : i + h, j : j + w] += _hill(h, w) * signs
        return trial * radius / np.linalg.norm(trial)
    side = min(max(side, 3), min(height, width))
    (a, b), (c, d) = (
        (draw.integers(0, height - side + 1), draw.integers(0, width - side + 1)) for _ in range(2)
    )
    source = np.s_[:, a : a + side, b : b + side]
    goal = np.s_[:, c : c + side, d : d + side]
    trial = change.copy()
    shape = _hill(side, side)
    shape = shape if draw.integers(2) else shape.T
    joint = np.zeros_like(change)
    joint[source], joint[goal] = change[source], change[goal]
    # what both windows weigh, and what the rest leaves unused
    unused = max(radius**2 - float((change**2).sum()), 0.0)
    budget = ((joint**2).sum(axis=(1, 2)) + unused / channels) ** 0.5
    norms = np.maximum(np.linalg.norm(change[goal], axis=(1, 2), keepdims=True), 1e-12)
    new = shape * draw.choice([-1.0, 1.0], (channels, 1, 1)) + change[goal] / norms
    new *= budget[:, None, None] / np.linalg.norm(new, axis=(1, 2), keepdims=True)
    trial[source] = 0.0
    trial[goal] = new
    return trial


def _hill(height: int, width: int) -> np.ndarray:
    """Nested rectangles that add up to a hill above and a hollow below, of length 1."""
    upper = _pyramid(height // 2, width)
    lower = _pyramid(height - height // 2, width)
    hill = np.concatenate([upper, -lower])
    return hill / np.linalg.norm(hill)


def _pyramid(height: int, width: int) -> np.ndarray:
    """Σ over shrinking centred rectangles of 1/(their number)²."""
    result = np.zeros((max(height, 0), width))
    middle = (height - 1) / 2, (width - 1) / 2
    count = max(height, width) // 2 + 1
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    for k in range(count):
        inside = (abs(rows - middle[0]) <= k) & (abs(columns - middle[1]) <= k)
        result += inside / (k + 1.0) ** 2
    return result
