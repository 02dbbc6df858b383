"""Twenty steps of every optimizer and schedule against PyTorch's."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.6), "amsgrad": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.7, "centered": True, "weight_decay": 0.1}),
]
named = lambda case: f"{case[0]}-{case[1]}"


def gradient(step, shape, dtype):
    return np.random.default_rng((step, *shape)).standard_normal(shape).astype(dtype)


class Pair:
    """The same two parameters for both libraries, given the same gradients."""

    def __init__(self, name, options, dtype, two_groups=False):
        starts = [gradient(99, shape, dtype) for shape in ((3, 4), (5,))]
        self.ours = [ag.tensor(start, requires_grad=True) for start in starts]
        self.theirs = [torch.from_numpy(start.copy()).requires_grad_() for start in starts]
        groups = lambda ps: [{"params": ps[:1]}, {"params": ps[1:], "lr": 0.3}]
        groups = groups if two_groups else lambda ps: ps
        self.optimizer = getattr(optim, name)(groups(self.ours), **options)
        self.other = getattr(torch.optim, name)(groups(self.theirs), **options)

    def step(self, number):
        for ours, theirs in zip(self.ours, self.theirs, strict=True):
            g = gradient(number, ours.shape, ours.dtype)
            ours.grad, theirs.grad = ag.tensor(g), torch.from_numpy(g)
        self.optimizer.step()
        self.other.step()

    def assert_equal(self, tolerance):
        if isinstance(self.optimizer, optim.NAdam):
            tolerance = max(tolerance, 1e-7)  # PyTorch keeps its running product in float32
        for ours, theirs in zip(self.ours, self.theirs, strict=True):
            np.testing.assert_allclose(ours, theirs.detach(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 5e-6)])
@pytest.mark.parametrize("case", OPTIMIZERS, ids=named)
def test_twenty_steps_agree(case, dtype, tolerance):
    both = Pair(*case, dtype)
    for number in range(20):
        both.step(number)
        both.assert_equal(tolerance)
    assert all(p.dtype == dtype for p in both.ours)


@pytest.mark.parametrize("case", OPTIMIZERS, ids=named)
def test_groups_with_rates_of_their_own_agree(case):
    both = Pair(*case, "float64", two_groups=True)
    for number in range(3):
        both.step(number)
    both.assert_equal(1e-12)


@pytest.mark.parametrize("case", OPTIMIZERS, ids=named)
def test_a_state_saved_by_pytorch_is_gone_on_with(case):
    both = Pair(*case, "float64")
    for number in range(5):
        both.step(number)
    fresh = getattr(optim, case[0])(both.ours, lr=123.0)
    fresh.load_state_dict(both.other.state_dict())
    both.optimizer = fresh
    for number in range(5, 10):
        both.step(number)
    both.assert_equal(1e-12)


SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("CosineAnnealingLR", {"T_max": 12, "eta_min": 0.01}),
    ("LinearLR", {"start_factor": 0.25, "total_iters": 4}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.9**epoch}),
]


@pytest.mark.parametrize("name, options", SCHEDULES, ids=[name for name, _ in SCHEDULES])
def test_schedules_agree(name, options):
    both = Pair("SGD", {"lr": 0.5}, "float64", two_groups=True)
    ours = getattr(optim, name)(both.optimizer, **options)
    theirs = getattr(torch.optim.lr_scheduler, name)(both.other, **options)
    for number in range(12):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12)
        both.step(number)
        ours.step(), theirs.step()


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"patience": 0, "mode": "max", "threshold_mode": "abs", "threshold": 0.1, "cooldown": 2},
        {"patience": 0, "min_lr": 0.05, "factor": 0.5},
    ],
)
def test_the_plateau_schedule_agrees(options):
    both = Pair("SGD", {"lr": 0.5}, "float64")
    ours = optim.ReduceLROnPlateau(both.optimizer, **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(both.other, **options)
    rates = []
    for loss in [3.0, 2.0, 2.0, 2.0, 1.9999, 2.5, 1.0, 1.05, 1.2, 1.0, 1.0, 1.0, 0.5, 0.7]:
        ours.step(loss), theirs.step(loss)
        rates.append(ours.get_last_lr())
        assert rates[-1] == pytest.approx(theirs.get_last_lr(), rel=1e-12)
    assert rates[-1] != rates[0]


@pytest.mark.parametrize("norm", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clipping_agrees(norm, limit):
    both = Pair("SGD", {"lr": 0.5}, "float64")
    for ours, theirs in zip(both.ours, both.theirs, strict=True):
        g = gradient(0, ours.shape, "float64")
        ours.grad, theirs.grad = ag.tensor(g), torch.from_numpy(g.copy())
    found = optim.clip_grad_norm(both.ours, limit, norm)
    wanted = torch.nn.utils.clip_grad_norm_(both.theirs, limit, norm)
    assert found == pytest.approx(float(wanted), rel=1e-12)
    for ours, theirs in zip(both.ours, both.theirs, strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-12)
