"""The CUDA sources of this folder, and how they become code: NVRTC, which needs no device."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DTypeError

FOLDER = Path(__file__).parent
SOURCES = tuple(sorted(path.stem for path in FOLDER.glob("*.cu")))
TYPES = {
    "float32": ("float", "float"), "float64": ("double", "double"),
    "float16": ("__half", "float"), "bfloat16": ("__nv_bfloat16", "float"),
}  # fmt: skip
"""Of each dtype: what an entry is in CUDA, and what sums are kept in."""

ARCHITECTURES = (80, 90, 100)
"""The compute capabilities that the sources are held to: A100, H100 and H200, B200."""


def options(dtype: str, macros: tuple[tuple[str, Any], ...] = ()) -> tuple[str, ...]:
    """What NVRTC is told for arrays of a dtype.

    Raises DTypeError for one that no kernel takes.
    """
    if dtype not in TYPES:
        raise DTypeError(f"the CUDA kernels take {', '.join(TYPES)}, not {dtype}")
    entry, total = TYPES[dtype]
    half = ("-DHALF",) if entry.startswith("__") else ()
    given = tuple(f"-D{name}={value}" for name, value in macros)
    return ("-std=c++17", f"-I{FOLDER}", f"-DENTRY={entry}", f"-DTOTAL={total}", *half, *given)


SCALARS = {
    "int": np.int32, "Index": np.int64, "float": np.float32, "double": np.float64,
    "unsigned long long": np.uint64,
}  # fmt: skip
_KERNEL = re.compile(r'extern "C" __global__ void (\w+)\((.*?)\)', re.DOTALL)


def text(source: str) -> str:
    """A source, without what it includes."""
    return (FOLDER / f"{source}.cu").read_text("utf-8")


@cache
def parameters(source: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """The kernels of a source, each with the types and names of its parameters.

    >>> from autograd_cnn.kernels.cuda import compiler
    >>> compiler.parameters("rows")["softmax"]
    (('const T*', 'x'), ('T*', 'y'), ('int', 'width'))
    """
    found = {}
    for name, listed in _KERNEL.findall(text(source)):
        split = (" ".join(one.split()).rsplit(" ", 1) for one in listed.split(","))
        found[name] = tuple((kind, parameter) for kind, parameter in split)
    return found


def words(source: str, kernel: str, arguments: tuple) -> tuple:
    """Arguments as a launch takes them: numbers as wide as the kernel has them, None as null."""
    kinds = [kind for kind, _ in parameters(source)[kernel]]
    return tuple(
        SCALARS[kind](value) if kind in SCALARS else np.uintp(0) if value is None else value
        for kind, value in zip(kinds, arguments, strict=True)
    )


@cache
def function(source: str, kernel: str, dtype: str, macros: tuple = ()) -> Any:
    """A kernel, ready to be launched on the current device; CuPy keeps what it compiled."""
    cupy: Any = import_module("cupy")
    module = cupy.RawModule(code=text(source), options=options(dtype, macros), backend="nvrtc")
    return module.get_function(kernel)


def compile_ptx(source: str, dtype: str, architecture: int, macros: tuple = ()) -> bytes:
    """The PTX of a source, without a device or a driver; RuntimeError with the compiler's words."""
    nvrtc: Any = import_module("cupy_backends.cuda.libs.nvrtc")
    program = nvrtc.createProgram(text(source), f"{source}.cu", (), ())
    headers = tuple(f"-I{place}" for place in header_folders())
    target = f"-arch=compute_{architecture}"
    try:
        nvrtc.compileProgram(program, (*options(dtype, macros), *headers, target))
    except nvrtc.NVRTCError as error:
        raise RuntimeError(f"{source}.cu: {nvrtc.getProgramLog(program)}") from error
    try:
        return nvrtc.getPTX(program)
    finally:
        nvrtc.destroyProgram(program)


@cache
def header_folders() -> tuple[str, ...]:
    """Where CUDA's own headers lie; empty where none are found."""
    pathfinder: Any = import_module("cuda.pathfinder")
    found = pathfinder.find_nvidia_header_directory("cudart")
    return () if found is None else (str(found),)
