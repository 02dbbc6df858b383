"""Training steps and input gradients of small CNNs: ours against PyTorch eager, on the CPU.

    python -m benchmarks.cnn [--model lenet|resnet20] [--rounds N] [--json FILE]

All contestants run in one process, in turns, so that a slow moment of the machine hits all of
them; medians are compared. Before timing, the losses must agree. The floor is the time that the
multiplications of convolutions and linear layers take at the speed of a large matrix product
measured here: nothing that multiplies directly can be faster (Winograd and FFT algorithms can).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import autograd_cnn as ag

CASES = {
    "lenet": ("LeNet-5", (64, 1, 28, 28), ag.models.LeNet5, "LeNet5"),
    "resnet20": ("ResNet-20", (128, 3, 32, 32), ag.models.resnet20, "ResNet20"),
}
OURS = "autograd_cnn"
SECONDS = 20.0  # for one measurement of all contestants
RUNS_A_TURN = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cnn", description=__doc__)
    parser.add_argument("--model", choices=sorted(CASES), action="append")
    parser.add_argument("--rounds", type=int, default=12, help="at most this many turns of each")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    options = parser.parse_args()
    speed = matrix_product_speed()
    rows = [
        row for name in options.model or CASES for row in measure_case(name, options.rounds, speed)
    ]
    report = {"machine": machine(), "GFLOP_per_s": speed / 1e9, "rows": rows}
    show(report)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


def measure_case(name: str, rounds: int, speed: float) -> list[dict]:
    title, shape, build, torch_name = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, dtype=np.float32)
    labels = rng.integers(0, 10, shape[0])
    model = build(rng=0)
    kinds: dict[str, dict[str, Callable[[], float]]] = {
        "training step": {OURS: our_training(model, x, labels)},
        "input gradient": {OURS: our_input_gradient(build(rng=0), x, labels)},
    }
    if importlib.util.find_spec("torch"):
        for label, channels_last in (("PyTorch", False), ("PyTorch channels_last", True)):
            training, gradient = pytorch_runs(torch_name, build(rng=0), x, labels, channels_last)
            kinds["training step"][label] = training
            kinds["input gradient"][label] = gradient
    rows = []
    for kind, contestants in kinds.items():
        flops = counted_flops(contestants[OURS])
        seconds = interleaved_medians(contestants, rounds)
        rows.append(
            {
                "case": f"{title}, batch {shape[0]}",
                "kind": kind,
                "GFLOP": flops / 1e9,
                "floor_ms": flops / speed * 1e3,
                "ms": {label: value * 1e3 for label, value in seconds.items()},
            }
        )
    return rows


def our_training(model: ag.nn.Module, x: np.ndarray, labels: np.ndarray) -> Callable[[], float]:
    optimizer = ag.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    samples = ag.Tensor(x)

    def step() -> float:
        optimizer.zero_grad()
        loss = ag.cross_entropy(model(samples), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def our_input_gradient(model: ag.nn.Module, x: np.ndarray, labels: np.ndarray) -> Callable:
    model.eval().requires_grad_(False)
    samples = ag.tensor(x, requires_grad=True)

    def step() -> float:
        loss = ag.cross_entropy(model(samples), labels)
        ag.gradients(loss, samples)
        return float(loss)

    return step


def pytorch_runs(name, ours, x, labels, channels_last) -> tuple[Callable, Callable]:
    """A training step and an input gradient with the weights of our model."""
    import torch

    from . import pytorch_models

    layout = torch.channels_last if channels_last else torch.contiguous_format
    weights = {k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()}
    samples = torch.from_numpy(x).contiguous(memory_format=layout)
    targets = torch.from_numpy(labels)

    def network() -> torch.nn.Module:
        model = getattr(pytorch_models, name)()
        model.load_state_dict(weights)
        return model.to(memory_format=layout)

    trained, frozen = network(), network().eval().requires_grad_(False)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.01, momentum=0.9)
    variable = samples.detach().clone(memory_format=torch.preserve_format).requires_grad_()

    def training() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(trained(samples), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    def input_gradient() -> float:
        loss = torch.nn.functional.cross_entropy(frozen(variable), targets)
        torch.autograd.grad(loss, variable)
        return loss.item()

    return training, input_gradient


def interleaved_medians(contestants: dict[str, Callable[[], float]], rounds: int) -> dict:
    """The median time of each, in turns of a few runs; two runs before warm up and must agree.

    The threads of OpenBLAS and of OpenMP spin for a while after their work, on cores that the other
    library needs. So everyone rests before a turn, and the first run of a turn does not count:
    without that both libraries look several times slower than either is alone.
    """
    # our first run was the one that counted the multiplications
    first = {label: run() for label, run in contestants.items() if label != OURS}
    second = {label: run() for label, run in contestants.items()}
    for label in first:
        if not np.isclose(second[OURS], second[label], rtol=1e-3):
            raise SystemExit(f"the losses differ: {second[OURS]} and {label} {second[label]}")
    times: dict[str, list[float]] = {label: [] for label in contestants}
    started = time.perf_counter()
    for _ in range(rounds):
        for label, run in contestants.items():
            time.sleep(0.1)
            run()
            for _ in range(RUNS_A_TURN):
                before = time.perf_counter()
                run()
                times[label].append(time.perf_counter() - before)
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


def counted_flops(run: Callable[[], float]) -> float:
    counter = Counter()
    with ag.observe(counter):
        run()
    return 2.0 * counter.total


def matrix_product_speed(n: int = 1536) -> float:
    """FLOP/s of a large float32 matrix product, the best of several."""
    a = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    times = []
    for _ in range(8):
        before = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - before)
    return 2.0 * n**3 / min(times)


def machine() -> dict[str, str]:
    info = {"python": platform.python_version(), "numpy": np.__version__}
    if importlib.util.find_spec("torch"):
        import torch

        info |= {"torch": torch.__version__, "torch threads": str(torch.get_num_threads())}
    return info


def show(report: dict) -> None:
    """Print the report as a Markdown table, as the README quotes it."""
    rows = report["rows"]
    labels = list(rows[0]["ms"])
    table = [["", "floor", *labels, "ours / best"]]
    for row in rows:
        others = [value for label, value in row["ms"].items() if label != OURS]
        ratio = f"{row['ms'][OURS] / min(others):.2f}" if others else "no PyTorch"
        times = [f"{row['ms'][label]:.1f} ms" for label in labels]
        task = f"{row['case']}, {row['kind']}"
        table.append([task, f"{row['floor_ms']:.1f} ms", *times, ratio])
    table.insert(1, ["---", *["---:"] * (len(table[0]) - 1)])
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        cells = [f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)]
        print(f"| {' | '.join(cells)} |")
    facts = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    print(
        f"\nfloor: arithmetic at {report['GFLOP_per_s']:.0f} GFLOP/s, a matrix product's; {facts}"
    )


if __name__ == "__main__":
    main()
