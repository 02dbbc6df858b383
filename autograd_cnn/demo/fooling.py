"""Step 5: how the network is fooled, by how much, and how often."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import attacks, ops
from ..tape import no_grad
from ..tensor import tensor
from . import figures
from .folder import Folder
from .study import Study, percent

EPSILONS = (0.02, 0.05, 0.1, 0.15, 0.2)
SINGLE_STEP = 0.1
SINGLE_STEP_SAMPLES = 4
SURE = 0.9
TARGETS = {0: 6, 3: 8, 7: 1, 8: 3}
COLUMNS = ("original", "adversarial", "difference", "10 × difference")


def fool(study: Study, folder: Folder) -> dict[str, Any]:
    """Fool single digits and count over all of them; write the pictures; give the numbers."""
    single, minimal = single_step(study), targeted(study)
    folder.write("adversarial.png", panel(single, minimal))
    counted = robustness(study)
    folder.write("robustness.png", curve(counted))
    return {
        "single_step": {"epsilon": SINGLE_STEP, "samples": [_numbers(row) for row in single]},
        "targeted": {"confidence_wanted": SURE, "samples": [_numbers(row) for row in minimal]},
        "robust_accuracy": counted,
    }


def single_step(study: Study) -> list[dict[str, Any]]:
    """The first held-out digits, of different classes, that FGSM fools at one epsilon."""
    places = np.arange(min(100, len(study.test.x)))
    x, labels = study.images(places), study.test.y[places]
    with no_grad():
        right = ops.argmax(study.net(x), 1).numpy() == labels
    found = attacks.FGSM()(study.net, x, labels, epsilons=SINGLE_STEP)
    fooled = np.flatnonzero(right & found.is_adv)
    chosen = fooled[np.sort(np.unique(labels[fooled], return_index=True)[1])][:SINGLE_STEP_SAMPLES]
    radii = np.full(len(chosen), SINGLE_STEP)
    return _rows(study, places[chosen], found.clipped.numpy()[chosen], radii)


def targeted(study: Study) -> list[dict[str, Any]]:
    """The least change that makes each digit another, with confidence."""
    places = study.one_of_each(tuple(TARGETS))
    x = study.images(places)
    criterion = attacks.Targeted(list(TARGETS.values())) & attacks.Confidence(SURE)
    found = attacks.minimal(study.net, x, criterion, attacks.BIM(steps=30, step_size=0.1))
    return _rows(study, places, found.images.numpy(), found.distance)


def robustness(study: Study) -> dict[str, list[float]]:
    """The part of all held-out digits still classified rightly at each epsilon."""
    x, labels = study.images(np.arange(len(study.test.x))), study.test.y
    epsilons = [0.0, *EPSILONS]
    methods = {
        "FGSM": attacks.FGSM(),
        "PGD": attacks.LinfPGD(steps=20, step_size=0.1, seed=study.seed),
    }
    return {"epsilon": epsilons} | {
        name: attacks.robust_accuracy(study.net, x, labels, attack, epsilons).tolist()
        for name, attack in methods.items()
    }


def _rows(
    study: Study, places: np.ndarray, moved: np.ndarray, epsilons: np.ndarray
) -> list[dict[str, Any]]:
    """What the picture needs of each sample."""
    images = study.images(places), tensor(moved, device=study.device)
    with no_grad():
        before, after = (ops.softmax(study.net(x), 1).numpy() for x in images)
    return [
        {
            "original": study.test.x[place, 0],
            "adversarial": moved[i, 0],
            "before": before[i],
            "after": after[i],
            "epsilon": float(epsilons[i]),
        }
        for i, place in enumerate(places)
    ]


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "prediction": int(row["before"].argmax()),
        "confidence": float(row["before"].max()),
        "fooled_prediction": int(row["after"].argmax()),
        "fooled_confidence": float(row["after"].max()),
        "largest_change": row["epsilon"],
    }


def panel(single: list[dict[str, Any]], minimal: list[dict[str, Any]]) -> bytes:
    """Rows of original, adversarial, difference and 10× difference, for both attacks."""
    limit = 10 * max((row["epsilon"] for row in (*single, *minimal)), default=0.1)
    titles = (
        f"FGSM: one step of ε = {SINGLE_STEP:g} along the sign of the gradient",
        f"The least change towards a chosen digit, {100 * SURE:.0f} % sure",
    )
    with figures.styled():
        figure = figures.figure(10.4, 0.7 + 1.3 * max(len(single), len(minimal), 1))
        *halves, side = figure.subfigures(1, 3, wspace=0.06, width_ratios=[1, 1, 0.12])
        for half, rows, title in zip(halves, (single, minimal), titles, strict=True):
            half.suptitle(title, fontsize=10, fontweight="bold")
            grid = half.subplots(max(len(rows), 1), 4, squeeze=False)
            for axes, row in zip(grid, rows, strict=False):
                _panel_row(axes, row, limit)
            for axes, name in zip(grid[-1], COLUMNS, strict=True):
                axes.set_xlabel(name)
        figures.signed_scale(side.add_axes((0.0, 0.3, 0.25, 0.4)), limit, "ink")
        return figures.png(figure)


def _panel_row(axes: Any, row: dict[str, Any], limit: float) -> None:
    difference = row["adversarial"] - row["original"]
    figures.show_image(axes[0], row["original"])
    axes[0].set_title(_answer(row["before"]))
    figures.show_image(axes[1], row["adversarial"])
    fooled = row["before"].argmax() != row["after"].argmax()
    axes[1].set_title(_answer(row["after"]), color=figures.VERMILION if fooled else "black")
    figures.show_signed(axes[2], difference, limit)
    axes[2].set_title(f"at most {row['epsilon']:.3f}")
    figures.show_signed(axes[3], 10 * difference, limit)


def _answer(probabilities: np.ndarray) -> str:
    return f"“{probabilities.argmax()}”  {percent(probabilities.max())}"


def curve(counted: dict[str, list[float]]) -> bytes:
    """Robust accuracy against epsilon."""
    with figures.styled():
        figure = figures.figure(4.6, 3.0)
        axes = figure.subplots()
        for name, color, marker, label in (
            ("FGSM", figures.BLUE, "o", "FGSM, one step"),
            ("PGD", figures.VERMILION, "s", "PGD, 20 steps"),
        ):
            heights = 100 * np.array(counted[name])
            axes.plot(counted["epsilon"], heights, color=color, marker=marker, ms=4, label=label)
        axes.set(xlabel="ε: the largest change of a pixel, ink being 0 … 1", ylim=(0, 102))
        axes.set_xticks(counted["epsilon"])
        axes.set_title("Held-out digits still read rightly, in percent", loc="left")
        axes.grid(axis="y")
        axes.legend()
        return figures.png(figure)
