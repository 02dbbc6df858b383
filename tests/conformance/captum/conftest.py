"""Captum as an oracle: the same weights in both libraries, in float64."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn

REASON = "Captum is not installed: pip install torch==2.13.0 captum==0.9.0"


@pytest.fixture(scope="session")
def torch():
    """PyTorch on one thread; without it or Captum these tests are skipped."""
    pytest.importorskip("captum", reason=REASON)
    torch = pytest.importorskip("torch", reason=REASON)
    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="session")
def pair(torch):
    """The same network in both libraries; every ReLU's input has one consumer."""

    def layers(library, sequential, **seeds):
        conv = {name: {"rng": seed} for name, seed in seeds.items()}
        return sequential(
            library.Conv2d(2, 6, 3, padding=1, **conv.get("a", {})),
            library.ReLU(),
            library.MaxPool2d(2),
            library.Conv2d(6, 8, 3, padding=1, **conv.get("b", {})),
            library.ReLU(),
            library.AvgPool2d(2),
            library.Flatten(),
            library.Linear(8 * 3 * 3, 4, **conv.get("c", {})),
        )

    ours = layers(nn, nn.Sequential, a=1, b=2, c=3).to("float64").eval()
    theirs = layers(torch.nn, torch.nn.Sequential).double().eval()
    theirs.load_state_dict(
        {k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()}
    )
    x = np.random.default_rng(0).normal(size=(3, 2, 12, 12))
    with ag.no_grad():
        np.testing.assert_allclose(
            ours(ag.tensor(x)).numpy(), theirs(torch.from_numpy(x)).detach().numpy(), rtol=1e-11
        )
    return ours, theirs, x
