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
