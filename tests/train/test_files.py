"""Weights in files: they come back as they were, and appear whole or not at all."""

import os

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.models import resnet20


def test_weights_come_back_bit_for_bit(tmp_path):
    model, twin = resnet20(rng=0), resnet20(rng=1)
    path = tmp_path / "weights.safetensors"
    ag.save(model, path)
    twin.load_state_dict(ag.load(path))
    assert set(ag.load(path)) == set(model.state_dict())
    for name, value in model.state_dict().items():
        other = twin.state_dict()[name]
        assert other.dtype == value.dtype and other.shape == value.shape
        np.testing.assert_array_equal(other, value)


def test_layouts_dtypes_and_scalars(tmp_path):
    state = {
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "scalar": ag.tensor(np.array(7)),
        "empty": np.zeros((0, 3), np.float16),
        "flags": np.array([True, False]),
    }
    ag.save(state, tmp_path / "state.safetensors")
    loaded = ag.load(tmp_path / "state.safetensors")
    assert set(loaded) == set(state)
    for name, value in state.items():
        assert loaded[name].dtype == value.dtype and loaded[name].shape == value.shape
        np.testing.assert_array_equal(loaded[name], value)


def test_a_crash_while_writing_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    ag.save({"w": ag.tensor([1.0])}, path)

    def crash(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        ag.save({"w": ag.tensor([2.0])}, path)
    assert os.listdir(tmp_path) == ["weights.safetensors"]
    assert ag.load(path)["w"].tolist() == [1.0]


def test_saved_files_can_be_read_by_the_safetensors_library(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    layer = nn.Linear(2, 3, rng=0)
    ag.save(layer, tmp_path / "w.safetensors")
    loaded = safetensors.load_file(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(loaded["weight"], layer.weight.numpy())


def test_what_a_file_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ag.errors.DTypeError, match="z: complex128"):
        ag.save({"z": np.zeros(2, complex)}, tmp_path / "z.safetensors")
    assert os.listdir(tmp_path) == []
