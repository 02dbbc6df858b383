"""Single convolutions in their three passes: ours against PyTorch, on the CPU.

    python -m benchmarks.conv [--threads N] [--rounds N] [--case NAME] [--provider native|numpy]
                              [--json FILE]

Arrays go in and come out as N×C×H×W. PyTorch runs twice: with that layout, and with tensors that
are channels_last already, for which it pays no reordering; each ratio is against the faster one.
Contestants run in turns in one process, each after a rest, because the threads of OpenMP and of
OpenBLAS spin for a while on cores that the others need; the least time of each counts, since the
machine may be shared: on a busy one, `--threads 1` is the only fair comparison. Results must agree
before anything is timed. The floor is the time of the multiplications at the speed of a large
matrix product measured here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable

import numpy as np

from autograd_cnn.kernels import Kernels, provider, set_num_threads
from autograd_cnn.kernels.specs import ConvSpec, conv_spec

# name: images, channels, rows = columns, filters, kernel, stride, padding, dilation, groups
CASES = {
    "5×5 1→6 @28": (64, 1, 28, 6, 5, 1, 2, 1, 1),
    "5×5 6→16 @14": (64, 6, 14, 16, 5, 1, 0, 1, 1),
    "3×3 1→32 @28": (64, 1, 28, 32, 3, 1, 1, 1, 1),
    "3×3 16→32 @14": (64, 16, 14, 32, 3, 1, 1, 1, 1),
    "3×3 3→16 @32": (128, 3, 32, 16, 3, 1, 1, 1, 1),
    "3×3 16 @32": (128, 16, 32, 16, 3, 1, 1, 1, 1),
    "3×3/2 16→32 @32": (128, 16, 32, 32, 3, 2, 1, 1, 1),
    "3×3 32 @16": (128, 32, 16, 32, 3, 1, 1, 1, 1),
    "3×3/2 32→64 @16": (128, 32, 16, 64, 3, 2, 1, 1, 1),
    "3×3 64 @8": (128, 64, 8, 64, 3, 1, 1, 1, 1),
    "7×7/2 3→64 @224": (8, 3, 224, 64, 7, 2, 3, 1, 1),
    "3×3 64 @56": (8, 64, 56, 64, 3, 1, 1, 1, 1),
    "3×3/2 64→128 @56": (8, 64, 56, 128, 3, 2, 1, 1, 1),
    "3×3 128 @28": (8, 128, 28, 128, 3, 1, 1, 1, 1),
    "3×3 256 @14": (8, 256, 14, 256, 3, 1, 1, 1, 1),
    "3×3 512 @7": (8, 512, 7, 512, 3, 1, 1, 1, 1),
    "1×1 256→64 @56": (8, 256, 56, 64, 1, 1, 0, 1, 1),
    "1×1 64→256 @56": (8, 64, 56, 256, 1, 1, 0, 1, 1),
    "5×5 64 @28": (8, 64, 28, 64, 5, 1, 2, 1, 1),
    "3×3 holes 64 @56": (8, 64, 56, 64, 3, 1, 2, 2, 1),
    "depthwise 128 @56": (8, 128, 56, 128, 3, 1, 1, 1, 128),
}
PASSES = ("forward", "input gradient", "weight gradient")
REST = 0.03  # seconds until the other library's threads sleep


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conv", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="turns of each contestant")
    parser.add_argument("--case", action="append", choices=sorted(CASES))
    parser.add_argument("--provider", default="native", choices=["native", "numpy"])
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    parser.add_argument("--threads", type=int, help="of ours and of PyTorch; else each's default")
    options = parser.parse_args()
    if options.threads:
        set_threads(options.threads)
    speed = matrix_product_speed()
    print(f"matrix product: {speed / 1e9:.0f} GFLOP/s; milliseconds, and ours / best of PyTorch\n")
    print(f"| {'convolution':18} | floor | {' | '.join(f'{name:>24}' for name in PASSES)} |")
    print("|---|---|---|---|---|")
    rows = []
    for name in options.case or CASES:
        row = measure(CASES[name], provider(options.provider), options.rounds)
        floor = flops(CASES[name]) / speed * 1e3
        rows.append({"case": name, "floor_ms": floor, **row})
        cells = " | ".join(f"{describe(row[each]):>24}" for each in PASSES)
        print(f"| {name:18} | {floor:5.2f} | {cells} |", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"GFLOP_per_s": speed / 1e9, "rows": rows}, file, indent=1)


def set_threads(number: int) -> None:
    set_num_threads(number)
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(number)


def measure(case: tuple, kernels: Kernels, rounds: int) -> dict[str, dict[str, float]]:
    n, channels, side, filters, k, stride, padding, dilation, groups = case
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, channels, side, side), dtype=np.float32)
    w = rng.standard_normal((filters, channels // groups, k, k), dtype=np.float32) / k
    spec = conv_spec("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    g = rng.standard_normal((n, filters, *spec.output_size(x.shape[2:], w.shape[2:])), np.float32)
    contestants = {"ours": our_passes(kernels, x, w, g, spec)}
    if importlib.util.find_spec("torch"):
        contestants["NCHW"] = pytorch_passes(x, w, g, spec, channels_last=False)
        contestants["channels_last"] = pytorch_passes(x, w, g, spec, channels_last=True)
    times: dict[str, dict[str, float]] = {name: {} for name in PASSES}
    for name in PASSES:
        results = {who: np.asarray(passes[name]()) for who, passes in contestants.items()}
        for who, result in results.items():
            scale = np.abs(results["ours"]).max()
            difference = np.abs(result - results["ours"]).max()
            if difference > 1e-3 * scale:
                raise SystemExit(f"{who} differs in {name} of {case}: {difference} of {scale}")
        for _ in range(rounds):
            for who, passes in contestants.items():
                time.sleep(REST)
                seconds = least_time(passes[name])
                times[name][who] = min(seconds * 1e3, times[name].get(who, np.inf))
    return times


def least_time(run: Callable[[], object], budget: float = 0.04) -> float:
    """The least of a few runs, the first one not counted."""
    run()
    least, end = np.inf, time.perf_counter() + budget
    while True:
        start = time.perf_counter()
        run()
        now = time.perf_counter()
        least = min(least, now - start)
        if now > end:
            return least


def our_passes(kernels: Kernels, x, w, g, spec: ConvSpec) -> dict[str, Callable]:
    return {
        "forward": lambda: kernels.conv(x, w, spec=spec),
        "input gradient": lambda: kernels.conv_input_grad(g, w, spec=spec, size=x.shape[2:]),
        "weight gradient": lambda: kernels.conv_weight_grad(x, g, spec=spec, size=w.shape[2:]),
    }


def pytorch_passes(x, w, g, spec: ConvSpec, channels_last: bool) -> dict[str, Callable]:
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, w, g = (torch.from_numpy(array).contiguous(memory_format=layout) for array in (x, w, g))
    padding = [before for before, _ in spec.padding]
    geometry = (spec.stride, padding, spec.dilation)

    def backward(mask: list[bool]):
        return torch.ops.aten.convolution_backward(
            g, x, w, None, *geometry, False, [0, 0], spec.groups, mask
        )

    return {
        "forward": lambda: torch.nn.functional.conv2d(x, w, None, *geometry, spec.groups),
        "input gradient": lambda: backward([True, False, False])[0],
        "weight gradient": lambda: backward([False, True, False])[1],
    }


def flops(case: tuple) -> int:
    n, channels, side, filters, k, stride, padding, dilation, groups = case
    out = (side + 2 * padding - (k - 1) * dilation - 1) // stride + 1
    return 2 * n * filters * (channels // groups) * k * k * out * out


def matrix_product_speed() -> float:
    """Floating-point operations a second of the best product of two 1024×1024 matrices."""
    x = np.ones((1024, 1024), np.float32)
    return 2 * 1024**3 / min(least_time(lambda: x @ x) for _ in range(3))


def describe(times: dict[str, float]) -> str:
    peers = [value for who, value in times.items() if who != "ours"]
    if not peers:
        return f"{times['ours']:.3f}"
    return f"{times['ours']:.3f} / {min(peers):.3f} = {times['ours'] / min(peers):.2f}"


if __name__ == "__main__":
    main()
