"""The check kills every wrong rule of the table."""

import numpy as np

import autograd_cnn as ag
from autograd_cnn.testing import mutation, mutation_score

LINEAR_OR_PIECEWISE = {"values as constants", "the rule of x", "the rule of y"}


def test_every_mutant_of_the_table_is_caught():
    result = mutation_score()
    assert [str(mutant) for mutant in result.survivors] == []
    assert result.score == 1.0
    assert len(result.mutants) > 5 * sum(bool(p.rules) for p in ag.TABLE.values())
    # no change of a value may pass for equivalent: only constants of linear or piecewise rules,
    # and the two rules of a sum, which are one
    assert {mutant.change for mutant in result.equivalent} <= LINEAR_OR_PIECEWISE


def test_survivors_are_counted(monkeypatch):
    """With a check that never fails, every mutant survives."""
    monkeypatch.setattr("autograd_cnn.testing.checker.check_sample", lambda *args, **kwargs: None)
    result = mutation_score(["exp"])
    assert result.score == 0.0 and len(result.survivors) == 5
    assert "survived" in str(result)


def test_a_mutated_primitive_is_restored():
    square = ag.TABLE["square"]
    rules = square.rules
    with mutation.mutated(square, {"x": lambda g, x: g * x}):
        assert float(ag.grad(ag.square)(ag.tensor(3.0))) == 3.0
    assert square.rules is rules
    assert float(ag.grad(ag.square)(ag.tensor(np.float64(3.0)))) == 6.0
