"""The check can fail: wrong rules of every kind are caught, by the right law, in plain words."""

import gc
import inspect

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import DTypeError, GradientError
from autograd_cnn.testing import check

X = np.array([0.7, -1.3, 2.1])


def broken(function, *args, **options):
    with pytest.raises(GradientError) as caught:
        check(function, *args, **options)
    return caught.value


def primitive(function, **rules):
    return ag.custom_primitive("mine", function, **rules)


# right functions pass, and the report says what was seen


def test_a_right_function_passes_every_law():
    report = check(lambda x, w: ag.sum(ag.tanh(x @ w), axis=0), np.ones((2, 3)), np.eye(3))
    assert {n for n, law in report.laws.items() if law.comparisons} == {
        2, 3, 5, 6, 7, 8, 9, 12, 14,
    }  # fmt: skip
    assert set(report.laws) == set(range(1, 15))
    assert all(law.comparisons or law.why_not for law in report.laws.values())
    assert report.worst < 1e-12
    assert report.evaluations > 50


def test_a_multilinear_function_is_checked_exactly():
    report = check(lambda x, w: ag.einsum("ij,jk->ik", x, w), np.ones((2, 3)), np.ones((3, 2)))
    assert report.law(1).comparisons == 4
    assert (report.law(1).worst, report.law(1).tolerance) == (0.0, 0.0)


def test_a_builtin_draws_its_own_arguments_and_runs_all_fourteen_laws():
    report = check(ag.TABLE["conv"])
    assert [n for n in range(1, 15) if not report.law(n).comparisons] == [4, 11]
    assert report.law(1).worst == report.law(10).worst * 0.0 == 0.0


def test_a_primitive_of_ones_own_has_its_rules_mutated():
    report = check(primitive(lambda x: x**3, x=lambda g, x: g * 3.0 * x**2), X)
    assert report.law(13).comparisons >= 8 and report.law(13).worst == 0.0


def test_a_check_that_cannot_fail_breaks_law_13(monkeypatch):
    monkeypatch.setattr(
        "autograd_cnn.testing.record_check.check_sample", lambda *args, **kwargs: None
    )
    error = broken(primitive(np.exp, x=lambda g, ans: g * ans), X, laws=[13])
    assert error.law == 13 and "a wrong rule passes" in str(error)


def test_the_report_reads():
    text = str(check(lambda x: ag.relu(x) * x, X))
    assert text.splitlines()[0].endswith("evaluations")
    assert "complex step" in text and "allowed 1e-12" in text and "bytes kept" in text


def test_bytes_kept_are_the_ones_that_rules_name():
    report = check(lambda x: ag.exp(ag.exp(x)), np.zeros(1000))
    assert report.bytes_kept == report.bytes_declared == 2 * 8000


def test_whole_and_static_arguments_are_left_alone():
    assert check(lambda x, n, flag: x**n if flag else x, X, 3, True).worst < 1e-12


def test_parameters_in_containers():
    def network(parameters, x):
        return ag.tanh(x @ parameters["w"][0] + parameters["b"])

    parameters = {"w": [np.eye(3)], "b": ag.tensor(X)}
    report = check(network, parameters, np.ones((2, 3)))
    assert report.worst < 1e-12
    wrong = primitive(lambda x: x**2, x=lambda g, x: g * 2.1 * x)
    error = broken(lambda p: wrong(p["b"]) + p["w"][0], parameters)
    assert error.input_name == "p[1]"


def test_half_of_the_digits_inside_means_half_of_the_strictness():
    half = lambda x: ag.sin(ag.astype(x, np.float32)) * 2.0
    report = check(half, X)
    assert any("inside" in note for note in report.notes)
    assert 1e-12 < report.law(2).tolerance < 1e-3
    wrong = primitive(np.sin, x=lambda g, x: g * ag.cos(x) * 1.01)
    assert broken(lambda x: wrong(ag.astype(x, np.float32)), X).culprit == "mine"


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.array(0.3), np.ones((1, 1, 1))])
def test_empty_and_scalar_arguments(x):
    assert check(lambda x: ag.exp(x) * x, x).worst < 1e-12


def test_a_function_that_does_not_depend_on_its_argument():
    assert check(lambda x: ag.tensor([1.0, 2.0]), X).worst == 0.0


def test_nested_arguments_to_order_three():
    assert check(lambda x: ag.softmax(x) * x, X, order=3).worst < 1e-10


# wrong rules


@pytest.mark.parametrize("factor", [1 + 1e-9, 1.001, -1.0, 0.0, 2.0])
def test_a_wrong_factor_of_a_linear_rule_breaks_the_exact_adjoint(factor):
    error = broken(primitive(lambda x: 3.0 * x, x=lambda g: g * 3.0 * factor), X)
    assert (error.law, error.input_name) == (1, "x")


def test_a_wrong_index_breaks_the_exact_adjoint_and_is_located():
    right, wrong = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 5.0])
    shifted = primitive(lambda x: x * right, x=lambda g: g * wrong)
    error = broken(shifted, X)
    assert (error.law, error.index) == (1, (2,))
    assert "(2,)" in str(error)


@pytest.mark.parametrize("factor", [1 + 1e-9, 1.001, -1.0, 0.0])
def test_a_wrong_factor_of_a_nonlinear_rule_breaks_the_complex_step(factor):
    cube = primitive(lambda x: x**3, x=lambda g, x: g * (3.0 * factor) * x**2)
    error = broken(cube, X)
    assert (error.law, error.name, error.input_name) == (3, "mine", "x")
    left, right = error.sides.values()
    assert right == pytest.approx(factor * left, rel=1e-6)
    assert "test_check.py" in error.line


def test_a_missing_term_is_caught():
    error = broken(primitive(lambda x: x * np.sin(x), x=lambda g, x: g * x * ag.cos(x)), X)
    assert error.law == 3


def test_swapped_rules_are_caught():
    swapped = primitive(lambda x, y: x * y, x=lambda g, x: g * x, y=lambda g, y: g * y)
    assert broken(swapped, X, X + 1).law == 1


def test_constants_that_are_not_are_caught_at_order_two():
    rule = primitive(lambda x: x**3, x=lambda g, x: g * 3.0 * _detached(x) ** 2)
    assert check(rule, X, order=1).worst < 1e-12
    assert broken(rule, X).law == 5


def _detached(x):
    return x.detach() if isinstance(x, ag.Tensor) else x


def test_an_error_of_the_third_order_is_caught_at_order_three():
    """The second rule is right, but hides its dependence on x from the third derivative."""
    frozen = lambda g, x: g * 6.0 * _detached(x)
    slope = ag.custom_primitive("slope", lambda x: 3.0 * x**2, x=frozen)
    cube = primitive(lambda x: x**3, x=lambda g, x: g * slope(x))
    assert check(cube, X, order=2).worst < 1e-10
    assert broken(cube, X, order=3).law == 5


def test_a_rule_that_squares_g_is_caught():
    assert broken(primitive(np.sin, x=lambda g, x: g * g * ag.cos(x)), X).law == 6


def test_a_rule_that_ignores_g_is_caught():
    assert broken(primitive(np.sin, x=lambda g, x: ag.cos(x) + 0.0 * g), X).law == 6


def test_a_gradient_that_is_not_a_number_is_caught():
    assert broken(primitive(np.exp, x=lambda g, ans: g * ans * float("nan")), X).law in (2, 3, 6)


def test_differences_of_a_function_of_several_outputs():
    report = check(lambda x: (ag.exp(x), ag.sum(x * x)), X, order=1, laws=[4])
    assert report.laws[4].comparisons


# hygiene


def test_a_rule_that_writes_is_caught():
    def scaled(g):
        if isinstance(g, np.ndarray):
            g *= 2.0
            return g
        return g * 2.0

    with pytest.raises((GradientError, ag.errors.RuleError)) as caught:
        check(primitive(lambda x: 2.0 * x, x=scaled), X, laws=[8])
    assert "read-only" in str(caught.value) or caught.value.law == 8


def test_a_function_that_is_not_repeatable_is_caught():
    rng = np.random.default_rng(0)
    noisy = primitive(lambda x: x + rng.standard_normal(x.shape), x=lambda g: g)
    error = broken(noisy, X, laws=[8])
    assert (error.law, "two runs" in str(error)) == (8, True)


def test_a_value_that_stays_alive_is_caught():
    kept = []

    def hoarder(x):
        y = ag.exp(x)
        kept.append(y)
        return ag.sum(y * 2.0 + 1.0)

    error = broken(lambda x: hoarder(x), X, laws=[8])
    assert error.law == 8
    assert "a value of exp stays alive" in str(error) or "node of exp is not freed" in str(error)


def test_operands_that_are_copied_and_freed_are_counted_once_each():
    def grows(x):
        for n in range(1, 30):  # a freed operand leaves its id to a later one of another size
            x = ag.exp(ag.sum(ag.reshape(x, (1, -1)) * np.ones((n, 1)), 0) * 0.01)
        return x

    assert check(grows, X, order=1, laws=[8]).laws[8].comparisons


def test_a_widening_operation_is_caught():
    wide = primitive(lambda x: x * np.float64(2.0) + np.zeros(3), x=lambda g: g * 2.0)
    error = broken(wide, X, laws=[8])
    assert "dtype" in str(error)


def test_the_collector_is_left_as_it_was():
    assert gc.isenabled()
    check(lambda x: ag.exp(x), X, laws=[8])
    assert gc.isenabled()


def test_a_kernel_that_reads_memory_instead_of_entries_is_caught():
    def sloppy(x):
        x = np.asarray(x)
        flat = x.base.reshape(-1)[: x.size] if x.base is not None else x.reshape(-1)
        return flat.reshape(x.shape) * 2.0

    matrix = np.arange(6.0).reshape(3, 2)
    assert broken(primitive(sloppy, x=lambda g: g * 2.0), matrix, laws=[9]).law == 9


# kinks


def test_at_a_kink_a_gradient_outside_the_one_sided_ones_is_caught():
    with_branch = ag.primitive.Primitive(
        "mine", {"x": lambda g, x: g * (ag.step(x) + 5.0 * ag.compare("equal", x, 0.0))},
        kernel=lambda x: np.where(x.real > 0, x, 0 * x), branch=lambda x: x > 0, family="custom",
    )  # fmt: skip
    assert check(with_branch, np.array([1.0, -1.0])).law(11).comparisons == 0
    error = broken(with_branch, np.array([0.0, 1.0]))
    assert (error.law, error.index) == (11, (0,))
    one, other, rule = error.sides.values()
    assert sorted(map(abs, (one, other)))[0] == 0.0
    assert abs(rule) == pytest.approx(5.0 * max(abs(one), abs(other)))


def test_at_a_kink_the_other_laws_run_beside_it():
    report = check(lambda x: ag.relu(x), np.array([0.0, 1.0, -2.0]))
    assert report.law(11).comparisons == 3
    assert report.law(3).comparisons > 0
    assert [(kink.primitive, kink.distance) for kink in report.kinks] == [("relu", 0.0)]


def test_a_kink_nearby_is_reported_with_its_distance():
    report = check(lambda x: ag.abs(x - 1.0), np.array([1.0 + 1e-4]))
    (kink,) = report.kinks
    assert kink.primitive == "abs" and kink.line.startswith("test_check.py")
    assert 1e-5 < kink.distance < 1e-2


def test_ties_of_a_maximum_share_the_gradient():
    assert check(lambda x: ag.max(x), np.array([2.0, 2.0, 1.0])).law(11).comparisons == 3


# functions that cannot be complex


def test_functions_that_cannot_be_complex_are_checked_by_differences():
    def real_only(x):
        if x.dtype.kind == "c":
            raise TypeError("real numbers only")
        return np.sin(x)

    right = primitive(real_only, x=lambda g, x: g * ag.cos(x))
    report = check(right, X, order=1)
    assert report.law(4).comparisons > 0 and report.law(3).comparisons == 0
    assert "real" in report.law(3).why_not
    wrong = primitive(real_only, x=lambda g, x: g * ag.cos(x) * 1.000001)
    assert broken(wrong, X, order=1).law == 4


def test_a_function_that_is_not_analytic_falls_back_to_differences():
    modulus = primitive(np.abs, x=lambda g, x: g * ag.sign(x))
    report = check(modulus, X, order=1)
    assert report.law(4).comparisons > 0
    assert broken(primitive(np.abs, x=lambda g, x: g), X, order=1).law in (3, 4)


# who is to blame


def test_the_wrong_operation_inside_a_function_is_named():
    wrong = ag.custom_primitive("wrong", lambda x: x**2, x=lambda g, x: g * 2.002 * x)

    def network(x):
        hidden = ag.exp(x * 0.3)
        bad = wrong(hidden)  # the line to be named
        return ag.sum(bad * x)

    error = broken(network, X)
    lines, first = inspect.getsourcelines(network)
    line = first + next(i for i, text in enumerate(lines) if "the line to be named" in text)
    assert error.culprit == "wrong"
    assert f"test_check.py:{line}" in str(error)


# what is refused


def test_a_result_that_left_the_tape_is_not_passed_over():
    with pytest.raises(DTypeError, match="left the tape"):
        check(lambda x: x.numpy() * 2.0, X)


def test_a_value_detached_on_the_way_is_caught():
    assert broken(lambda x: x * x.detach(), X).law in (1, 3)


def test_nothing_to_vary():
    with pytest.raises(DTypeError, match="floating-point"):
        check(lambda n: n, np.arange(3))


@pytest.mark.parametrize("options, words", [({"laws": [15]}, "15"), ({"order": 0}, "order = 0")])
def test_unknown_laws_and_orders(options, words):
    with pytest.raises(ValueError, match=words):
        check(lambda x: x, X, **options)


def test_a_primitive_without_a_record_needs_arguments():
    with pytest.raises(LookupError, match="mine has no record"):
        check(primitive(np.exp, x=lambda g, ans: g * ans))


def test_law_one_of_a_declared_linear_operation_that_is_not():
    declared = ag.primitive.Primitive("mine", {"x": lambda g: g}, kernel=np.exp, kind="linear")
    error = broken(declared, X)
    assert error.law == 1 and "declared linear" in str(error)


def test_two_checks_are_equal():
    first, second = (str(check(lambda x: ag.gelu(x), X, seed=5)) for _ in range(2))
    assert first == second


def test_a_kink_is_told_with_the_users_line():
    (kink,) = check(ag.TABLE["relu"], np.array([0.0, 1.0]), laws=[11]).kinks
    assert kink.line.startswith("test_check.py:")
