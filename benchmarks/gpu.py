"""What a GPU does with our kernels: first whether they are right, then how long they take.

    python -m benchmarks.gpu [--out FOLDER] [--rounds N]

Writes <FOLDER>/<date>-<device>.json: versions and commit; the worst error of every kernel against
float64 on the CPU; the laws that fail, if any, for each operation on the GPU; the bandwidth and
the products that the device reaches by itself; training steps and input gradients, eager, of ours
and of PyTorch where it is installed with CUDA (eager and as a CUDA graph, channels_last, the same
precision). Without a GPU it says what is missing and stops.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

import autograd_cnn as ag
from autograd_cnn.atomic import write_atomically
from autograd_cnn.commands.env import environment
from autograd_cnn.errors import DeviceError
from autograd_cnn.kernels import provider
from autograd_cnn.kernels.cupy import cupy_module
from autograd_cnn.kernels.specs import ConvSpec, PoolSpec

CASES = {
    "LeNet-5 b64": (ag.models.LeNet5, "LeNet5", (64, 1, 28, 28)),
    "ResNet-20 b128": (ag.models.resnet20, "ResNet20", (128, 3, 32, 32)),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", default="benchmarks/results", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=50, help="runs of each contestant")
    options = parser.parse_args()
    try:
        cupy = cupy_module()
    except DeviceError as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 2
    report: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "environment": environment(),
    }
    for section in (kernel_errors, broken_laws, ceilings, networks):
        try:
            report[section.__name__] = section(cupy, options.rounds)
        except Exception as error:  # one failure must not hide the rest
            report[section.__name__] = f"{type(error).__name__}: {error}"
        print(f"{section.__name__}: {json.dumps(report[section.__name__])[:2000]}", flush=True)
    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode().replace(" ", "-")
    path = Path(options.out) / f"{report['date']}-{device}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(report, indent=1).encode())
    print(path)
    return 0


def commit() -> str:
    """The commit that is measured, with a + if files have changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")


def kernel_errors(cupy: Any, rounds: int) -> dict[str, float]:
    """Of each kernel: max |ours − float64| / max |float64|, in float32 without TF32."""
    ours, exact, worst = provider("cuda"), provider("numpy"), {}
    with ag.kernels.precision.float32_matmul_precision("highest"):
        for name, kernel, arrays, attributes in kernel_cases():
            wide = [a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays]
            found = getattr(ours, kernel)(*map(cupy.asarray, arrays), **attributes)
            right = getattr(exact, kernel)(*wide, **attributes)
            found, right = (v[0] if isinstance(v, tuple) else v for v in (found, right))
            apart = np.abs(cupy.asnumpy(found).astype(np.float64) - right).max()
            worst[name] = float(apart / np.abs(right).max())
    return worst


def kernel_cases() -> list[tuple[str, str, list[np.ndarray], dict[str, Any]]]:
    """Name, kernel, arrays and attributes."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    x, g, w = normal(8, 16, 20, 20), normal(8, 32, 20, 20), normal(32, 16, 3, 3)
    spec = ConvSpec((1, 1), ((1, 1), (1, 1)), (1, 1))
    grouped = ConvSpec((1, 1), ((1, 1), (1, 1)), (1, 1), 16)
    pool = PoolSpec((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))
    batch = {"axes": (0, 2, 3), "shape": (1, 16, 1, 1), "eps": 1e-5}
    layer = {"axes": (1, 2, 3), "shape": (1, 16, 20, 20), "eps": 1e-5}
    rows, target = normal(64, 1000), np.eye(1000, dtype=np.float32)[:64]
    return [
        ("conv", "conv", [x, w], {"spec": spec}),
        ("conv, depthwise", "conv", [x, normal(16, 1, 3, 3)], {"spec": grouped}),
        ("conv, input", "conv_input_grad", [g, w], {"spec": spec, "size": (20, 20)}),
        ("conv, weights", "conv_weight_grad", [x, g], {"spec": spec, "size": (3, 3)}),
        ("batch norm", "normalize", [x, normal(16), normal(16)], batch),
        ("layer norm", "normalize", [x, normal(16 * 400), normal(16 * 400)], layer),
        ("max pool", "max_pool", [x], {"spec": pool}),
        ("average pool", "avg_pool", [x], {"spec": pool, "count_include_pad": True}),
        ("softmax", "softmax", [rows], {"axis": 1}),
        ("cross-entropy", "cross_entropy", [rows, target], {"axis": 1, "scale": 1 / 64}),
        ("matmul", "matmul", [rows, normal(1000, 64)], {}),
    ]


def broken_laws(cupy: Any, rounds: int) -> dict[str, str]:
    """Operations that break a law on the GPU, each with what it says."""
    from autograd_cnn.testing import records
    from autograd_cnn.testing.draw import Draw

    records.load()
    broken = {}
    for name, record in sorted(records.RECORDS.items()):
        sample = record.make(Draw(np.random.default_rng(0)))
        moved = [cupy.asarray(v) if isinstance(v, np.ndarray) else v for v in sample.inputs]
        try:
            ag.testing.check(
                lambda *inputs, r=record, s=sample: r.function(*inputs, **s.attributes),
                *moved, laws=(1, 2, 3),
            )  # fmt: skip
        except Exception as error:  # a law, or a kernel that does not run: either is a finding
            broken[name] = f"{type(error).__name__}: {error}"[:300]
    return broken


def ceilings(cupy: Any, rounds: int) -> dict[str, float]:
    """What the device reaches by itself: copied bytes a second and matrix products."""
    block = cupy.ones(1 << 28, cupy.float32)
    target = cupy.empty_like(block)
    a = cupy.ones((8192, 8192), cupy.float32)
    seconds = timed(cupy, lambda: cupy.copyto(target, block), rounds)["median_ms"] / 1e3
    product = timed(cupy, lambda: a @ a, max(5, rounds // 10))["median_ms"] / 1e3
    return {
        "copy_TB_per_s": 2 * block.nbytes / seconds / 1e12,
        "float32_TFLOP_per_s": 2 * 8192**3 / product / 1e12,
    }


def networks(cupy: Any, rounds: int) -> dict[str, Any]:
    """Milliseconds of a training step and of an input gradient."""
    results: dict[str, Any] = {}
    for title, (build, name, shape) in CASES.items():
        rng = np.random.default_rng(0)
        x = rng.standard_normal(shape, dtype=np.float32)
        labels = rng.integers(0, 10, shape[0])
        results[title] = {
            kind: timed(cupy, step, rounds) for kind, step in our_steps(build, x, labels).items()
        }
        results[title].update(pytorch_steps(name, x, labels, rounds))
    return results


def our_steps(build: Callable, x: np.ndarray, labels: np.ndarray) -> dict[str, Callable]:
    model, frozen = build(rng=0).to("cuda"), build(rng=0).to("cuda").eval().requires_grad_(False)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = ag.tensor(x, device="cuda")
    variable = ag.tensor(x, device="cuda", requires_grad=True)
    targets = ag.tensor(labels, device="cuda")

    def train() -> None:
        optimizer.zero_grad()
        ag.cross_entropy(model(images), targets).backward()
        optimizer.step()

    def saliency() -> None:
        ag.gradients(ag.cross_entropy(frozen(variable), targets), variable)

    return {"training step": train, "input gradient": saliency}


def pytorch_steps(name: str, x: np.ndarray, labels: np.ndarray, rounds: int) -> dict[str, Any]:
    """PyTorch's training step, eager and replayed as one CUDA graph; a reason where it is not."""
    try:
        import torch
    except ImportError:
        return {"PyTorch": "not installed"}
    if not torch.cuda.is_available():
        return {"PyTorch": "installed without CUDA"}
    from . import pytorch_models

    torch.backends.cudnn.benchmark = True
    model = getattr(pytorch_models, name)().cuda().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, foreach=True)
    images = torch.from_numpy(x).cuda().to(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels).cuda()

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(images), targets).backward()
        optimizer.step()

    def event_times(step: Callable) -> dict[str, float]:
        times = []
        for _ in range(rounds + 5):
            start, end = torch.cuda.Event(True), torch.cuda.Event(True)
            start.record()
            step()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end))
        return spread(times[5:])

    eager, side = event_times(train), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            train()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        train()
    replayed = event_times(graph.replay)
    return {"PyTorch, training step": eager, "PyTorch, training step, CUDA graph": replayed}


def timed(cupy: Any, step: Callable, rounds: int) -> dict[str, float]:
    """By events on the device, after five runs that do not count."""
    times = []
    for _ in range(rounds + 5):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        step()
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(start, end))
    return spread(times[5:])


def spread(times: list[float]) -> dict[str, float]:
    low, _, high = quantiles(times, n=4)
    return {"median_ms": median(times), "quartile_ms": low, "upper_quartile_ms": high}


if __name__ == "__main__":
    sys.exit(main())
