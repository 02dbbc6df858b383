"""Every primitive of the table, and the public functions made of them, through every law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.testing import LAWS, checker, providers, records, strategies
from autograd_cnn.testing.draw import Draw

records.load()
EVERY = {**records.RECORDS, **records.COMPOSITES}
DRAWS = max(2, settings().max_examples // 20)
"""2 in the profile `ci`, a hundred times more in `nightly`."""


def test_every_primitive_has_a_record():
    assert set(ag.TABLE) - set(records.RECORDS) == set()


def test_every_record_is_of_a_primitive():
    assert set(records.RECORDS) - set(ag.TABLE) == set()


def test_names_are_of_one_operation():
    assert set(records.RECORDS) & set(records.COMPOSITES) == set()


@pytest.mark.parametrize("name", sorted(EVERY))
def test_laws(name):
    """Every law but the mutations, which have a test of their own."""
    laws = tuple(number for number in LAWS if number != 13)
    report = checker.check_record(name, 2, laws, seed=0, draws=DRAWS)
    assert set(report.laws) == set(laws)
    unexplained = [n for n, law in report.laws.items() if not law.comparisons and not law.why_not]
    assert unexplained == []
    if providers.tracer() is not None:
        assert "replay" not in (report.law(12).why_not or "")


@pytest.mark.parametrize("name", sorted(name for name in ag.TABLE if ag.TABLE[name].branch))
def test_kinks_are_documented_and_between_the_one_sided_derivatives(name):
    record = records.RECORDS[name]
    if 11 in record.why_not or name in ("where",):
        pytest.skip(record.why_not.get(11, "a condition is no number: it has no kink of its own"))
    assert record.kinks
    assert ag.testing.check(ag.TABLE[name], laws=[11]).law(11).comparisons > 0


@given(st.data())
@settings(max_examples=4 * settings().max_examples)
def test_laws_on_drawn_arguments(data):
    record = EVERY[data.draw(st.sampled_from(sorted(EVERY)))]
    sample = data.draw(strategies.samples(record))
    checker.check_sample(record, sample, order=2, laws=checker.AT_A_POINT, seed=0)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_fused_norms_to_third_order(name):
    record = records.RECORDS[name]
    sample = record.make(Draw(np.random.default_rng(3)))
    report = checker.check_sample(record, sample, order=3, laws=(5,), seed=3)
    assert report.law(5).comparisons >= 40


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
