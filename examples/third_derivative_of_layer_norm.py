"""Derivatives of any order: the third one of layer norm, against its decomposition."""

import numpy as np

import autograd_cnn as ag

x = np.linspace(-1, 2, 5)


def decomposed(x):
    centred = x - ag.mean(x)
    return centred / ag.sqrt(ag.mean(centred * centred) + 1e-5)


def third(norm):
    f = lambda t: ag.sum(norm(ag.tensor(x) * t + ag.tensor(x) ** 2) ** 3)
    return float(ag.grad(ag.grad(ag.grad(f)))(np.float64(0.7)))


print("fused     ", third(lambda v: ag.layer_norm(v, 5)))
print("decomposed", third(decomposed))
