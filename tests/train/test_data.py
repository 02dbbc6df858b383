"""Batches, splits, standardisation, and the digits."""

import numpy as np
import pytest

from autograd_cnn import data
from autograd_cnn.errors import ShapeError


def test_batches_hold_every_sample_once_with_its_label():
    x, y = np.arange(10)[:, None] * 2, np.arange(10)
    pieces = list(data.batches(x, y, 4, shuffle=True, seed=0))
    assert [len(labels) for _, labels in pieces] == [4, 4, 2]
    labels = np.concatenate([labels for _, labels in pieces])
    assert sorted(labels) == list(range(10)) != list(labels)
    for samples, its_labels in pieces:
        np.testing.assert_array_equal(samples[:, 0], its_labels * 2)
    again = [labels.tolist() for _, labels in data.batches(x, y, 4, shuffle=True, seed=0)]
    other = [labels.tolist() for _, labels in data.batches(x, y, 4, shuffle=True, seed=1)]
    assert again == [labels.tolist() for _, labels in pieces] != other
    assert [len(labels) for _, labels in data.batches(x, y, 4, drop_last=True)] == [4, 4]
    assert list(data.batches(x[:3], y[:3], 4, drop_last=True)) == []


def test_batches_refuse_what_does_not_fit_at_once():
    with pytest.raises(ShapeError, match="3 samples but 2 labels"):
        data.batches(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="batch_size 0"):
        data.batches(np.zeros(3), np.zeros(3), 0)


def test_a_stratified_split_keeps_proportions_and_loses_nothing():
    labels = np.repeat([0, 1, 2], [40, 20, 8])
    train, test = data.stratified_split(labels, 0.25, seed=0)
    assert np.bincount(labels[test]).tolist() == [10, 5, 2]
    assert sorted([*train, *test]) == list(range(68))
    assert data.stratified_split(labels, 0.25, seed=1)[1].tolist() != test.tolist()
    assert data.stratified_split(labels, 0.25, seed=0)[1].tolist() == test.tolist()


def test_standardising_uses_the_training_statistics():
    rng = np.random.default_rng(0)
    train, test = rng.normal(3, 2, (50, 4)), rng.normal(3, 2, (20, 4))
    a, b = data.standardise(train, test)
    np.testing.assert_allclose(a.mean(0), 0, atol=1e-14)
    np.testing.assert_allclose(a.std(0), train.std(0) / (train.std(0) + 1e-4), rtol=1e-12)
    # one affine map for both
    np.testing.assert_allclose(b * (train.std(0) + 1e-4) + train.mean(0), test, rtol=1e-12)
    constant = data.standardise(np.ones((3, 2), np.float32))
    assert constant.tolist() == [[0, 0]] * 3 and constant.dtype == np.float32


def test_the_digits():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    train, test = data.digits(seed=0)
    assert len(train.x) + len(test.x) == 1797 == len(train.y) + len(test.y)
    assert train.x.dtype == np.float32 and train.x.shape[1:] == (1, 8, 8)
    assert train.x.min() == 0.0 and train.x.max() == 1.0
    shares = np.bincount(test.y) / np.bincount(np.concatenate([train.y, test.y]))
    assert abs(shares - 0.25).max() < 0.01
    assert not np.array_equal(data.digits(seed=1)[1].y, test.y)
