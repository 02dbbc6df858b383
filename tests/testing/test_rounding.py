"""Law 7: what rounding explains passes, a wrong dtype inside does not."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import check
from autograd_cnn.testing.records_long import LONG
from autograd_cnn.testing.rounding import Bound
from autograd_cnn.testing.subject import Subject


def primitive(function, **rules):
    return ag.custom_primitive("mine", function, **rules)


def broken(function, *args):
    with pytest.raises(GradientError) as caught:
        check(function, *args, laws=[7])
    assert caught.value.law == 7
    return caught.value


def test_a_kernel_that_computes_in_half_precision_is_caught():
    def coarse(x):
        inside = np.float16 if x.dtype == np.float32 else x.dtype
        return np.sin(x.astype(inside)).astype(x.dtype)

    error = broken(primitive(coarse, x=lambda g, x: g * ag.cos(x)), np.array([0.7, -1.3, 2.1]))
    assert "float32" in error.sides and error.error > 10


def test_a_rule_that_computes_in_half_precision_is_caught():
    def rule(g, x):
        inside = np.float16 if x.dtype == np.float32 else x.dtype
        return ag.astype(ag.astype(g, inside) * ag.astype(ag.cos(x), inside), x.dtype)

    error = broken(primitive(np.sin, x=rule), np.array([0.7, -1.3, 2.1]))
    assert (error.input_name, "gradient" in str(error)) == ("x", True)


def test_a_long_sum_in_half_precision_is_caught():
    """Ones added one by one in half precision stop at 2048."""
    one_by_one = primitive(
        lambda x: np.asarray(np.cumsum(x, dtype=x.dtype)[-1]), x=lambda g, x_shape: ag.broadcast_to(
            g, x_shape))  # fmt: skip
    error = broken(one_by_one, np.ones(4096))
    assert error.sides["float16"] == 2048.0
    assert check(lambda x: ag.sum(x), np.ones(4096), laws=[7]).law(7).worst <= 1.0


@pytest.mark.parametrize("name", sorted(LONG))
def test_long_sums_of_the_library(name):
    sample = LONG[name]
    report = check(ag.TABLE[name], *sample.inputs, laws=[7], **sample.attributes)
    assert report.law(7).comparisons and report.law(7).worst <= 1.0


def test_a_cancellation_is_allowed_what_it_costs():
    """(x + 1e4) − 1e4 loses four digits; the bound knows, as the tape holds the large number."""
    report = check(lambda x: (x + 1e4) - 1e4, np.array([0.123456789]), laws=[7])
    assert report.law(7).comparisons and 0 < report.law(7).worst <= 1.0


def test_the_bound_of_a_sum_of_products_is_wilkinsons():
    """u·Σ|w||x|: of one product of n terms, twice for the operands, and the answer."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 6)), rng.standard_normal((6, 1))
    subject = Subject.of(ag.TABLE["matmul"], (x, w), {})
    magnitude, _ = Bound(subject, [x, w]).magnitude(0, (0, 0))
    terms = x[0] * w[:, 0]
    assert magnitude == pytest.approx(2 * np.abs(terms).sum() + 2 * abs(terms.sum()), rel=1e-12)


def test_the_report_says_why_it_does_not_apply():
    only_doubles = primitive(
        lambda x: {8: np.sin}[x.dtype.itemsize](x), x=lambda g, x: g * ag.cos(x)
    )
    law = check(only_doubles, np.array([0.7]), laws=[7]).law(7)
    assert law.open and not law.held
    assert law.skipped == {"float32: KeyError: 4": 2, "float16: KeyError: 2": 2}
