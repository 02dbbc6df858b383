"""Explanations against Captum's, on the same networks with the same weights, in one process.

    python -m benchmarks.explain [--network NAME] [--rounds N] [--threads N] [--json FILE]
                                 [--profile NAME]

Saliency, guided backprop, integrated gradients (50 steps), occlusion, and saliency, deconvnet and
guided backprop together: ours from one recorded forward pass, Captum's in its three calls. The
networks are chains of modules in which each ReLU's input has one consumer, where Captum's rules are
right. Before anything is timed both run in float64 and must agree. What is timed is the public
call, in float32, in turns; medians are compared, and `limit` is what the ratio may be.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum import attr

import autograd_cnn as ag
from autograd_cnn import explain

from .cnn import interleaved_medians, machine

CHECKED = 3  # images compared in float64


@dataclass(frozen=True)
class Network:
    """The same network in both libraries, and images with their classes."""

    title: str
    ours: ag.nn.Module
    theirs: torch.nn.Module
    x: np.ndarray
    classes: np.ndarray

    def some(self, count: int) -> Network:
        """The same with the first images only."""
        return Network(self.title, self.ours, self.theirs, self.x[:count], self.classes[:count])

    def double(self) -> Network:
        """The same in float64."""
        ours, theirs = deepcopy(self.ours).to("float64"), deepcopy(self.theirs).double()
        return Network(self.title, ours, theirs, self.x.astype(np.float64), self.classes)

    def variable(self) -> torch.Tensor:
        """The images as Captum wants them."""
        return torch.from_numpy(self.x).requires_grad_()


@dataclass(frozen=True)
class Task:
    """One explanation in both libraries: functions from a network to attributions."""

    title: str
    ours: Callable[[Network], list[ag.Tensor]]
    theirs: Callable[[Network], list[torch.Tensor]]
    limit: float = 1.0
    """What the ratio may be."""
    within: float = 1e-11
    """How far the attributions may be apart, as a share of the largest."""
    share: int = 1
    """The batch is divided by this: some methods run the network many times for each image."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("--network", choices=sorted(NETWORKS), action="append")
    parser.add_argument("--rounds", type=int, default=15, help="at most this many turns of each")
    parser.add_argument("--threads", type=int, help="of both libraries (default: their own)")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    parser.add_argument("--profile", metavar="NAME", help="profile ours on tasks of this name")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Captum's hooks
    if options.threads:
        torch.set_num_threads(options.threads)
        ag.kernels.set_num_threads(options.threads)
    rows = []
    for name in options.network or NETWORKS:
        network = NETWORKS[name]()
        for task in TASKS:
            part = network.some(max(1, len(network.x) // task.share))
            if options.profile:
                if task.title.startswith(options.profile):
                    profile(task, part)
                continue
            rows.append(row := measure(task, part, options.rounds))
            times = ", ".join(f"{label} {value:.1f} ms" for label, value in row["ms"].items())
            print(f"# {row['task']}: {row['checked']}; {times}", flush=True)
    if rows:
        show(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "rows": rows}, file, indent=1)


def measure(task: Task, network: Network, rounds: int) -> dict[str, Any]:
    """One row: checked, then timed in turns."""
    checked = check(task, network.some(CHECKED).double())
    runs = {"ours": lambda: task.ours(network), "Captum": lambda: task.theirs(network)}
    return {
        "task": f"{task.title}, {network.title}, batch {len(network.x)}",
        "limit": task.limit,
        "ms": {k: 1e3 * v for k, v in interleaved_medians(runs, rounds, time.perf_counter).items()},
        "checked": checked,
    }


def check(task: Task, network: Network) -> str:
    """Both on a few images; how far they are apart, or AssertionError."""
    furthest = 0.0
    for ours, theirs in zip(task.ours(network), task.theirs(network), strict=True):
        expected = theirs.detach().numpy()
        scale = np.abs(expected).max()
        assert scale > 0, "nothing to compare: the map is zero"
        furthest = max(furthest, float(np.abs(ours.numpy() - expected).max() / scale))
    assert furthest <= task.within, f"{task.title}: the maps differ by {furthest}"
    return f"the maps differ by {furthest:.0e} of the largest value in float64"


def profile(task: Task, network: Network) -> None:
    """Print where our time goes."""
    task.ours(network)
    profiler = cProfile.Profile()
    profiler.runcall(task.ours, network)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def show(rows: list[dict]) -> None:
    """Print the rows as a Markdown table."""
    table = [["", "ours", "Captum", "ours / Captum", "limit"], ["---", *["---:"] * 4]]
    for row in rows:
        ours, theirs = row["ms"]["ours"], row["ms"]["Captum"]
        numbers = f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}", f"{row['limit']:.1f}"
        table.append([row["task"], *numbers])
    for line in table:
        print(f"| {' | '.join(line)} |")
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    print(f"\nmilliseconds; {facts}")


def three_from_one_pass(network: Network) -> list[ag.Tensor]:
    """Saliency, deconvnet and guided backprop from one recorded forward pass."""
    tape = explain.record(network.ours, network.x, network.classes)
    return [tape.gradient(rules) for rules in (None, "deconvnet", "guided")]


def three_calls(network: Network) -> list[torch.Tensor]:
    """The same of Captum."""
    return [
        attr.Saliency(network.theirs).attribute(network.variable(), targets(network), abs=False),
        attr.Deconvolution(network.theirs).attribute(network.variable(), targets(network)),
        attr.GuidedBackprop(network.theirs).attribute(network.variable(), targets(network)),
    ]


def their_occlusion(network: Network) -> list[torch.Tensor]:
    """Captum's, with windows over all channels; one channel of the equal ones."""
    channels, (size, stride) = network.x.shape[1], window(network)
    found = attr.Occlusion(network.theirs).attribute(
        torch.from_numpy(network.x), (channels, size, size), (channels, stride, stride),
        target=targets(network),
    )  # fmt: skip
    return [found[:, :1]]


def our_occlusion(network: Network) -> list[ag.Tensor]:
    """The same of ours."""
    size, stride = window(network)
    return [explain.occlusion(network.ours, network.x, network.classes, size=size, stride=stride)]


def window(network: Network) -> tuple[int, int]:
    """A quarter of the image's side, moved by half of that: 49 places."""
    return network.x.shape[2] // 4, network.x.shape[2] // 8


def targets(network: Network) -> torch.Tensor:
    """The classes as Captum wants them."""
    return torch.from_numpy(network.classes)


TASKS = (
    Task(
        "saliency",
        lambda n: [explain.saliency(n.ours, n.x, n.classes)],
        lambda n: [attr.Saliency(n.theirs).attribute(n.variable(), targets(n), abs=False)],
    ),
    Task(
        "guided backprop",
        lambda n: [explain.guided_backprop(n.ours, n.x, n.classes)],
        lambda n: [attr.GuidedBackprop(n.theirs).attribute(n.variable(), targets(n))],
    ),
    Task("saliency, deconvnet and guided", three_from_one_pass, three_calls, 0.7),
    Task(
        "integrated gradients, 50 steps",
        lambda n: [explain.integrated_gradients(n.ours, n.x, n.classes, steps=50)],
        lambda n: [
            attr.IntegratedGradients(n.theirs).attribute(
                n.variable(), target=targets(n), n_steps=50
            )
        ],
        within=1e-6,  # Captum has its points of the path in float32
        share=8,
    ),
    Task(
        "occlusion",
        our_occlusion,
        their_occlusion,
        within=1e-5,
        share=4,
    ),
)


def chain(library: Any, sequential: Any, size: int) -> Any:
    """The digits net (8×8) or a VGG-like one (32×32), of ours or of PyTorch's modules."""
    if size == 8:
        return sequential(
            library.Conv2d(1, 16, 3, padding=1), library.BatchNorm2d(16), library.ReLU(),
            library.MaxPool2d(2), library.Conv2d(16, 32, 3, padding=2, dilation=2),
            library.BatchNorm2d(32), library.ReLU(), library.Flatten(), library.Linear(512, 10),
        )  # fmt: skip
    layers, inputs = [], 3
    for channels in (64, 128, 256):
        for _ in range(2):
            layers += [library.Conv2d(inputs, channels, 3, padding=1), library.ReLU()]
            inputs = channels
        layers.append(library.MaxPool2d(2))
    layers += [library.Flatten(), library.Linear(4096, 256), library.ReLU()]
    return sequential(*layers, library.Linear(256, 10))


def network(title: str, shape: tuple[int, ...]) -> Network:
    """A network with random weights, the same in both libraries."""
    ours = chain(ag.nn, ag.nn.Sequential, shape[2]).eval()
    theirs = chain(torch.nn, torch.nn.Sequential, shape[2]).eval()
    theirs.load_state_dict(
        {name: torch.tensor(value.numpy().copy()) for name, value in ours.state_dict().items()}
    )
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    return Network(title, ours, theirs, x, np.arange(shape[0]) % 10)


NETWORKS = {
    "digits": lambda: network("digits net, 8×8", (64, 1, 8, 8)),
    "vgg": lambda: network("VGG-like, 32×32", (8, 3, 32, 32)),
}


if __name__ == "__main__":
    main()
