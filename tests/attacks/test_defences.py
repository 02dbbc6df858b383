"""Training against attacks makes the digits net harder to fool."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks, nn

EPSILON = 0.15
PGD = attacks.LinfPGD(7, 0.25)


def fresh():
    return ag.models.DigitsNet(p=0.1, rng=1)


def settings(net, epochs=5):
    optimizer = ag.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-2)
    return {"epochs": epochs, "optimizer": optimizer}


@pytest.fixture(scope="module")
def plain(digits):
    net = fresh()
    chosen = settings(net)
    ag.train.fit(net, digits[0], batch_size=64, progress=False, **chosen)
    return net


def robust(net, digits):
    x, labels = digits[1].x[:120], digits[1].y[:120]
    return attacks.robustness_curve(net, x, labels, PGD, [0.075, EPSILON])


@pytest.mark.parametrize("defence", [attacks.adversarial_training, attacks.trades])
def test_a_net_trained_against_attacks_withstands_more(defence, digits, plain):
    net = fresh()
    losses = defence(net, digits[0], EPSILON, attack=attacks.LinfPGD(4, 0.4), **settings(net))
    before, after = robust(plain, digits), robust(net, digits)
    assert losses[-1] < losses[0]
    assert after.accuracy[0] > 0.9  # it still reads digits
    assert after.accuracy[2] > before.accuracy[2] + 0.15
    assert after.area > before.area
    assert not any(module.training for module in net.modules())


def test_training_with_noise_helps_against_noise_and_attacks(digits, plain):
    net = fresh()
    loss = lambda net, x, labels: ag.cross_entropy(net(x), labels)
    augmentation = attacks.shifts_and_noise(pixels=0, sigma=0.3)
    attacks.train_with(net, digits[0], loss, augmentation=augmentation, **settings(net, 8))
    after, before = (
        attacks.corruption_errors(model, *digits[1], ["noise"])["noise"] for model in (net, plain)
    )
    assert after[4] < 0.8 * before[4]
    assert robust(net, digits).accuracy[2] > robust(plain, digits).accuracy[2]


def test_training_without_an_attack_is_training_on_the_clean_images(digits):
    data = digits[0].x[:128], digits[0].y[:128]
    nets = [nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=0)) for _ in range(2)]
    clean = lambda net, x, labels: ag.cross_entropy(net(x), labels)
    attacks.train_with(nets[0], data, clean, epochs=2)
    attacks.adversarial_training(nets[1], data, epsilon=0.0, epochs=2)
    for one, other in zip(*(net.parameters() for net in nets), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_adversarial_training_moves_every_sample_also_those_that_are_wrong():
    seen = []
    layer = nn.Linear(2, 2, rng=0)

    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            seen.append((self.training, x.numpy().copy()))
            return self.layer(x)

    x, labels = np.full((4, 2), 0.5, np.float32), np.array([0, 1, 0, 1])
    net = Watch()
    attacks.adversarial_training(net, (x, labels), 0.1, attack=attacks.FGSM(), epochs=1)
    trained = [images for training, images in seen if training]
    assert len(trained) == 1
    np.testing.assert_allclose(np.abs(trained[0] - 0.5), 0.1, rtol=1e-6)


def test_trades_with_beta_zero_is_cross_entropy_of_the_clean_images(digits):
    data = digits[0].x[:128], digits[0].y[:128]
    nets = [nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=0)) for _ in range(2)]
    clean = lambda net, x, labels: ag.cross_entropy(net(x), labels)
    first = attacks.train_with(nets[0], data, clean, epochs=1)
    second = attacks.trades(nets[1], data, 0.1, beta=0.0, epochs=1)
    assert first == pytest.approx(second, rel=1e-6)


def test_smoothed_labels_share_a_part():
    logits = ag.tensor([[2.0, 0.0, 0.0]])
    log_p = np.log(np.exp([2.0, 0, 0]) / np.exp([2.0, 0, 0]).sum())
    expected = -(0.7 * log_p[0] + 0.3 * log_p.mean())
    assert float(attacks.smoothed_cross_entropy(0.3)(logits, [0])) == pytest.approx(expected)


def test_shifts_move_whole_images_by_whole_pixels():
    x = np.zeros((50, 1, 5, 5))
    x[:, 0, 2, 2] = 1.0
    moved = attacks.shifts_and_noise(1, 0.0)(x, np.random.default_rng(0))
    places = np.argwhere(moved[:, 0] == 1.0)
    assert len(places) == 50
    nine = {(i, j) for i in (1, 2, 3) for j in (1, 2, 3)}
    assert {tuple(place) for place in places[:, 1:]} == nine


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: attacks.adversarial_training(None, None, -0.1), "-0.1"),
        (lambda: attacks.trades(None, None, 0.1, beta=-1), "-1"),
        (lambda: attacks.train_with(None, None, None, epochs=0), "epochs=0"),
        (lambda: attacks.smoothed_cross_entropy(1.0), "1.0"),
        (lambda: attacks.shifts_and_noise(-1), "-1"),
    ],
)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
