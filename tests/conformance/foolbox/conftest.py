import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn


@pytest.fixture(scope="session")
def networks():
    """A CNN of 5 classes in float64, here and in PyTorch, 16 images, and what both answer."""
    torch = pytest.importorskip("torch", reason="the references run in PyTorch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for networks this small more of them only wait for each other
    ours = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, rng=0), nn.Tanh(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, rng=1), nn.Tanh(), nn.Flatten(),
        nn.Linear(128, 5, rng=2),
    )  # fmt: skip
    ours.to("float64").eval()
    for parameter in ours.parameters():
        parameter.assign(2.0 * parameter.numpy())
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, padding=1), torch.nn.Tanh(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 8, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(),
        torch.nn.Linear(128, 5),
    )  # fmt: skip
    theirs.double().eval()
    theirs.load_state_dict(
        {name: torch.tensor(np.array(v)) for name, v in ours.state_dict().items()}
    )
    x = np.random.default_rng(3).uniform(size=(16, 2, 8, 8))
    labels = ours(ag.tensor(x)).numpy().argmax(axis=1)
    reference = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(ag.tensor(x)).numpy(), reference, rtol=1e-12)
    yield ours, theirs, x, labels
    torch.set_num_threads(threads)
