"""What a compiled step costs beside its time: the first call, peak memory, and how it scales.

First calls run in fresh processes, once with an empty folder for generated code and once more with
what the first left there. Peak memory is that of a fresh process too: the system's high-water mark
(VmHWM on Linux, ru_maxrss elsewhere) after five steps, less the mark before the first. The network
and the data are there already, and a small network has run, so that each library is loaded: the
difference is activations, gradients, the optimizer's state, and scratch and code for these shapes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import autograd_cnn as ag

from . import cnn_cases
from .cnn_cases import CASES, OURS, Case

FORMS = {
    OURS: lambda case: cnn_cases.ours_training(case, True),
    "eager": lambda case: cnn_cases.ours_training(case, False),
    "PyTorch": lambda case: cnn_cases.pytorch_training(case, "contiguous_format"),
    "PyTorch channels_last": lambda case: cnn_cases.pytorch_training(case, "channels_last"),
}


def costs(names: list[str]) -> list[dict]:
    """First calls and peak memory of each network, printed as they come."""
    forms = list(FORMS) if find_spec("torch") else [OURS, "eager"]
    print(f"\n| first call | cold s | warm s | later ms |\n|{'---|' * 4}")
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            cold, warm = (in_fresh_process("first", name, OURS, folder) for _ in range(2))
        times = {"cold_s": cold["first_s"], "warm_s": warm["first_s"], "later_ms": warm["later_ms"]}
        print(
            f"| {CASES[name].title} | {times['cold_s']:.2f} | {times['warm_s']:.2f} "
            f"| {times['later_ms']:.1f} |", flush=True
        )  # fmt: skip
        rows.append({"case": name, **times})
    print(f"\n| peak MB | {' | '.join(forms)} |\n|{'---|' * (len(forms) + 1)}")
    for name, row in zip(names, rows, strict=True):
        row["peak_MB"] = {form: in_fresh_process("peak", name, form)["peak_MB"] for form in forms}
        numbers = " | ".join(f"{value:.0f}" for value in row["peak_MB"].values())
        print(f"| {CASES[name].title} | {numbers} |", flush=True)
    return rows


def in_fresh_process(measure: str, name: str, form: str, cache: str | None = None) -> dict:
    """What `measure`, first or peak, gives for a network and a form in a process of its own."""
    surroundings = os.environ | ({"AUTOGRAD_CNN_CACHE": cache} if cache else {})
    command = [sys.executable, "-m", "benchmarks.cnn_costs", measure, name, form]
    answer = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def first(name: str, form: str) -> dict[str, float]:
    """Seconds of the first step, and milliseconds of the fifth."""
    training = FORMS[form](CASES[name])
    started = time.perf_counter()
    training.step()
    seconds = time.perf_counter() - started
    for _ in range(4):
        started = time.perf_counter()
        training.step()
    return {"first_s": seconds, "later_ms": (time.perf_counter() - started) * 1e3}


def peak(name: str, form: str) -> dict[str, float]:
    """By how many MB five steps raise the most memory that the process has held."""
    FORMS[form](replace(CASES["lenet"], shape=(16, 1, 28, 28))).step()
    training = FORMS[form](CASES[name])
    before = peak_bytes()
    for _ in range(5):
        training.step()
    return {"peak_MB": (peak_bytes() - before) / 2**20}


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def scaling(medians: Callable[[dict], dict[str, float]]) -> list[dict]:
    """Milliseconds of a compiled ResNet step over batch, depth and image size, and PyTorch's."""
    print("\n| ResNet for CIFAR | ours ms | PyTorch channels_last ms | ratio |\n|---|---|---|---|")
    rows = []
    for title, case in variations().items():
        runs = {"ours": FORMS[OURS](case).step}
        if find_spec("torch"):
            runs["PyTorch channels_last"] = FORMS["PyTorch channels_last"](case).step
        found = medians(runs)
        numbers = [value * 1e3 for value in found.values()]
        quotient = f"{numbers[0] / numbers[1]:.2f}" if len(numbers) > 1 else "–"
        print(f"| {title} | {' | '.join(f'{n:.1f}' for n in numbers)} | {quotient} |", flush=True)
        rows.append({"case": title, "ms": dict(zip(found, numbers, strict=True))})
    return rows


def variations() -> dict[str, Case]:
    """The network of 20 layers on 64 images of 32², and one thing at a time changed."""
    base = replace(CASES["resnet20"], shape=(64, 3, 32, 32))
    cases = {f"batch {n}": replace(base, shape=(n, 3, 32, 32)) for n in (16, 64, 256)}
    for blocks in (1, 5, 9):
        build = partial(ag.models.CifarResNet, blocks)
        cases[f"{6 * blocks + 2} layers"] = replace(base, build=build, peer=f"ResNet20:{blocks}")
    for side in (16, 64):
        cases[f"{side}² pixels"] = replace(base, shape=(64, 3, side, side))
    return cases


if __name__ == "__main__":
    measures = {"first": first, "peak": peak}
    print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
