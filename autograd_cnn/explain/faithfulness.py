"""How far an explanation can be trusted, in numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..tensor import Tensor, tensor
from .chunks import MAX_BYTES, scores, scores_of_copies, tracked
from .method import Method
from .target import Target, part_of


class Curve(NamedTuple):
    """A score as pixels go or come, and the area under it."""

    shares: np.ndarray
    """The share of the pixels changed, from 0 to 1."""
    scores: np.ndarray
    """The score of each sample at each share, N×steps."""

    @property
    def areas(self) -> np.ndarray:
        """The area under each sample's curve, by the trapezoid rule."""
        widths = np.diff(self.shares)
        return ((self.scores[:, 1:] + self.scores[:, :-1]) / 2 * widths).sum(axis=1)


def deletion(
    model: Callable,
    x: Any,
    attribution: Any,
    target: Target = None,
    baseline: Any = 0.0,
    steps: int = 20,
    score: str = "softmax",
    max_bytes: int = MAX_BYTES,
    progress: bool | None = None,
) -> Curve:
    """The score as the strongest pixels are replaced by the baseline, strongest first.

    A small area says that the map put the pixels first that count. Source: Petsiuk, Das and Saenko
    2018. Raises ShapeError for an attribution that does not fit the images.
    """
    options = baseline, steps, score, max_bytes, progress
    return _curve(model, x, attribution, target, *options, insert=False)


def insertion(
    model: Callable,
    x: Any,
    attribution: Any,
    target: Target = None,
    baseline: Any = 0.0,
    steps: int = 20,
    score: str = "softmax",
    max_bytes: int = MAX_BYTES,
    progress: bool | None = None,
) -> Curve:
    """The score as the pixels come back into the baseline, strongest first.

    A large area is good. Source: Petsiuk, Das and Saenko 2018.
    """
    options = baseline, steps, score, max_bytes, progress
    return _curve(model, x, attribution, target, *options, insert=True)


def pointing_game(attribution: Any, inside: Any) -> np.ndarray:
    """Whether each map's maximum lies inside the object: N of true and false (Zhang et al. 2018).

    `inside` is a mask H×W or N×H×W, or (rows, columns) of a box.

    >>> import numpy as np, autograd_cnn as ag
    >>> maps = np.array([[[[0.0, 3.0], [1.0, 0.0]]]])
    >>> ag.explain.pointing_game(maps, (slice(0, 1), slice(1, 2))).tolist()
    [True]

    Raises ShapeError for a mask of another size.
    """
    maps = _maps(attribution)
    if isinstance(inside, tuple):
        mask = np.zeros(maps.shape[1:], bool)
        mask[inside] = True
    else:
        mask = np.asarray(inside, bool)
    try:
        mask = np.broadcast_to(mask, maps.shape)
    except ValueError as error:
        raise ShapeError(
            f"pointing game: a mask {shape_text(mask.shape)} for maps {shape_text(maps.shape)}"
        ) from error
    places = maps.reshape(len(maps), -1).argmax(axis=1)
    return mask.reshape(len(maps), -1)[np.arange(len(maps)), places]


def infidelity(
    model: Callable,
    x: Any,
    attribution: Any,
    target: Target = None,
    perturbation: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    samples: int = 100,
    score: str = "logit",
    seed: int = 0,
    max_bytes: int = MAX_BYTES,
    progress: bool | None = None,
) -> np.ndarray:
    """E[(⟨I, φ⟩ − (S(x) − S(x − I)))²] over random perturbations I, for each sample (Yeh 2019).

    φ is an attribution in units of score per unit of input, as a gradient is; of one that is
    already multiplied by the input divide by it. I is Gaussian with standard deviation 0.1 unless
    `perturbation(x, generator)` says otherwise. 0 for the gradient of a linear model.
    """
    x = as_variable(x).detach()
    phi = _fitting(attribution, x)
    generator = np.random.default_rng(seed)
    target, clean = _fixed(model, x, target, score)
    result, numbers = [], range(x.shape[0])
    for n in tracked(numbers, len(numbers), "infidelity", progress):
        image = x.numpy()[n]
        moves = np.stack(
            [
                0.1 * generator.standard_normal(image.shape)
                if perturbation is None
                else perturbation(image, generator)
                for _ in range(samples)
            ]
        )
        one = slice(n, n + 1)
        found = scores_of_copies(
            model, lambda part, image=image, moves=moves: image - moves[part], samples, x[one],
            part_of(target, one), score, max_bytes,
        )  # fmt: skip
        predicted = (moves * phi[n]).reshape(samples, -1).sum(axis=1)
        result.append(np.mean((predicted - (clean[n] - found)) ** 2))
    return np.array(result)


def sensitivity(
    method: Method,
    x: Any,
    target: Target = None,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    progress: bool | None = None,
) -> np.ndarray:
    """max ‖φ(x + δ) − φ(x)‖/‖φ(x)‖ over random δ within ±radius, for each sample (Yeh 2019).

    The class is that of the clean x. 0 for a map of zeros that stays so, ∞ for one that does not.
    """
    x = as_variable(x).detach()
    target = method.fixed_target(x, target)
    generator = np.random.default_rng(seed)
    clean = _flat(method.attribute(x, target))
    norm = np.linalg.norm(clean, axis=1)
    largest = np.zeros(len(clean))
    for _ in tracked(range(samples), samples, "sensitivity", progress):
        noise = generator.uniform(-radius, radius, x.shape)
        moved = x + tensor(noise, dtype=x.dtype, device=x.device)
        change = np.linalg.norm(_flat(method.attribute(moved, target)) - clean, axis=1)
        largest = np.maximum(largest, change)
    share = np.full(len(norm), np.inf)
    np.divide(largest, norm, out=share, where=norm > 0)
    return np.where(largest > 0, share, 0.0)


def _curve(
    model, x, attribution, target, baseline, steps, score, max_bytes, progress, insert
) -> Curve:
    if steps < 1:
        raise ValueError(f"a curve needs at least one step, got {steps}")
    x = as_variable(x).detach()
    maps = _maps(attribution)
    if maps.shape != (x.shape[0], *x.shape[2:]):
        raise ShapeError(
            f"an attribution {shape_text(maps.shape)} for images {shape_text(x.shape)}"
        )
    target, _ = _fixed(model, x, target, score)
    count = maps[0].size
    ends = np.unique(np.round(np.linspace(0, count, steps + 1)).astype(int))
    fill = np.broadcast_to(np.asarray(baseline, x.dtype), x.shape)
    rows = []
    title = "insertion" if insert else "deletion"
    for n, values in enumerate(tracked(maps, len(maps), title, progress)):
        rank = np.empty(count, int)
        rank[np.argsort(-values.ravel(), kind="stable")] = np.arange(count)
        rank = rank.reshape(values.shape)
        first, second = (fill[n], x.numpy()[n]) if insert else (x.numpy()[n], fill[n])

        def copies(part: slice, rank=rank, first=first, second=second) -> np.ndarray:
            changed = rank < ends[part, None, None]
            return np.where(changed[:, None], second, first)

        one = slice(n, n + 1)
        rows.append(
            scores_of_copies(
                model, copies, len(ends), x[one], part_of(target, one), score, max_bytes
            )
        )
    return Curve(ends / count, np.stack(rows))


class _Scored(Method):
    """Only for its fixed target."""

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        raise NotImplementedError


def _fixed(model: Callable, x: Tensor, target: Target, score: str) -> tuple[Target, np.ndarray]:
    """The target as it stands at x, and the scores there."""
    check_evaluating(model, "explain")
    target = _Scored(model, score).fixed_target(x, target)
    return target, scores(model, x, target, score).numpy().astype(np.float64)


def _maps(attribution: Any) -> np.ndarray:
    """N×C×H×W as N×H×W, the channels summed."""
    array = np.asarray(
        attribution.numpy() if isinstance(attribution, Tensor) else attribution, np.float64
    )
    return array.sum(axis=1) if array.ndim == 4 else array


def _fitting(attribution: Any, x: Tensor) -> np.ndarray:
    array = np.asarray(attribution.numpy() if isinstance(attribution, Tensor) else attribution)
    if array.shape != x.shape:
        raise ShapeError(
            f"an attribution {shape_text(array.shape)} for an input {shape_text(x.shape)}"
        )
    return array.astype(np.float64)


def _flat(values: Tensor) -> np.ndarray:
    return ops.flatten(values, 1).numpy().astype(np.float64)
