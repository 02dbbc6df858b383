"""Two classes with an affine difference f(x) = wᵀx + b: every distance is known exactly."""

import numpy as np

import autograd_cnn as ag


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def affine(n=5, pixels=7, spread=0.05):
    """The model, images near 0.5, their labels, |f| and w."""
    w, x = draw(pixels), 0.5 + spread * draw(n, pixels, seed=1)
    b = -(x @ w).mean()
    weight = np.stack([w, np.zeros(pixels)], axis=1)
    model = lambda x: x @ ag.tensor(weight) + ag.tensor([b, 0.0], dtype="float64")
    f = x @ w + b
    return model, x, np.where(f > 0, 0, 1), np.abs(f), w


def distances(attack, found, x):
    return attack.norm.distance(found.raw, ag.tensor(x))
