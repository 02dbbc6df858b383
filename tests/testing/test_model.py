"""A network is checked parameter by parameter, left as it was, and the wrong layer is named."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import check_model
from autograd_cnn.testing.mutation import mutated

RNG = np.random.default_rng(0)
X = RNG.random((6, 1, 6, 6)).astype(np.float32)
LABELS = RNG.integers(0, 4, 6)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.3)
        self.dense = nn.Linear(27, 4)

    def forward(self, x):
        x = ag.max_pool2d(ag.relu(self.norm(self.conv(x))), 2)
        return self.dense(self.drop(ag.flatten(x, 1)))


@pytest.fixture
def net():
    ag.seed(0)
    return Net()


@pytest.mark.parametrize("training", [True, False])
def test_every_parameter_and_the_input(net, training):
    report = check_model(net.train(training), X, LABELS)
    names = {name for name, _ in net.named_parameters()}
    assert set(report.parameters) == names | {"input"}
    assert max(report.parameters.values()) < 1e-10
    assert {2, 3, 6, 8} <= set(report.laws)
    assert "gradients of parameters" in str(report)


def test_the_model_is_left_as_it_was(net):
    tensors = [*net.parameters(), *net.buffers()]
    before = [(t._data, t.dtype, t._data.copy(), t._node, t.grad) for t in tensors]
    ag.seed(3)
    expected = ag.draw_seed()
    ag.seed(3)
    check_model(net.train(), X, LABELS)
    assert ag.draw_seed() == expected
    for t, (data, dtype, values, node, grad) in zip(tensors, before, strict=True):
        assert t._data is data and t.dtype == dtype and t._node is node and t.grad is grad
        np.testing.assert_array_equal(t._data, values)


def test_without_labels_and_with_a_loss(net):
    assert max(check_model(net, X).parameters.values()) < 1e-10
    loss = lambda y, target: ag.mse_loss(y, target)
    assert max(check_model(net, X, RNG.random((6, 4)), loss=loss).parameters.values()) < 1e-10


def test_the_wrong_layer_is_named(net):
    wrong = {"w": lambda g, x: 1.001 * ag.ops.matmul(ag.transpose(g), x)}
    with mutated(ag.TABLE["linear"], wrong), pytest.raises(GradientError) as caught:
        check_model(net, X, LABELS)
    error = caught.value
    assert (error.layer, error.culprit, error.input_name) == ("dense", "linear", "dense.weight")
    assert "dense (Linear): the rule of linear for w" in str(error)


def test_a_value_that_leaves_the_tape_is_told_apart_from_a_wrong_rule(net):
    class Cut(Net):
        def forward(self, x):
            y = super().forward(x)
            return y - y.detach() * 0.5

    with pytest.raises(GradientError, match="left the tape"):
        check_model(Cut().eval(), X, LABELS)


def real(x):
    if x.dtype.kind == "c":
        raise TypeError("real numbers only")
    return np.tanh(x)


@pytest.mark.parametrize("factor", [1.0, 1.000001])
def test_a_network_that_cannot_be_complex_is_checked_by_differences(net, factor):
    tanh = ag.custom_primitive("real_tanh", real, x=lambda g, ans: g * (1.0 - ans * ans) * factor)

    class Real(Net):
        def forward(self, x):
            return super().forward(tanh(x))

    if factor == 1.0:
        report = check_model(Real().eval(), X, LABELS)
        assert "real numbers only" in report.law(3).why_not and not report.law(3).held
        assert report.law(4).comparisons == 7 and report.law(4).worst < 1e-8
    else:
        with pytest.raises(GradientError) as caught:
            check_model(Real().eval(), X, LABELS)
        assert (caught.value.law, caught.value.input_name) == (4, "input")
        assert caught.value.culprit == "real_tanh"


def test_a_parameter_on_a_kink_is_counted_as_skipped():
    class Clipped(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(ag.tensor([1.0, 1.0]))
            self.shift = nn.Parameter(ag.tensor([0.3, 0.4]))

        def forward(self, x):
            return ag.max(self.scale) + ag.tanh(self.shift * x)

    report = check_model(Clipped(), np.array([0.5, 0.7]))
    assert report.law(3).skipped == {"on a kink of max": 1}
    assert report.law(3).comparisons == 2
    assert [kink.primitive for kink in report.kinks][:1] == ["max"]
