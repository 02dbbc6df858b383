"""The training loop: epochs, validation, early stopping, checkpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..data import batches
from ..kernels.devices import to_device
from ..nn import Module
from ..optim import Adam, Optimizer, ReduceLROnPlateau
from ..tape import no_grad
from ..tensor import Tensor
from .checkpoint import read_checkpoint, write_checkpoint
from .history import History
from .progress import progress_display


class Evaluation(NamedTuple):
    """Mean loss and accuracy over a data set; the accuracy is NaN where labels are not classes."""

    loss: float
    accuracy: float


@dataclass
class State:
    """What a callback sees after each epoch, counted from 0."""

    model: Module
    optimizer: Optimizer
    epoch: int
    history: History


def fit(
    model: Module,
    train_data: tuple[Any, Any],
    validation_data: tuple[Any, Any] | None = None,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    optimizer: Optimizer | None = None,
    schedule: Any = None,
    loss: Callable[[Any, Any], Any] = ops.cross_entropy,
    patience: int | None = None,
    checkpoint_path: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    progress: bool | None = None,
    callbacks: Sequence[Callable[[State], Any]] = (),
) -> History:
    """Train a model on arrays (x, y); returns the history of its losses and accuracies.

    * `optimizer` is Adam with its defaults unless given; `schedule` steps once an epoch.
    * With `patience` the training stops when the validation loss (the training loss without
      validation data) has not fallen for that many epochs, and the best weights and buffers are
      put back, whether it stopped early or not.
    * `checkpoint_path` gets a checkpoint after every epoch, written atomically; with `resume` the
      training goes on from it, if it is there, exactly as if it had not been interrupted.
    * One `seed` gives one training: it orders the samples and starts `ag.seed` at each epoch.
      Layers with an `rng` of their own go on with that.
    * `progress` True shows a bar (with rich, otherwise lines), False nothing, None a bar in a
      terminal only.
    * Each callback is called after each epoch with a `State`; one that returns True stops it all.

    Floating-point samples are given the dtype of the model's parameters, and batches are moved to
    their device. The model is left in evaluation mode.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> train, test = ag.data.digits(seed=0)
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=0))
    >>> history = ag.train.fit(model, train, epochs=3, progress=False)
    >>> history.train_loss[2] < history.train_loss[0]
    True

    Raises ShapeError when samples and labels differ in number, ValueError for settings out of
    range, before any work.
    """
    settings = {"epochs": epochs, "batch_size": batch_size, "patience": patience}
    for name, value in settings.items():
        if value is not None and value < 1:
            raise ValueError(f"fit: {name}={value} must be at least 1")
    x, y = map(_indexable, train_data)
    batches(x, y, batch_size)  # checks that samples and labels fit
    optimizer = Adam(model.parameters()) if optimizer is None else optimizer
    history, best = History(), {}
    if resume and checkpoint_path is not None and os.path.exists(checkpoint_path):
        history, best = read_checkpoint(checkpoint_path, model, optimizer, schedule)
    display = progress_display(progress, epochs, -(-len(x) // batch_size))
    with display:
        for epoch in range(len(history), epochs):
            if _should_stop(history, patience):
                break
            started = time.perf_counter()
            history.learning_rate.append(float(optimizer.param_groups[0]["lr"]))
            trained = _train_epoch(model, x, y, batch_size, optimizer, loss, seed, epoch, display)
            history.train_loss.append(trained.loss)
            history.train_accuracy.append(trained.accuracy)
            if validation_data is not None:
                validated = evaluate(model, *validation_data, loss=loss, batch_size=batch_size)
                history.validation_loss.append(validated.loss)
                history.validation_accuracy.append(validated.accuracy)
            history.seconds.append(time.perf_counter() - started)
            if history.best_epoch == epoch:
                best = model.state_dict()
            _step_schedule(schedule, history)
            if checkpoint_path is not None:
                write_checkpoint(checkpoint_path, model, optimizer, schedule, history, best)
            display.epoch(epoch, history)
            # every callback runs, also after one that stops the training
            if any([callback(State(model, optimizer, epoch, history)) for callback in callbacks]):
                break
    if patience is not None and best:
        model.load_state_dict(best)
    history.stopped_early = len(history) < epochs
    model.eval()
    return history


def evaluate(
    model: Module,
    x: Any,
    y: Any,
    loss: Callable[[Any, Any], Any] = ops.cross_entropy,
    batch_size: int = 256,
) -> Evaluation:
    """Mean loss and accuracy, in evaluation mode and off the tape; the modes are put back.

    >>> import numpy as np, autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> logits = np.array([[2.0, 0.0], [3.0, 0.0]], np.float32)
    >>> ag.train.evaluate(nn.Identity(), logits, np.array([0, 1])).accuracy
    0.5
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    meter, move = _Meter(), _mover(model)
    try:
        with no_grad():
            for samples, labels in batches(_indexable(x), _indexable(y), batch_size):
                outputs = model(move(samples))
                meter.add(loss(outputs, labels), outputs, labels)
    finally:
        for module, mode in modes:
            module.training = mode
    return meter.mean()


def _train_epoch(model, x, y, batch_size, optimizer, loss, seed, epoch, display) -> Evaluation:
    model.train()
    order, noise = np.random.SeedSequence((seed, epoch)).spawn(2)
    ops.seed(int(noise.generate_state(1, np.uint64)[0]))
    meter, move = _Meter(), _mover(model)
    for samples, labels in batches(x, y, batch_size, shuffle=True, seed=order):
        optimizer.zero_grad()
        outputs = model(move(samples))
        value = loss(outputs, labels)
        value.backward()
        optimizer.step()
        display.batch(epoch, meter.add(value, outputs, labels))
    optimizer.zero_grad()
    return meter.mean()


class _Meter:
    """Sums of losses and of right answers, weighted by the size of each batch."""

    def __init__(self) -> None:
        self.loss, self.right, self.count, self.classes = 0.0, 0, 0, True

    def add(self, loss: Any, outputs: Any, labels: Any) -> float:
        value, count = float(loss), len(labels)
        self.loss += value * count
        self.count += count
        if labels.dtype.kind in "iu" and outputs.ndim == 2:
            answers = to_device(outputs._data.argmax(1), "cpu")
            self.right += int((answers == np.asarray(labels)).sum())
        else:
            self.classes = False
        return value

    def mean(self) -> Evaluation:
        if not self.count:
            return Evaluation(nan, nan)
        accuracy = self.right / self.count if self.classes else nan
        return Evaluation(self.loss / self.count, accuracy)


def _indexable(values: Any) -> Any:
    return values if hasattr(values, "dtype") else np.asarray(values)


def _mover(model: Module) -> Callable[[Any], Tensor]:
    """What makes samples tensors of the dtype and on the device of the model's parameters."""
    like = next(model.parameters(), None)

    def move(samples: Any) -> Tensor:
        samples = samples if isinstance(samples, Tensor) else Tensor(samples)
        if like is None:
            return samples
        if samples.dtype.kind == "f" and samples.dtype != like.dtype:
            samples = samples.astype(like.dtype)
        return samples.to(like.device)

    return move


def _should_stop(history: History, patience: int | None) -> bool:
    return (
        patience is not None
        and len(history) > 0
        and len(history) - 1 - history.best_epoch >= patience
    )


def _step_schedule(schedule: Any, history: History) -> None:
    if isinstance(schedule, ReduceLROnPlateau):
        watched = history.watched[-1]
        schedule.step(float("inf") if isnan(watched) else watched)
    elif schedule is not None:
        schedule.step()
