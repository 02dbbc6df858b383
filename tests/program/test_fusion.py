"""Fused replays: chains, merged kernels and optimizer steps give the bits of single steps."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.program import fusion, updates
from autograd_cnn.testing.draw import Draw
from autograd_cnn.testing.programs import draw_program

pytest.importorskip("llvmlite", reason='native kernels: pip install "autograd-cnn[fast]"')


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch):
    monkeypatch.setattr(fusion, "WORTH", 0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in ag.tree.leaves(tree)]


def both(function, *args):
    """The fused function after a replay, having checked that it gives the unfused one's bits."""
    fused, single = ag.compile(function), ag.compile(function, fuse=False)
    for run in (fused, single):
        run(*args)
    assert bits(fused(*args)) == bits(single(*args)) == bits(function(*args))
    assert "replayed 1 times" in fused.explain()
    return fused


def single_precision(value):
    """A drawn value with float32 in place of float64."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        changes = {name: single_precision(getattr(value, name)) for name in names}
        return dataclasses.replace(value, **changes)
    if isinstance(value, (tuple, list)):
        return type(value)(map(single_precision, value))
    return value


@pytest.mark.parametrize("seed", range(25))
def test_drawn_programs_and_their_gradients(seed):
    program = single_precision(draw_program(Draw(np.random.default_rng(seed)), steps=8))

    def loss(*inputs):
        found = [v for v in program(*inputs) if v.dtype.kind == "f"]
        return sum((ag.sum(v * v) for v in found), ag.tensor(0.0))

    both(
        ag.value_and_grad(loss, tuple(range(len(program.inputs)))), *map(ag.tensor, program.inputs)
    )


STEPS = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "maximum": ag.maximum, "relu": lambda x, y: ag.relu(x), "abs": lambda x, y: ag.abs(x),
    "negative": lambda x, y: -y, "where": lambda x, y: ag.where(x > 0.5, x, y),
    "scaled": lambda x, y: 0.5 * x + 2.0,
}  # fmt: skip
SHAPES = [(3, 4, 5), (4, 1), (1, 4, 5), (5,), (1,), ()]


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 20), st.integers(0, 20)),
                min_size=1, max_size=12))  # fmt: skip
def test_any_elementwise_program(lines):
    values = [ag.tensor(array(k, *shape)) for k, shape in enumerate(SHAPES)]

    def function(*inputs):
        values = list(inputs)
        for name, first, second in lines:
            values.append(STEPS[name](values[first % len(values)], values[second % len(values)]))
        return values[len(inputs) :]

    both(function, *values)


def test_neighbours_become_one_chain_and_explain_says_so():
    fused = both(lambda x, y: ag.relu(x * y + 1.0) - y, *map(ag.tensor, array(0, 2, 70, 5)))
    assert "4 steps in multiply+add+relu+subtract" in fused.explain()
    assert [step.kind for step in fused.programs[0].instructions].count("chain") == 1


def test_a_value_that_is_read_before_the_last_step_ends_a_chain():
    def function(x):
        y = x * x
        total = ag.sum(y)  # needs y, and the next step needs it
        return y * total + y

    fused = both(function, ag.tensor(array(0, 6, 7)))
    assert "2 steps in multiply+add" in fused.explain()


def test_an_answer_that_is_returned_and_one_that_is_used_again():
    def function(x):
        y = ag.relu(x)
        return y, y + x, ag.sum(y * x)

    both(function, ag.tensor(array(0, 6, 7)))


def test_a_transposed_argument_keeps_its_layout():
    both(lambda x: (ag.sum(x * x + x, 0), (x * x).T), ag.Tensor(array(0, 6, 7).T))


def test_double_precision_and_small_arrays_are_left_alone(monkeypatch):
    monkeypatch.undo()
    function = lambda x: ag.relu(x * x + 1.0)
    for x in (array(0, 6, 7), array(0, 300, 300).astype(np.float64)):
        assert "steps in" not in both(function, ag.tensor(x)).explain()


def residual_net():
    blocks = ag.models.BasicBlock(4, 4, rng=0), ag.models.BasicBlock(4, 8, 2, rng=1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, rng=0), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3, rng=0),
    )  # fmt: skip


def trained(fuse, steps=3):
    model = residual_net()
    optimizer = ag.optim.Adam(model.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = ag.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = step if fuse is None else ag.compile(step, fuse=fuse)
    losses = [run(ag.tensor(array(k, 8, 2, 20, 20)), np.arange(8) % 3) for k in range(steps)]
    gradients = [p.grad for p in model.parameters()]
    return bits([losses, gradients, model.state_dict()]), run


def test_a_residual_network_trains_to_the_same_bits():
    (plain, _), (single, _), (fused, run) = (trained(fuse) for fuse in (None, False, True))
    assert plain == single == fused
    # 1 convolution; 2 norms with a ReLU, and 2 with a shortcut; 4 norms going backward
    text = run.explain()
    assert "2 steps in conv_relu" in text
    assert "10 steps in normalize_relu" in text
    assert "steps in norm_gradients" in text


def test_frozen_weights_need_no_merged_gradients():
    model = residual_net().requires_grad_(False)
    x = ag.tensor(array(0, 2, 2, 16, 16))
    fused = both(ag.value_and_grad(lambda x: ag.sum(model(x) ** 2)), x)
    assert "norm_gradients" not in fused.explain()


OPTIMIZERS = [
    ("SGD", {}), ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}), ("AdamW", {}), ("Adamax", {}), ("NAdam", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}), ("Adagrad", {}), ("Adadelta", {}),
]  # fmt: skip


@pytest.mark.parametrize("name, options", OPTIMIZERS, ids=lambda value: str(value))
def test_an_update_in_one_pass_gives_the_same_bits(name, options, monkeypatch):
    monkeypatch.setattr(updates, "LARGE", 0)
    monkeypatch.setattr(updates, "_plain", set())
    found = []
    for step in (updates.step, lambda optimizer, *rest: optimizer._step_one(*rest)):
        parameter = ag.tensor(array(0, 30, 40), requires_grad=True)
        optimizer = getattr(ag.optim, name)([parameter], **options)
        (group,) = optimizer.param_groups
        for seed in range(4):
            parameter.grad, group["lr"] = ag.tensor(array(seed, 30, 40)), 0.1 / (seed + 1)
            step(optimizer, parameter, group)
        state = optimizer.state.get(parameter, {})
        found.append((bits(parameter), {k: bits(v) for k, v in state.items()}))
    assert found[0] == found[1]
    assert not updates._plain


def test_an_update_leaves_values_that_someone_holds(monkeypatch):
    monkeypatch.setattr(updates, "LARGE", 0)
    parameter = ag.tensor(array(0, 5, 6), requires_grad=True)
    optimizer = ag.optim.SGD([parameter], lr=0.1, momentum=0.9)
    parameter.grad = ag.tensor(array(1, 5, 6))
    updates.step(optimizer, parameter, optimizer.param_groups[0])
    held = parameter.detach()
    before = bits(held)
    updates.step(optimizer, parameter, optimizer.param_groups[0])
    assert bits(held) == before != bits(parameter)


def test_an_update_of_your_own_runs_as_it_is(monkeypatch):
    monkeypatch.setattr(updates, "LARGE", 0)

    class Signs(ag.optim.SGD):
        def update(self, w, g, state, group, xp, spare):
            state["calls"] = state.get("calls", 0) + 1
            return w - group["lr"] * np.where(g > 0, 1.0, -1.0).astype(w.dtype)

    parameter = ag.tensor(array(0, 5, 6), requires_grad=True)
    optimizer = Signs([parameter], lr=0.5)
    parameter.grad = ag.tensor(np.ones((5, 6), np.float32))
    for _ in range(3):
        updates.step(optimizer, parameter, optimizer.param_groups[0])
    assert optimizer.state[parameter]["calls"] == 3
    assert np.allclose(parameter.numpy(), array(0, 5, 6) - 1.5, atol=1e-6)
