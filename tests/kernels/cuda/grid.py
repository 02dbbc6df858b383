"""CUDA kernels run on the CPU: compiled by the C++ compiler that is there, block after block.

What a GPU would add (speed, and faults of memory that only show there) is not tested by this; the
arithmetic, the indices and the barriers are.
"""

import ctypes
import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np

from autograd_cnn.kernels.cuda import compiler

HERE = Path(__file__).parent
COMPILER = shutil.which("g++") or shutil.which("clang++")
C_TYPES = {np.int32: ctypes.c_int32, np.int64: ctypes.c_int64, np.float64: ctypes.c_double,
           np.float32: ctypes.c_float, np.uint64: ctypes.c_uint64}  # fmt: skip


def reason() -> str | None:
    """Why no kernel can be run here; None if they can."""
    if COMPILER is None:
        return "no C++ compiler (g++ or clang++) to run CUDA kernels on the CPU"
    probe = subprocess.run(
        [COMPILER, "-std=c++20", "-x", "c++", "-fsyntax-only", "-"],
        input="#include <barrier>\n", text=True, capture_output=True,
    )  # fmt: skip
    return None if probe.returncode == 0 else f"{COMPILER} is too old for C++20's barrier"


class Grid:
    """The kernels of one source, compiled for a dtype into a folder."""

    def __init__(self, folder: Path, source: str, dtype: str, macros: tuple = ()) -> None:
        self.source, code = source, compiler.text(source)
        entries = [_entry(name, listed) for name, listed in compiler.parameters(source).items()]
        flags = compiler.options(dtype, macros)[1:]
        name = hashlib.sha256(repr((code, flags)).encode()).hexdigest()[:16]
        program, library = folder / f"{name}.cpp", folder / f"{name}.so"
        program.write_text(f'#include "{HERE / "grid.h"}"\n{code}\n' + "\n".join(entries), "utf-8")
        subprocess.run(
            [COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-w", *flags,
             str(program), "-o", str(library)], check=True,
        )  # fmt: skip
        self.library = ctypes.CDLL(str(library))

    def __call__(self, kernel: str, grid: tuple, block: tuple, *arguments) -> None:
        """Run a kernel with arrays, numbers or None (a null pointer) as its arguments."""
        shape = np.array([*grid, *block], np.uint32)
        words = [
            C_TYPES[type(word)](word) if type(word) in C_TYPES
            else ctypes.c_void_p(getattr(word, "ctypes", None) and word.ctypes.data)
            for word in compiler.words(self.source, kernel, arguments)
        ]  # fmt: skip
        getattr(self.library, f"run_{kernel}")(ctypes.c_void_p(shape.ctypes.data), *words)


def _entry(name: str, listed: tuple) -> str:
    """A function of C that runs a kernel over a grid."""
    declared = ", ".join(f"{kind} {name}" for kind, name in listed)
    passed = ", ".join(name for _, name in listed)
    return (f'extern "C" void run_{name}(const unsigned* shape_, {declared}) '
            f"{{ run_grid({name}, shape_, {passed}); }}")  # fmt: skip


@cache
def grid_of(folder: Path, source: str, dtype: str = "float64", macros: tuple = ()) -> Grid:
    """The kernels of a source, compiled once."""
    return Grid(folder, source, dtype, macros)
