import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import RuleError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def network(bias=False):
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, bias=bias, rng=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Residual(nn.Conv2d(6, 6, 3, padding=1, bias=bias, rng=2)),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 3, bias=bias, rng=3),
    )
    return model.to("float64").eval()


def test_without_biases_epsilon_to_zero_is_input_times_gradient():
    x = draw(3, 2, 8, 8)
    relevance = explain.lrp(network(), x, 1, epsilon=0.0).numpy()
    np.testing.assert_allclose(
        relevance, explain.input_x_gradient(network(), x, 1).numpy(), rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize(
    "options",
    [
        {"epsilon": 0.0},
        {"rule": "alpha-beta"},
        {"rule": "alpha-beta", "alpha": 1.5, "beta": 0.5},
    ],
)
def test_relevance_is_conserved_down_to_every_layer(options):
    model, x = network(), np.abs(draw(2, 2, 8, 8))
    with ag.no_grad():
        scores = model(ag.tensor(x)).numpy()[:, 0]
    for layer in (None, "0", "2", "5"):
        relevance = explain.lrp(model, x, 0, layer=layer, **options).numpy()
        np.testing.assert_allclose(
            relevance.reshape(2, -1).sum(1), scores, rtol=1e-8, err_msg=str(layer)
        )


def test_alpha_beta_of_one_neuron_by_hand():
    # contributions 1·2, 2·3, 3·(−1): z⁺ = 8, z⁻ = −3, R = 5
    model = nn.Sequential(nn.Linear(3, 1, bias=False)).eval()
    model[0].weight.assign(np.array([[2.0, 3.0, -1.0]], np.float32))
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    found = explain.lrp(model, x, 0, rule="alpha-beta", alpha=2.0, beta=1.0)
    np.testing.assert_allclose(found.numpy(), [[2 * 5 * 2 / 8, 2 * 5 * 6 / 8, -5.0]], rtol=1e-6)


def test_epsilon_absorbs_relevance_where_contributions_cancel():
    model = nn.Sequential(nn.Linear(2, 1, bias=False)).eval()
    model[0].weight.assign(np.array([[1.0, -1.0]], np.float32))
    x = np.array([[1.5, 1.0]], np.float32)  # z = 0.5: shares 1.5/(0.5 + ε) and −1/(0.5 + ε) of 0.5
    found = explain.lrp(model, x, 0, epsilon=0.5).numpy()
    np.testing.assert_allclose(found, [[0.75, -0.5]], rtol=1e-6)


def test_a_bias_takes_its_share():
    model = nn.Sequential(nn.Linear(1, 1)).eval()
    model[0].weight.assign(np.array([[2.0]], np.float32))
    model[0].bias.assign(np.array([6.0], np.float32))
    for options in ({"epsilon": 0.0}, {"rule": "alpha-beta"}):
        found = explain.lrp(model, np.array([[1.0]], np.float32), 0, **options).item()
        assert found == pytest.approx(2.0)


def test_batch_norm_in_evaluation_is_a_weight_and_a_bias():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2), nn.Flatten())
    model.to("float64")
    model(ag.tensor(draw(8, 1, 5, 5)))  # running statistics
    model.eval()
    conv, norm = model[0], model[1]
    scale = norm.weight.numpy() / np.sqrt(norm.running_var.numpy() + norm.eps)
    joined = nn.Conv2d(1, 2, 3, rng=0).to("float64")
    joined.weight.assign(conv.weight.numpy() * scale[:, None, None, None])
    joined.bias.assign((conv.bias.numpy() - norm.running_mean.numpy()) * scale)
    joined = nn.Sequential(joined, nn.Flatten()).eval()
    x = draw(1, 1, 5, 5, seed=4)
    # not equal (the order of the shares differs), but where there is no bias they must be
    for layer in (conv, norm, joined[0]):
        layer.bias.assign(np.zeros(2))
    norm.running_mean.assign(np.zeros(2))
    np.testing.assert_allclose(
        explain.lrp(model, x, 3, epsilon=0.0).numpy(),
        explain.lrp(joined, x, 3, epsilon=0.0).numpy(),
        rtol=1e-10,
    )


def test_one_tape_serves_relevance_and_gradients():
    model, x = network(bias=True), draw(1, 2, 8, 8)
    method = explain.LRP(model)
    tape = explain.record(model, x, 1, rules=method.rules)
    assert np.array_equal(method.from_tape(tape).numpy(), method.attribute(x, 1).numpy())
    assert np.array_equal(
        tape.gradient("guided").numpy(), explain.guided_backprop(model, x, 1).numpy()
    )
    assert np.array_equal(tape.gradient().numpy(), explain.saliency(model, x, 1).numpy())


def test_an_operation_without_a_rule_is_named():
    with pytest.raises(RuleError, match=r"no rule for exp.*test_relevance.py"):
        explain.lrp(lambda x: ag.exp(x), np.ones((1, 2)), 0)
    with pytest.raises(RuleError, match="cannot share out multiply"):
        explain.lrp(lambda x: x * x, np.ones((1, 2)), 0)
    with pytest.raises(ValueError, match="2 − 0 = 2"):
        explain.LRP(network(), "alpha-beta", alpha=2.0, beta=0.0)
