"""Recorded = replayed, bit for bit: functions, gradients, training steps."""

import copy

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import ProgramError


def array(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in ag.tree.leaves(tree)]


IMAGE, FILTERS = (2, 3, 8, 8), (4, 3, 3, 3)
FUNCTIONS = {
    "chain": (lambda x: ag.sum(ag.relu(ag.tanh((x + 1.0) * x)) / (x * x + 2.0)), [(4, 5)]),
    "matmul": (lambda x, w: ag.mean(ag.sigmoid(x @ w) ** 3), [(4, 5), (5, 2)]),
    "conv": (
        lambda x, w: ag.sum(ag.relu(ag.conv2d(x, w, padding=1, stride=2)) ** 2), [IMAGE, FILTERS],
    ),
    "pooling": (
        lambda x: ag.sum(ag.max_pool2d(x, 2) ** 2) + ag.sum(ag.avg_pool2d(x, 3) ** 2), [IMAGE],
    ),
    "softmax": (lambda x: ag.sum(ag.softmax(x) * ag.log_softmax(x, 0)), [(4, 5)]),
    "layer norm": (lambda x, w: ag.sum(ag.layer_norm(x, 5, w) ** 3), [(4, 5), (5,)]),
    "batch norm": (
        lambda x: ag.sum(ag.batch_norm(x, training=True) ** 3), [IMAGE],
    ),
    "shapes": (
        lambda x: ag.sum(ag.concatenate([x.T, ag.flip(x.T, 0)], 1)[1:, ::2].reshape(-1) ** 2),
        [(4, 5)],
    ),
    "indexing": (lambda x: ag.sum(ag.take_along_axis(x, ag.argsort(x, 1), 1)[:, 1] ** 2), [(4, 5)]),
    "where": (lambda x: ag.sum(ag.where(x > 0, ag.exp(x), x * x)), [(4, 5)]),
    "extrema": (lambda x: ag.max(x) * ag.min(x) + ag.sum(ag.maximum(x, 0.1 * x)), [(4, 5)]),
    "einsum": (lambda x, y: ag.sum(ag.einsum("ij,kj->ik", x, y) ** 2), [(4, 5), (3, 5)]),
    "second order": (
        lambda x: ag.sum(ag.grad(lambda x: ag.sum(ag.tanh(x) ** 3))(x) ** 2), [(4, 5)],
    ),
    "checkpoint": (lambda x: ag.sum(ag.checkpoint(lambda x: ag.tanh(ag.exp(x)))(x)), [(4, 5)]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_gradient_are_equal_bit_for_bit(name, dtype):
    f, shapes = FUNCTIONS[name]
    plain = ag.value_and_grad(f, tuple(range(len(shapes))))
    fast = ag.compile(plain)
    for seed in range(4):
        args = [ag.tensor(array([seed, i], *shape, dtype=dtype)) for i, shape in enumerate(shapes)]
        assert bits(fast(*args)) == bits(plain(*args))
    assert "replayed 3 times" in fast.explain()


def network():
    ag.seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(4 * 4 * 4, 3),
    )  # fmt: skip


def training_step(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = ag.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


OPTIMIZERS = {
    "SGD": lambda p: ag.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda p: ag.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: ag.optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: ag.optim.RMSprop(p, lr=0.01, momentum=0.5),
}


def twins(optimizer):
    model = network()
    other = copy.deepcopy(model)
    first, second = optimizer(model.parameters()), optimizer(other.parameters())
    return (model, first, training_step(model, first)), (
        other,
        second,
        training_step(other, second),
    )


def batch(seed, count=6):
    rng = np.random.default_rng(seed)
    return ag.tensor(array(seed, count, 1, 8, 8)), rng.integers(0, 3, count)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_step(name):
    (model, _, plain), (other, second, step) = twins(OPTIMIZERS[name])
    fast = ag.compile(step)
    for seed in range(5):
        ag.seed(seed)
        first = plain(*batch(seed))
        ag.seed(seed)
        assert bits(fast(*batch(seed))) == bits(first)
    assert bits(model.state_dict()) == bits(other.state_dict())
    assert bits([p.grad for p in model.parameters()]) == bits([p.grad for p in other.parameters()])
    assert len(fast.programs) == 1 and "replayed 4 times" in fast.explain()
    assert len(second.state) == 6


def test_a_step_that_returns_its_loss_and_what_led_to_it():
    weight = ag.tensor(array(0, 5), requires_grad=True)
    optimizer = ag.optim.SGD([weight], lr=0.1)

    def step(x):
        optimizer.zero_grad()
        hidden = weight * x
        loss = ag.sum(hidden * hidden)
        loss.backward()
        optimizer.step()
        return loss, hidden

    fast, start = ag.compile(step), weight.numpy().copy()
    plain = [bits(step(ag.tensor(array(seed, 5)))) for seed in range(3)]
    weight.assign(start)
    for seed in range(3):
        loss, hidden = fast(ag.tensor(array(seed, 5)))
        assert bits([loss, hidden]) == plain[seed]
        assert loss.requires_grad and hidden.requires_grad and not loss.is_leaf
    answers = [step(ag.tensor(array(3, 5))), fast(ag.tensor(array(3, 5)))]
    said = []
    for loss, hidden in answers:
        for again in (loss, ag.sum(hidden), loss * 2.0):
            with pytest.raises(ag.errors.TapeError) as error:
                again.backward()
            said.append(str(error.value))
    assert said[:3] == said[3:] and "sum (recorded at test_compile.py:" in said[0]
    drawn = [str(ag.graph(loss).view(level="op").source) for loss, _ in answers]
    assert drawn[0] == drawn[1]


def test_a_learning_rate_that_changes_needs_no_new_recording():
    (model, first, plain), (other, second, step) = twins(OPTIMIZERS["Adam"])
    fast = ag.compile(step)
    schedules = [ag.optim.CosineAnnealingLR(o, 4) for o in (first, second)]
    for seed in range(5):
        ag.seed(seed), plain(*batch(seed))
        ag.seed(seed), fast(*batch(seed))
        for schedule in schedules:
            schedule.step()
    assert bits(model.state_dict()) == bits(other.state_dict())
    assert len(fast.programs) == 1


def test_accumulated_gradients_and_a_parameter_frozen_half_way():
    (model, _, _), (other, _, _) = twins(OPTIMIZERS["SGD"])

    def accumulate(net):
        def step(x, y):
            (ag.cross_entropy(net(x), y) * 0.5).backward()

        return step

    plain, fast = accumulate(model), ag.compile(accumulate(other))
    for seed in range(6):
        if seed == 3:
            for net in (model, other):
                net[0].requires_grad_(False)
        ag.seed(seed), plain(*batch(seed))
        ag.seed(seed), fast(*batch(seed))
        assert bits([p.grad for p in model.parameters()]) == bits(
            [p.grad for p in other.parameters()]
        )
    assert len(fast.programs) == 3  # no gradient yet; gradients; the first layer frozen


def test_a_step_that_uses_the_parameters_it_has_just_changed():
    def make(net, optimizer):
        def step(x, y):
            for _ in range(2):
                optimizer.zero_grad()
                loss = ag.mse_loss(net(x), y)
                loss.backward()
                optimizer.step()
            return ag.mse_loss(net(x), y).detach()

        return step

    a = nn.Linear(3, 2)
    b = copy.deepcopy(a)
    plain = make(a, ag.optim.SGD(a.parameters(), lr=0.1, momentum=0.9))
    fast = ag.compile(make(b, ag.optim.SGD(b.parameters(), lr=0.1, momentum=0.9)))
    for seed in range(4):
        x, y = ag.tensor(array(seed, 4, 3)), ag.tensor(array(seed + 9, 4, 2))
        assert bits(fast(x, y)) == bits(plain(x, y))
    assert bits(a.state_dict()) == bits(b.state_dict())


def test_checked_replays_agree_and_leave_one_steps_effects():
    (model, _, plain), (other, _, step) = twins(OPTIMIZERS["Adam"])
    fast = ag.compile(step, check=True)
    for seed in range(4):
        ag.seed(seed), plain(*batch(seed))
        ag.seed(seed), fast(*batch(seed))
    assert bits(model.state_dict()) == bits(other.state_dict())


def test_check_finds_a_replay_that_differs():
    fast = ag.compile(lambda x: ag.exp(x) * 2.0, check=True)
    x = ag.tensor([1.0])
    fast(x)
    (entry,) = next(iter(fast._entries.values()))
    replay = entry.replay
    entry.replay = lambda *args: replay(*args) * 1.5
    with pytest.raises(ProgramError, match="differ in its answer"):
        fast(x)


def test_memory_is_used_again():
    def f(x):
        for _ in range(50):
            x = ag.tanh(x * 1.01 + 0.1)
        return ag.sum(x)

    fast = ag.compile(f)
    x = ag.tensor(array(0, 100, 100))
    assert bits(fast(x)) == bits(fast(x)) == bits(f(x))
    import tracemalloc

    tracemalloc.start()
    fast(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * x.nbytes  # the input's product, and the memory that takes its place


def test_a_decorated_function_keeps_its_name_and_is_a_decorator_with_options():
    @ag.compile(programs=2)
    def square(x):
        """The square."""
        return x * x

    assert square.__name__ == "square" and square.__doc__ == "The square."
    assert square(ag.tensor(3.0)).item() == square(ag.tensor(3.0)).item() == 9.0


def test_programs_and_explain():
    fast = ag.compile(lambda x: ag.exp(x) * 2.0)
    fast(ag.tensor([1.0])), fast(ag.tensor([2.0])), fast(ag.tensor([1.0, 2.0]))
    assert [listing.text().count("exp") for listing in fast.programs] == [1, 1]
    assert "2 recorded" in fast.explain() and "replayed 1 times" in fast.explain()
