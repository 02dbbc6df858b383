"""Single convolutions in their three passes: ours against PyTorch, on the CPU.

    python -m benchmarks.conv [--threads N] [--rounds N] [--case NAME] [--provider native|numpy]
                              [--precision highest|high] [--json FILE]

Arrays go in and come out as N×C×H×W. PyTorch runs twice: with that layout, and with tensors that
are channels_last already, for which it pays no reordering; each ratio is against the faster one.
Contestants run in turns in one process, each after a rest, because the threads of OpenMP and of
OpenBLAS spin for a while on cores that the others need; the least time of each counts, since the
machine may be shared. With `--threads 1` it is the time that the thread had a processor, which is
the only fair comparison on a busy machine. Before anything is
timed every result must agree with a convolution in double precision; the error is that of ours, of
the largest entry. The floor is what no direct convolution can beat: its multiplications at the
speed of a large matrix product measured here, or its bytes (b) at that of copying memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator

import numpy as np

from autograd_cnn import set_float32_matmul_precision
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
    "1×1/2 16→32 @32": (128, 16, 32, 32, 1, 2, 0, 1, 1),
    "1×1/2 32→64 @16": (128, 32, 16, 64, 1, 2, 0, 1, 1),
    "3×3 3→64 @32": (32, 3, 32, 64, 3, 1, 1, 1, 1),
    "3×3 64 @32": (32, 64, 32, 64, 3, 1, 1, 1, 1),
    "3×3 64→128 @16": (32, 64, 16, 128, 3, 1, 1, 1, 1),
    "3×3 128 @16": (32, 128, 16, 128, 3, 1, 1, 1, 1),
    "3×3 128→256 @8": (32, 128, 8, 256, 3, 1, 1, 1, 1),
    "3×3 256 @8": (32, 256, 8, 256, 3, 1, 1, 1, 1),
}
PASSES = ("forward", "input gradient", "weight gradient")
REST = 0.03  # seconds until the other library's threads sleep
clock = time.perf_counter


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conv", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="turns of each contestant")
    parser.add_argument("--case", action="append", choices=sorted(CASES))
    parser.add_argument("--provider", default="native", choices=["native", "numpy"])
    parser.add_argument("--precision", default="high", choices=["highest", "high"])
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    parser.add_argument("--threads", type=int, help="of ours and of PyTorch; else each's default")
    options = parser.parse_args()
    if options.threads:
        set_threads(options.threads)
    if options.threads == 1:
        global clock
        clock = time.thread_time
    set_float32_matmul_precision(options.precision)
    speed, bandwidth = matrix_product_speed(), copying_speed()
    print(
        f"matrix product: {speed / 1e9:.0f} GFLOP/s, copying: {bandwidth / 1e9:.1f} GB/s; ", end=""
    )
    print("times in ms, ratio: ours / best of PyTorch\n")
    print(
        f"| {'convolution':18} | {'pass':15} |  floor  |  ours  |  NCHW  | ch_last | ratio |",
        end="",
    )
    print("  error  | how")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name in options.case or CASES:
        for row in measure(name, provider(options.provider), options.rounds):
            row["floor_ms"], row["floor_is"] = floor(CASES[name], speed, bandwidth)
            rows.append(row)
            print(told(row), flush=True)
    if options.json:
        report = {"GFLOP_per_s": speed / 1e9, "GB_per_s": bandwidth / 1e9, "rows": rows}
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


def set_threads(number: int) -> None:
    set_num_threads(number)
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(number)


def measure(name: str, kernels: Kernels, rounds: int) -> Iterator[dict]:
    n, channels, side, filters, k, stride, padding, dilation, groups = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, channels, side, side), dtype=np.float32)
    w = rng.standard_normal((filters, channels // groups, k, k), dtype=np.float32) / k
    spec = conv_spec("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    g = rng.standard_normal((n, filters, *spec.output_size(x.shape[2:], w.shape[2:])), np.float32)
    contestants = {"ours": our_passes(kernels, x, w, g, spec)}
    if importlib.util.find_spec("torch"):
        contestants["NCHW"] = pytorch_passes(x, w, g, spec, channels_last=False)
        contestants["channels_last"] = pytorch_passes(x, w, g, spec, channels_last=True)
    exact = our_passes(provider("numpy"), *(a.astype("float64") for a in (x, w, g)), spec)
    for pass_ in PASSES:
        expected = exact[pass_]()
        errors = {
            who: float(
                np.abs(np.asarray(passes[pass_]()) - expected).max() / np.abs(expected).max()
            )
            for who, passes in contestants.items()
        }
        for who, error in errors.items():
            if not error < 1e-4:
                raise SystemExit(
                    f"{who} differs in the {pass_} of {name}: {error:.1e} of the maximum"
                )
        times = dict.fromkeys(contestants, np.inf)
        for _ in range(rounds):
            for who, passes in contestants.items():
                time.sleep(REST)
                times[who] = min(times[who], least_time(passes[pass_]) * 1e3)
        how = how_ours(kernels, pass_, x, w, g, spec)
        yield {"case": name, "pass": pass_, "ms": times, "error": errors["ours"], "how": how}


def how_ours(kernels: Kernels, pass_: str, x, w, g, spec: ConvSpec) -> str:
    """The name of the algorithm, without its tiles."""
    texts = {
        "forward": lambda: kernels.explain("conv", x, w, None, spec=spec),
        "input gradient": lambda: kernels.explain(
            "conv_input_grad", g, w, spec=spec, size=x.shape[2:]
        ),
        "weight gradient": lambda: kernels.explain(
            "conv_weight_grad", x, g, spec=spec, size=w.shape[2:]
        ),
    }
    text = texts[pass_]()
    return "Winograd" if "Winograd F" in text else "direct" if " tiles of " in text else "NumPy"


def least_time(run: Callable[[], object], budget: float = 0.04) -> float:
    """The least of a few runs, the first one not counted."""
    run()
    least, end = np.inf, clock() + budget
    while True:
        start = clock()
        run()
        now = clock()
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


def floor(case: tuple, speed: float, bandwidth: float) -> tuple[float, str]:
    """Milliseconds for the multiplications or for the bytes, whichever takes longer."""
    n, channels, side, filters, k, stride, padding, dilation, groups = case
    out = (side + 2 * padding - (k - 1) * dilation - 1) // stride + 1
    flops = 2 * n * filters * (channels // groups) * k * k * out * out
    weights = filters * (channels // groups) * k * k
    size = 4 * (n * channels * side * side + n * filters * out * out + weights)
    return max((flops / speed * 1e3, "arithmetic"), (size / bandwidth * 1e3, "bytes"))


def matrix_product_speed() -> float:
    """Floating-point operations a second of the best product of two 1024×1024 matrices."""
    x = np.ones((1024, 1024), np.float32)
    products = [lambda: x @ x]
    if importlib.util.find_spec("torch"):
        import torch

        y = torch.from_numpy(x)
        products.append(lambda: y @ y)
    return 2 * 1024**3 / min(least_time(run) for run in products * 3)


def copying_speed() -> float:
    """Bytes a second that are read or written when a large array is copied."""
    x = np.ones(1 << 24, np.float32)
    y = np.empty_like(x)
    return 2 * x.nbytes / min(least_time(lambda: np.copyto(y, x)) for _ in range(3))


def told(row: dict) -> str:
    ours, *peers = row["ms"].values()
    cells = [f"{row['case']:18}", f"{row['pass']:15}"]
    cells.append(f"{row['floor_ms']:6.2f}{'b' if row['floor_is'] == 'bytes' else ' '}")
    cells += [f"{value:6.2f}" for value in (ours, *peers)]
    cells.append(f"{ours / min(peers):5.2f}" if peers else "")
    return "| " + " | ".join([*cells, f"{row['error']:.1e}", row["how"]]) + " |"


if __name__ == "__main__":
    main()
