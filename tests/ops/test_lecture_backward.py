"""The numbers of the lectures, backward: every rule on paper, and the rules for looking inside."""

import numpy as np
import pytest

import autograd_cnn as ag


def whole(seed, *shape):
    """Small whole numbers as floats: sums and products of them are exact."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(float)


def tracked(array):
    return ag.tensor(np.array(array, float), requires_grad=True)


def test_softmax_and_cross_entropy_give_activation_minus_target():
    z = np.random.default_rng(0).standard_normal((4, 5))
    labels = np.array([0, 3, 3, 1])
    a = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    logits = tracked(z)
    fused = ag.gradients(ag.cross_entropy(logits, labels, reduction="sum"), logits)
    target = np.eye(5)[labels]
    np.testing.assert_allclose(fused.numpy(), a - target, atol=1e-15)
    apart = -ag.sum(ag.log(ag.softmax(logits)) * target)
    np.testing.assert_allclose(ag.gradients(apart, logits).numpy(), a - target, atol=1e-15)


def test_fully_connected_rules():
    a, w, b, delta = whole(1, 1, 5), whole(2, 3, 5), whole(3, 3), whole(4, 1, 3)
    x, weights, bias = tracked(a), tracked(w), tracked(b)
    y = ag.linear(x, weights, bias)
    assert np.array_equal(y.numpy(), a @ w.T + b)
    d_in, d_w, d_b = ag.gradients(y, [x, weights, bias], delta)
    assert np.array_equal(d_in.numpy()[0], w.T @ delta[0])
    assert np.array_equal(d_w.numpy(), np.outer(delta[0], a[0]))
    assert np.array_equal(d_b.numpy(), delta[0])


def test_turning_a_filter_by_180_degrees():
    turned = ag.flip(ag.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    assert turned.tolist() == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]


def test_convolution_rules():
    x, w, b = tracked(whole(1, 1, 1, 6, 7)), tracked(whole(2, 1, 1, 3, 3)), tracked(whole(3, 1))
    y = ag.conv2d(x, w, b)
    delta = ag.tensor(whole(4, *y.shape))
    d_x, d_w, d_b = ag.gradients(y, [x, w, b], delta)
    assert np.array_equal(d_w.numpy(), ag.conv2d(x, delta).numpy())
    full = ag.conv2d(delta, ag.flip(w, (2, 3)), padding=2)
    assert np.array_equal(d_x.numpy(), full.numpy())
    assert d_b.numpy().tolist() == [delta.numpy().sum()]


def test_convolution_rules_with_several_channels_and_samples():
    x, w = tracked(whole(1, 3, 4, 6, 5)), tracked(whole(2, 2, 4, 3, 2))
    y = ag.conv2d(x, w)
    delta = ag.tensor(whole(4, *y.shape))
    d_x, d_w = ag.gradients(y, [x, w], delta)
    turned = ag.swapaxes(ag.flip(w, (2, 3)), 0, 1)
    assert np.array_equal(d_x.numpy(), ag.conv2d(delta, turned, padding=(2, 1)).numpy())
    # samples are summed over: they take the place of the channels
    found = ag.conv2d(ag.swapaxes(x, 0, 1), ag.swapaxes(delta, 0, 1))
    assert np.array_equal(d_w.numpy(), ag.swapaxes(found, 0, 1).numpy())


def test_the_max_pooling_exercise():
    x = tracked([[[[2, 4, 8, 3], [9, 3, 4, 2], [5, 4, 6, 3], [2, 3, 1, 3]]]])
    y = ag.max_pool2d(x, 2, stride=2)
    assert y.numpy()[0, 0].tolist() == [[9, 8], [5, 6]]
    gradient = ag.gradients(y, x, np.array([[[[1, 2], [2, 5]]]]))
    assert gradient.numpy()[0, 0].tolist() == [[0, 0, 2, 0], [1, 0, 0, 0], [2, 0, 5, 0], [0] * 4]


def test_a_tie_goes_to_the_first_entry_of_the_window():
    x = tracked([[[[1, 7], [7, 7]]]])
    assert ag.gradients(ag.max_pool2d(x, 2), x).numpy()[0, 0].tolist() == [[0, 1], [0, 0]]


def test_average_pooling_spreads_the_gradient_evenly():
    x = tracked(whole(1, 1, 1, 4, 6))
    gradient = ag.gradients(ag.avg_pool2d(x, (2, 3)), x, np.array([[[[6.0, 12], [18, -6]]]]))
    expected = np.kron([[1, 2], [3, -1]], np.ones((2, 3)))
    assert np.array_equal(gradient.numpy()[0, 0], expected)


@pytest.mark.parametrize("x, expected", [((1.0, 20.0), (0.0, 0.0)), ((20.0, 10.0), (20.0, 10.0))])
def test_the_relu_exercise(x, expected):
    w = ag.tensor([0.1, -0.1], requires_grad=True)
    y = ag.relu(ag.sum(w * ag.tensor(list(x))))
    assert ag.gradients(y, w).numpy().tolist() == list(expected)  # 0: the unit is dead


RELU_X = [[1, -1, 5], [2, -5, -7], [-3, 2, 4]]
RELU_G = np.array([[-2, 3, -1], [6, -3, 1], [2, -1, 3]])
RELU_RULES = {
    "backprop": [[-2, 0, -1], [6, 0, 0], [0, -1, 3]],
    "deconvnet": [[0, 3, 0], [6, 0, 1], [2, 0, 3]],
    "guided": [[0, 0, 0], [6, 0, 0], [0, 0, 3]],
}


def test_three_relu_rules_on_one_tape():
    x = tracked(RELU_X)
    y = ag.relu(x)
    found = {"backprop": ag.gradients(y, x, RELU_G)}
    for name in ("deconvnet", "guided"):
        with ag.override(relu=name):
            found[name] = ag.gradients(y, x, RELU_G)
    assert {name: g.numpy().tolist() for name, g in found.items()} == RELU_RULES
    assert ag.gradients(y, x, RELU_G).numpy().tolist() == RELU_RULES["backprop"]  # restored


@pytest.mark.parametrize("rule, expected", [("guided", [-1, -3]), ("deconvnet", [-1, -1])])
def test_a_rule_concerns_the_relu_and_not_what_bypasses_it(rule, expected):
    x = tracked([1, -1])
    y = ag.sum(2 * ag.relu(x) - 3 * x)
    assert ag.gradients(y, x).numpy().tolist() == [-1, -3]
    with ag.override(relu=rule):
        assert ag.gradients(y, x).numpy().tolist() == expected


def test_a_rule_sees_the_sum_over_all_consumers():
    x = tracked([1.0, 1.0])
    hidden = ag.relu(x)
    y = ag.sum(hidden * ag.tensor([3.0, 3.0]) - hidden * ag.tensor([2.0, 5.0]))
    with ag.override(relu="guided"):
        # the gradients that meet at the ReLU are 3 − 2 = 1 and 3 − 5 = −2
        assert ag.gradients(y, x).numpy().tolist() == [1, 0]


def test_deconvnet_is_the_data_gradient_of_a_net_without_relu():
    x, first, second = tracked(whole(1, 1, 2, 10, 10)), ag.tensor(whole(2, 3, 2, 3, 3)), ag.tensor(
        whole(3, 4, 3, 2, 2))  # fmt: skip
    hidden = ag.conv2d(x, first)
    pooled, switches = ag.max_pool2d(hidden, 2, return_indices=True)
    y = ag.conv2d(pooled, second)
    unit = np.zeros(y.shape)
    unit[0, 1, 2, 0] = 1.0
    plain = ag.gradients(y, x, unit).numpy()
    with ag.override("deconvnet"):
        assert np.array_equal(ag.gradients(y, x, unit).numpy(), plain)
    # by hand: filters transposed, pooling undone with the switches
    up = ag.conv_transpose2d(ag.tensor(unit), second)
    up = ag.max_unpool2d(up, switches, 2, output_size=hidden.shape)
    assert np.array_equal(ag.conv_transpose2d(up, first).numpy(), plain)
    assert plain.any()


def test_any_layer_with_respect_to_any_other():
    x = tracked(whole(1, 2, 3))
    hidden = ag.tanh(x @ ag.tensor(whole(2, 3, 4)))
    deeper = hidden @ ag.tensor(whole(3, 4, 5))
    unit = deeper[1, 2]
    to_hidden, to_input = ag.gradients(unit, [hidden, x])
    assert np.array_equal(to_hidden.numpy()[1], whole(3, 4, 5)[:, 2])
    assert not to_hidden.numpy()[0].any()
    pulled = ag.gradients(hidden, x, to_hidden)  # the tape cut at the hidden layer
    np.testing.assert_array_equal(pulled.numpy(), to_input.numpy())


def network(x, activation):
    hidden = activation(ag.conv2d(x, ag.tensor(whole(1, 3, 1, 3, 3) / 8), padding=1))
    hidden = activation(ag.conv2d(hidden, ag.tensor(whole(2, 2, 3, 3, 3) / 8), stride=2))
    return ag.sum(hidden * ag.tensor(whole(3, *hidden.shape)))


def test_the_first_order_taylor_error_is_quadratic():
    start = np.random.default_rng(5).standard_normal((1, 1, 6, 6)) * 0.3
    direction = np.random.default_rng(6).standard_normal(start.shape)
    value, w = ag.value_and_grad(lambda x: network(x, ag.tanh))(ag.tensor(start))
    errors = []
    for k in range(4, 9):
        step = direction * 2.0**-k
        there = network(ag.tensor(start + step), ag.tanh)
        errors.append(abs(float(there) - float(value) - float((w.numpy() * step).sum())))
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios[-2:], 4.0, rtol=0.1)


def test_the_taylor_error_is_exactly_zero_inside_one_relu_region():
    # whole numbers and powers of two: every operation is exact, so the error is 0, not small
    start = whole(7, 1, 1, 6, 6) + 0.5
    step = whole(8, 1, 1, 6, 6) * 2.0**-20
    value, w = ag.value_and_grad(lambda x: network(x, ag.relu))(ag.tensor(start))
    there = network(ag.tensor(start + step), ag.relu)
    assert float(there) != float(value)
    assert float(there) - float(value) - float((w.numpy() * step).sum()) == 0.0
