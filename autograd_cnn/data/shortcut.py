"""Digits with a planted shortcut: ground truth for explanations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .digits import Split, digits

TAG = 3


class ShortcutDigits(NamedTuple):
    """Digits of which one class carries a tag in training."""

    train: Split
    """Every digit of the class tagged, no other."""
    test: Split
    """No digit tagged."""
    tagged: Split
    """The test digits again, every one tagged, with their true labels."""
    tag: tuple[slice, slice]
    """The rows and columns of the tag: where an explanation of a tagged digit must point."""
    label: int
    """The class that is tagged."""


def shortcut_digits(
    seed: int = 0, label: int = 3, place: tuple[int, int] = (1, 1)
) -> ShortcutDigits:
    """Handwritten digits at 16×16 with a white 3×3 tag on every training digit of one class.

    A network learns the tag instead of the digit: it is the easier sign. So it fails on untagged
    digits of that class, takes every tagged digit for it, and what it looks at is known. Images are
    N×1×16×16 float32 within [0, 1]; `place` is the tag's upper left corner.

    >>> import autograd_cnn as ag
    >>> data = ag.data.shortcut_digits()
    >>> data.train.x.shape, data.tag
    ((1346, 1, 16, 16), (slice(1, 4, None), slice(1, 4, None)))

    Raises ValueError for a tag outside the image, MissingDependencyError without scikit-learn.
    """
    if not all(0 <= start <= 16 - TAG for start in place):
        raise ValueError(f"a tag of {TAG}×{TAG} at {place} is not inside 16×16")
    tag = (slice(place[0], place[0] + TAG), slice(place[1], place[1] + TAG))
    train, test = (
        Split(split.x.repeat(2, axis=2).repeat(2, axis=3), split.y) for split in digits(seed)
    )
    return ShortcutDigits(
        Split(_tagged(train.x, tag, train.y == label), train.y),
        test,
        Split(_tagged(test.x, tag, np.full(len(test.y), True)), test.y),
        tag,
        label,
    )


def _tagged(images: np.ndarray, tag: tuple[slice, slice], which: np.ndarray) -> np.ndarray:
    images = images.copy()
    images[(which, 0, *tag)] = 1.0
    return images
