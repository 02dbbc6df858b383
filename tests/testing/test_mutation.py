"""The check kills every wrong rule of the table."""

import re
from pathlib import Path

import numpy as np

import autograd_cnn as ag
from autograd_cnn.testing import mutation, mutation_score

SCALES = set(mutation.SCALES)


def test_every_mutant_of_the_table_is_caught():
    result = mutation_score()
    assert [str(mutant) for mutant in result.survivors] == []
    assert result.score == 1.0
    assert len(result.mutants) > 10 * sum(bool(p.rules) for p in ag.TABLE.values())
    # a scaled, negated or dropped gradient is never the right one
    assert {mutant.change for mutant in result.equivalent} & SCALES == set()
    assert len(result.equivalent) < 0.1 * len(result.mutants)
    # the README gives the number that the command printed, not long ago
    readme = Path(__file__).parents[2] / "README.md"
    caught, of = re.search(r"catch: (\d+) of (\d+)", readme.read_text("utf-8")).groups()
    assert caught == of and abs(int(of) - len(result.mutants)) < 0.1 * len(result.mutants)


def test_operators_in_the_code_of_a_rule_are_changed():
    rule = lambda g, x, y: g * x + y
    found = {
        change.split(" (")[0]: f(2.0, 3.0, 5.0) for change, f in mutation.operator_mutants(rule)
    }
    assert found == {"a * b → a": 7.0, "a + b → a": 6.0, "a + b → the other sign": 1.0}
    assert rule(2.0, 3.0, 5.0) == 11.0


def test_operators_under_a_closure_and_defaults():
    scale = 3.0
    rule = lambda g, x, shift=1.0: (g - shift) / scale
    found = [f(7.0, 0.0) for _, f in mutation.operator_mutants(rule)]
    assert found == [7.0 / 3.0, 8.0 / 3.0, 6.0]


def _twice(x):
    return x + x


def test_operators_in_the_code_of_helpers_are_changed():
    rule = lambda g, x: g * _twice(x)
    found = {change: f(3.0, 5.0) for change, f in mutation.helper_mutants(rule)}
    assert list(found.values()) == [15.0, 0.0] and all("in _twice" in change for change in found)
    assert rule(3.0, 5.0) == 30.0


def test_helpers_of_the_table_are_changed():
    names = {
        name for name, primitive in ag.TABLE.items() for rule in primitive.rules.values()
        if rule is not None and list(mutation.helper_mutants(rule.formula))
    }  # fmt: skip
    assert {"maximum", "cumprod", "cholesky", "cross_entropy", "batch_norm", "layer_norm"} <= names


def test_survivors_are_counted(monkeypatch):
    """With a check that never fails, every mutant survives."""
    monkeypatch.setattr(
        "autograd_cnn.testing.record_check.check_sample", lambda *args, **kwargs: None
    )
    result = mutation_score(["exp"])
    assert result.score == 0.0 and len(result.survivors) == 7
    assert "survived" in str(result)


def test_a_mutated_primitive_is_restored():
    square = ag.TABLE["square"]
    rules = square.rules
    with mutation.mutated(square, {"x": lambda g, x: g * x}):
        assert float(ag.grad(ag.square)(ag.tensor(3.0))) == 3.0
    assert square.rules is rules
    assert float(ag.grad(ag.square)(ag.tensor(np.float64(3.0)))) == 6.0
