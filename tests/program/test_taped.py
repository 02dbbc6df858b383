"""A compiled function whose answer stays on the tape: its gradients are those of a plain run."""

import copy
import gc
import weakref

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import ProgramError, RuleError, TapeError
from autograd_cnn.testing.draw import Draw
from autograd_cnn.testing.programs import draw_program


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in ag.tree.leaves(tree)]


def variable(seed, *shape):
    return ag.tensor(array(seed, *shape), requires_grad=True)


def test_a_model_in_the_middle_of_a_training_loop():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=0), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 3, rng=0),
    )  # fmt: skip
    twin = copy.deepcopy(model)
    fast = ag.compile(twin)
    for seed in range(4):
        seen = []
        for net, call in ((model, model), (twin, fast)):
            ag.seed(seed)
            x = variable(seed, 6, 1, 8, 8)
            net.zero_grad()
            logits = call(x)
            loss = ag.cross_entropy(logits, np.arange(6) % 3)
            loss.backward()
            gradients = [p.grad for p in net.parameters()]
            seen.append(bits([loss, logits, x.grad, gradients, net.state_dict()]))
        assert seen[0] == seen[1]
    assert len(fast.programs) == 1 and "replayed 3 times" in fast.explain()


@pytest.mark.parametrize("seed", range(20))
def test_drawn_programs_have_the_gradients_of_a_plain_run(seed):
    program = draw_program(Draw(np.random.default_rng(seed)), steps=6)
    fast = ag.compile(lambda *inputs: program(*inputs))
    for moved in (0.0, 0.01):
        found = []
        for call in (program, fast):
            inputs = [ag.tensor(x + moved, requires_grad=True) for x in program.inputs]
            answers = [v for v in call(*inputs) if v.dtype.kind == "f" and v.requires_grad]
            loss = sum((ag.sum(v * v) for v in answers), ag.tensor(0.0, dtype="float64"))
            found.append([g.numpy() for g in ag.gradients(loss, inputs)])
        for first, second in zip(*found, strict=True):
            assert np.allclose(first, second, rtol=1e-10, atol=1e-12 * (1 + np.abs(first).max()))


def test_several_answers_and_what_is_off_the_tape():
    v, w = variable(1, 3), variable(2, 3)

    def f(x):
        hidden = ag.tanh(x * w)
        return {"hidden": hidden, "total": ag.sum(hidden * v)}, hidden.detach(), 7

    fast = ag.compile(f)
    for seed in range(3):
        x = variable(seed, 3)
        found = []
        for call in (f, fast):
            answers, off, seven = call(x)
            assert not off.requires_grad and seven == 7
            loss = ag.sum(answers["hidden"] ** 2) + answers["total"]
            found.append([g.numpy() for g in ag.gradients(loss, [x, v, w])])
        # the gradients of both answers are added in another order
        for first, second in zip(*found, strict=True):
            assert np.allclose(first, second, rtol=1e-5, atol=1e-6)


def test_a_leaf_that_an_answer_does_not_depend_on_gets_no_gradient():
    v, w = variable(1, 3), variable(2, 3)
    fast = ag.compile(lambda x: (ag.sum(x * v), ag.sum(x * w)))
    for _ in range(2):
        v.grad = w.grad = None
        fast(variable(0, 3))[0].backward()
        assert v.grad is not None and w.grad is None


def test_backward_twice_needs_a_kept_tape():
    fast = ag.compile(lambda x: ag.sum(ag.exp(x)))
    for _ in range(2):
        x = variable(0, 3)
        loss = fast(x)
        loss.backward(retain_graph=True)
        once = x.grad.numpy().copy()
        loss.backward()
        assert np.array_equal(x.grad.numpy(), 2 * once)
        with pytest.raises(TapeError, match="retain_graph"):
            loss.backward()


def test_a_tape_is_freed_without_the_collector_and_with_the_answer():
    fast = ag.compile(lambda x: ag.sum(ag.exp(x) * x))
    fast(variable(0, 3))
    gc.collect()
    gc.disable()
    try:
        answer = fast(variable(0, 3))
        way = weakref.ref(answer._node.parents[0] and answer._node.kept[-1])
        del answer
        assert way() is None
    finally:
        gc.enable()


def test_a_second_derivative_is_refused_by_the_first_call_and_by_a_replay():
    fast = ag.compile(lambda x: ag.sum(ag.exp(x)))
    for _ in range(2):
        with pytest.raises(RuleError, match="second derivative"):
            fast(variable(0, 3)).backward(create_graph=True)


def test_derivatives_inside_derivatives_run_plainly_and_are_right():
    f = lambda x: ag.sum(ag.exp(x))
    fast = ag.compile(f)
    x = ag.tensor(array(0, 3))
    for _ in range(2):
        assert bits(ag.hessian(fast)(x)) == bits(ag.hessian(f)(x))
        assert bits(ag.grad(fast)(x)) == bits(ag.grad(f)(x))
    assert "a derivative of its derivative" in fast.explain()


def test_rules_must_be_those_of_the_recording():
    w = variable(1, 3)
    fast = ag.compile(lambda x: ag.sum(ag.relu(x * w)))
    for _ in range(2):
        x = variable(0, 3)
        with ag.override(relu="guided"):
            expected = ag.gradients(ag.sum(ag.relu(x * w)), x)
            assert bits(ag.gradients(fast(x), x)) == bits(expected)
        answer = fast(x)
        with ag.override(relu="guided"), pytest.raises(RuleError, match="other rules"):
            ag.gradients(answer, x)


def test_an_argument_that_is_on_a_tape():
    w = variable(1, 3)
    f = lambda x: ag.sum(ag.tanh(x * w))
    fast = ag.compile(f)
    for seed in range(3):
        found = []
        for call in (f, fast):
            x = variable(seed, 3)
            found.append(bits(ag.gradients(call(ag.exp(x)) * 2.0, [x, w])))
        assert found[0] == found[1]
    fast(variable(0, 3))
    assert len(fast.programs) == 2  # a leaf is another matter


def test_backward_inside_to_an_argument_on_a_tape_is_refused():
    def f(x):
        loss = ag.sum(x * x)
        loss.backward()
        return loss

    x = variable(0, 3)
    with pytest.raises(ProgramError, match="on a tape outside"):
        ag.compile(f)(ag.exp(x))


def test_a_leaf_made_inside_cannot_be_returned():
    with pytest.raises(ProgramError, match="leaf"):
        ag.compile(lambda x: ag.tensor(x, requires_grad=True))(ag.tensor(array(0, 3)))


def test_a_tape_that_is_freed_in_part_cannot_be_returned():
    w = variable(1, 3)

    def f():
        loss = ag.sum(w * w)
        loss.backward()
        return loss * w

    with pytest.raises(ProgramError, match="freed in part"):
        ag.compile(f)()
