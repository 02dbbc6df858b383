import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def affine(classes=2, pixels=7, n=6):
    weight = draw(pixels, classes)
    x = 0.5 + 0.05 * draw(n, pixels, seed=1)
    b = -(x @ weight).mean(axis=0)
    return (lambda x: x @ ag.tensor(weight) + ag.tensor(b)), x, weight, x @ weight + b


@pytest.mark.parametrize(
    ("attack", "order"),
    [(attacks.FGSM(), 1), (None, 1), (attacks.L2PGD(random_start=False), 2)],
    ids=["FGSM", "LinfPGD", "L2PGD"],
)
def test_the_minimal_change_of_an_affine_model_is_its_distance(attack, order):
    model, x, weight, logits = affine()
    exact = np.abs(logits[:, 0] - logits[:, 1])
    exact /= np.linalg.norm(weight[:, 0] - weight[:, 1], order)
    found = attacks.minimal(model, x, logits.argmax(axis=1), attack)
    assert found.is_adv.all()
    assert (found.distance >= exact).all()
    np.testing.assert_allclose(found.distance, exact, rtol=2e-3)


def test_a_targeted_change_goes_at_least_to_the_boundary_between_the_two_classes():
    model, x, weight, logits = affine(classes=4)
    labels = logits.argmax(axis=1)
    for k in range(4):
        margin = logits.max(axis=1) - logits[:, k]
        nearest = margin / np.maximum(np.abs(weight[:, labels].T - weight[:, k]).sum(axis=1), 1e-9)
        found = attacks.minimal(model, x, attacks.Targeted(k))
        assert found.is_adv.all()
        assert (found.distance >= nearest).all()
        assert ((found.distance == 0) == (labels == k)).all()


def test_what_cannot_be_fooled_is_said_to_be_infinitely_far():
    found = attacks.minimal(lambda x: x * 0.0 + ag.tensor([1.0, 0.0]), np.full((2, 2), 0.5), 0)
    assert found.distance.tolist() == [np.inf, np.inf]
    assert not found.is_adv.any()
    assert (found.images.numpy() == 0.5).all()


def test_robust_accuracy_of_an_affine_model_counts_the_distances_beyond_epsilon():
    model, x, weight, logits = affine(n=40)
    labels = logits.argmax(axis=1)
    labels[:4] = 1 - labels[:4]  # wrong from the start
    distance = np.abs(logits[:, 0] - logits[:, 1]) / np.abs(weight[:, 0] - weight[:, 1]).sum()
    distance[:4] = 0.0
    epsilons = [0.05, 0.0, 0.01, 0.002]
    expected = [(distance > e).mean() for e in epsilons]
    assert 0.0 < min(expected) < 0.9 == max(expected)
    found = attacks.robust_accuracy(model, x, labels, attacks.FGSM(), epsilons)
    assert found.tolist() == expected


def test_robust_accuracy_of_no_samples_is_refused():
    with pytest.raises(ValueError, match="no samples"):
        attacks.robust_accuracy(lambda x: x, np.zeros((0, 2)), [], attacks.FGSM(), [0.1])
