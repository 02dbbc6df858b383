"""Optimizers: laws that need no other library."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn, optim

EVERY = [
    optim.SGD, optim.Adam, optim.AdamW, optim.Adamax, optim.NAdam, optim.Adagrad, optim.Adadelta,
    optim.RMSprop,
]  # fmt: skip


def tensor(*values):
    return ag.tensor(np.array(values, np.float64), requires_grad=True)


def test_weight_decay_is_the_gradient_of_an_l2_penalty():
    """∂C/∂w = ∂E/∂w + λw for C = E + ½λ‖w‖²."""
    error = lambda w: ag.sum(ag.exp(w) * ag.tensor([1.0, -2.0, 0.5]))
    decayed, penalised, decay = tensor(0.3, -1.0, 2.0), tensor(0.3, -1.0, 2.0), 0.1
    first = optim.SGD([decayed], lr=0.01, momentum=0.9, weight_decay=decay)
    second = optim.SGD([penalised], lr=0.01, momentum=0.9)
    for _ in range(5):
        first.zero_grad(), second.zero_grad()
        error(decayed).backward()
        (error(penalised) + ag.sum(penalised * penalised) * (decay / 2)).backward()
        first.step(), second.step()
        np.testing.assert_allclose(decayed, penalised, rtol=1e-14)


def test_momentum_gathers_a_geometric_series():
    """A constant gradient 1: after n steps v = (1 − γⁿ)/(1 − γ)."""
    w = tensor(0.0)
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)
    for n in range(1, 6):
        before = float(w)
        w.grad = ag.tensor(np.array([1.0]))
        optimizer.step()
        assert before - float(w) == (1 - 0.5**n) / 0.5


def test_adams_first_step_is_the_rate_whatever_the_size_of_the_gradient():
    for size in (1e-3, 1.0, 1e6):
        w = tensor(0.0)
        w.grad = ag.tensor(np.array([size]))
        optim.Adam([w], lr=0.1, eps=0.0).step()
        assert float(w) == pytest.approx(-0.1, rel=1e-12)


def test_decoupled_decay_does_not_pass_through_the_adaptive_scale():
    w = tensor(2.0)
    w.grad = ag.tensor(np.array([0.0]))
    optim.AdamW([w], lr=0.1, weight_decay=0.5).step()
    assert float(w) == pytest.approx(2.0 * (1 - 0.1 * 0.5), rel=1e-15)


def test_amsgrad_remembers_the_largest_average_of_squares():
    """β₂ = ½, gradients 10, 1, 1, 1: v̂ stays 50; Adam's would fall to 25.5, 13.25, 7.125."""
    w = tensor(0.0)
    optimizer = optim.Adam([w], lr=0.1, betas=(0.0, 0.5), eps=0.0, amsgrad=True)
    for t, size in enumerate((10.0, 1.0, 1.0, 1.0), start=1):
        before = float(w)
        w.grad = ag.tensor(np.array([size]))
        optimizer.step()
        assert before - float(w) == pytest.approx(
            0.1 * size * np.sqrt((1 - 0.5**t) / 50), rel=1e-12
        )


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_optimizer_goes_down_a_bowl(kind):
    w = tensor(1.0, -2.0)
    optimizer = kind([w], lr=0.5 if kind in (optim.Adagrad, optim.Adadelta) else 0.05)
    curvature = ag.tensor(np.array([1.0, 5.0]))
    loss = lambda: ag.sum(curvature * w * w)
    before = float(loss())
    for _ in range(300):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert float(loss()) < before * 0.5


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_gradients_and_what_others_hold_are_not_written_to(kind):
    w = tensor(1.0, -2.0)
    optimizer = kind([w], lr=0.1, weight_decay=0.1)
    snapshot, values = w.detach(), w.numpy().copy()
    y = ag.sum(w * w * w)  # the tape holds the old values
    g = ag.tensor(np.array([0.5, 0.25]))
    for _ in range(3):
        w.grad = g
        optimizer.step()
    assert g.tolist() == [0.5, 0.25]
    np.testing.assert_array_equal(snapshot, values)
    np.testing.assert_allclose(ag.gradients(y, w), 3 * values**2, rtol=1e-15)
    assert (w.numpy() != values).all()


def test_memory_is_reused_when_nobody_else_holds_it():
    w = tensor(1.0, -2.0)
    optimizer = optim.SGD([w], lr=0.1)
    address = w._data.ctypes.data
    for _ in range(3):
        w.grad = ag.tensor(np.array([0.5, 0.25]))
        optimizer.step()
    assert w._data.ctypes.data == address


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_saved_state_goes_on_exactly(kind):
    one, two = tensor(1.0, -2.0), tensor(1.0, -2.0)
    options = {"momentum": 0.9} if kind is optim.SGD else {}
    first, second = kind([one], lr=0.1, **options), kind([two], lr=0.7, **options)

    def step(optimizer, w, n):
        w.grad = ag.tensor(np.sin(np.arange(2) + n))
        optimizer.step()

    for n in range(4):
        step(first, one, n)
    two.assign(one)
    saved = first.state_dict()
    second.load_state_dict(saved)
    for n in range(4, 8):
        step(first, one, n)
        step(second, two, n)
    assert one.tolist() == two.tolist()
    third = kind([two], lr=0.1)
    third.load_state_dict(saved)  # later steps left it alone
    assert str(third.state_dict()) == str(saved)


def test_parameters_without_gradients_are_left_alone():
    used, unused = tensor(1.0), tensor(1.0)
    optimizer = optim.SGD([used, unused], lr=1.0, weight_decay=0.5)
    used.grad = ag.tensor(np.array([1.0]))
    optimizer.step()
    assert used.tolist() == [-0.5] and unused.tolist() == [1.0]


def test_groups():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.0}, {"params": model[1].parameters()}], lr=1.0
    )
    before = [p.tolist() for p in model.parameters()]
    model(ag.tensor([[1.0, 2.0]])).sum().backward()
    optimizer.step()
    after = [p.tolist() for p in model.parameters()]
    assert after[:2] == before[:2] and after[2] != before[2] and after[3] != before[3]


def test_schedules_can_be_saved():
    schedules = []
    for _ in range(2):
        optimizer = optim.SGD([tensor(1.0)], lr=1.0)
        schedules.append(optim.StepLR(optimizer, 2, 0.5))
    for _ in range(5):
        schedules[0].step()
    schedules[1].load_state_dict(schedules[0].state_dict())
    assert schedules[1].get_last_lr() == [0.25]
    schedules[1].step()
    assert schedules[1].get_last_lr() == [0.125]


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda w: optim.SGD([]), ValueError, "no parameters"),
        (lambda w: optim.SGD([w, w]), ValueError, "given twice"),
        (lambda w: optim.SGD([w], lr=-1.0), ValueError, "lr=-1.0"),
        (lambda w: optim.SGD([w], nesterov=True), ValueError, "nesterov needs momentum"),
        (lambda w: optim.Adam([w], betas=(0.9, 1.0)), ValueError, r"betas=\(0.9, 1.0\)"),
        (lambda w: optim.SGD([w * 2.0]), ag.errors.TapeError, "only leaves"),
        (lambda w: optim.SGD([{"params": [w], "momentun": 1}]), ValueError, "momentun"),
        (lambda w: optim.SGD([1.0]), TypeError, "tensors, not float"),
        (lambda w: optim.StepLR(optim.SGD([w]), 0), ValueError, "step_size 0"),
    ],
)
def test_errors(build, error, message):
    with pytest.raises(error, match=message):
        build(tensor(1.0))


def test_a_state_that_does_not_fit_is_refused():
    one, two = optim.Adam([tensor(1.0, 2.0)]), optim.Adam([tensor(1.0)])
    one.param_groups[0]["params"][0].grad = ag.tensor(np.ones(2))
    one.step()
    with pytest.raises(ag.errors.ShapeError, match="exp_avg is 2 for a parameter of 1"):
        two.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="groups"):
        optim.Adam([tensor(1.0), tensor(2.0)]).load_state_dict(one.state_dict())
