"""The generic kernels on CuPy arrays, and the message for each way a GPU can be missing."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import DeviceError
from .arrays import Array
from .base import Kernels


class CupyKernels(Kernels):
    """Generic kernels, run by CuPy on the GPU."""

    name = "cupy"

    def uniform(self, seed: int, shape: tuple) -> Array:
        return self.xp.random.default_rng(seed).random(shape, dtype=self.xp.float32)


@cache
def cupy_module() -> Any:
    """CuPy, once it is sure that a GPU can be used; DeviceError with the remedy otherwise."""
    try:
        cupy: Any = import_module("cupy")
    except ImportError as error:
        raise DeviceError(
            'device "cuda" needs CuPy, which is not installed: '
            'pip install "autograd-cnn[cuda13]" (or [cuda12] for an older driver)'
        ) from error
    problem = obstacle(cupy)
    if problem:
        raise DeviceError(f'device "cuda": {problem}')
    return cupy


def obstacle(cupy: Any) -> str:
    """Why an installed CuPy cannot use a GPU, with the remedy; empty if it can."""
    runtime = cupy.cuda.runtime
    driver, built = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        return (
            "CuPy is installed but there is no NVIDIA driver here: install one "
            "(https://www.nvidia.com/drivers), or start the container with --gpus all"
        )
    if driver < built // 1000 * 1000:
        return (
            f"the driver supports CUDA {_version(driver)}, older than CuPy's {built // 1000}: "
            'update the driver or install the extra "autograd-cnn[cuda12]"'
        )
    if not cupy.cuda.is_available():
        return "a driver but no visible GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    try:
        import_module("cupy_backends.cuda.libs.nvrtc").getVersion()
    except (ImportError, OSError, RuntimeError) as error:
        return (
            f"CUDA's own libraries are missing ({error}): pip install "
            f'"cupy-cuda{built // 1000}x[ctk]"'
        )
    return ""


def without_cudnn() -> str:
    """What is said where cuDNN is missing: a warning, as the generic kernels do its work."""
    absent = [name for name in ("cudnn", "cuda") if find_spec(name) is None]
    if not absent:
        return ""
    return (
        "no cuDNN: convolutions run on generic kernels, which are slower; "
        'pip install nvidia-cudnn-cu13 "nvidia-cudnn-frontend<1.29" (cu12 for CUDA 12)'
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
