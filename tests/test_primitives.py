"""Every primitive of the table, and the public functions made of them, through every law."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn import kernels
from autograd_cnn.errors import GradientError
from autograd_cnn.kernels.fused import FusedKernels
from autograd_cnn.testing import LAWS, checker, record_check, records, strategies
from autograd_cnn.testing.decompositions import DECOMPOSITIONS
from autograd_cnn.testing.draw import Draw
from autograd_cnn.testing.records_empty import EMPTY, NEVER_EMPTY
from autograd_cnn.testing.relations import RELATIONS
from autograd_cnn.tree import leaves

records.load()
EVERY = {**records.RECORDS, **records.COMPOSITES}
DRAWS = max(2, settings().max_examples // 20)
"""2 in the profile `ci`, a hundred times more in `nightly`."""


def test_every_primitive_has_a_record():
    assert set(ag.TABLE) - set(records.RECORDS) == set()


def test_every_record_is_of_a_primitive():
    assert set(records.RECORDS) - set(ag.TABLE) == set()


ANOTHER_NAME = {
    "adaptive_max_pool{}d": "adaptive_max_pool", "avg_pool{}d": "avg_pool", "conv{}d": "conv",
    "max_pool{}d": "max_pool", "adaptive_avg_pool{}d": "adaptive_avg_pool2d",
    "conv_transpose{}d": "conv_transpose2d", "locally_connected{}d": "locally_connected2d",
    "lp_pool{}d": "lp_pool2d", "dropout{}d": "dropout",
    "binary_cross_entropy_with_logits": "bce_with_logits",
}  # fmt: skip
"""Public functions that are one operation, in one to three dimensions or by another name."""

NO_DERIVATIVE = {
    "compare": "its answers are truth values", "seed": "no arguments to vary",
    "draw_seed": "no arguments to vary", "conv_matrix": "a function of an operation",
    "conv_matrix_picture": "a drawing", "from_numpy_function": "makes an operation of NumPy's",
    "from_ufunc": "makes an operation of NumPy's",
    "spectral_norm": "takes the singular vectors for constants, which only their limit is",
}  # fmt: skip


def test_every_public_operation_has_a_record_or_says_why_not():
    others = {name.format(n) for name in ANOTHER_NAME for n in (1, 2, 3)}
    unknown = set(ag.ops.__all__) - set(EVERY) - others - set(NO_DERIVATIVE)
    assert unknown == set()
    assert set(ANOTHER_NAME.values()) <= set(EVERY)


def test_names_are_of_one_operation():
    assert set(records.RECORDS) & set(records.COMPOSITES) == set()


def test_every_record_has_a_relation():
    assert set(EVERY) - set(RELATIONS) == set()


def test_every_record_has_arguments_without_entries_or_says_why_not():
    assert set(EVERY) - set(EMPTY) - set(NEVER_EMPTY) == set()
    assert set(EMPTY) & set(NEVER_EMPTY) == set()
    assert set(EMPTY) | set(NEVER_EMPTY) <= set(EVERY)
    for name, samples in EMPTY.items():
        for s in samples:
            found = EVERY[name].function(*s.inputs, **s.attributes)
            assert any(np.size(leaf) == 0 for leaf in leaves([*s.inputs, found])), name


def test_every_fused_kernel_has_a_decomposition():
    fused = {name for name, p in ag.TABLE.items() if p.kernel in vars(FusedKernels)}
    assert len(fused) >= 10
    assert fused - set(DECOMPOSITIONS) == set()
    assert set(DECOMPOSITIONS) <= set(records.RECORDS)


ONE_CALL = {
    "identity", "add", "subtract", "multiply", "divide", "negative", "power", "square", "exp",
    "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "where", "maximum", "minimum", "astype",
    "reshape", "broadcast_to", "transpose", "concatenate", "getitem",
}  # fmt: skip
"""Kernels that are one call of NumPy on real arrays: it is the oracle."""


def test_every_other_kernel_has_a_plain_loop_of_its_own():
    classes = type(kernels.provider("reference")).__mro__
    loops = {name for c in classes if c.__module__.endswith(("reference", "reference_entries",
             "reference_matrices", "reference_widened")) for name in vars(c)}  # fmt: skip
    used = {p.kernel for p in ag.TABLE.values() if not callable(p.kernel)}
    assert used - loops - ONE_CALL == {"dropout"}  # whose noise every provider draws in its own way
    assert ONE_CALL <= used - loops


SKIPPED = {
    "whole numbers do not stay whole", "makes fractions of whole numbers inside",
    "computed in lower precision inside", "are a singular point, or fractions come up inside",
    "LinAlgError: Singular matrix", "LinAlgError: Matrix is not positive definite",
    "equal rows, as a stride of 0 makes them", "changes the piece taken", "too large for float",
    "not a finite number", "whole by chance",
}  # fmt: skip
"""The only reasons for which a comparison may be skipped on an operation of the library."""


@pytest.mark.parametrize("name", sorted(records.RECORDS))
def test_the_plain_loops_obey_the_laws_themselves(name):
    with kernels.use("reference"):
        record_check.check_record(name, 1, (1, 3, 6), seed=1)


OFF_THE_TAPE = {"argmax", "argsort"}  # whole numbers have no derivative


@pytest.mark.parametrize("name", sorted(EVERY))
def test_laws(name):
    """Every law but the mutations, which have a test of their own."""
    laws = tuple(number for number in LAWS if number != 13)
    report = record_check.check_record(name, 2, laws, seed=0, draws=DRAWS)
    assert set(report.laws) == set(laws)
    unexplained = [n for n, law in report.laws.items() if not law.held and not law.why_not]
    assert unexplained == report.open == []
    reasons = {reason for law in report.laws.values() for reason in law.skipped}
    unknown = [r for r in reasons if not any(part in r for part in SKIPPED)]
    assert unknown == []
    assert report.law(3).held or 3 in EVERY[name].why_not or name in OFF_THE_TAPE


NO_KINK = {"where", "argsort"}  # a condition is no number, and an order has no derivative
KINKED = {name for name in ag.TABLE if ag.TABLE[name].branch} - NO_KINK
KINKED |= {name for name in records.COMPOSITES if EVERY[name].kinks}


@pytest.mark.parametrize("name", sorted(KINKED))
def test_kinks_are_documented_and_between_the_one_sided_derivatives(name):
    assert EVERY[name].kinks
    report = record_check.check_record(name, 2, (11,), seed=0)
    assert report.law(11).held


@given(st.data())
@settings(max_examples=4 * settings().max_examples)
def test_laws_on_drawn_arguments(data):
    record = EVERY[data.draw(st.sampled_from(sorted(EVERY)))]
    sample = data.draw(strategies.samples(record))
    record_check.check_sample(record, sample, order=2, laws=checker.AT_A_POINT, seed=0)


@pytest.mark.parametrize("name", sorted(DECOMPOSITIONS))
def test_fused_operations_to_third_order(name):
    """The value and three derivatives are those of the decomposition; so law 5 has four more."""
    record = records.RECORDS[name]
    sample = record.make(Draw(np.random.default_rng(3)))
    plain, compared = (
        record_check.check_sample(replace(record, name=n), sample, order=2, laws=(5,), seed=3)
        for n in ("alone", name)
    )
    assert compared.law(5).comparisons == plain.law(5).comparisons + 4


def test_a_decomposition_that_is_another_function_is_noticed(monkeypatch):
    monkeypatch.setitem(DECOMPOSITIONS, "tanh", lambda x: ag.tanh(x) + 1e-6 * x**3)
    with pytest.raises(GradientError) as caught:
        record_check.check_record("tanh", 2, (5,), seed=0)
    assert caught.value.law == 5


def test_layer_norm_third_derivative_where_a_fused_rule_goes_wrong():
    """Taking the statistics for constants in the second derivative is only wrong from the third."""
    rng = np.random.default_rng(0)
    x, u, v = rng.standard_normal((3, 6))
    phi = lambda t: ag.sum(ag.layer_norm(ag.tensor(x) + t * ag.tensor(v), 6) * ag.tensor(u))
    third = float(ag.grad(ag.grad(ag.grad(phi)))(ag.tensor(0.0, dtype=np.float64)))

    def second(t):
        return float(ag.grad(ag.grad(phi))(ag.tensor(t, dtype=np.float64)))

    h = 1e-3
    by_differences = (8 * (second(h) - second(-h)) - (second(2 * h) - second(-2 * h))) / (12 * h)
    assert third == pytest.approx(by_differences, rel=1e-8)
    assert abs(third) > 1.0


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_convolution_family_is_adjoint_exactly(ndim):
    @given(strategies.conv_geometry(ndim))
    def exact(geometry):
        rng = np.random.default_rng(0)
        x, w = rng.standard_normal(geometry.x), rng.standard_normal(geometry.w)
        report = ag.testing.check(ag.TABLE["conv"], x, w, None, laws=[1], spec=geometry.spec)
        assert report.law(1).comparisons == 4

    exact()
