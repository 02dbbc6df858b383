"""Attacks against Foolbox's, on the same networks with the same weights, in one process.

    python -m benchmarks.attacks [--network NAME] [--rounds N] [--threads N] [--cpu]
                                 [--json FILE] [--profile NAME]

PGD with 40 steps, DeepFool, and Carlini–Wagner, on the digits net and on ResNet-20 at 32×32, each
on 64 images that the network reads rightly. Settings are the same on both sides; parameters are
frozen on both, so that nobody computes gradients of weights. Before anything is timed, PGD and
DeepFool must give the same images on a few samples in float64, and the median distance of
Carlini–Wagner on all of them must not be 2 % above Foolbox's. What is timed is the public call, in
float32, in turns; medians are compared. On a machine that others use too, `--threads 1` keeps both
libraries from waiting for a core, and `--cpu` counts the time of this process alone instead of the
clock on the wall.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch

import autograd_cnn as ag

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from .attack_cases import BATCH, NETWORKS, Contest, Network, contests

from .cnn import interleaved_medians, machine

Clock = Callable[[], float]
CHECKED = 16  # images compared in float64


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__)
    parser.add_argument("--network", choices=sorted(NETWORKS), action="append")
    parser.add_argument("--rounds", type=int, default=9, help="at most this many turns of each")
    parser.add_argument("--threads", type=int, help="for both libraries; all cores unless given")
    parser.add_argument("--cpu", action="store_true", help="CPU time instead of wall time")
    parser.add_argument("--json", metavar="FILE", help="write the numbers here too")
    parser.add_argument("--profile", metavar="NAME", help="profile ours on contests of this name")
    options = parser.parse_args()
    if options.threads:
        ag.kernels.set_num_threads(options.threads)
        torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu else time.perf_counter
    rows = []
    for name in options.network or NETWORKS:
        network = NETWORKS[name]()
        for contest in contests(name):
            if options.profile:
                if contest.title.startswith(options.profile):
                    profile(contest, network)
                continue
            rows.append(measure(contest, network, options.rounds, clock))
            print(f"# {rows[-1]['task']}: {rows[-1]['checked']}; {rows[-1]['ms']}", flush=True)
    if rows:
        show(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "rows": rows}, file, indent=1)


def measure(contest: Contest, network: Network, rounds: int, clock: Clock) -> dict[str, Any]:
    """One row: checked, then timed in turns."""
    checked = check(contest, network)
    their_run = contest.their_run(network)
    runs = {"ours": lambda: contest.run_ours(network), "Foolbox": their_run}
    seconds = interleaved_medians(runs, rounds, clock)
    milliseconds = {label: 1e3 * value for label, value in seconds.items()}
    return {"task": f"{contest.title}, {network.title}", "ms": milliseconds, "checked": checked}


def check(contest: Contest, network: Network) -> str:
    """What was found to agree, or AssertionError."""
    few = network if contest.title.startswith("Carlini") else network.double(CHECKED)
    ours, theirs = contest.run_ours(few), contest.their_run(few)()
    if few is network:
        medians = [median(distances(images, few.x)) for images in (ours, theirs)]
        assert medians[0] < 1.02 * medians[1], f"median distances {medians}"
        return f"median distances {medians[0]:.4f} and {medians[1]:.4f}"
    if contest.epsilon is not None:
        # where a climb ends without success ours tries one whole step more
        logits = few.ours(ag.tensor(theirs)).numpy()
        fooled = logits.argmax(axis=1) != few.labels
        assert fooled.any(), "nothing to compare: no image was fooled"
        ours, theirs = ours[fooled], theirs[fooled]
    furthest = float(np.abs(ours - theirs).max())
    assert furthest <= 1e-8, f"images differ by {furthest}"
    return f"images differ by at most {furthest:.0e}"


def distances(images: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The L2 norm of each change (N)."""
    return np.linalg.norm((images - x).reshape(len(x), -1), axis=1)


def profile(contest: Contest, network: Network) -> None:
    """Print where our time goes."""
    contest.run_ours(network)
    profiler = cProfile.Profile()
    profiler.runcall(contest.run_ours, network)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def show(rows: list[dict]) -> None:
    """Print the rows as a Markdown table."""
    table = [["", "ours", "Foolbox", "ours / Foolbox"], ["---", "---:", "---:", "---:"]]
    for row in rows:
        ours, theirs = row["ms"]["ours"], row["ms"]["Foolbox"]
        table.append([row["task"], f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"])
    for line in table:
        print(f"| {' | '.join(line)} |")
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    print(f"\nmilliseconds for {BATCH} images; {facts}")


if __name__ == "__main__":
    main()
