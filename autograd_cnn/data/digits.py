"""Real images that need no network: scikit-learn's handwritten digits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import require
from .loading import stratified_split


class Split(NamedTuple):
    """Images N×C×H×W and labels N."""

    x: np.ndarray
    y: np.ndarray


def digits(seed: int = 0, test_fraction: float = 0.25) -> tuple[Split, Split]:
    """The 1,797 scans of handwritten digits, to train on and to test on.

    Images are N×1×8×8 float32 within [0, 1], labels 0 … 9. The split is stratified and seeded.
    Source: Alpaydin and Kaynak 1998, UCI repository, as shipped with scikit-learn.

    >>> import autograd_cnn as ag
    >>> train, test = ag.data.digits(seed=0)
    >>> train.x.shape, test.x.shape
    ((1346, 1, 8, 8), (451, 1, 8, 8))

    Raises MissingDependencyError without scikit-learn.
    """
    require("sklearn", "demo")
    bunch = require("sklearn.datasets", "demo").load_digits()
    images = (bunch.images / 16.0).astype(np.float32)[:, None]
    labels = bunch.target.astype(np.int64)
    train, test = stratified_split(labels, test_fraction, seed)
    return Split(images[train], labels[train]), Split(images[test], labels[test])
