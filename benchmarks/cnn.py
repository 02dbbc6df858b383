"""Training steps and input gradients of CNNs: ours, compiled and eager, against peers on the CPU.

    python -m benchmarks.cnn [--model NAME] [--rounds N] [--json FILE]
                             [--threads N] [--cpu-time] [--torch-compile]
                             [--costs] [--scaling] [--no-check]

Networks: LeNet-5, CIFAR ResNet-20, a VGG-like one and ResNet-18. Peers: PyTorch in both of its
layouts, with `--torch-compile` its compiler (half a minute a network, needs a C++ compiler), and
jax.jit where JAX is installed. Everyone is checked against float64 before anything is timed (see
`cnn_checks`). All contestants run in one process, in turns, so that a slow moment of the machine
hits all of them; medians are compared, ours against the best peer.

The floor is the time that the multiplications of convolutions and linear layers take at the speed
of a large matrix product measured here: nothing that multiplies directly can be faster (Winograd
convolutions can). `--costs` adds first calls and peak memory, `--scaling` larger batches, networks
and images (see `cnn_costs`). On a busy machine waiting threads lose
the most, and only processor time on one thread is fair: `OPENBLAS_NUM_THREADS=1 … --threads 1
--cpu-time`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import shutil
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import autograd_cnn as ag

from . import cnn_cases, cnn_checks, cnn_costs
from .cnn_cases import CASES, EAGER, OURS, Case

SECONDS = 25.0  # for one measurement of all contestants
RUNS_A_TURN = 3
REST = 0.1  # seconds until the threads of the library that ran before sleep


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cnn", description=__doc__)
    parser.add_argument("--model", choices=sorted(CASES), action="append")
    parser.add_argument("--rounds", type=int, default=12, help="at most this many turns of each")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    parser.add_argument("--threads", type=int, help="of ours and of the peers; else the default")
    parser.add_argument("--cpu-time", action="store_true", help="the process's, not the wall's")
    parser.add_argument("--torch-compile", action="store_true", help="a peer more, slow to start")
    parser.add_argument("--costs", action="store_true", help="first calls and peak memory")
    parser.add_argument("--scaling", action="store_true", help="batch, depth and image size")
    parser.add_argument("--no-check", action="store_true", help="time without checking first")
    options = parser.parse_args()
    if options.threads:
        set_threads(options.threads)
    speed = matrix_product_speed(clock_of(options))
    names = options.model or list(CASES)
    report: dict[str, Any] = {"machine": machine(), "GFLOP_per_s": speed / 1e9, "rows": []}
    report["clock"] = "processor time" if options.cpu_time else "wall time"
    for reason in missing_peers(options.torch_compile):
        print(reason)
    for name in names:
        for rows in measure_case(CASES[name], options, speed):
            report["rows"].append(rows)
            show_row(rows)
    show(report)
    if options.costs:
        report["costs"] = cnn_costs.costs(names)
    if options.scaling:
        report["scaling"] = cnn_costs.scaling(
            lambda runs: interleaved_medians(runs, options.rounds, clock_of(options))
        )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


def set_threads(number: int) -> None:
    ag.kernels.set_num_threads(number)
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(number)


def measure_case(case: Case, options: argparse.Namespace, speed: float):
    """The rows of one network, as they come: training compiled and eager, input gradient."""
    for kind, makers, check, timed in (
        ("training step", training_makers(options.torch_compile), cnn_checks.check_training,
         lambda made: made.step),
        ("input gradient", saliency_makers(options.torch_compile), cnn_checks.check_saliency,
         lambda made: made.run),
    ):  # fmt: skip
        distances = {} if options.no_check else check(case, makers)
        flops = counted_flops(timed(makers[EAGER](case)))
        runs = {label: timed(make(case)) for label, make in makers.items()}
        seconds = interleaved_medians(runs, options.rounds, clock_of(options))
        peers = {k: v * 1e3 for k, v in seconds.items() if k not in (OURS, EAGER)}
        for form in (OURS, EAGER):
            yield {
                "case": f"{case.title}, batch {case.shape[0]}, {case.shape[2]}²",
                "kind": f"{kind}, {form}",
                "GFLOP": flops / 1e9,
                "floor_ms": flops / speed * 1e3,
                "ms": {"ours": seconds[form] * 1e3, **peers},
                "float64": {"ours": distances.get(form), **{k: distances.get(k) for k in peers}},
            }


def training_makers(torch_compile: bool) -> dict[str, Callable[[Case], cnn_cases.Training]]:
    """Label → what makes a contestant for a case."""
    makers = {
        OURS: lambda case: cnn_cases.ours_training(case, True),
        EAGER: lambda case: cnn_cases.ours_training(case, False),
    }
    for label, options in pytorch_forms(torch_compile).items():
        makers[label] = lambda case, o=options: cnn_cases.pytorch_training(case, *o)
    if importlib.util.find_spec("jax"):
        from . import jax_models

        makers["jax.jit"] = jax_models.training
    return makers


def saliency_makers(torch_compile: bool) -> dict[str, Callable[[Case], cnn_cases.Saliency]]:
    """The same for input gradients."""
    makers = {
        OURS: lambda case: cnn_cases.ours_saliency(case, True),
        EAGER: lambda case: cnn_cases.ours_saliency(case, False),
    }
    for label, options in pytorch_forms(torch_compile).items():
        makers[label] = lambda case, o=options: cnn_cases.pytorch_saliency(case, *o)
    if importlib.util.find_spec("jax"):
        from . import jax_models

        makers["jax.jit"] = jax_models.saliency
    return makers


def pytorch_forms(torch_compile: bool) -> dict[str, tuple]:
    """PyTorch's contestants: label → (layout, compiled)."""
    if not importlib.util.find_spec("torch"):
        return {}
    forms: dict[str, tuple] = {
        "PyTorch": ("contiguous_format",),
        "PyTorch channels_last": ("channels_last",),
    }
    if torch_compile and has_compiler():
        forms["torch.compile"] = ("channels_last", True)
    return forms


def missing_peers(torch_compile: bool) -> list[str]:
    """Why a peer does not take part."""
    reasons = []
    if not importlib.util.find_spec("torch"):
        reasons.append("no PyTorch: not installed")
    elif not torch_compile:
        reasons.append("no torch.compile: ask for it with --torch-compile")
    elif not has_compiler():
        reasons.append("no torch.compile: no C++ compiler (g++ or clang++) on the PATH")
    if not importlib.util.find_spec("jax"):
        reasons.append("no jax.jit: JAX is not installed")
    return reasons


def has_compiler() -> bool:
    return any(shutil.which(name) for name in ("g++", "clang++"))


def clock_of(options: argparse.Namespace) -> Callable[[], float]:
    return time.process_time if options.cpu_time else time.perf_counter


def interleaved_medians(
    contestants: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """The median seconds of each, in turns of a few runs, after two runs that warm up.

    The threads of OpenBLAS and of OpenMP spin for a while after their work, on cores that the other
    library needs. So everyone rests before a turn, and the first run of a turn does not count:
    without that both libraries look several times slower than either is alone.
    """
    for run in contestants.values():
        run()
        run()
    times: dict[str, list[float]] = {label: [] for label in contestants}
    started = time.perf_counter()
    for _ in range(rounds):
        for label, run in contestants.items():
            time.sleep(REST)
            run()
            for _ in range(RUNS_A_TURN):
                before = clock()
                run()
                times[label].append(clock() - before)
        if time.perf_counter() - started > SECONDS:
            break
    return {label: median(values) for label, values in times.items()}


class Counter:
    """An observer that counts multiplications, forward and backward."""

    def __init__(self) -> None:
        self.costs: dict = {}
        self.total = 0

    def forward(self, primitive, inputs, attributes, ans, node) -> None:
        if primitive.cost is None:
            return
        shapes = [np.shape(value) for value in inputs if value is not None]
        cost = primitive.cost(ans.shape, *shapes)
        self.total += cost
        self.costs[node] = cost

    def backward(self, node, g, gradients) -> None:
        # each operand's gradient takes as many multiplications; a bias takes none
        operands = sum(len(parent.shape) > 1 for parent, _ in gradients)
        self.total += self.costs.get(node, 0) * operands


def counted_flops(run: Callable[[], Any]) -> float:
    counter = Counter()
    with ag.observe(counter):
        run()
    return 2.0 * counter.total


def matrix_product_speed(clock: Callable[[], float], n: int = 1536) -> float:
    """FLOP/s of a large float32 matrix product, the best of several."""
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    times = []
    for _ in range(8):
        before = clock()
        a @ a
        times.append(clock() - before)
    return 2.0 * n**3 / min(times)


def machine() -> dict[str, str]:
    info = {"python": platform.python_version(), "numpy": np.__version__}
    info["threads"] = str(ag.kernels.get_num_threads())
    if importlib.util.find_spec("torch"):
        import torch

        info |= {"torch": torch.__version__, "torch threads": str(torch.get_num_threads())}
    return info


def ratio(row: dict) -> float | None:
    """Ours over the best peer; None without one."""
    peers = [value for label, value in row["ms"].items() if label != "ours"]
    return row["ms"]["ours"] / min(peers) if peers else None


def show_row(row: dict) -> None:
    """One line as soon as it is known, with the distances from float64."""
    far = {who: max(d.values()) for who, d in row["float64"].items() if d}
    checked = ", ".join(f"{who} {value:.0e}" for who, value in far.items())
    print(f"# {row['case']}, {row['kind']}: from float64: {checked or 'not checked'}", flush=True)


def show(report: dict) -> None:
    """Print the report as a Markdown table."""
    rows = report["rows"]
    labels = list(dict.fromkeys(label for row in rows for label in row["ms"]))
    table = [["", "floor", *labels, "ours / best"]]
    for row in rows:
        quotient = ratio(row)
        times = [f"{row['ms'][label]:.1f}" if label in row["ms"] else "–" for label in labels]
        task = f"{row['case']}, {row['kind']}"
        last = "no peer" if quotient is None else f"{quotient:.2f}"
        table.append([task, f"{row['floor_ms']:.1f}", *times, last])
    table.insert(1, ["---", *["---:"] * (len(table[0]) - 1)])
    for line in table:
        print(f"| {' | '.join(line)} |")
    facts = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    print(
        f"\nmilliseconds of {report['clock']}; floor: arithmetic at {report['GFLOP_per_s']:.0f} "
        f"GFLOP/s, a matrix product's; {facts}"
    )


if __name__ == "__main__":
    main()
