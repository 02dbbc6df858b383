"""What happened in training, epoch by epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isnan
from typing import Any


@dataclass
class History:
    """One entry an epoch in every list; accuracies are NaN where labels are not classes."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped_early: bool = False

    @property
    def watched(self) -> list[float]:
        """The loss that early stopping watches: of validation, or of training without one."""
        return self.validation_loss or self.train_loss

    @property
    def best_epoch(self) -> int:
        """The epoch, from 0, whose watched loss was lowest; −1 when there was none."""
        losses = [float("inf") if isnan(loss) else loss for loss in self.watched]
        return losses.index(min(losses)) if losses else -1

    def __len__(self) -> int:
        return len(self.train_loss)

    def as_dict(self) -> dict[str, Any]:
        """All lists by name."""
        return asdict(self)

    def __repr__(self) -> str:
        if not len(self):
            return "History(no epochs)"
        text = f"{len(self)} epochs, best epoch {self.best_epoch}, "
        text += f"train loss {self.train_loss[-1]:.4g}"
        if self.validation_loss:
            text += f", validation loss {self.validation_loss[-1]:.4g}"
            text += f", validation accuracy {self.validation_accuracy[-1]:.4g}"
        return f"History({text})"
