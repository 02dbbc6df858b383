"""Step 6: one page that tells the whole story, readable on its own."""

from __future__ import annotations

from typing import Any

from .checking import allowance
from .folder import Folder
from .page import heading, page, paragraph, picture, table, tiles
from .study import percent


def report(results: dict[str, Any], folder: Folder) -> None:
    """Write index.html from the numbers and the pictures in the folder."""
    parts = (_summary, _trained, _graph, _ladder, _checked, _looked, _fooled, _robust, _end)
    body = [piece for part in parts for piece in part(results, folder)]
    folder.write("index.html", page("autograd_cnn: a small CNN, inside out", body))


def _summary(results: dict[str, Any], folder: Folder) -> list[str]:
    training, checks = results["training"], results["gradient_check"]
    counted = results["fooling"]["robust_accuracy"]
    middle = counted["epsilon"].index(0.1)
    return [
        "<h1>A small CNN, inside out</h1>",
        paragraph(
            "One network is trained on real handwritten digits, drawn, checked, explained and "
            "fooled. All of it comes from one thing: the tape that records its operations.",
            "lead",
        ),
        tiles(
            [
                (percent(training["held_out_accuracy"]), "of held-out digits read rightly"),
                (f"{training['parameters']:,}", "parameters"),
                (f"{checks['worst_error']:.1e}", "worst error of a gradient"),
                (percent(counted["PGD"][middle]), "read rightly under attack, ε = 0.1"),
            ]
        ),
    ]


def _trained(results: dict[str, Any], folder: Folder) -> list[str]:
    training = results["training"]
    return [
        heading(1, "What was trained"),
        paragraph(
            f"{training['training_images']:,} scans of handwritten digits, 8×8 pixels, each also "
            f"shown moved by one pixel, for {training['epochs']} epochs; "
            f"{training['held_out_images']} others were held out. Convolution, batch norm, ReLU "
            "and max-pooling; a dilated convolution, batch norm and ReLU; layer norm, dropout and "
            "a linear classifier."
        ),
        _png(
            folder, "learning_curves.png", "Loss and error by epoch",
            "Look at the gap between the lines: where the training loss goes on falling and the "
            "held-out loss does not, the network learns its examples by heart. At first the "
            "held-out digits do better, because dropout is off for them.",
            860,
        ),
    ]  # fmt: skip


def _graph(results: dict[str, Any], folder: Folder) -> list[str]:
    return [
        heading(2, "The computation graph"),
        paragraph(
            f"The {results['graph']['operations']} operations of one training step, as recorded. "
            "A box is an operation, its rows are parameters; an arrow is a tensor, thicker where "
            "it holds more bytes."
        ),
        _svg(
            folder, "graph.svg", "Computation graph of a training step",
            "Look at the shapes beside the arrows: pooling halves the image, and the dilated "
            "convolution (d2) keeps its size while each output sees 5×5 positions with 9 weights.",
            430,
        ),
    ]  # fmt: skip


def _ladder(results: dict[str, Any], folder: Folder) -> list[str]:
    return [
        heading(3, "Forward and backward: the ladder"),
        paragraph(
            "On the left the forward pass, downwards; on the right the backward pass, upwards, "
            "each rule beside its operation. The dotted rungs are all that the tape keeps."
        ),
        _svg(
            folder, "backward.svg", "The forward pass beside the backward pass",
            "Look at the coloured norms of the gradient: a network in which they vanish or explode "
            "on the way up cannot learn. The biases before batch norm have a gradient of zero, up "
            "to rounding: batch norm subtracts the mean, and any bias with it.",
            820,
        ),
    ]  # fmt: skip


def _checked(results: dict[str, Any], folder: Folder) -> list[str]:
    checks = results["gradient_check"]
    rows = [
        (
            str(law["law"]),
            law["name"],
            (f"{law['worst_error']:.1e}" if law["worst_error"] else "0")
            if law["comparisons"]
            else "–",
            allowance(law) if law["comparisons"] else "–",
            str(law["comparisons"]) if law["comparisons"] else law["why_not"] or "",
        )
        for law in checks["laws"]
    ]
    return [
        heading(4, "Are the gradients right?"),
        paragraph(
            "Not compared with finite differences, which would hide errors below 1e-6, but held to "
            "laws that every derivative obeys, in double precision: with respect to the image and "
            f"to all {checks['parameters_checked']:,} parameters, first and second derivatives."
        ),
        table(("law", "", "worst error", "allowed", "comparisons"), rows, (0, 2, 3)),
        paragraph(
            "Look at the worst errors: 1e-16 is the last digit of a double. The complex step "
            "evaluates the network at x + ih with h = 1e-30, where the imaginary part is the "
            "derivative, with nothing lost to subtraction."
        ),
    ]


def _looked(results: dict[str, Any], folder: Folder) -> list[str]:
    return [
        heading(5, "What it looks at"),
        paragraph(
            "Three ways back from the score of the predicted digit to the pixels, from one "
            "recorded forward pass; they differ in what a ReLU lets through. The gradient stops "
            "where the ReLU was off, the deconvnet where the gradient is negative, guided backprop "
            "at both."
        ),
        _png(
            folder, "explanations.png", "Gradient, deconvnet and guided backprop of six digits",
            "Red: more ink here raises the score; blue: it lowers it. Look at how guided backprop "
            "follows the strokes: it keeps only the paths that support the digit at every ReLU, "
            "and so looks cleaner than what the network uses. Each map has its own scale.",
            860,
        ),
    ]  # fmt: skip


def _fooled(results: dict[str, Any], folder: Folder) -> list[str]:
    fooling = results["fooling"]
    step, wanted = fooling["single_step"]["epsilon"], fooling["targeted"]["confidence_wanted"]
    return [
        heading(6, "How it is fooled"),
        paragraph(
            f"On the left every pixel moves by at most {step:g} of the way from white to black, in "
            "one step that raises the loss. On the right the least change, found by bisection, "
            f"that makes the network {100 * wanted:.0f} % sure of a digit that we chose."
        ),
        _png(
            folder, "adversarial.png", "Digits before and after the attacks, and their difference",
            "Look at the second column of each half: you still read the first digit, the network "
            "reads the one in orange. The change is shown as it is, and ten times larger.",
        ),
    ]  # fmt: skip


def _robust(results: dict[str, Any], folder: Folder) -> list[str]:
    counted = results["fooling"]["robust_accuracy"]
    rows = [
        (name, *(percent(part) for part in counted[name])) for name in counted if name != "epsilon"
    ]
    columns = ("", *(f"ε = {epsilon:g}" for epsilon in counted["epsilon"]))
    return [
        heading(7, "How often"),
        paragraph(
            "The part of all held-out digits that no attack tried here could change, when each "
            "pixel may move by at most ε. PGD repeats the step of FGSM and corrects itself on the "
            "way; where it fails the single step is tried too, so it is never weaker."
        ),
        _png(
            folder, "robustness.png", "Robust accuracy against epsilon",
            "Look at how steep it is: accuracy on clean digits says little about the neighbourhood "
            "of each digit.",
            560,
        ),
        table(columns, rows, tuple(range(1, len(columns)))),
    ]  # fmt: skip


def _end(results: dict[str, Any], folder: Folder) -> list[str]:
    settings = results["settings"]
    text = (
        f"Made by `autograd-cnn demo --seed {settings['seed']} --epochs {settings['epochs']}`; the "
        "same seed gives the same numbers (`results.json`). Digits: Alpaydin and Kaynak 1998, as "
        "shipped with scikit-learn. The pictures are beside this page as files of their own."
    )
    return [f"<footer>{paragraph(text)}</footer>"]


def _png(folder: Folder, name: str, description: str, caption: str, width: int = 0) -> str:
    return picture((folder / name).read_bytes(), "png", description, caption, width)


def _svg(folder: Folder, name: str, description: str, caption: str, width: int = 0) -> str:
    return picture((folder / name).read_bytes(), "svg+xml", description, caption, width)
