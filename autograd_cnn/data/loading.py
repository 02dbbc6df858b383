"""Batches, stratified splits and standardisation of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text


def batches(
    x: Any,
    y: Any,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: Any = None,
    drop_last: bool = False,
) -> Iterator[tuple[Any, Any]]:
    """Pieces of `batch_size` samples and their labels, the last one shorter unless `drop_last`.

    `seed` is anything `numpy.random.default_rng` takes; one seed gives one order.

    >>> import numpy as np, autograd_cnn as ag
    >>> [y.tolist() for _, y in ag.data.batches(np.zeros((5, 1)), np.arange(5), 2)]
    [[0, 1], [2, 3], [4]]

    Raises ShapeError when x and y do not have as many samples, ValueError for a size below 1.
    """
    if len(x) != len(y):
        raise ShapeError(f"batches: {len(x)} samples but {len(y)} labels")
    if batch_size < 1:
        raise ValueError(f"batches: batch_size {batch_size} must be at least 1")
    return _batches(x, y, batch_size, shuffle, seed, drop_last)


def _batches(x, y, batch_size, shuffle, seed, drop_last) -> Iterator[tuple[Any, Any]]:
    count = len(x)
    order = np.random.default_rng(seed).permutation(count) if shuffle else None
    for start in range(0, count - batch_size + 1 if drop_last else count, batch_size):
        piece: Any = slice(start, start + batch_size)
        piece = piece if order is None else order[piece]
        yield x[piece], y[piece]


def stratified_split(
    labels: Any, test_fraction: float = 0.25, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the samples to train on and to test on, each class in the same proportion.

    Each class gives ⌊count·test_fraction + ½⌋ samples to the test. Both lists are in rising order.

    Raises ValueError for a fraction outside (0, 1).
    """
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(f"stratified_split: test_fraction {test_fraction} is not within (0, 1)")
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        test[rng.permutation(places)[: int(len(places) * test_fraction + 0.5)]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def standardise(train: np.ndarray, *others: np.ndarray, eps: float = 1e-4) -> Any:
    """(x − mean)/(std + eps) at each pixel, with the mean and std of the training samples.

    The same statistics are used for the other arrays (validation, test). One array gives one,
    several a tuple.

    >>> import numpy as np, autograd_cnn as ag
    >>> ag.data.standardise(np.array([[0.0], [2.0]]), eps=0.0).tolist()
    [[-1.0], [1.0]]

    Raises ShapeError for arrays whose samples have another shape.
    """
    for other in others:
        if other.shape[1:] != train.shape[1:]:
            raise ShapeError(
                f"standardise: samples of {shape_text(other.shape[1:])} beside training samples "
                f"of {shape_text(train.shape[1:])}"
            )
    mean, std = train.mean(axis=0), train.std(axis=0) + train.dtype.type(eps)
    results = tuple((x - mean) / std for x in (train, *others))
    return results if others else results[0]
