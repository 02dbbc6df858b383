"""The engine against a naive one, whatever is done to it in whatever order."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from naive import BACKWARD, Naive

import autograd_cnn as ag
from autograd_cnn.errors import TapeError
from autograd_cnn.testing.providers import tracer

UNARY = ["negative", "sin", "tanh", "square", "sum", "transpose"]
BINARY = ["add", "subtract", "multiply"]
SHAPES = [(), (1,), (3,), (2, 1), (2, 3)]
PATHS = 300  # the naive engine walks them one by one

OTHER = {"tanh": {"x": lambda g, ans: 2.0 * g * ans}}
NAIVE_OTHER = BACKWARD | {"tanh": lambda g, y, a: (2 * g * y,)}


class Pair:
    """One value in both engines."""

    def __init__(self, tensor, naive):
        self.tensor, self.naive = tensor, naive

    def call(self, name, *others, recording=True):
        tensor = getattr(ag, name)(self.tensor, *(o.tensor for o in others))
        naive = Naive.call(name, self.naive, *(o.naive for o in others), recording=recording)
        np.testing.assert_allclose(tensor.numpy(), naive.value, rtol=1e-12, atol=1e-12)
        assert tensor.requires_grad == naive.tracked
        return Pair(tensor, naive)


def close(found, expected):
    size = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * size)


class Engines(RuleBasedStateMachine):
    pairs, recorded = (), ()
    values = Bundle("values")

    @initialize()
    def start(self):
        gc.collect()
        gc.disable()
        self.leaves, self.pairs, self.recorded = [], [], []

    @rule(
        target=values, shape=st.sampled_from(SHAPES), seed=st.integers(0, 99), tracked=st.booleans()
    )
    def leaf(self, shape, seed, tracked):
        data = np.asarray(np.random.default_rng(seed).uniform(-1, 1, shape))
        pair = Pair(ag.tensor(data, requires_grad=tracked), Naive(data, tracked))
        if tracked:
            self.leaves.append(pair)
        return self.note(pair)

    @rule(target=values, x=values, name=st.sampled_from(UNARY))
    def unary(self, x, name):
        return self.note(x.call(name))

    @rule(target=values, x=values, y=values, name=st.sampled_from(BINARY))
    def binary(self, x, y, name):
        if not fits(x, y):
            return multiple()
        return self.note(x.call(name, y))

    @rule(target=values, x=values, name=st.sampled_from(UNARY))
    def unary_without_a_tape(self, x, name):
        with ag.no_grad():
            return self.note(x.call(name, recording=False))

    @rule(target=values, x=values)
    def detached(self, x):
        tensor = x.tensor.detach()
        assert not tensor.requires_grad
        return self.note(Pair(tensor, Naive(x.naive.value)))

    @rule(x=values, retain=st.booleans())
    def backward(self, x, retain):
        """Freed values are asked for only by rules that run: then TapeError says so."""
        if not x.naive.tracked:
            with pytest.raises(TapeError):
                x.tensor.backward(np.ones(x.tensor.shape), retain_graph=retain)
        elif any(node.freed for node in x.naive.nodes()):
            with pytest.raises(TapeError, match="freed"):
                x.tensor.backward(np.ones(x.tensor.shape), retain_graph=True)
        else:
            x.tensor.backward(np.ones(x.tensor.shape), retain_graph=retain)
            x.naive.backward(retain)
        self.grads_agree()

    @rule(x=values)
    def backward_twice(self, x):
        if self.alive(x):
            for _ in range(2):
                x.tensor.backward(np.ones(x.tensor.shape), retain_graph=True)
                x.naive.backward(True)
            self.grads_agree()

    @rule(x=values)
    def under_another_rule(self, x):
        """The same tape, gone back through under other rules; it is left as it was."""
        if not self.alive(x):
            return
        ones = np.ones(x.tensor.shape)
        leaves = [leaf for leaf in self.leaves if leaf.tensor.requires_grad]
        inputs = [leaf.tensor for leaf in leaves]
        plain = ag.gradients([x.tensor], inputs, [ones])
        with ag.override(OTHER):
            overridden = ag.gradients([x.tensor], inputs, [ones])
        again = ag.gradients([x.tensor], inputs, [ones])
        for rules, found in ((BACKWARD, plain), (NAIVE_OTHER, overridden)):
            totals = {id(leaf.naive): np.zeros(leaf.naive.value.shape) for leaf in leaves}
            for leaf, g in x.naive.gradients(ones, rules):
                if id(leaf) in totals:
                    totals[id(leaf)] = totals[id(leaf)] + g
            for leaf, gradient in zip(leaves, found, strict=True):
                close(gradient.numpy(), totals[id(leaf.naive)])
        for one, other in zip(plain, again, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())

    @rule(
        x=values, names=st.lists(st.sampled_from(["sin", "tanh", "square", "negative"]), max_size=4)
    )
    def replayed(self, x, names):
        """A recorded program gives what its function gives, to the bit, its gradient too."""
        if tracer() is None:
            return

        def function(t):
            for name in names:
                t = getattr(ag, name)(t) * t
            return ag.sum(t)

        program = tracer()(function)(ag.tensor(x.naive.value * 0.5))
        for f in (lambda g: g, ag.grad):
            one, other = (f(g)(ag.tensor(x.naive.value)) for g in (function, program))
            np.testing.assert_array_equal(one.numpy(), other.numpy())

    @rule(x=consumes(values))
    def delete(self, x):
        """Forgotten by both; what else depends on it still works."""
        self.leaves = [leaf for leaf in self.leaves if leaf is not x]
        self.pairs = [pair for pair in self.pairs if pair is not x]
        x.tensor = x.naive = None

    @invariant()
    def the_tape_holds_what_can_be_reached_and_nothing_else(self):
        needed = {id(node) for pair in self.pairs for node in pair.naive.nodes()}
        for reference, naive in self.recorded:
            assert (reference() is not None) == (id(naive) in needed), naive.name

    def note(self, pair):
        """A value that both engines now hold."""
        self.pairs.append(pair)
        if pair.naive.operands:
            self.recorded.append((weakref.ref(pair.tensor._node), pair.naive))
        return pair

    def alive(self, x):
        """Whether one can go back from a value."""
        return x.naive.tracked and not any(node.freed for node in x.naive.nodes())

    def grads_agree(self):
        for leaf in self.leaves:
            if leaf.naive.grad is None:
                assert leaf.tensor.grad is None
            else:
                close(leaf.tensor.grad.numpy(), leaf.naive.grad)

    def teardown(self):
        gc.enable()


def fits(x, y):
    """Whether two values broadcast, and leave few enough paths to walk."""
    try:
        np.broadcast_shapes(x.tensor.shape, y.tensor.shape)
    except ValueError:
        return False
    return x.naive.paths + y.naive.paths <= PATHS


TestEngines = Engines.TestCase
TestEngines.settings = settings(stateful_step_count=25, max_examples=settings().max_examples)


def test_the_machine_notices_an_engine_that_forgets_a_consumer(monkeypatch):
    forgetful = {**ag.TABLE, "add": lambda sofar, gradient: gradient}
    monkeypatch.setattr("autograd_cnn.engine.TABLE", forgetful)
    options = settings(
        max_examples=30, stateful_step_count=12, database=None, derandomize=True,
        phases=[Phase.generate], report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        run_state_machine_as_test(Engines, settings=options)
