import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks, nn
from autograd_cnn.errors import DTypeError, ShapeError

LOGITS = ag.tensor([[4.0, 0.0, 0.0], [0.0, 1.0, 0.9], [0.0, 0.0, 9.0]])


def model(x):
    return x @ ag.tensor([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], dtype="float64")


def answer(criterion, logits=LOGITS):
    return criterion.checked(*logits.shape).is_met(logits).tolist()


def test_criteria_say_what_counts_as_fooled():
    assert answer(attacks.Misclassification([0, 2, 2])) == [False, True, False]
    assert answer(attacks.Targeted(1)) == [False, True, False]
    assert answer(attacks.Targeted([0, 1, 0])) == [True, True, False]
    # e⁴/(e⁴ + 2) = 0.9647, e⁹/(e⁹ + 2) = 0.9998
    assert answer(attacks.Confidence(0.96)) == [True, False, True]
    assert answer(attacks.Confidence(0.97)) == [False, False, True]
    assert answer(attacks.Misclassification(0) & attacks.Confidence(0.9)) == [False, False, True]


def test_a_targeted_attack_reaches_its_class():
    x = np.array([[0.6, 0.5, 0.4], [0.5, 0.6, 0.5]])
    found = attacks.BIM()(model, x, attacks.Targeted([2, 0]), epsilons=0.2)
    assert found.is_adv.all()
    assert model(found.raw).numpy().argmax(axis=1).tolist() == [2, 0]


def test_an_attack_that_must_also_be_sure_goes_further():
    x, wrong = np.array([[0.6, 0.5, 0.5]]), attacks.Targeted([1])
    near = attacks.minimal(model, x, wrong)
    far = attacks.minimal(model, x, wrong & attacks.Confidence(0.6))
    assert near.is_adv.all()
    assert far.is_adv.all()
    assert near.distance[0] == pytest.approx(0.05, rel=2e-3)  # half the gap of 0.1
    p = ag.softmax(model(far.images), 1).numpy().max()
    assert 0.6 <= p < 0.61
    assert far.distance[0] > near.distance[0]


def test_bounded_normalises_inside_so_that_epsilon_is_in_image_units():
    shift, scale = np.array([0.5, 0.2]), np.array([2.0, 0.25])
    inner = []
    wrapped = attacks.bounded(
        lambda x: inner.append(x.numpy()) or x.sum(axis=(2, 3)), (-1, 1), shift, scale
    )
    x = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 3))
    wrapped(ag.tensor(x))
    expected = (x - shift[:, None, None]) / scale[:, None, None]
    np.testing.assert_allclose(inner[0], expected, rtol=1e-15)
    labels = wrapped(ag.tensor(x)).numpy().argmax(axis=1)
    found = attacks.FGSM()(wrapped, x, labels, 0.125)
    # one channel is raised and the other lowered, by epsilon or up to the bounds
    expected = np.clip(x + 0.125 * np.where(labels == 0, -1, 1)[:, None, None, None]
                       * np.array([1, -1])[:, None, None], -1, 1)  # fmt: skip
    np.testing.assert_allclose(found.raw.numpy(), expected, rtol=1e-14)


def call(x=((0.6, 0.5, 0.4),), criterion=(0,), epsilons=0.1, model=model):
    return attacks.FGSM()(model, np.asarray(x), criterion, epsilons)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: attacks.bounded(model, bounds=(1, 0)), ValueError, r"\(1, 0\)"),
        (lambda: attacks.bounded(model, std=[1.0, 0.0]), ValueError, "std must be positive"),
        (lambda: call(x=[[0.5, 1.5, 0.5]]), ValueError, "0.5 … 1.5, the bounds are 0 … 1"),
        (lambda: call(x=[[0.5, np.nan, 0.5]]), ValueError, "nan"),
        (lambda: call(x=[[1, 0, 1]]), DTypeError, "floating-point"),
        (lambda: call(criterion=[3]), ValueError, "class 3 for sample 0.*0 … 2"),
        (lambda: call(criterion=[-1]), ValueError, "class -1"),
        (lambda: call(criterion=[0, 1]), ShapeError, "2 classes for 1 samples"),
        (lambda: call(criterion=[0.0]), DTypeError, "whole numbers"),
        (lambda: call(epsilons=-0.1), ValueError, "≥ 0"),
        (lambda: call(epsilons=[0.1, np.nan]), ValueError, "≥ 0"),
        (lambda: call(epsilons=[[0.1]]), ShapeError, "1×1"),
        (lambda: call(model=lambda x: x.sum()), ShapeError, "N×C logits"),
        (lambda: attacks.Confidence(1.5), ValueError, "1.5"),
        (lambda: attacks.BIM(steps=0), ValueError, "at least 1"),
        (lambda: attacks.BIM(step_size=0), ValueError, "step size"),
        (lambda: call(model=nn.Dropout(0.5)), ValueError, "training mode"),
    ],
)
def test_mistakes_are_named(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()
