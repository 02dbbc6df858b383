"""The command line: `autograd-cnn demo`, `autograd-cnn check` and `autograd-cnn env`."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from .errors import DeviceError, MissingDependencyError

# what the user can mend: told in one line; anything else is a fault of ours and keeps its traceback
EXPECTED = (DeviceError, MissingDependencyError, OSError)
OPTIONAL = (
    "rich", "safetensors", "matplotlib", "graphviz", "pygraphviz", "networkx", "hypothesis",
    "scikit-learn", "scipy", "torch",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 2 for what the user can mend, 130 when stopped."""
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except EXPECTED as error:
        print(f"autograd-cnn {chosen.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def environment() -> dict[str, str]:
    """What a report of a problem should hold: versions, BLAS, threads and the GPU.

    >>> from autograd_cnn.cli import environment
    >>> sorted(environment())[:3]
    ['BLAS', 'CPUs', 'CuPy']
    """
    from . import __version__

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
        **{name: _version(name) for name in OPTIONAL},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograd-cnn", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train, draw, check, explain and fool a CNN on digits")
    demo.add_argument("--out", default="autograd-cnn-demo", metavar="DIR", help="where to write")
    demo.add_argument("--seed", type=_at_least(0), default=0, metavar="N")
    demo.add_argument("--epochs", type=_at_least(1), default=20, metavar="N")
    demo.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    demo.set_defaults(run=_demo)
    check = commands.add_parser("check", help="hold gradients to the laws of differentiation")
    _add_check(check)
    env = commands.add_parser("env", help="print versions, BLAS and the GPU")
    env.set_defaults(run=_env)
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    """A whole number with a lower limit, as an argument."""

    def number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number ≥ {least}")
        return int(text)

    return number


def _demo(chosen: argparse.Namespace) -> int:
    from .demo import run

    run(chosen.out, chosen.seed, chosen.epochs, chosen.device)
    return 0


def _add_check(parser: argparse.ArgumentParser) -> None:
    from .testing.console import add_arguments, run

    add_arguments(parser)
    parser.set_defaults(run=run)


def _env(chosen: argparse.Namespace) -> int:
    facts = environment()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0


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
    try:
        from .kernels.cupy import cupy_module

        cupy = cupy_module()
        name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        count = cupy.cuda.runtime.getDeviceCount()
        return f"{cupy.__version__}, {count} GPU(s), the first {name}"
    except DeviceError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
