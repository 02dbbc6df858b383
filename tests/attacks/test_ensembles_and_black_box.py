"""APGD and its losses, the ensemble and its checks, Square, universal perturbations."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.attacks.apgd import DifferenceOfLogits, TowardsClass
from autograd_cnn.attacks.criteria import as_criterion

LOGITS = np.array([[3.0, 1.0, 2.0, -1.0], [0.5, 4.0, 1.0, 2.0]])


def test_the_difference_of_logits_ratio_is_its_formula():
    labels = np.array([0, 2])
    loss = DifferenceOfLogits(attacks.Misclassification(labels)).loss(ag.tensor(LOGITS)).numpy()
    # −(z_y − max of the others)/(z₍₁₎ − z₍₃₎)
    np.testing.assert_allclose(loss, [-(3 - 2) / (3 - 1), -(1 - 4) / (4 - 1)], rtol=1e-12)
    scaled = DifferenceOfLogits(attacks.Misclassification(labels)).loss(ag.tensor(1e3 * LOGITS))
    np.testing.assert_allclose(scaled.numpy(), loss, rtol=1e-12)
    towards = TowardsClass(labels, np.array([1, 0])).loss(ag.tensor(LOGITS)).numpy()
    # −(z_y − z_t)/(z₍₁₎ − ½(z₍₃₎ + z₍₄₎))
    np.testing.assert_allclose(towards, [-2 / (3 - 0.0), -0.5 / (4 - 0.75)], rtol=1e-12)


def test_the_margin_of_a_criterion_is_positive_just_where_it_is_met():
    draw = np.random.default_rng(0)
    logits = ag.tensor(3 * draw.normal(size=(200, 4)))
    labels, wanted = draw.integers(0, 4, 200), draw.integers(0, 4, 200)
    sure = attacks.Confidence(0.8)
    for criterion in (
        attacks.Misclassification(labels),
        attacks.Targeted(wanted),
        sure,
        attacks.Misclassification(labels) & sure,
        attacks.Targeted(wanted) & attacks.Misclassification(labels) & sure,
    ):
        criterion = as_criterion(criterion, logits)
        met = criterion.is_met(logits)
        assert 0 < met.sum() < 200
        assert np.array_equal(criterion.margin(logits).numpy() > 0, met)


def test_the_ratio_still_climbs_where_cross_entropy_is_saturated(digits, digits_net):
    x, labels = digits[1].x[:30], digits[1].y[:30]
    loud = lambda x: digits_net(x) * 1e4  # float32 softmax is exactly 0 or 1
    found = attacks.APGD(loss="dlr", steps=20)(loud, x, labels, 0.15)
    saturated = attacks.APGD(steps=20)(loud, x, labels, 0.15)
    assert found.is_adv.mean() > 0.8
    assert saturated.is_adv.mean() < found.is_adv.mean()


def test_the_ensemble_is_no_weaker_than_its_parts(digits, digits_net):
    x, labels = digits[1].x[:40], digits[1].y[:40]
    whole = attacks.AutoAttack(steps=10, queries=50)(digits_net, x, labels, 0.08).is_adv
    assert 0 < whole.sum() < 40
    for part in (attacks.APGD(steps=10), attacks.FMN("linf", 10), attacks.Square(queries=50)):
        assert (whole >= part(digits_net, x, labels, 0.08).is_adv).all()


def test_square_needs_no_gradient_and_counts_its_queries(digits, digits_net):
    x, labels = digits[1].x[:12], digits[1].y[:12]
    attack = attacks.Square(queries=60, p=0.3)
    counted = attacks.Counted(digits_net)
    found = attack(counted, x, labels, 0.2)
    assert found.is_adv.any()
    assert counted.differentiated == 0
    used = attacks.queries_used(attack, digits_net, x, labels, 0.2)
    # two looks around the search: who is fooled already, and who is in the end
    right = digits_net(ag.tensor(x)).numpy().argmax(axis=1) == labels
    assert (used[~right] == 2).all()
    assert (used[right] >= 3).all()
    assert used.max() <= 2 + 60
    assert (used[~found.is_adv] == 2 + 60).all()
    assert (used[right & found.is_adv] < 2 + 60).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_square_finds_what_noise_does_not(norm, digits, digits_net):
    x, labels = digits[1].x[:60], digits[1].y[:60]
    epsilon = {"linf": 0.2, "l2": 1.2}[norm]
    found = attacks.Square(norm, queries=150, p=0.3)(digits_net, x, labels, epsilon).is_adv
    noise = np.random.default_rng(0).choice([-1.0, 1.0], x.shape).astype(np.float32)
    noise *= epsilon / (8 if norm == "l2" else 1)
    moved = ag.tensor((x + noise).clip(0, 1))
    noisy = digits_net(moved).numpy().argmax(axis=1) != labels
    assert found.mean() > noisy.mean() + 0.2


def test_one_perturbation_serves_images_it_was_not_made_for(digits, digits_net):
    train, test = digits
    attack = attacks.Universal(steps=60)
    change = attack.perturbation(digits_net, train.x[:300], train.y[:300], 0.25)
    assert change.shape == (1, 1, 8, 8)
    assert np.abs(change.numpy()).max() <= np.float32(0.25)

    def error(change):
        moved = ag.tensor((test.x + change).clip(0, 1).astype(np.float32))
        return (digits_net(moved).numpy().argmax(axis=1) != test.y).mean()

    signs = np.random.default_rng(0).choice([-1.0, 1.0], (20, 1, 1, 8, 8))
    assert error(change.numpy()) > 1.5 * np.mean([error(0.25 * sign) for sign in signs])
    found = attack(digits_net, test.x[:50], test.y[:50], 0.25)
    assert np.abs(found.clipped.numpy() - test.x[:50]).max() <= 0.25 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda x: ag.softmax(x @ ag.tensor(np.eye(3)), 1), "probabilities"),
        (lambda x: x @ ag.tensor(np.random.default_rng().normal(size=(3, 3))), "call to call"),
        (lambda x: ag.sign(x - 0.45) * 1.0, "exactly zero for 2 of 2"),
    ],
)
def test_masked_gradients_are_told(model, message):
    x = np.array([[0.6, 0.5, 0.4], [0.2, 0.9, 0.1]])
    assert any(message in text for text in attacks.masked_gradients(model, x, [0, 1]))
    with pytest.warns(attacks.MaskedGradientWarning, match=message):
        attacks.AutoAttack(steps=1, queries=1)(model, x, [0, 1], 1e-9)


def test_a_plain_model_has_no_masked_gradients():
    model = lambda x: x @ ag.tensor(np.eye(3))
    assert attacks.masked_gradients(model, np.array([[0.6, 0.5, 0.4]]), [0]) == []


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: attacks.APGD(loss="hinge"), "hinge"),
        (lambda: attacks.APGD("l1"), "'l1'"),
        (lambda: attacks.APGD(targets=0), "got 0"),
        (lambda: attacks.Square(p=0), "got 5000 and 0"),
        (lambda: attacks.Square("l0"), "'l0'"),
        (lambda: attacks.AutoAttack("l1"), "'l1'"),
        (lambda: attacks.MIFGSM(decay=-1), "-1"),
        (lambda: attacks.Universal()(lambda x: x, np.eye(2), [0, 1]), "needs an epsilon"),
        (
            lambda: attacks.APGD(loss="dlr")(lambda x: x, np.array([[0.9, 0.2]]), [0], 0.1),
            "the model has 2",
        ),
        (
            lambda: attacks.Square()(lambda x: x, np.array([[0.9, 0.2]]), [0], 0.1),
            "N×C×H×W, got 1×2",
        ),
    ],
)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
