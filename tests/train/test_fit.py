"""The loop: deterministic, stops early with the best weights, goes on after an interruption."""

import builtins
import re

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn, optim
from autograd_cnn.errors import ShapeError
from autograd_cnn.train import evaluate, fit


def problem(n=60, seed=0):
    """Three Gaussian clouds in four dimensions."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return (rng.standard_normal((n, 4)) + 2 * np.eye(3, 4)[labels]).astype(np.float32), labels


def network(seed=0):
    rng = nn.init.generator(seed)
    return nn.Sequential(
        nn.Linear(4, 8, rng=rng), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(8, 3, rng=rng),
    )  # fmt: skip


def state(model):
    return {name: value.tolist() for name, value in model.state_dict().items()}


def test_training_learns():
    model = network()
    before = evaluate(model, *problem(seed=1))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    history = fit(model, problem(), problem(seed=1), epochs=12, batch_size=10, optimizer=optimizer)
    after = evaluate(model, *problem(seed=1))
    assert after.loss < before.loss / 1.5 and after.accuracy > 0.75
    assert after.loss == pytest.approx(history.validation_loss[-1], rel=1e-5)
    assert len(history) == len(history.seconds) == len(history.validation_accuracy) == 12
    assert not model.training and not history.stopped_early


def test_one_seed_gives_one_training():
    first, second, third = network(), network(), network()
    a = fit(first, problem(), epochs=3, seed=4)
    ag.seed(99)
    b = fit(second, problem(), epochs=3, seed=4)
    fit(third, problem(), epochs=3, seed=5)
    assert state(first) == state(second) != state(third)
    assert a.train_loss == b.train_loss


def test_early_stopping_restores_the_best_weights_and_buffers():
    """The rate explodes after epoch 2: what follows is worse, and must be undone."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    schedule = optim.LambdaLR(optimizer, lambda epoch: 1.0 if epoch < 3 else 4000.0)
    seen = []
    history = fit(
        model, problem(), problem(seed=1), epochs=20, optimizer=optimizer, schedule=schedule,
        patience=3, callbacks=[lambda s: seen.append(state(s.model))],
    )  # fmt: skip
    assert history.best_epoch == 2 and history.stopped_early and len(history) == 6
    assert state(model) == seen[2] != seen[-1]
    assert seen[2]["1.running_mean"] != seen[-1]["1.running_mean"]
    assert evaluate(model, *problem(seed=1)).loss == pytest.approx(
        min(history.validation_loss), rel=1e-5
    )


def test_a_training_interrupted_goes_on_as_if_it_had_not_been(tmp_path):
    def run(epochs, path, resume=False):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.02)
        schedule = optim.StepLR(optimizer, 1, 0.8)
        history = fit(
            model, problem(), problem(seed=1), epochs=epochs, optimizer=optimizer,
            schedule=schedule, checkpoint_path=path, resume=resume, patience=9,
        )  # fmt: skip
        return state(model), history

    whole, whole_history = run(5, tmp_path / "whole.safetensors")
    run(2, tmp_path / "parts.safetensors", resume=True)
    resumed, resumed_history = run(5, tmp_path / "parts.safetensors", resume=True)
    assert resumed == whole
    assert resumed_history.validation_loss == whole_history.validation_loss
    assert resumed_history.learning_rate == whole_history.learning_rate
    done, _ = run(5, tmp_path / "parts.safetensors", resume=True)
    assert done == whole


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(network(), problem(), epochs=1, checkpoint_path=path)
    model = network()
    with pytest.raises(ValueError, match="made with Adam, not SGD"):
        fit(model, problem(), epochs=2, checkpoint_path=path, resume=True,
            optimizer=optim.SGD(model.parameters()))  # fmt: skip
    ag.save(model, path)
    with pytest.raises(ValueError, match="not a checkpoint"):
        fit(model, problem(), epochs=2, checkpoint_path=path, resume=True)


def test_a_callback_stops_the_training():
    history = fit(network(), problem(), epochs=9, callbacks=[lambda s: s.epoch == 1])
    assert len(history) == 2 and history.stopped_early


def test_regression_has_no_accuracy():
    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    model = nn.Linear(1, 1, rng=0)
    history = fit(model, (x, 3 * x), epochs=60, loss=ag.mse_loss,
                  optimizer=optim.SGD(model.parameters(), lr=0.5))  # fmt: skip
    assert np.isnan(history.train_accuracy).all()
    assert float(model.weight) == pytest.approx(3.0, abs=1e-4)


def test_evaluation_weighs_batches_by_their_size_and_puts_modes_back():
    model, (x, y) = network().train(), problem(25)
    model[3].eval()
    parts, whole = evaluate(model, x, y, batch_size=7), evaluate(model, x, y, batch_size=25)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6) and parts.accuracy == whole.accuracy
    assert model.training and not model[3].training


def test_samples_take_the_dtype_of_the_parameters():
    x, y = problem()
    model = network()
    fit(model, (x.astype(np.float64), y.tolist()), epochs=1)
    assert {p.dtype.name for p in model.parameters()} == {"float32"}


def test_progress_is_shown_with_rich_or_in_lines(capsys, monkeypatch):
    fit(network(), problem(), problem(seed=1), epochs=2, progress=True)
    assert "2/2" in capsys.readouterr().out
    found = builtins.__import__

    def without_rich(name, *args, **kwargs):
        if name.startswith("rich"):
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    fit(network(), problem(), problem(seed=1), epochs=2, progress=True)
    lines = capsys.readouterr().out.splitlines()
    pattern = r"epoch \d/2  loss \d\.\d{4}  validation loss \d\.\d{4}  accuracy \d+\.\d\d%"
    assert len(lines) == 2 and all(re.fullmatch(pattern, line) for line in lines)
    fit(network(), problem(), epochs=1)  # not a terminal: silent
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"epochs": 0}, ValueError, "epochs=0"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"patience": 0}, ValueError, "patience=0"),
        (
            {"train_data": (np.zeros((3, 4)), np.zeros(2, int))},
            ShapeError,
            "3 samples but 2 labels",
        ),
    ],
)
def test_errors_come_before_any_work(options, error, message):
    model = network()
    before = state(model)
    with pytest.raises(error, match=message):
        fit(model, **{"train_data": problem(), **options})
    assert state(model) == before
