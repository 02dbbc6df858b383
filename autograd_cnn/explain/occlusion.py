"""Occlusion: cover a patch of the image, and see what becomes of the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, shape_text
from ..inspection import as_variable, check_evaluating
from ..kernels.specs import per_axis
from ..tensor import Tensor, tensor
from .chunks import scores, scores_of_copies, tracked
from .gradient import deconvnet
from .layers import Layer, activation
from .method import Method
from .target import Target, Unit, part_of

_SCORES = {"score": "logit", "loss": "loss", "probability": "softmax"}


class Occlusion(Method):
    """What covering each patch of the image does to the answer (Zeiler and Fergus 2014).

    A window of `size` (H×W, or a number) moves by `stride` and is filled with `baseline`: a number,
    an array that broadcasts to a sample, "mean" (each sample's mean colour) or a function of x.
    `form` says what is mapped, at every place of the window:

    * "score": S(x) − S(covered), positive where the patch supports the class (with a `Unit` as
      target S is its activation: the map of a feature map);
    * "loss": L(x) − L(covered) of the cross-entropy, negative where the patch supports the class;
    * "probability": the probability of the class while the patch is covered.

    `map` gives one number a place of the window; `attribute` spreads it over the pixels, the mean
    of the windows that cover each.

    >>> import autograd_cnn as ag
    >>> model = lambda x: ag.flatten(x, 1) @ ag.tensor([[1.0], [10.0], [100.0], [1000.0]])
    >>> x = ag.tensor([[[[1.0, 1.0], [1.0, 1.0]]]])
    >>> ag.explain.Occlusion(model, size=1).map(x, 0).tolist()
    [[[[1.0, 10.0], [100.0, 1000.0]]]]

    Raises ValueError for an unknown form, ShapeError for windows that do not fit the image.
    """

    def __init__(
        self,
        model: Callable,
        size: Any = 3,
        stride: Any = None,
        baseline: Any = 0.0,
        form: str = "score",
        max_bytes: int | None = None,
        progress: bool | None = None,
    ) -> None:
        if form not in _SCORES:
            raise ValueError(f'form "{form}" is not one of {", ".join(_SCORES)}')
        super().__init__(model, _SCORES[form])
        self.size = per_axis(size, 2, "size", 1)
        self.stride = (1, 1) if stride is None else per_axis(stride, 2, "stride", 1)
        self.baseline, self.form = baseline, form
        self.copies_bytes, self.progress = max_bytes, progress

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        values = self.map(x, target).numpy()
        total = np.zeros((x.shape[0], 1, *x.shape[2:]))
        count = np.zeros(x.shape[2:])
        for (i, j), window in self._windows(x):
            total[(slice(None), 0, *window)] += values[:, :, i, j, None]
            count[window] += 1
        # strides longer than the window leave pixels that nothing covers: they stay 0
        return tensor(total / np.maximum(count, 1), dtype=x.dtype, device=x.device)

    def map(self, x: Any, target: Target = None) -> Tensor:
        """The map over the places of the window, N×1×rows×columns."""
        check_evaluating(self.model, "explain")
        x = as_variable(x).detach()
        windows = self._windows(x)
        target = self.fixed_target(x, target)
        whole = scores(self.model, x, target, self.score).numpy().astype(np.float64)
        fill = self._fill(x)
        rows = []
        numbers = range(x.shape[0])
        for n in tracked(numbers, len(numbers), "occlusion", self.progress):
            rows.append(self._covered(x, n, fill[n], windows, target))
        covered = np.stack(rows)
        values = covered if self.form == "probability" else whole[:, None] - covered
        grid = self._grid(x)
        return tensor(values.reshape(-1, 1, *grid), dtype=x.dtype, device=x.device)

    def _covered(self, x: Tensor, n: int, fill: np.ndarray, windows: list, target: Target) -> Any:
        """The scores of sample n with each window covered."""
        one = slice(n, n + 1)
        image = x.numpy()[n]

        def copies(part: slice) -> np.ndarray:
            batch = np.repeat(image[None], part.stop - part.start, 0)
            for copy, (_, window) in zip(batch, windows[part], strict=True):
                place = (slice(None), *window)
                copy[place] = fill[place]
            return batch

        arguments = len(windows), x[one], part_of(target, one), self.score, self.copies_bytes
        return scores_of_copies(self.model, copies, *arguments)

    def _grid(self, x: Tensor) -> tuple[int, int]:
        """How many places the window has; the last of a row may stick out."""
        if x.ndim != 4:
            raise ShapeError(f"occlusion needs images N×C×H×W, got {shape_text(x.shape)}")
        for n, k in zip(x.shape[2:], self.size, strict=True):
            if k > n:
                raise ShapeError(f"a window of {k} pixels does not fit an image of {n}")
        rows, columns = (
            -(-(n - k) // s) + 1
            for n, k, s in zip(x.shape[2:], self.size, self.stride, strict=True)
        )
        return rows, columns

    def _windows(self, x: Tensor) -> list[tuple[tuple[int, int], tuple[slice, slice]]]:
        """(place, rows and columns) of every window."""
        (kh, kw), (sh, sw) = self.size, self.stride
        return [
            ((i, j), (slice(i * sh, i * sh + kh), slice(j * sw, j * sw + kw)))
            for i, j in np.ndindex(*self._grid(x))
        ]

    def _fill(self, x: Tensor) -> np.ndarray:
        """What covers each sample, in the shape of x."""
        values = x.numpy()
        if callable(self.baseline):
            fill = self.baseline(x)
            fill = fill.numpy() if isinstance(fill, Tensor) else np.asarray(fill)
        elif isinstance(self.baseline, str):
            if self.baseline != "mean":
                raise ValueError(f'baseline "{self.baseline}": the only name is "mean"')
            fill = values.mean(axis=(2, 3), keepdims=True)
        else:
            fill = self.baseline
            fill = fill.numpy() if isinstance(fill, Tensor) else np.asarray(fill)
        try:
            return np.broadcast_to(fill, values.shape)
        except ValueError as error:
            raise ShapeError(
                f"baseline {shape_text(np.shape(fill))} does not broadcast to the input "
                f"{shape_text(values.shape)}"
            ) from error


class StrongestMap(NamedTuple):
    """The feature map that an image excites most, and what it depends on."""

    channels: np.ndarray
    """The strongest channel of each sample."""
    occlusion: Tensor
    """Its whole activation while each patch is covered, N×1×rows×columns."""
    projection: Tensor
    """The map projected to the pixels by the deconvnet, in the shape of the images."""


def strongest_feature_map(model: Callable, x: Any, layer: Layer, **options: Any) -> StrongestMap:
    """The strongest channel of a layer, its map under occlusion, and its projection.

    Columns (b) and (c) of figure 7 of Zeiler and Fergus 2014: the activation of the channel,
    summed over its places, is mapped while a patch is covered. `options` are those of `Occlusion`.

    Raises ShapeError for a layer that gives no maps.
    """
    x = as_variable(x).detach()
    activations = activation(model, x, layer).numpy()
    if activations.ndim != 4:
        raise ShapeError(
            f"a feature map needs a layer that gives N×K×H×W, {layer!r} gives "
            f"{shape_text(activations.shape)}"
        )
    totals = activations.sum(axis=(2, 3))
    channels = totals.argmax(axis=1)
    unit = Unit(layer, channels)
    lost = Occlusion(model, form="score", **options).map(x, unit)
    strongest = tensor(totals.max(axis=1).reshape(-1, 1, 1, 1), dtype=x.dtype, device=x.device)
    return StrongestMap(channels, strongest - lost, deconvnet(model, x, unit))


def occlusion(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`Occlusion(model, **options).attribute(x, target)` in one call."""
    return Occlusion(model, **options).attribute(x, target)
