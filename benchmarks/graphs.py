"""Drawing a ResNet-50-like network and 10,000 operations: time and memory.

    python -m benchmarks.graphs [--size N] [--json FILE]

Times are the best of five rounds, as CPU time of this process and of Graphviz where it runs. Where
torch and torchviz or torchview are installed they draw the same network, and Graphviz draws their
DOT as it does ours; the rounds of all alternate.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import resource
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.graphs.render import render
from autograd_cnn.tape import history, node_of

BLOCKS = (3, 4, 6, 3)
ROUNDS = 5
LIMITS = {
    "ResNet-50, snapshot": (5.0, "µs a node of the tape"),
    "10,000 operations, snapshot": (5.0, "µs a node of the tape"),
    "ResNet-50, memory of a snapshot": (2048.0, "bytes a node"),
    "ResNet-50, memory of a described graph": (2048.0, "bytes a node"),
    "ResNet-50 by modules, snapshot and SVG": (0.5, "s"),
    "ResNet-50 by operations, snapshot and SVG": (1.0, "s"),
    "10,000 operations in lanes, snapshot and SVG": (1.0, "s"),
    "ResNet-50, HTML viewer": (1e6, "bytes"),
}


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 with a shortcut (He et al. 2015)."""

    def __init__(self, channels: int, middle: int, stride: int) -> None:
        super().__init__()
        out = 4 * middle
        self.conv1 = nn.Conv2d(channels, middle, 1, bias=False, rng=0)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, bias=False, rng=0)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, out, 1, bias=False, rng=0)
        self.bn3 = nn.BatchNorm2d(out)
        self.shortcut = nn.Identity()
        if stride > 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False, rng=0), nn.BatchNorm2d(out)
            )

    def forward(self, x: Any) -> Any:
        """The sum of both ways."""
        y = ag.relu(self.bn1(self.conv1(x)))
        y = ag.relu(self.bn2(self.conv2(y)))
        return ag.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNet50(nn.Module):
    """ResNet-50 with `width` channels where the original has 64: the graph is the same."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False, rng=0), nn.BatchNorm2d(width), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
        channels = width
        for stage, count in enumerate(BLOCKS):
            middle = width * 2**stage
            blocks = []
            for i in range(count):
                blocks.append(Bottleneck(channels, middle, 2 if stage and not i else 1))
                channels = 4 * middle
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, 1000, rng=0)

    def forward(self, x: Any) -> Any:
        """Logits."""
        x = self.stem(x)
        for stage in range(len(BLOCKS)):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(ag.global_avg_pool(x))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graphs", description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="side of the input image")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    options = parser.parse_args()
    rows = ours(options.size)
    for name, value in rows.items():
        limit, unit = LIMITS.get(name, (None, "" if name.endswith("nodes") else "s"))
        verdict = (
            "" if limit is None else f"   limit {limit:g}: {'met' if value <= limit else 'MISSED'}"
        )
        print(f"{name:<48} {value:>12,.4g} {unit}{verdict}", flush=True)
    compared = peers(options.size)
    for name, (seconds, nodes, size) in compared.items():
        print(f"{name:<48} {seconds:>12,.4g} s  {nodes:>6} nodes {size / 1e3:>8,.0f} kB of SVG")
    if options.json:
        report = {"ours": rows, "compared": compared}
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


def ours(size: int) -> dict[str, float]:
    output = ResNet50()(ag.tensor(np.zeros((1, 3, size, size), np.float32), name="image"))
    chain = ag.tensor([0.0], requires_grad=True, name="x")
    for _ in range(10_000):
        chain = ag.relu(chain)
    g, chained = ag.graph(output), ag.graph(chain)
    tape, nodes = len(history([node_of(output)])), len(g.nodes)
    return {
        "ResNet-50, nodes": float(nodes),
        "ResNet-50, snapshot": 1e6 * best(lambda: ag.graph(output), 20) / tape,
        "10,000 operations, snapshot": 1e6 * best(lambda: ag.graph(chain)) / len(chained.nodes),
        "10,000 operations, described": best(lambda: ag.graph(chain).nodes),
        "ResNet-50, memory of a snapshot": memory(output, False) / nodes,
        "ResNet-50, memory of a described graph": memory(output, True) / nodes,
        "ResNet-50 by modules, snapshot and SVG": best(
            lambda: ag.graph(output).view(level="module").pipe("svg")
        ),
        "ResNet-50 by operations, snapshot and SVG": best(
            lambda: ag.graph(output).view(layout="lanes").pipe("svg")
        ),
        "ResNet-50, every operation by Graphviz": best(
            lambda: ag.graph(output).view(layout="dot").pipe("svg")
        ),
        "ResNet-50, the ladder with its gradients": best(
            lambda: ag.graph(output).view(backward="ladder").pipe("svg")
        ),
        "10,000 operations in lanes, snapshot and SVG": best(
            lambda: ag.graph(chain).view(layout="lanes").pipe("svg")
        ),
        "ResNet-50, HTML viewer": float(len(g.view().pipe("html"))),
    }


def peers(size: int) -> dict[str, tuple[float, int, int]]:
    """(CPU seconds of a forward pass and an SVG, nodes, bytes of the SVG), where installed."""
    found = [name for name in ("torchviz", "torchview") if importlib.util.find_spec(name)]
    if importlib.util.find_spec("torch") is None or not found:
        print("not compared: pip install torch torchviz torchview")
        return {}
    import torch

    from .pytorch_resnet import ResNet50 as Theirs

    torch.set_num_threads(1)
    mine, theirs, x = ResNet50(), Theirs(), np.zeros((1, 3, size, size), np.float32)
    theirs_x = torch.from_numpy(x)
    draws: dict[str, Callable[[], bytes]] = {
        "ours": lambda: ag.graph(mine(ag.tensor(x))).view(layout="dot").pipe("svg"),
        "ours, in lanes": lambda: ag.graph(mine(ag.tensor(x))).view(layout="lanes").pipe("svg"),
    }
    if "torchviz" in found:
        import torchviz

        parameters = dict(theirs.named_parameters())
        draws["torchviz"] = lambda: render(
            torchviz.make_dot(theirs(theirs_x), params=parameters).source, "svg"
        )
    if "torchview" in found:
        import torchview

        draws["torchview"] = lambda: render(
            torchview.draw_graph(theirs, theirs_x, depth=10).visual_graph.source, "svg"
        )
    times: dict[str, list[float]] = {name: [] for name in draws}
    sizes: dict[str, tuple[int, int]] = {}
    for _ in range(ROUNDS):
        for name, draw in draws.items():
            times[name].append(seconds(draw))
            svg = draw()
            sizes[name] = svg.count(b'class="node"') or svg.count(b'<g id="n'), len(svg)
    return {f"forward and SVG, {name}": (min(times[name]), *sizes[name]) for name in draws}


def best(run: Callable[[], Any], times: int = ROUNDS) -> float:
    return min(seconds(run) for _ in range(times))


def seconds(run: Callable[[], Any]) -> float:
    """CPU seconds of this process and of the children it waited for."""
    gc.collect()
    start = cpu()
    run()
    return cpu() - start


def cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def memory(output: Any, described: bool) -> float:
    """Bytes that a graph holds, before or after it is described."""
    assert ag.graph(output).nodes
    gc.collect()
    tracemalloc.start()
    g = ag.graph(output)
    assert not described or g.nodes
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del g
    return float(held)


if __name__ == "__main__":
    main()
