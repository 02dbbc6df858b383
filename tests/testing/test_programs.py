"""Law 14: random programs over the table, and any function inside them."""

import numpy as np
import pytest
from hypothesis import given, settings

import autograd_cnn as ag
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import check, programs, records, strategies
from autograd_cnn.testing.draw import Draw

X = np.array([0.7, -1.3, 2.1])


@given(strategies.programs())
@settings(max_examples=2 * settings().max_examples)
def test_random_programs(program):
    report = check(program, *program.inputs, laws=[2, 3, 6])
    assert report.law(2).comparisons


@given(strategies.programs(3))
def test_second_derivatives_of_random_programs(program):
    check(program, *program.inputs, laws=[5])


def test_programs_reach_every_operation_of_the_table():
    seen = set()
    for seed in range(400):
        program = programs.draw_program(Draw(np.random.default_rng(seed)))
        seen |= {step.name for step in program.steps}
    off_the_tape = {"argmax", "argsort", "astype"}
    assert seen == set(records.RECORDS) - off_the_tape


def test_a_program_prints_and_gives_what_nothing_uses():
    square = programs.Step("square", (programs.Moved(0, None),), {})
    twice = programs.Step("add", (programs.Moved(1, None), programs.Moved(0, np.ones(2))), {})
    program = programs.Program((np.array([2.0, 3.0]),), (square, twice))
    assert str(program).splitlines() == [
        "v0 = input 2", "v1 = square(v0)", "v2 = add(v1, 2 near v0)",
    ]  # fmt: skip
    (result,) = program(ag.tensor(program.inputs[0]))
    moved = 1.0 + programs.AMOUNT * np.tanh(program.inputs[0] * np.cos([1.0, 3.0]))
    np.testing.assert_allclose(result.numpy(), program.inputs[0] ** 2 + moved, rtol=1e-15)


@pytest.mark.parametrize("function", [lambda x: ag.sin(x), lambda x: [x * x, ag.sum(x)]])
def test_a_right_function_holds_inside_programs(function):
    assert check(function, X, laws=[14]).law(14).comparisons >= 6


def test_an_engine_that_forgets_a_consumer_is_caught(monkeypatch):
    forgetful = {**ag.TABLE, "add": lambda sofar, gradient: gradient}
    monkeypatch.setattr("autograd_cnn.engine.TABLE", forgetful)
    with pytest.raises(GradientError) as caught:
        check(lambda x: ag.sin(x), X, laws=[14])
    assert caught.value.law == 14


def test_a_function_that_is_another_the_second_time_is_caught_under_a_checkpoint():
    calls = iter(range(1, 1000))
    drifting = ag.custom_primitive(
        "drifting", lambda x: x * 2.0, x=lambda g: g * (2.0 + 1e-6 * next(calls))
    )
    with pytest.raises(GradientError) as caught:
        check(drifting, X, laws=[14])
    assert caught.value.law == 14
