"""What lies between convolutions, in native code: ours against NumPy's kernels and PyTorch.

    python -m benchmarks.layers [--threads N] [--rounds N] [--case NAME]

Elementwise chains, norms and pooling, forward (f) and backward (b). PyTorch runs twice, with
N×C×H×W and with channels_last tensors; the ratio is ours to the faster one. Contestants run in
turns in one process, each after a rest; the least time of each counts, since the machine may be
shared: on a busy one, `--threads 1` is the only fair comparison. Answers are checked first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from autograd_cnn.kernels import Kernels, provider
from autograd_cnn.kernels.native.chains import Chain, Input, Result, Step
from autograd_cnn.kernels.specs import pool_spec

from .conv import REST, least_time, set_threads

F = torch.nn.functional
SHAPES = {"16 @32 ×128": (128, 16, 32, 32), "64 @8 ×128": (128, 64, 8, 8),
          "64 @56 ×32": (32, 64, 56, 56)}  # fmt: skip
LAYOUTS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--case", action="append", choices=sorted(CASES))
    parser.add_argument("--threads", type=int, help="of ours and of PyTorch; else each's default")
    options = parser.parse_args()
    if options.threads:
        set_threads(options.threads)
    print("times in ms; ratio: ours / best of PyTorch\n")
    print(f"| {'layer':22} | {'input':12} |  ours  | NumPy  |  NCHW  | ch_last | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in options.case or CASES:
        for where, shape in SHAPES.items():
            contestants = dict(contest(name, shape))
            times = dict.fromkeys(contestants, np.inf)
            for _ in range(options.rounds):
                for who, run in contestants.items():
                    time.sleep(REST)
                    times[who] = min(times[who], least_time(run) * 1e3)
            ours, *others = times.values()
            cells = " | ".join(f"{value:6.2f}" for value in times.values())
            print(
                f"| {name:22} | {where:12} | {cells} | {ours / min(others[1:]):5.2f} |", flush=True
            )


def contest(name: str, shape: tuple) -> Iterator[tuple[str, Callable]]:
    """What each contestant does; their answers agree."""
    ours, theirs = CASES[name]
    rng = np.random.default_rng(0)
    arrays = {key: rng.standard_normal(shape, dtype=np.float32) for key in ("x", "g", "r")}
    arrays |= {key: rng.standard_normal(shape[1], dtype=np.float32) for key in ("w", "b")}
    runs = {who: ours(provider(kernels), **arrays)
            for who, kernels in (("ours", "native"), ("NumPy", "numpy"))}  # fmt: skip
    for layout, memory in LAYOUTS.items():
        tensors = {
            key: torch.from_numpy(a).contiguous(memory_format=memory) if a.ndim == 4
            else torch.from_numpy(a) for key, a in arrays.items()
        }  # fmt: skip
        runs[layout] = theirs(**tensors)
    expected = np.asarray(_first(runs["NumPy"]()))
    for who, run in runs.items():
        found = _first(run())
        found = np.asarray(found.detach() if isinstance(found, torch.Tensor) else found)
        if np.abs(found - expected).mean() > 1e-4 * np.abs(expected).mean():  # a few kinks may flip
            raise SystemExit(f"{who} differs in {name} of {shape}")
        yield who, run


def _first(answer):
    return answer[0] if isinstance(answer, tuple) else answer


def _norm(kernels: Kernels, x, w) -> tuple[dict, tuple]:
    run = {"axes": (0, 2, 3), "shape": (1, x.shape[1], 1, 1), "eps": 1e-5}
    return run, kernels.normalize(x, w, w, **run)


def norm_forward(kernels: Kernels, x, g, r, w, b) -> Callable:
    run, _ = _norm(kernels, x, w)
    return lambda: kernels.normalize_relu(x, w, b, r, **run)


def norm_backward(kernels: Kernels, x, g, r, w, b) -> Callable:
    run, (y, mean, inverse_std) = _norm(kernels, x, w)
    ans = kernels.relu(y)
    return lambda: kernels.norm_gradients(g, x, w, mean, inverse_std, ans, **run)


def torch_norm(x, g, r, w, b) -> Callable:
    return lambda: torch.relu(F.batch_norm(x, None, None, w, b, True) + r)


def torch_norm_backward(x, g, r, w, b) -> Callable:
    x, w, b = (t.detach().requires_grad_() for t in (x, w, b))
    y = torch.relu(F.batch_norm(x, None, None, w, w.detach() + 0 * b, True))
    return lambda: torch.autograd.grad(y, (x, w, b), g, retain_graph=True)


def inference(kernels: Kernels, x, g, r, w, b) -> Callable:
    run = {"shape": (1, x.shape[1], 1, 1), "eps": 1e-5}
    return lambda: kernels.batch_norm_inference(x, b, w * w, w, b, **run)


def pool(kernels: Kernels, x, g, r, w, b, size: int = 2) -> Callable:
    spec = pool_spec("max_pool2d", x.shape, 2, size, 2, size // 2 if size > 2 else 0)
    return lambda: kernels.max_pool(x, spec=spec)


def pool_backward(kernels: Kernels, x, g, r, w, b) -> Callable:
    spec = pool_spec("max_pool2d", x.shape, 2, 2)
    y, switches = kernels.max_pool(x, spec=spec)
    return lambda: kernels.pool_scatter(y, switches, spec=spec, size=x.shape[2:])


def torch_pool_backward(x, g, r, w, b) -> Callable:
    x = x.detach().requires_grad_()
    y = F.max_pool2d(x, 2)
    return lambda: torch.autograd.grad(y, x, y.detach(), retain_graph=True)


def average(kernels: Kernels, x, g, r, w, b) -> Callable:
    spec = pool_spec("avg_pool2d", x.shape, 2, 2)
    return lambda: kernels.avg_pool(x, spec=spec, count_include_pad=True)


ADD_RELU = (Step("add", (Input(0), Input(1))), Step("relu", (Result(0),)))


def add_relu(kernels: Kernels, x, g, r, w, b) -> Callable:
    if kernels.name == "native":
        chain = Chain(ADD_RELU, (1,))
        return lambda: chain(x, r)
    return lambda: kernels.relu(kernels.add(x, r))


CASES: dict[str, tuple[Callable, Callable]] = {
    "add+ReLU, f": (add_relu, lambda x, g, r, w, b: lambda: torch.relu(x + r)),
    "ReLU, f": (lambda k, x, **_: lambda: k.relu(x),
                lambda x, **_: lambda: torch.relu(x)),
    "batch norm+add+ReLU, f": (norm_forward, torch_norm),
    "batch norm+ReLU, b": (norm_backward, torch_norm_backward),
    "batch norm, inference": (
        inference,
        lambda x, g, r, w, b: lambda: F.batch_norm(x, b, w * w, w, b),
    ),
    "max-pool 2×2/2, f": (pool, lambda x, **_: lambda: F.max_pool2d(x, 2)),
    "max-pool 2×2/2, b": (pool_backward, torch_pool_backward),
    "max-pool 3×3/2, f": (lambda k, **a: pool(k, **a, size=3),
                          lambda x, **_: lambda: F.max_pool2d(x, 3, 2, 1)),
    "average pool 2×2/2, f": (average, lambda x, **_: lambda: F.avg_pool2d(x, 2)),
}  # fmt: skip


if __name__ == "__main__":
    main()
