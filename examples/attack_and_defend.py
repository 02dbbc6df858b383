"""Robust accuracy on handwritten digits before and after five defences; two pictures."""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import attacks, optim

EPSILON, EPSILONS = 0.15, (0.05, 0.1, 0.15, 0.2)
train, test = ag.data.digits(seed=0)
x, labels = test.x[:200], test.y[:200]


def fresh():
    net = ag.models.DigitsNet(p=0.1, rng=0)
    return net, optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-2)


def fitted(train_it):
    net, optimizer = fresh()
    train_it(net, train, epochs=8, optimizer=optimizer)
    return net


def plainly(net, data, epochs, optimizer, loss=ag.cross_entropy):
    settings = {"epochs": epochs, "optimizer": optimizer, "loss": loss}
    ag.train.fit(net, data, batch_size=64, progress=False, **settings)


def smoothly(net, data, **settings):
    plainly(net, data, loss=attacks.smoothed_cross_entropy(0.3), **settings)


def augmented(net, data, **settings):
    loss = lambda net, x, labels: ag.cross_entropy(net(x), labels)
    new_images = attacks.shifts_and_noise(pixels=0, sigma=0.2)
    attacks.train_with(net, data, loss, augmentation=new_images, **settings)


def against_attacks(net, data, **settings):
    attack = attacks.LinfPGD(4, 0.4)
    attacks.adversarial_training(net, data, EPSILON, attack=attack, **settings)


def with_trades(net, data, **settings):
    attacks.trades(net, data, EPSILON, attack=attacks.LinfPGD(4, 0.4), **settings)


nets = {
    "plain training": fitted(plainly),
    "label smoothing": fitted(smoothly),
    "noise, σ = 0.2": fitted(augmented),
    f"PGD, ε = {EPSILON:g}": fitted(against_attacks),
    f"TRADES, ε = {EPSILON:g}": fitted(with_trades),
}
plain, hardened = nets["plain training"], nets[f"PGD, ε = {EPSILON:g}"]
pgd = attacks.LinfPGD(steps=10, step_size=0.2)
curves = {
    name: attacks.robustness_curve(net, x, labels, pgd, EPSILONS) for name, net in nets.items()
}
for name, curve in curves.items():
    text = "  ".join(f"{100 * part:5.1f} %" for part in curve.accuracy)
    print(f"{name:>24}: {text}   area {curve.area:.2f}")
attacks.curve_picture(curves, "ε: the largest change of a pixel, ink being 0 … 1").savefig(
    "robust_accuracy.png"
)

one_of_each = np.array([np.flatnonzero(labels == digit)[0] for digit in (0, 3, 8)])
criterion = attacks.Targeted([6, 8, 3]) & attacks.Confidence(0.9)
least = {
    name: attacks.minimal(net, x[one_of_each], criterion, attacks.BIM(20, 0.15))
    for name, net in (("plain training", plain), ("PGD training", hardened))
}
for name, found in least.items():
    print(f"{name:>24}: least targeted changes {found.distance.round(3).tolist()}")
found = least["plain training"]
attacks.panel(plain, x[one_of_each], found.images).savefig("targeted_change.png")
