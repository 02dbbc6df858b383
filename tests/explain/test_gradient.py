import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import DTypeError, ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def branches(x):
    return ag.sum(2 * ag.relu(x) - 3 * x)


class Network(nn.Module):
    """A CNN whose ReLU is a function, not a module."""

    def __init__(self, dtype="float64"):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, rng=1)
        self.linear = nn.Linear(4 * 4 * 4, 3, rng=2)
        self.to(dtype).eval()

    def forward(self, x):
        return self.linear(ag.relu(self.conv(x)).flatten(1))


def linear_model(weight):
    return lambda x: ag.flatten(x, 1) @ ag.tensor(weight)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (explain.Saliency, [-1.0, -3.0]),
        (explain.GuidedBackprop, [-1.0, -3.0]),
        (explain.Deconvnet, [-1.0, -1.0]),
    ],
)
def test_a_rule_acts_on_the_relu_alone_and_not_on_what_runs_beside_it(method, expected):
    x = ag.tensor([1.0, -1.0])
    assert method(branches).attribute(x).numpy().tolist() == expected


def test_the_three_relu_rules_of_the_lecture():
    x = [[1, -1, 5], [2, -5, -7], [-3, 2, 4]]
    g = [[-2, 3, -1], [6, -3, 1], [2, -1, 3]]
    tape = explain.record(
        lambda x: ag.relu(x) * ag.tensor(g), ag.tensor(x, dtype="float64"), ag.sum
    )
    assert tape.gradient().numpy().tolist() == [[-2, 0, -1], [6, 0, 0], [0, -1, 3]]
    assert tape.gradient("deconvnet").numpy().tolist() == [[0, 3, 0], [6, 0, 1], [2, 0, 3]]
    assert tape.gradient("guided").numpy().tolist() == [[0, 0, 0], [6, 0, 0], [0, 0, 3]]


def test_one_recorded_pass_gives_what_separate_calls_give():
    network, x = Network(), draw(3, 2, 4, 4)
    calls = []
    tape = explain.record(lambda x: calls.append(1) or network(x), x, target=1)
    for rules, method in [
        (None, explain.saliency),
        ("guided", explain.guided_backprop),
        ("deconvnet", explain.deconvnet),
        (None, explain.saliency),
    ]:
        assert np.array_equal(tape.gradient(rules).numpy(), method(network, x, 1).numpy())
    assert np.array_equal(
        tape.towards(2, "softmax").gradient().numpy(),
        explain.saliency(network, x, 2, score="softmax").numpy(),
    )
    assert calls == [1]


def test_saliency_of_a_linear_model_is_its_weight():
    weight = draw(12, 3)
    found = explain.saliency(linear_model(weight), draw(5, 3, 2, 2), target=[0, 1, 2, 0, 1])
    assert np.array_equal(found.numpy().reshape(5, 12), weight.T[[0, 1, 2, 0, 1]])


def test_deconvnet_is_the_gradient_where_there_is_no_relu():
    def model(x):
        return ag.flatten(ag.max_pool2d(ag.conv2d(x, ag.tensor(draw(4, 2, 3, 3))), 2), 1)

    x = draw(2, 2, 6, 6, seed=3)
    assert np.array_equal(
        explain.deconvnet(model, x, 5).numpy(), explain.saliency(model, x, 5).numpy()
    )


def test_no_target_means_the_largest_output_of_each_sample():
    weight, x = draw(4, 3), draw(6, 4, seed=1)
    chosen = (x @ weight).argmax(axis=1)
    assert len(set(chosen)) > 1
    found = explain.saliency(linear_model(weight), x)
    assert np.array_equal(found.numpy(), weight.T[chosen])


@pytest.mark.parametrize("score", ["softmax", "log_softmax", "loss"])
def test_scores_are_differentiated_as_their_formulas_say(score):
    weight, x = draw(4, 3), draw(2, 4, seed=1)
    logits = x @ weight
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    delta = np.eye(3)[[2, 2]] - p
    factor = {"softmax": p[:, 2:], "log_softmax": 1.0, "loss": -1.0}[score]
    found = explain.saliency(linear_model(weight), x, 2, score=score)
    np.testing.assert_allclose(found.numpy(), (factor * delta) @ weight.T, rtol=1e-12)


def test_reductions_join_the_channels():
    weight = np.array([[1.0], [-5.0], [3.0], [2.0]])  # channels (1, −5) and (3, 2) over 2 pixels
    x, model = np.zeros((1, 2, 2)), linear_model(weight)
    reduced = {
        how: explain.saliency(model, x, 0, reduce=how).numpy().tolist()
        for how in ("signed", "max", "sum")
    }
    assert reduced == {"signed": [[[4.0, -3.0]]], "max": [[[3.0, 5.0]]], "sum": [[[4.0, 7.0]]]}


def test_samples_of_a_batch_do_not_mix():
    network, x = Network(), draw(4, 2, 4, 4)
    together = explain.guided_backprop(network, x, [0, 1, 2, 0]).numpy()
    alone = [explain.guided_backprop(network, x[i : i + 1], [0, 1, 2, 0][i]) for i in range(4)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-12)


def test_the_model_is_left_as_it_was():
    network, x = Network(), draw(2, 2, 4, 4)
    before = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    explain.guided_backprop(network, x)
    assert all(np.array_equal(before[n], v.numpy()) for n, v in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_model_in_training_mode_is_refused_by_name():
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"1 \(BatchNorm1d\), 2 \(Dropout\) in training mode"):
        explain.saliency(network, draw(2, 4))
    explain.saliency(network.to("float64").eval(), draw(2, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f, x: explain.saliency(f, x, 3), ValueError, "class 3 for sample 0.*0 … 2"),
        (lambda f, x: explain.saliency(f, x, [0, 1, 2]), ShapeError, "3 classes for 2 samples"),
        (lambda f, x: explain.saliency(f, x, 0.5), DTypeError, "whole numbers"),
        (lambda f, x: explain.saliency(f, x, score="odds"), ValueError, "odds.*logit"),
        (lambda f, x: explain.saliency(f, x, reduce="mean"), ValueError, "mean.*signed"),
        (lambda f, x: explain.saliency(f, np.ones((2, 4), int)), DTypeError, "floating-point"),
        (lambda f, x: explain.saliency(lambda x: x, x[..., None], 0), ShapeError, "2×4×1"),
        (lambda f, x: explain.saliency(f, x, ag.sum, score="loss"), ValueError, "N×C outputs"),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(linear_model(draw(4, 3)), draw(2, 4))
