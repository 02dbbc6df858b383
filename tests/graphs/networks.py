"""A dozen networks and a dozen computations with single numbers, for the golden files.

All are small and made of known numbers, each of another form; the numbers' arithmetic is exact.
"""

import numpy as np
from small_network import SmallNetwork, scope

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
    with scope("mixed", "Inception"):
        branches = [
            ag.conv2d(x, parameter(2, 2, 1, 1, name="one")),
            ag.conv2d(x, parameter(2, 2, 3, 3, name="three"), padding=1),
            ag.max_pool2d(x, 3, 1, 1),
        ]
        return ag.concatenate(branches, 1)


def gate():
    x = image(1, 2, 4, 4, requires_grad=True)
    with scope("gate", "SqueezeExcite"):
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
    with scope("down", "Encoder"):
        down = ag.relu(ag.conv2d(x, parameter(2, 1, 3, 3), stride=2, padding=1))
    with scope("up", "Decoder"):
        up = ag.relu(ag.conv_transpose2d(down, parameter(2, 1, 2, 2), stride=2))
    return ag.mse_loss(up, x)


def two_outputs():
    x = parameter(3, name="x")
    with scope("body", "Body"):
        hidden = ag.exp(x * 2.0)
    return {"sum": ag.sum(hidden), "norm": ag.sum(hidden * hidden)}


def gradient():
    x = parameter(3, name="x")
    y = ag.sum(ag.tanh(x * x))
    return ag.sum(ag.gradients(y, x, create_graph=True))


def nasty_names():
    x = parameter(2, name='<b>&"{x}|\\ 中文 ∂')
    with scope('"a" & <b>|{c}', "中文\\"):
        y = ag.exp(x[::2]) * 3.0
    return ag.sum(y)


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


def two_layers(x, w, b, v):
    """A hidden ReLU unit."""
    return v * ag.relu(w * x + b)


def hinge(w, x, y):
    """max(0, 1 − ywx)."""
    return ag.relu(1.0 - y * (w * x))


def chain(x):
    """Three squares: the local derivatives multiply."""
    return ag.square(ag.square(ag.square(x)))


# name → function, numbers
SCALARS = {
    "neuron": (neuron, 0.1, -0.1, 20.0, 10.0),
    "dead_neuron": (neuron, 0.1, -0.1, 1.0, 20.0),
    "two_layers": (two_layers, 2.0, 0.5, -0.25, 4.0),
    "square": (lambda x: x * x, 3.0),
    "two_paths": (lambda a, b: a * b + a, 3.0, 5.0),
    "quotient": (lambda a, b: a / b - b, 3.0, 2.0),
    "distance": (lambda a, b: ag.sqrt(a * a + b * b), 3.0, 4.0),
    "hinge": (hinge, 0.5, 1.5, 1.0),
    "skip": (lambda x, w: x + ag.relu(w * x), 2.0, 0.75),
    "shared_weight": (lambda w, x: w * (w * x), 3.0, 0.5),
    "largest": (lambda a, b, c: ag.maximum(ag.maximum(a, b), c), 1.0, 4.0, 2.0),
    "chain": (chain, 1.5),
}
