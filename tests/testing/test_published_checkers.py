"""A wrong rule that a published checker lets through is caught here.

The errors are just below the relative error that each checker accepts with its default settings;
`tests/conformance` runs those that are installed on the same rules.
"""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import check

ACCEPTED = {
    "PyTorch gradcheck": 1e-3, "Chainer gradient_check": 1e-4, "JAX check_grads": 1e-5,
    "HIPS autograd check_grads": 1e-6, "MyGrad's tests": 1e-8, "nobody's": 1e-10,
}  # fmt: skip

ENTRIES = np.array([0.7, -1.3, 2.1])


def primitive(function, **rules):
    return ag.custom_primitive("mine", function, **rules)


def a_factor(error):
    return primitive(lambda x: np.sin(x) * (1.0 + error), x=lambda g, x: g * ag.cos(x)), 3


def a_factor_of_something_linear(error):
    return primitive(lambda x: 3.0 * x, x=lambda g: g * (3.0 * (1.0 + error))), 1


def a_term(error):
    return primitive(lambda x: x**3, x=lambda g, x: g * (3.0 * x**2 + error)), 3


def one_entry_of_many(error):
    """Only the last entry is wrong: a norm over all of them would hide it."""
    right, wrong = np.ones(300), np.ones(300)
    wrong[-1] += error
    function = primitive(lambda x: np.sum(np.exp(right * x)), x=lambda g, x: g * wrong * ag.exp(x))
    return (lambda x: function(ag.broadcast_to(x[:1], (300,)) + ag.sum(x[1:]))), 3


def the_second_derivative(error):
    """The rule is right; the rule of the rule is not."""
    slope = primitive(lambda x: 3.0 * x**2, x=lambda g, x: g * (6.0 * (1.0 + error)) * x)
    return ag.custom_primitive("cube", lambda x: x**3, x=lambda g, x: g * slope(x)), 5


WRONG = [
    a_factor, a_factor_of_something_linear, a_term, one_entry_of_many, the_second_derivative,
]  # fmt: skip


BELOW = {1e-10: WRONG[:3]}  # of a second derivative, and of 300 entries' sum, it is allowed
CASES = [(who, wrong) for who, error in ACCEPTED.items() for wrong in BELOW.get(error, WRONG)]


@pytest.mark.parametrize("checker, wrong", CASES)
def test_caught_below_what_the_checker_accepts(checker, wrong):
    function, law = wrong(0.5 * ACCEPTED[checker])
    with pytest.raises(GradientError) as caught:
        check(function, ENTRIES)
    assert caught.value.law == law


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_wrong_passes(wrong):
    check(wrong(0.0)[0], ENTRIES)
