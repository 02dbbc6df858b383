"""LIME: a simple model of the answer, in terms of which superpixels are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError, require, shape_text
from ..inspection import as_variable, check_evaluating
from ..tensor import Tensor, tensor
from .chunks import scores_of_copies, tracked
from .method import Method
from .target import Target, part_of

_REGRESSIONS = ("ridge", "lasso", "random forest")


@dataclass(frozen=True)
class LocalModel:
    """What LIME found for one image: score ≈ intercept + Σ coefficient·[superpixel is there]."""

    segments: np.ndarray
    """The number of the superpixel of each pixel, H×W."""
    coefficients: np.ndarray
    """One for each superpixel; for a random forest its importance, which has no sign."""
    intercept: float
    fit: float
    """The weighted R²: how much of the scores the simple model explains."""

    def painted(self) -> np.ndarray:
        """The coefficient of each pixel's superpixel, H×W."""
        return self.coefficients[self.segments]


class LIME(Method):
    """A sparse linear model around one image (Ribeiro, Singh and Guestrin 2016).

    `samples` random subsets of the superpixels are covered with `baseline` (a number, an array, or
    "mean" for each superpixel's own mean colour), and the scores are fitted by `regression`
    ("ridge", "lasso" or "random forest", of scikit-learn), each sample weighted by
    exp(−d²/width²), d the cosine distance to the whole image. `segments` is H×W whole numbers, a
    function of an image, or None for SLIC (scikit-image) with about `superpixels` of them. On a
    score that is a sum over superpixels it finds the terms, as `alpha` → 0.

    Raises ValueError for settings out of range, MissingDependencyError without scikit-learn (and
    scikit-image for SLIC).
    """

    def __init__(
        self,
        model: Callable,
        segments: Any = None,
        superpixels: int = 50,
        samples: int = 1000,
        regression: str = "ridge",
        alpha: float = 1.0,
        width: float = 0.25,
        baseline: Any = "mean",
        score: str = "softmax",
        seed: int = 0,
        max_bytes: int | None = None,
        progress: bool | None = None,
    ) -> None:
        super().__init__(model, score)
        if regression not in _REGRESSIONS:
            raise ValueError(f'regression "{regression}" is not one of {", ".join(_REGRESSIONS)}')
        if samples < 1 or not width > 0:
            raise ValueError(f"LIME needs samples ≥ 1 and width > 0, got {samples} and {width}")
        self.segments, self.superpixels, self.samples = segments, superpixels, samples
        self.regression, self.alpha, self.width = regression, alpha, width
        self.baseline, self.seed = baseline, seed
        self.copies_bytes, self.progress = max_bytes, progress

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        maps = np.stack([one.painted() for one in self.explain(x, target)])[:, None]
        return tensor(maps, dtype=x.dtype, device=x.device)

    def explain(self, x: Any, target: Target = None) -> list[LocalModel]:
        """The simple model around each image."""
        require("sklearn", "demo")
        check_evaluating(self.model, "explain")
        x = as_variable(x).detach()
        if x.ndim != 4:
            raise ShapeError(f"LIME needs images N×C×H×W, got {shape_text(x.shape)}")
        target = self.fixed_target(x, target)
        numbers = range(x.shape[0])
        return [
            self._around(x[n : n + 1], part_of(target, slice(n, n + 1)))
            for n in tracked(numbers, len(numbers), "LIME", self.progress)
        ]

    def _around(self, x: Tensor, target: Target) -> LocalModel:
        image = x.numpy()[0]
        segments = self._segments(image)
        count = int(segments.max()) + 1
        present = draw_subsets(self.samples, count, self.seed)
        fill = self._fill(image, segments, count)

        def copies(part: slice) -> np.ndarray:
            shown = present[part][:, segments][:, None]  # samples × 1 × H × W
            return np.where(shown, image, fill)

        found = scores_of_copies(
            self.model, copies, self.samples, x, target, self.score_for(target), self.copies_bytes
        )
        weights = proximity(present, self.width)
        return LocalModel(segments, *self._fit(present.astype(np.float64), found, weights))

    def _fit(self, present: np.ndarray, found: np.ndarray, weights: np.ndarray) -> tuple:
        """Coefficients, intercept and weighted R² of the regression."""
        if self.regression == "random forest":
            forest = require("sklearn.ensemble", "demo").RandomForestRegressor(
                100, random_state=self.seed
            )
            forest.fit(present, found, weights)
            return forest.feature_importances_, 0.0, forest.score(present, found, weights)
        linear = require("sklearn.linear_model", "demo")
        kind = linear.Ridge if self.regression == "ridge" else linear.Lasso
        model = kind(alpha=self.alpha).fit(present, found, sample_weight=weights)
        return model.coef_, float(model.intercept_), model.score(present, found, weights)

    def _segments(self, image: np.ndarray) -> np.ndarray:
        if self.segments is None:
            return superpixels(image, self.superpixels)
        found = self.segments(image) if callable(self.segments) else np.asarray(self.segments)
        if found.shape != image.shape[1:]:
            raise ShapeError(
                f"segments {shape_text(found.shape)} for an image {shape_text(image.shape)}"
            )
        # any numbers will do: they become 0, 1, …
        return np.unique(found, return_inverse=True)[1].reshape(found.shape)

    def _fill(self, image: np.ndarray, segments: np.ndarray, count: int) -> np.ndarray:
        if not isinstance(self.baseline, str):
            return np.broadcast_to(np.asarray(self.baseline, image.dtype), image.shape)
        if self.baseline != "mean":
            raise ValueError(f'baseline "{self.baseline}": the only name is "mean"')
        sizes = np.bincount(segments.ravel(), minlength=count)
        means = [np.bincount(segments.ravel(), channel.ravel(), count) / sizes for channel in image]
        return np.stack([mean[segments] for mean in means]).astype(image.dtype)


def superpixels(image: np.ndarray, count: int = 50, compactness: float | None = None) -> np.ndarray:
    """The image C×H×W cut into about `count` pieces of like colour: SLIC (Achanta et al. 2012).

    They have four pixels at least on average. Raises MissingDependencyError without scikit-image.
    """
    slic = require("skimage.segmentation", "demo").slic
    low, high = float(image.min()), float(image.max())
    scaled = (np.moveaxis(image, 0, -1) - low) / ((high - low) or 1.0)
    grey, count = scaled.shape[-1] != 3, max(1, min(count, image[0].size // 4))
    compactness = (0.1 if grey else 10.0) if compactness is None else compactness
    return slic(
        scaled.astype(np.float64), count, compactness=compactness, start_label=0,
        channel_axis=-1, convert2lab=not grey,
    )  # fmt: skip


def draw_subsets(samples: int, count: int, seed: int) -> np.ndarray:
    """Which of `count` superpixels each sample shows, half of them; the first shows all."""
    present = np.random.default_rng(seed).random((samples, count)) < 0.5
    present[0] = True
    return present


def proximity(present: np.ndarray, width: float) -> np.ndarray:
    """exp(−d²/width²)^½ with the cosine distance d = 1 − √(share of superpixels shown)."""
    distance = 1.0 - np.sqrt(present.mean(axis=1))
    return np.sqrt(np.exp(-(distance**2) / width**2))


def lime(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`LIME(model, **options).attribute(x, target)` in one call."""
    return LIME(model, **options).attribute(x, target)
