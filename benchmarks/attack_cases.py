"""The networks and attacks of `benchmarks.attacks`: ours, and Foolbox's with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import foolbox
import numpy as np
import torch

import autograd_cnn as ag
from autograd_cnn import attacks

from . import pytorch_models

BATCH = 64


@dataclass(frozen=True)
class Network:
    """A trained network of both libraries, frozen, and images that it reads rightly."""

    title: str
    ours: ag.nn.Module
    theirs: torch.nn.Module
    x: np.ndarray
    labels: np.ndarray

    def double(self, samples: int) -> Network:
        """The same in float64 with the first images, for exact comparisons."""
        ours, theirs = deepcopy(self.ours).to("float64"), deepcopy(self.theirs).double()
        x = self.x[:samples].astype(np.float64)
        return Network(self.title, ours, theirs, x, self.labels[:samples])


@dataclass(frozen=True)
class Contest:
    """One attack with the same settings in both libraries; `epsilon` is None for the least."""

    title: str
    ours: attacks.Attack
    theirs: Any
    epsilon: float | None = None

    def run_ours(self, network: Network) -> np.ndarray:
        """The images found, by the public call."""
        return self.ours(network.ours, network.x, network.labels, self.epsilon).raw.numpy()

    def their_run(self, network: Network) -> Callable[[], np.ndarray]:
        """The same of Foolbox."""
        model = foolbox.PyTorchModel(network.theirs, (0, 1), device="cpu")
        x, labels = torch.from_numpy(network.x), torch.from_numpy(network.labels)
        return lambda: self.theirs(model, x, labels, epsilons=self.epsilon)[0].numpy()


class DigitsNet(torch.nn.Module):
    """As `autograd_cnn.models.DigitsNet`."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(1, 16, 3, padding=1))
        self.stem.add_module("norm", nn.BatchNorm2d(16))
        self.dilated = nn.Sequential()
        self.dilated.add_module("conv", nn.Conv2d(16, 32, 3, padding=2, dilation=2))
        self.dilated.add_module("norm", nn.BatchNorm2d(32))
        self.classifier = nn.Sequential()
        self.classifier.add_module("norm", nn.LayerNorm(512))
        self.classifier.add_module("linear", nn.Linear(512, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits N×10 of images N×1×8×8."""
        x = torch.max_pool2d(torch.relu_(self.stem(x)), 2)
        return self.classifier(torch.relu_(self.dilated(x)).flatten(1))


def digits_net() -> Network:
    """The digits net on held-out digits of 8×8."""
    train, test = ag.data.digits(seed=0)
    ours = ag.models.DigitsNet(rng=0)
    ag.train.fit(ours, train, epochs=4, batch_size=64, progress=False)
    return _network("digits net, 8×8", ours, DigitsNet(), test.x, test.y)


def resnet20() -> Network:
    """ResNet-20 on held-out digits enlarged to three channels of 32×32."""
    train, test = (
        (np.kron(split.x, np.ones((1, 3, 4, 4), np.float32)), split.y)
        for split in ag.data.digits(seed=0)
    )
    ours = ag.models.resnet20(rng=0)
    ag.train.fit(ours, train, epochs=1, batch_size=64, progress=False)
    return _network("ResNet-20, 32×32", ours, pytorch_models.ResNet20(), *test)


NETWORKS = {"digits": digits_net, "resnet20": resnet20}


def contests(network: str) -> list[Contest]:
    """PGD-40, DeepFool and Carlini–Wagner; the latter shorter on the large network."""
    search, steps = {"digits": (6, 100), "resnet20": (3, 20)}[network]
    settings = {"binary_search_steps": search, "steps": steps, "initial_const": 0.1}
    theirs = foolbox.attacks
    return [
        Contest(
            "PGD-40",
            attacks.LinfPGD(40, 0.05, random_start=False),
            theirs.LinfPGD(rel_stepsize=0.05, steps=40, random_start=False),
            0.1,
        ),
        Contest(
            "DeepFool",
            attacks.DeepFool(candidates=10),
            theirs.L2DeepFoolAttack(candidates=10),
        ),
        Contest(
            f"Carlini–Wagner {search}×{steps}",
            attacks.CarliniWagnerL2(learning_rate=0.1, **settings),
            theirs.L2CarliniWagnerAttack(stepsize=0.1, **settings),
        ),
    ]


def _network(
    title: str, ours: ag.nn.Module, theirs: torch.nn.Module, x: np.ndarray, labels: np.ndarray
) -> Network:
    """The same weights in both, frozen, and the first images that both read rightly."""
    ours.eval().requires_grad_(False)
    theirs.load_state_dict(
        {name: torch.tensor(value.numpy().copy()) for name, value in ours.state_dict().items()}
    )
    theirs.eval().requires_grad_(False)
    right = ours(ag.tensor(x)).numpy().argmax(axis=1) == labels
    right &= theirs(torch.from_numpy(x)).numpy().argmax(axis=1) == labels
    chosen = np.flatnonzero(right)[:BATCH]
    return Network(title, ours, theirs, x[chosen], labels[chosen])
