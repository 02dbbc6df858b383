import numpy as np
import pytest

import autograd_cnn as ag


@pytest.fixture(scope="session")
def digits():
    pytest.importorskip("sklearn", reason="the digits need scikit-learn")
    return ag.data.digits(seed=0)


@pytest.fixture(scope="session")
def digits_net(digits):
    """A CNN that reads 97 % of held-out digits, trained once."""
    train, test = digits
    moved = [np.roll(train.x, shift, axis) for shift, axis in ((0, 2), (1, 2), (-1, 2), (1, 3))]
    moved.append(np.roll(train.x, -1, 3))
    net = ag.models.DigitsNet(rng=0)
    optimizer = ag.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-2)
    data = np.concatenate(moved), np.tile(train.y, len(moved))
    ag.train.fit(net, data, epochs=5, batch_size=64, optimizer=optimizer, progress=False)
    assert ag.train.evaluate(net, *test).accuracy > 0.96
    return net
