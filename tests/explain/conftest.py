"""Small networks that are trained once for all tests."""

import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn, optim
from autograd_cnn.models import DigitsNet


@pytest.fixture(scope="session")
def digits_net():
    """(DigitsNet, held-out digits): about 97 % right."""
    train, test = ag.data.digits(seed=0)
    model = DigitsNet(rng=0)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    ag.train.fit(model, train, epochs=8, batch_size=64, optimizer=optimizer, progress=False)
    return model, test


@pytest.fixture(scope="session")
def shortcut():
    """(network, planted digits): the network sees a 3 wherever there is a tag.

    It ends in a maximum over all places, so that one tag suffices, and keeps the full resolution,
    so that activation maps are as fine as the image.
    """
    data = ag.data.shortcut_digits()
    model = nn.Sequential(
        conv1=nn.Conv2d(1, 12, 3, padding=1, rng=0),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(12, 32, 5, padding=2, rng=2),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(16),
        flat=nn.Flatten(),
        linear=nn.Linear(32, 10, rng=3),
    )
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    ag.train.fit(model, data.train, epochs=6, batch_size=32, optimizer=optimizer, progress=False)
    return model, data


@pytest.fixture(scope="session")
def pooled_shortcut(shortcut):
    """The same features under global average pooling and a linear layer, as CAM needs them."""
    model, data = shortcut
    features = explain.features(model, data.train.x, "relu2", pooled=True)
    head = nn.Linear(32, 10, rng=0)
    optimizer = optim.Adam(head.parameters(), lr=0.1)
    ag.train.fit(head, (features, data.train.y), epochs=20, optimizer=optimizer, progress=False)
    layers = {name: getattr(model, name) for name in ("conv1", "relu1", "conv2", "relu2")}
    return nn.Sequential(**layers, pool=nn.GlobalAvgPool(), linear=head).eval()
