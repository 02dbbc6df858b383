"""The demo: train a CNN on real digits, draw it, check it, look inside it, fool it.

Each step is a file, in the order of `run`.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ..errors import require
from ..tensor import tensor
from .checking import check
from .drawing import draw
from .folder import Folder
from .fooling import fool
from .looking import look
from .report import report
from .summary import progress_bars, summarise
from .training import train

__all__ = ["run"]

EPOCHS = 20
# module, the extra that brings it: all asked for before any work
_NEEDED = (
    ("sklearn", "demo"), ("threadpoolctl", "demo"), ("matplotlib", "plot"),
    ("pygraphviz", "graph"), ("rich", "train"), ("safetensors", "train"),
)  # fmt: skip


def run(
    out: str | os.PathLike[str] = "autograd-cnn-demo",
    seed: int = 0,
    epochs: int = EPOCHS,
    device: str = "cpu",
    console: Any = None,
) -> dict[str, Any]:
    """Do the whole demo; returns the numbers that it also writes to `results.json`.

    The same seed gives the same numbers, on one machine. `console` is a `rich.console.Console`.

    Raises, before any work, MissingDependencyError, DeviceError, OSError for a folder that cannot
    be written to, and ValueError for a negative seed or fewer than one epoch.
    """
    started = time.perf_counter()
    if seed < 0 or epochs < 1:
        raise ValueError(f"seed must be ≥ 0 and epochs ≥ 1, got {seed} and {epochs}")
    for module, extra in _NEEDED:
        require(module, extra)
    tensor(0.0, device=device)
    folder = Folder(out)
    console = console if console is not None else require("rich.console", "train").Console()
    # matrices this small are slower on several threads, and their sums depend on how many there are
    limits = require("threadpoolctl", "demo").threadpool_limits(1)
    with limits, progress_bars(console) as bars:
        results: dict[str, Any] = {"settings": {"seed": seed, "epochs": epochs, "device": device}}
        task = bars.add_task("train on handwritten digits", total=epochs)
        study, results["training"] = train(
            folder, seed, epochs, device, lambda: bars.advance(task) or None
        )
        for name, title, step in (
            ("gradient_check", "check the gradients", lambda: check(study)),
            ("graph", "draw the computation graph", lambda: draw(study, folder)),
            ("looking", "see what it looks at", lambda: look(study, folder)),
            ("fooling", "fool it", lambda: fool(study, folder)),
        ):
            task = bars.add_task(title, total=1)
            results[name] = step()
            bars.advance(task)
        folder.write_json("results.json", results)
        report(results, folder)
    summarise(results, folder, time.perf_counter() - started, console)
    return results
