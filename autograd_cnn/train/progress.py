"""How training is shown while it runs: a rich bar, plain lines, or nothing."""

from __future__ import annotations

import sys
from math import isnan
from typing import Any

from .history import History


def progress_display(wanted: bool | None, epochs: int, steps: int) -> Silent:
    """The display for `fit`: a bar with rich, lines without; None shows in a terminal only."""
    if wanted is False or (wanted is None and not sys.stdout.isatty()):
        return Silent()
    try:
        return Bar(epochs, steps)
    except ImportError:
        return Lines(epochs)


class Silent:
    """Shows nothing; the other displays say more."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def batch(self, epoch: int, loss: float) -> None:
        """One batch is done."""

    def epoch(self, epoch: int, history: History) -> None:
        """One epoch is done."""


class Lines(Silent):
    """One line of text an epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch(self, epoch: int, history: History) -> None:
        print(f"epoch {epoch + 1}/{self.epochs}  {_summary(history)}")


class Bar(Silent):
    """A bar over all batches, with the losses beside it. Raises ImportError without rich."""

    def __init__(self, epochs: int, steps: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs = epochs
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[summary]}"),
        )  # fmt: skip
        self.task = self.bar.add_task("", total=epochs * steps, epoch="", summary="")

    def __enter__(self) -> Bar:
        self.bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.stop()

    def batch(self, epoch: int, loss: float) -> None:
        self.bar.update(self.task, advance=1, epoch=f"{epoch + 1}/{self.epochs}")

    def epoch(self, epoch: int, history: History) -> None:
        self.bar.update(self.task, summary=_summary(history))


def _summary(history: History) -> str:
    parts = [f"loss {history.train_loss[-1]:.4f}"]
    if history.validation_loss:
        parts.append(f"validation loss {history.validation_loss[-1]:.4f}")
        if not isnan(history.validation_accuracy[-1]):
            parts.append(f"accuracy {history.validation_accuracy[-1]:.2%}")
    return "  ".join(parts)
