"""The generic kernels on CuPy arrays, and the message for each way a GPU can be missing."""

from __future__ import annotations

from functools import cache
from importlib import import_module
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
    runtime = cupy.cuda.runtime
    driver = runtime.driverGetVersion()
    if driver == 0:
        raise DeviceError('device "cuda": CuPy is installed but there is no NVIDIA driver here')
    if driver < runtime.runtimeGetVersion() // 1000 * 1000:
        raise DeviceError(
            f'device "cuda": the driver supports CUDA {driver // 1000}.{driver % 1000 // 10}, '
            f"older than CuPy's {runtime.runtimeGetVersion() // 1000}: update the driver or "
            'install the extra "autograd-cnn[cuda12]"'
        )
    if not cupy.cuda.is_available():
        raise DeviceError(
            'device "cuda": a driver but no visible GPU; look at nvidia-smi and '
            "CUDA_VISIBLE_DEVICES"
        )
    return cupy
