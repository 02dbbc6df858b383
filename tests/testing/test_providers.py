"""Law 12: providers against plain loops, and a replay against what it recorded."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import kernels
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import check, providers, records
from autograd_cnn.testing.draw import Draw

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["numpy", "generic", "native"])
def test_providers_on_drawn_convolutions_and_poolings(name, monkeypatch):
    reason = providers.available()[name]
    if reason:
        pytest.skip(reason)
    monkeypatch.setattr(providers, "available", lambda: {name: None})
    for operation in ("conv", "conv_input_grad", "conv_weight_grad", "max_pool", "avg_pool"):
        for seed in range(6):
            sample = records.record_of(operation).make(Draw(np.random.default_rng(seed)))
            function = ag.TABLE[operation]
            report = check(function, *sample.inputs, laws=[12], **sample.attributes)
            assert report.law(12).comparisons >= 6


def test_replay_is_possible_or_says_why_not():
    report = check(lambda x: ag.sin(x) * x, np.ones(3), laws=[12])
    if providers.tracer() is None:
        assert "cannot replay" in report.law(12).why_not
        pytest.skip("this version cannot replay")
    assert report.law(12).why_not is None or "replay" not in report.law(12).why_not


def test_a_kernel_that_is_off_by_one_is_caught(monkeypatch):
    right = type(kernels.provider("generic")).matmul
    wrong = lambda self, x, y: right(self, x, y) + (self.name == "generic")
    monkeypatch.setattr(type(kernels.provider("generic")), "matmul", wrong)
    with pytest.raises(GradientError) as caught:
        check(lambda x, w: x @ w, np.ones((2, 3)), np.ones((3, 2)), laws=[12])
    assert caught.value.law == 12
    assert caught.value.sides["generic"] == caught.value.sides["reference"] + 1


def test_a_kernel_that_rounds_too_early_is_caught(monkeypatch):
    """Exact on whole numbers, 1e-9 off elsewhere."""
    right = type(kernels.provider("generic")).matmul

    def early(self, x, y):
        found = right(self, x, y)
        return np.round(found, 9) if self.name == "generic" else found

    monkeypatch.setattr(type(kernels.provider("generic")), "matmul", early)
    x, w = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 2))
    with pytest.raises(GradientError) as caught:
        check(lambda x, w: x @ w, x, w, laws=[12])
    assert caught.value.law == 12


def test_noise_is_not_compared():
    def dropped(x):
        ag.seed(3)
        return ag.dropout(x, 0.5, training=True)

    assert "noise" in check(dropped, np.ones(5), laws=[12]).law(12).why_not


def test_large_arguments_are_compared_with_the_generic_kernels():
    report = check(lambda x: ag.sin(x), np.ones(5000), laws=[12])
    assert report.law(12).comparisons and any("5000" in n or "10000" in n for n in report.notes)


def test_a_convolution_by_winograds_algorithm_is_exact_when_asked_to_be():
    """At the precision "high" it rounds more often, which law 12 knows of."""
    x, w = RNG.standard_normal((1, 16, 16, 16)), RNG.standard_normal((16, 16, 3, 3))
    report = check(lambda x, w: ag.conv2d(x, w, None, 1, 1), x, w, laws=[12])
    assert report.law(12).held and report.law(12).worst <= 1.0


def test_a_kernel_that_is_wrong_only_at_the_precision_high_is_caught(monkeypatch):
    right = type(kernels.provider("generic")).matmul

    def careless(self, x, y):
        precise = ag.get_float32_matmul_precision() == "highest" or self.name != "generic"
        return right(self, x, y) * (1.0 if precise else 1.01)

    monkeypatch.setattr(type(kernels.provider("generic")), "matmul", careless)
    with pytest.raises(GradientError) as caught:
        check(lambda x, w: x @ w, np.ones((2, 3)), np.ones((3, 2)), laws=[12])
    assert caught.value.law == 12
