"""A dozen networks for the golden files: small, made of known numbers, each of another form."""

import numpy as np
from small_network import SmallNetwork

import autograd_cnn as ag
from autograd_cnn import nn


def parameter(*shape, name=None):
    values = np.linspace(-1.0, 1.0, int(np.prod(shape))).reshape(shape)
    return ag.tensor(values, requires_grad=True, name=name)


def image(*shape, requires_grad=False):
    return ag.tensor(np.ones(shape), name="x", requires_grad=requires_grad)


def perceptron():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1))
    return ag.cross_entropy(net(ag.tensor(np.ones((2, 3, 4), np.float32), name="x")), [0, 1])


def small_network():
    return SmallNetwork().loss()


def lenet():
    return ag.models.LeNet5(rng=0)(ag.tensor(np.ones((1, 1, 28, 28), np.float32), name="x"))


def residual():
    body = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, rng=0), nn.BatchNorm2d(2), nn.ReLU())
    block = nn.Residual(body)
    return ag.sum(block(ag.tensor(np.ones((1, 2, 4, 4), np.float32), name="x")))


def inception():
    x = image(1, 2, 6, 6)
    branches = [
        ag.conv2d(x, parameter(2, 2, 1, 1, name="one")),
        ag.conv2d(x, parameter(2, 2, 3, 3, name="three"), padding=1),
        ag.max_pool2d(x, 3, 1, 1),
    ]
    return ag.concatenate(branches, 1)


def gate():
    x = image(1, 2, 4, 4, requires_grad=True)
    return x * ag.sigmoid(ag.mean(x, (2, 3), True))


def shared():
    layer = nn.Linear(3, 3, rng=0)
    net = nn.Sequential(layer, layer, layer)
    return ag.sum(net(ag.tensor(np.ones((1, 3), np.float32), name="x")))


def copies():
    blocks = [nn.Sequential(nn.Linear(3, 3, rng=i), nn.ReLU()) for i in range(4)]
    return ag.sum(nn.Sequential(*blocks)(ag.tensor(np.ones((1, 3), np.float32), name="x")))


def encoder_decoder():
    x = image(1, 1, 8, 8)
    down = ag.relu(ag.conv2d(x, parameter(2, 1, 3, 3), stride=2, padding=1))
    up = ag.conv_transpose2d(down, parameter(2, 1, 2, 2), stride=2)
    return ag.mse_loss(up, x)


def two_outputs():
    x = parameter(3, name="x")
    hidden = ag.exp(x)
    return {"sum": ag.sum(hidden), "norm": ag.sum(hidden * hidden)}


def gradient():
    x = parameter(3, name="x")
    y = ag.sum(ag.tanh(x * x))
    return ag.sum(ag.gradients(y, x, create_graph=True))


def nasty_names():
    x = parameter(2, name='<b>&"{x}|\\ 中文 ∂')
    return ag.sum(ag.exp(x[::2]) * 3.0)


NETWORKS = {
    function.__name__: function
    for function in (
        perceptron, small_network, lenet, residual, inception, gate, shared, copies,
        encoder_decoder, two_outputs, gradient, nasty_names,
    )
}  # fmt: skip


def neuron(w1, w2, x1, x2):
    """Two weights and a ReLU: y = max(0, w₁x₁ + w₂x₂)."""
    return ag.relu(w1 * x1 + w2 * x2)
