"""Each way a GPU can be missing is said with its remedy."""

import sys
from types import SimpleNamespace

import pytest

from autograd_cnn.errors import DeviceError
from autograd_cnn.kernels import cupy as missing


def described(driver, runtime, available=True):
    """What a CuPy on such a machine tells of it."""
    versions = SimpleNamespace(driverGetVersion=lambda: driver, runtimeGetVersion=lambda: runtime)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=versions, is_available=lambda: available))


@pytest.mark.parametrize(
    ("machine", "problem", "remedy"),
    [
        (described(0, 13000), "no NVIDIA driver", "--gpus all"),
        (described(12040, 13000), "supports CUDA 12.4, older than CuPy's 13", r"\[cuda12\]"),
        (described(13000, 13000, available=False), "no visible GPU", "CUDA_VISIBLE_DEVICES"),
    ],
    ids=["no driver", "old driver", "no device"],
)
def test_what_is_missing_and_what_to_do(machine, problem, remedy):
    import re

    said = missing.obstacle(machine)
    assert problem in said
    assert re.search(remedy, said)


def test_missing_libraries_of_cuda(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.nvrtc", None)
    assert 'pip install "cupy-cuda13x[ctk]"' in missing.obstacle(described(13000, 13000))


def test_a_newer_driver_will_do(monkeypatch):
    compiler = SimpleNamespace(getVersion=lambda: (12, 9))
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.nvrtc", compiler)
    assert missing.obstacle(described(13010, 12090)) == ""


def test_cupy_that_is_not_installed(monkeypatch):
    missing.cupy_module.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match=r'pip install "autograd-cnn\[cuda13\]"'):
        missing.cupy_module()


def test_missing_cudnn_is_a_warning(monkeypatch):
    monkeypatch.setattr(missing, "find_spec", lambda name: None)
    said = missing.without_cudnn()
    assert "generic kernels" in said and "pip install nvidia-cudnn-cu13" in said
    monkeypatch.setattr(missing, "find_spec", lambda name: object())
    assert missing.without_cudnn() == ""


def test_a_scope_for_a_device_that_is_not_there_fails_before_its_block_runs(monkeypatch):
    import autograd_cnn as ag

    missing.cupy_module.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match='device "cuda" needs CuPy'), ag.device_scope("cuda"):
        pytest.fail("the block ran")
    with pytest.raises(DeviceError, match='"tpu" is not known'), ag.device_scope("tpu"):
        pytest.fail("the block ran")


def test_what_a_scope_places(monkeypatch):
    """Noted instead of moved: new tensors, parameters and buffers, not what is there already."""
    import numpy as np

    import autograd_cnn as ag
    from autograd_cnn import nn
    from autograd_cnn.kernels import devices

    old, moved = ag.tensor([1.0]), []
    with ag.device_scope("cpu"):
        monkeypatch.setattr(
            devices, "to_device", lambda array, device: moved.append(device) or array
        )
        ag.tensor([1.0])
        ag.tensor(np.ones(2))
        assert moved == ["cpu"] * 2
        ag.tensor(old)
        assert moved == ["cpu"] * 2
        layer = nn.BatchNorm2d(3)
        assert len(moved) == 2 + len(list(layer.parameters())) + len(list(layer.buffers()))
    ag.tensor([1.0])
    assert len(moved) == 2 + len(list(layer.parameters())) + len(list(layer.buffers()))
