"""`gradcheck` makes tests that can fail."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import gradcheck, strategies

calls = []


@gradcheck(max_examples=10)
def test_arguments_without_a_strategy_broadcast(x, y):
    return ag.tanh(x) * y


@gradcheck(x=strategies.tensors((2, 3)), order=1, laws=[2, 3])
def test_strategies_by_name(x, scale=2.0):
    calls.append((np.shape(x), scale))
    return ag.softmax(x, axis=1) * scale


@gradcheck(x=strategies.arrays((2, 4)), axis=1, max_examples=5)
def test_fixed_values(x, axis):
    assert axis == 1
    return ag.logsumexp(x, axis)


def test_defaults_are_kept():
    test_strategies_by_name()
    assert set(calls) == {((2, 3), 2.0)}


def test_a_wrong_rule_fails_at_the_smallest_shape():
    wrong = ag.custom_primitive("wrong", lambda x: x**3, x=lambda g, x: g * 3.001 * x**2)

    @gradcheck(x=strategies.tensors(strategies.shapes(min_side=1)), max_examples=10, laws=[3])
    def cube(x):
        return wrong(x)

    with pytest.raises(GradientError) as caught:
        cube()
    assert caught.value.law == 3


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="no argument y: its arguments are x"):
        gradcheck(lambda x: x, y=3)
