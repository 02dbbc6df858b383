"""RISE: the mean score of the image under random soft masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, shape_text
from ..tensor import Tensor, tensor
from .chunks import scores_of_copies, tracked
from .method import Method
from .target import Target, part_of


class RISE(Method):
    """Σ_m S(x∘m)·m / Σ_m m over random masks m, at each pixel (Petsiuk, Das and Saenko 2018).

    A mask is `cells`×`cells` numbers, 1 with `probability` and 0 otherwise, enlarged bilinearly
    and moved by less than a cell. What is divided by is the mean of the masks drawn, not its
    expectation, so a constant score gives a constant map. The map N×1×H×W is the mean score of the
    masks that show the pixel: compare its values among each other, not with 0.

    >>> import autograd_cnn as ag
    >>> explain = ag.explain.RISE(lambda x: ag.sum(x, (1, 2, 3)) * 0.0 + 2.0, masks=10)
    >>> set(explain.attribute(ag.tensor([[[[1.0] * 4] * 4]])).numpy().ravel().round(6).tolist())
    {2.0}

    Raises ValueError for settings out of range, ShapeError for what is no image.
    """

    def __init__(
        self,
        model: Callable,
        masks: int = 1000,
        cells: int = 7,
        probability: float = 0.5,
        score: str = "softmax",
        seed: int = 0,
        max_bytes: int | None = None,
        progress: bool | None = None,
    ) -> None:
        super().__init__(model, score)
        if masks < 1 or cells < 1 or not 0.0 < probability <= 1.0:
            raise ValueError(
                f"RISE needs masks ≥ 1, cells ≥ 1 and 0 < probability ≤ 1, got {masks}, {cells} "
                f"and {probability}"
            )
        self.masks, self.cells, self.probability, self.seed = masks, cells, probability, seed
        self.copies_bytes, self.progress = max_bytes, progress

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        if x.ndim != 4:
            raise ShapeError(f"RISE needs images N×C×H×W, got {shape_text(x.shape)}")
        target = self.fixed_target(x, target)
        masks = random_masks(self.masks, x.shape[2:], self.cells, self.probability, self.seed)
        maps, numbers = [], range(x.shape[0])
        for n in tracked(numbers, len(numbers), "RISE", self.progress):
            one = slice(n, n + 1)
            image = x.numpy()[n]
            found = scores_of_copies(
                self.model,
                lambda part, image=image: image * masks[part, None],
                self.masks, x[one], part_of(target, one), self.score_for(target), self.copies_bytes,
            )  # fmt: skip
            maps.append(np.tensordot(found, masks, 1) / np.maximum(masks.sum(axis=0), 1e-12))
        return tensor(np.stack(maps)[:, None], dtype=x.dtype, device=x.device)


def random_masks(
    count: int, size: tuple[int, ...], cells: int, probability: float, seed: int
) -> np.ndarray:
    """`count` soft masks of H×W within 0 … 1."""
    generator = np.random.default_rng(seed)
    cell = [-(-n // cells) for n in size]
    grid = (generator.random((count, 1, cells + 1, cells + 1)) < probability).astype(np.float64)
    large = ops.interpolate(
        Tensor(grid), tuple((cells + 1) * n for n in cell), mode="bilinear"
    ).numpy()[:, 0]
    starts = np.stack([generator.integers(0, n, count) for n in cell], axis=1)
    return np.stack(
        [m[i : i + size[0], j : j + size[1]] for m, (i, j) in zip(large, starts, strict=True)]
    )


def rise(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`RISE(model, **options).attribute(x, target)` in one call."""
    return RISE(model, **options).attribute(x, target)
