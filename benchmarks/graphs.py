"""Drawing a ResNet-50-like network and 10,000 operations: time and memory.

    python -m benchmarks.graphs [--size N] [--json FILE]

The times of snapshot and SVG are the best of three, as CPU time of this process and of Graphviz
where it runs. torchviz and torchview draw their own ResNet-50 where they and torchvision are
installed.
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

BLOCKS = (3, 4, 6, 3)
LIMITS = {
    "module level, snapshot and SVG": (0.5, "s"),
    "op level, snapshot and SVG": (1.0, "s"),
    "10,000 operations in rows, snapshot and SVG": (1.0, "s"),
    "memory of a snapshot": (2048.0, "bytes a node"),
    "HTML viewer": (1e6, "bytes"),
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
        limit, unit = LIMITS.get(name, (None, "s"))
        verdict = (
            "" if limit is None else f"   limit {limit:g}: {'met' if value <= limit else 'MISSED'}"
        )
        unit = "" if name == "operations" else unit
        print(f"{name:<48} {value:>12,.4g} {unit}{verdict}", flush=True)
    rows |= others(options.size)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


def ours(size: int) -> dict[str, float]:
    output = ResNet50()(ag.tensor(np.zeros((1, 3, size, size), np.float32), name="image"))
    chain = ag.tensor([0.0], requires_grad=True, name="x")
    for _ in range(10_000):
        chain = ag.relu(chain)
    g = ag.graph(output)
    chained = ag.graph(chain)
    return {
        "operations": float(len(g.nodes)),
        "module level, snapshot and SVG": best(
            lambda: ag.graph(output).view(level="module").pipe("svg")
        ),
        "op level, snapshot and SVG": best(
            lambda: ag.graph(output).view(layout="rows").pipe("svg")
        ),
        "op level, every node by Graphviz": best(lambda: g.view(layout="dot").pipe("svg"), 1),
        "ladder, gradients and SVG": best(
            lambda: ag.graph(output).view(backward="ladder").pipe("svg"), 1
        ),
        "10,000 operations, snapshot": best(lambda: ag.graph(chain)),
        "10,000 operations in rows, SVG": best(lambda: chained.view(layout="rows").pipe("svg")),
        "10,000 operations in rows, snapshot and SVG": best(
            lambda: ag.graph(chain).view(layout="rows").pipe("svg")
        ),
        "memory of a snapshot": memory(output) / len(g.nodes),
        "HTML viewer": float(len(g.view().pipe("html"))),
    }


def others(size: int) -> dict[str, float]:
    """torchviz and torchview on torchvision's ResNet-50, where all are installed."""
    missing = [name for name in ("torch", "torchvision") if not importlib.util.find_spec(name)]
    found = [name for name in ("torchviz", "torchview") if importlib.util.find_spec(name)]
    if missing or not found:
        print(f"not compared: {', '.join(missing or ['torchviz and torchview'])} not installed")
        return {}
    import torch
    import torchvision

    model = torchvision.models.resnet50()
    x = torch.zeros(1, 3, size, size)
    rows = {}
    if "torchviz" in found:
        import torchviz

        rows["torchviz"] = best(lambda: torchviz.make_dot(model(x)).pipe("svg"), 1)
    if "torchview" in found:
        import torchview

        rows["torchview"] = best(lambda: torchview.draw_graph(model, x).visual_graph.pipe("svg"), 1)
    for name, value in rows.items():
        print(f"{name + ', forward and SVG':<48} {value:>12,.4g} s")
    return rows


def best(run: Callable[[], Any], times: int = 3) -> float:
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


def memory(output: Any) -> float:
    """Bytes that a graph holds."""
    ag.graph(output)
    gc.collect()
    tracemalloc.start()
    g = ag.graph(output)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert g.nodes
    return float(held)


if __name__ == "__main__":
    main()
