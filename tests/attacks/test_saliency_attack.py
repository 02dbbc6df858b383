import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks


def test_the_map_moves_and_the_answer_stays(digits, digits_net):
    x = digits[1].x[:30]
    before = digits_net(ag.tensor(x)).numpy().argmax(axis=1)
    moved = attacks.SaliencyAttack(k=8, steps=25)(digits_net, x, epsilon=0.05)
    assert np.array_equal(digits_net(moved.images).numpy().argmax(axis=1), before)
    assert np.abs(moved.images.numpy() - x).max() <= 0.05 + 1e-6
    # noise of the same size leaves the map nearly as it was
    noise = 0.05 * np.random.default_rng(0).choice([-1, 1], x.shape).astype(np.float32)
    noisy = np.abs(ag.explain.saliency(digits_net, (x + noise).clip(0, 1), before).numpy())
    top = np.argsort(-moved.before, axis=1)[:, :8]
    after_noise = np.argsort(-noisy.reshape(30, -1), axis=1)[:, :8]
    kept = np.mean([len({*a} & {*b}) / 8 for a, b in zip(top, after_noise, strict=True)])
    assert moved.overlap.mean() < kept - 0.2
    assert moved.correlation.mean() < 0.75


def test_the_maps_are_the_saliency_of_the_images(digits, digits_net):
    x = digits[1].x[:4]
    moved = attacks.SaliencyAttack(k=4, steps=3)(digits_net, x, epsilon=0.05)
    for images, map_ in ((x, moved.before), (moved.images, moved.after)):
        expected = np.abs(ag.explain.saliency(digits_net, images).numpy()).reshape(4, -1)
        np.testing.assert_allclose(map_, expected, rtol=1e-5, atol=1e-7)


def test_without_room_nothing_moves(digits, digits_net):
    x = digits[1].x[:4]
    moved = attacks.SaliencyAttack(k=4, steps=3)(digits_net, x, epsilon=0.0)
    assert np.array_equal(moved.images.numpy(), x)
    assert moved.overlap.tolist() == [1.0] * 4
    np.testing.assert_allclose(moved.correlation, 1.0)


@pytest.mark.parametrize("setting", [{"k": 0}, {"steps": 0}, {"step_size": 0}, {"softness": 0}])
def test_settings_out_of_range_are_named(setting):
    with pytest.raises(ValueError, match="SaliencyAttack"):
        attacks.SaliencyAttack(**setting)
