"""A broken law comes with the smallest example that breaks it, and with its graph."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import blame, check

RNG = np.random.default_rng(0)


def wrong_square(name="my_square"):
    return ag.custom_primitive(name, lambda x: x * x, x=lambda g, x: g * 2.002 * x)


def broken(function, *args, **options):
    with pytest.raises(GradientError) as caught:
        check(function, *args, **options)
    return caught.value


def test_the_example_is_shrunk():
    error = broken(wrong_square(), RNG.standard_normal((4, 5)))
    (x,) = error.example.inputs.values()
    assert x.shape == (1, 1) and x[0, 0] == 1.0
    assert error.smallest.law == error.law == 3
    assert "smallest failing example found:\n    x = array([[1.]])" in str(error)


def test_axes_of_one_length_are_cut_together():
    wrong = wrong_square()
    function = lambda x, w: wrong(x @ w)
    error = broken(function, RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2)))
    assert [a.shape for a in error.example.inputs.values()] == [(1, 1), (1, 1)]
    assert error.culprit == "my_square"


def test_containers_and_other_arguments_stay_as_they_are():
    wrong = wrong_square()
    function = lambda p, n, flag: wrong(p["w"]) * n if flag else p["w"]
    error = broken(function, {"w": RNG.standard_normal(4)}, 3, True)
    assert error.example.inputs["p"]["w"].shape == (1,)
    assert (error.example.inputs["n"], error.example.inputs["flag"]) == (3, True)


def test_what_only_fails_at_the_arguments_given_is_given_back():
    """The rule is wrong beyond 100 only, where no smaller entry is."""
    far = ag.custom_primitive(
        "far", lambda x: x * x, x=lambda g, x: g * (2.0 * x + ag.step(x - 100.0))
    )
    error = broken(far, np.array([1.0, 2.0, 250.0]))
    assert max(error.example.inputs["x"]) > 100


def test_the_graph_of_the_failing_program():
    wrong = wrong_square()
    error = broken(lambda x: ag.sum(ag.sin(wrong(x))), RNG.standard_normal(3))
    graph = error.graph()
    assert [node.name for node in graph.nodes][-3:] == ["my_square", "sin", "sum"]


def test_a_builtin_is_shrunk_by_its_own_record(monkeypatch):
    exp = ag.TABLE["exp"]
    wrong = ag.custom_primitive("other", np.exp, x=lambda g, ans: g * ans * 1.001)
    monkeypatch.setattr(exp, "rules", wrong.rules)
    monkeypatch.setattr(exp, "plans", {})
    error = broken(exp, laws=[3])
    assert error.example.inputs["x"].shape == ()


def test_inside_a_hypothesis_test_the_outer_one_shrinks():
    wrong, seen = wrong_square(), []

    @settings(max_examples=5, database=None, derandomize=True)
    @given(st.integers(1, 3))
    def inner(n):
        try:
            check(wrong, np.ones(n))
        except GradientError as error:
            seen.append(error.smallest)
            raise

    with pytest.raises(GradientError):
        inner()
    assert set(seen) == {None}


def test_without_hypothesis_the_arguments_are_the_example():
    script = """
import sys
sys.modules["hypothesis"] = None
import numpy as np, autograd_cnn as ag
wrong = ag.custom_primitive("w", lambda x: x * x, x=lambda g, x: g * 2.002 * x)
try:
    ag.testing.check(wrong, np.ones((2, 3)))
except ag.errors.GradientError as error:
    print(error.law, error.example.inputs["x"].shape, error.smallest)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.stdout.strip() == "3 (2, 3) None", run.stderr


def test_a_broken_relation_is_shrunk_too(monkeypatch):
    """tanh(1.001·x), rightly differentiated, is not tanh."""
    tanh = ag.TABLE["tanh"]
    other = ag.custom_primitive(
        "other", lambda x: np.tanh(1.001 * x), x=lambda g, ans: g * 1.001 * (1.0 - ans * ans)
    )
    monkeypatch.setattr(tanh, "function", other.function)
    monkeypatch.setattr(tanh, "rules", other.rules)
    monkeypatch.setattr(tanh, "plans", {})
    error = broken(tanh, np.array([[0.3, -1.0]]), laws=[10])
    assert error.relation.statement in str(error)
    assert error.example.inputs["x"].shape == ()
    assert {node.name for node in error.graph().nodes} >= {"tanh", "sigmoid"}


def test_operations_that_cannot_be_tried_alone_are_told():
    allowed = [True]

    def once(x):
        if not allowed:
            raise RuntimeError("only once")
        return x * x

    moody = ag.custom_primitive("moody", once, x=lambda g, x: g * 2.002 * x)

    def forward():
        x = ag.tensor([0.5, 1.5], requires_grad=True)
        ag.exp(ag.sin(moody(x)))
        allowed.clear()

    found, untried = blame.culprits(forward, limit=2)
    assert found == [] and len(untried) == 2
    assert untried[0].startswith("moody at test_blame.py:")
    assert untried[0].endswith("could not be tried alone: RuntimeError: only once")
    assert untried[1] == "1 more operations were not tried alone"
