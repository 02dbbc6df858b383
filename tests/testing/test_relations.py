"""Law 10: relations hold, and errors that agree with themselves break them."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import check, records, relations
from autograd_cnn.testing.records import sample
from autograd_cnn.testing.report import Report

records.load()
RNG = np.random.default_rng(0)


def test_every_primitive_has_a_relation():
    assert set(ag.TABLE) - set(relations.RELATIONS) == set()


def test_relations_are_of_operations_that_have_a_record():
    assert set(relations.RELATIONS) <= {*records.RECORDS, *records.COMPOSITES}


def test_the_design_s_relations_are_there():
    statements = {r.statement for found in relations.RELATIONS.values() for r in found}
    for words in (
        "groups = split", "kernel with holes", "translation", "conv_transpose", "vjp of conv",
        "constant kernel", "input's gradient = 0",
    ):  # fmt: skip
        assert any(words in statement for statement in statements), words


def test_an_error_in_kernel_and_rule_alike_is_caught(monkeypatch):
    """tanh(1.001·x), rightly differentiated: laws 1 to 6 hold, but it is not tanh."""
    tanh = ag.TABLE["tanh"]
    wrong = ag.custom_primitive(
        "other", lambda x: np.tanh(1.001 * x), x=lambda g, ans: g * 1.001 * (1.0 - ans * ans)
    )
    monkeypatch.setattr(tanh, "function", wrong.function)
    monkeypatch.setattr(tanh, "rules", wrong.rules)
    monkeypatch.setattr(tanh, "plans", {})
    check(tanh, np.array([0.3, -1.0]), laws=[2, 3, 5, 6])
    with pytest.raises(GradientError) as caught:
        check(tanh, np.array([0.3, -1.0]), laws=[10])
    assert (caught.value.law, "2σ(2x)" in str(caught.value)) == (10, True)


@pytest.mark.parametrize(
    "both, what",
    [
        (lambda x: (x * 2.0, x * 2.0000001), "the value"),
        (lambda x: (x * 1.0, x.detach() * 1.0), "the gradient in x"),
        (lambda x: (x * 1.0, ag.sum(x)), "the shapes differ"),
    ],
)
def test_what_differs_is_said(both, what):
    false = relations.Relation("mine", "x = y", lambda draw: sample(np.ones(3)), both)
    with pytest.raises(GradientError, match=what):
        relations.holds(false, sample(np.array([1.0, 2.0, 3.0])), RNG, Report("mine"))


def test_exact_means_exact():
    off = lambda x: (x * 1.0, x * (1.0 + 2.0**-52))
    draw = lambda _: sample(np.ones(3))
    close = relations.Relation("mine", "x = y", draw, off)
    relations.holds(close, sample(np.ones(3)), RNG, Report("mine"))
    exact = relations.Relation("mine", "x = y", draw, off, exact=True)
    with pytest.raises(GradientError, match="exact equality"):
        relations.holds(exact, sample(np.ones(3)), RNG, Report("mine"))


def test_a_function_of_ones_own_has_none():
    assert "no relation" in check(lambda x: x * x, np.ones(2), laws=[10]).law(10).why_not


@pytest.mark.parametrize("factor", [2.0, 2.002])
def test_a_primitive_of_ones_own_is_held_to_what_is_declared_of_it(factor, monkeypatch):
    monkeypatch.setattr(relations, "RELATIONS", {**relations.RELATIONS})
    twice = ag.custom_primitive("twice", lambda x: x * factor, x=lambda g: g * factor)
    draw = lambda draw: sample(draw.normal((3,)))
    relations.relation("twice", "= x + x", draw, lambda x: (twice(x), x + x), exact=True)
    if factor == 2.0:
        assert check(twice, np.ones(2), laws=[10]).law(10).held
    else:
        with pytest.raises(GradientError, match="= x \\+ x"):
            check(twice, np.ones(2), laws=[10])
