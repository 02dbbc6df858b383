"""A small network with everything that a picture has to show, its scopes made by hand."""

from contextlib import contextmanager

import numpy as np

import autograd_cnn as ag
from autograd_cnn import tape


@contextmanager
def scope(name, kind):
    with tape.changed(scope=tape.Scope(name, kind, tape.current().scope)):
        yield


class SmallNetwork:
    """stem: conv, batch norm, relu, pool; block: dilated conv and a skip; head: norm and linear."""

    def __init__(self):
        random = np.random.default_rng(0)

        def parameter(name, *shape):
            values = random.standard_normal(shape).astype(np.float32) * 0.3
            return ag.tensor(values, requires_grad=True, name=name)

        self.w1, self.b1 = parameter("weight", 8, 3, 3, 3), parameter("bias", 8)
        self.scale, self.shift = parameter("weight", 8), parameter("bias", 8)
        self.w2 = parameter("weight", 8, 8, 3, 3)
        self.w3, self.b3 = parameter("weight", 10, 8), parameter("bias", 10)
        self.x = ag.tensor(random.standard_normal((2, 3, 8, 8)).astype(np.float32), name="x")

    def loss(self):
        with scope("stem", "Sequential"):
            with scope("conv", "Conv2d"):
                h = ag.conv2d(self.x, self.w1, self.b1, padding=1)
            with scope("bn", "BatchNorm2d"):
                h = ag.batch_norm(h, None, None, self.scale, self.shift, training=True)
            h = ag.max_pool2d(ag.relu(h), 2)
        with scope("block", "Residual"):
            with scope("conv", "Conv2d"):
                y = ag.conv2d(h, self.w2, padding=2, dilation=2)
            h = ag.relu(y + h)
        with scope("head", "Head"):
            h = ag.dropout(ag.mean(h, (2, 3)), 0.5, rng=7)
            with scope("fc", "Linear"):
                h = ag.linear(h, self.w3, self.b3)
        return ag.cross_entropy(h, np.array([1, 3]))
