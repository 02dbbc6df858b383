"""`autograd-cnn env`: what a report of a problem should hold."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata

from ..errors import DeviceError

OPTIONAL = (
    "rich", "safetensors", "matplotlib", "graphviz", "pygraphviz", "networkx", "hypothesis",
    "scikit-learn", "scipy", "llvmlite", "torch",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes none."""


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    facts = environment()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0


def environment() -> dict[str, str]:
    """What a report of a problem should hold: versions, BLAS, threads and the GPU.

    >>> from autograd_cnn.commands.env import environment
    >>> sorted(environment())[:3]
    ['BLAS', 'CPUs', 'CuPy']
    """
    from .. import __version__

    return {
        "autograd_cnn": __version__,
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "CPUs": str(os.cpu_count()),
        "NumPy": _version("numpy"),
        "BLAS": _blas(),
        **{
            name: os.environ.get(name, "not set")
            for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
        },
        "CuPy": _cupy(),
        "cuDNN": _cudnn(),
        **{name: _version(name) for name in OPTIONAL},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    """The BLAS that NumPy was built with, and the processor it chose code for, where known."""
    import numpy as np

    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index]
    text = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    try:
        import threadpoolctl
    except ImportError:
        return text
    loaded = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    parts = {f"{p.get('architecture', '?')}, {p['num_threads']} threads" for p in loaded}
    return f"{text} ({'; '.join(sorted(parts))})" if parts else text


def _cupy() -> str:
    """CuPy's version and its GPU, or why there is none."""
    from ..kernels.cupy import cupy_module

    try:
        cupy = cupy_module()
    except DeviceError as error:
        return str(error)
    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    count = cupy.cuda.runtime.getDeviceCount()
    return f"{cupy.__version__}, {count} GPU(s), the first {name}"


def _cudnn() -> str:
    """cuDNN's version, or what its absence means."""
    from ..kernels.cuda import cudnn
    from ..kernels.cupy import without_cudnn

    try:
        return without_cudnn() or cudnn.frontend().backend_version_string()
    except (ImportError, OSError, RuntimeError) as error:
        return f"cannot be loaded: {error}"
