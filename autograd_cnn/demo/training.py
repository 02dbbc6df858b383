"""Step 1: train a network on the handwritten digits, and draw how it learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn, optim
from ..data import Split, digits
from ..models import DigitsNet
from ..train import History, evaluate, fit, save
from . import figures
from .folder import Folder
from .study import Study, percent

BATCH_SIZE = 64
LEARNING_RATE = 3e-3


def train(
    folder: Folder, seed: int, epochs: int, device: str, advance: Callable[[], Any]
) -> tuple[Study, dict[str, Any]]:
    """Train; write the weights and the learning curves; give the study and its numbers."""
    training, test = digits(seed)
    enlarged = with_shifts(training)
    net = DigitsNet(rng=seed).to(device)
    optimizer = optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    history = fit(
        net,
        enlarged,
        test,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        optimizer=optimizer,
        schedule=optim.CosineAnnealingLR(optimizer, T_max=epochs),
        seed=seed,
        progress=False,
        callbacks=[lambda state: advance()],
    )
    save(net, folder / "weights.safetensors")
    folder.write("learning_curves.png", curves(history))
    final = evaluate(net, *test)
    numbers = {
        "training_images": len(training.x),
        "shown_per_epoch": len(enlarged.x),
        "held_out_images": len(test.x),
        "parameters": count_parameters(net),
        "epochs": len(history),
        "held_out_accuracy": final.accuracy,
        "held_out_loss": final.loss,
        "train_loss": history.train_loss,
        "train_accuracy": history.train_accuracy,
        "validation_loss": history.validation_loss,
        "validation_accuracy": history.validation_accuracy,
    }
    return Study(net, test, seed, device), numbers


def with_shifts(data: Split) -> Split:
    """The images, and each one moved by a pixel up, down, left and right."""
    padded = np.pad(data.x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = data.x.shape[2:]
    moves = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    moved = [padded[:, :, i : i + height, j : j + width] for i, j in moves]
    return Split(np.concatenate(moved), np.tile(data.y, len(moves)))


def count_parameters(net: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.size for parameter in net.parameters())


def curves(history: History) -> bytes:
    """Loss and error by epoch, of training and of held-out digits, as a picture."""
    epochs = np.arange(1, len(history) + 1)
    with figures.styled():
        figure = figures.figure(7.2, 2.8)
        losses, errors = figure.subplots(1, 2)
        for axes, trained, held_out, title in (
            (losses, history.train_loss, history.validation_loss, "Cross-entropy"),
            (
                errors,
                100 * (1 - np.array(history.train_accuracy)),
                100 * (1 - np.array(history.validation_accuracy)),
                "Wrong answers, in percent",
            ),
        ):
            axes.plot(epochs, trained, color=figures.BLUE, label="training, with dropout")
            axes.plot(epochs, held_out, color=figures.VERMILION, label="held-out digits")
            axes.set_title(title, loc="left")
            axes.set_xlabel("epoch")
            axes.grid(axis="y")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_xlim(left=min(1, len(history) - 1))
        losses.set_yscale("log")
        errors.set_ylim(bottom=0)
        errors.annotate(
            f"{percent(history.validation_accuracy[-1])} right",
            (epochs[-1], 100 * (1 - history.validation_accuracy[-1])),
            (-4, 12),
            textcoords="offset points",
            ha="right",
            color=figures.VERMILION,
        )
        losses.legend()
        return figures.png(figure)
