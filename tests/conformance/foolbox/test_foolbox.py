"""The same network and weights, attacked by Foolbox and by us. See the README beside this file."""

import warnings

import numpy as np
import pytest
from same_climb import climbed

from autograd_cnn import attacks

torch = pytest.importorskip("torch", reason="the reference runs in PyTorch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    foolbox = pytest.importorskip("foolbox", reason="pip install foolbox eagerpy")

pytestmark = pytest.mark.filterwarnings("ignore")
CLASSES = 5


@pytest.fixture(scope="module")
def pair(networks):
    """Our CNN, Foolbox's view of the same, PyTorch's own, images and what all of them answer."""
    ours, theirs, x, labels = networks
    return ours, foolbox.PyTorchModel(theirs, (0, 1), device="cpu"), theirs, x, labels


def theirs_of(attack, model, x, labels, epsilon=None):
    found = attack(model, torch.tensor(x), torch.tensor(labels), epsilons=epsilon)
    return found[0].detach().numpy()


@pytest.mark.parametrize("epsilon", [0.03, 0.2])
def test_linf_attacks_agree_bit_for_bit(pair, epsilon):
    ours, model, _, x, labels = pair
    fb = foolbox.attacks
    for mine, reference in (
        (attacks.FGSM(), fb.LinfFastGradientAttack()),
        (attacks.BIM(10, 0.2), fb.LinfBasicIterativeAttack(rel_stepsize=0.2, steps=10)),
        (
            attacks.LinfPGD(20, 0.1, random_start=False),
            fb.LinfPGD(rel_stepsize=0.1, steps=20, random_start=False),
        ),
    ):
        expected = theirs_of(reference, model, x, labels, epsilon)
        assert np.array_equal(climbed(mine, ours, x, labels, epsilon), expected)


@pytest.mark.parametrize("epsilon", [0.2, 1.5])
def test_l2_attacks_agree(pair, epsilon):
    ours, model, _, x, labels = pair
    fb = foolbox.attacks
    for mine, reference in (
        (attacks.FGM(), fb.L2FastGradientAttack()),
        (
            attacks.L2PGD(20, 0.1, random_start=False),
            fb.L2PGD(rel_stepsize=0.1, steps=20, random_start=False),
        ),
    ):
        expected = theirs_of(reference, model, x, labels, epsilon)
        np.testing.assert_allclose(climbed(mine, ours, x, labels, epsilon), expected, atol=1e-9)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_deepfool_agrees(pair, norm):
    ours, model, _, x, labels = pair
    kind = {"l2": "L2DeepFoolAttack", "linf": "LinfDeepFoolAttack"}[norm]
    reference = getattr(foolbox.attacks, kind)(steps=50, candidates=CLASSES, overshoot=0.02)
    expected = theirs_of(reference, model, x, labels)
    found = attacks.DeepFool(norm)(ours, x, labels)
    assert found.is_adv.all()
    np.testing.assert_allclose(found.raw.numpy(), expected, atol=1e-10)


def test_carlini_wagner_is_as_near(pair):
    ours, model, _, x, labels = pair
    settings = {"binary_search_steps": 6, "steps": 100, "confidence": 0, "initial_const": 1e-2}
    reference = foolbox.attacks.L2CarliniWagnerAttack(stepsize=0.02, abort_early=True, **settings)
    expected = theirs_of(reference, model, x, labels)
    found = attacks.CarliniWagnerL2(learning_rate=0.02, **settings)(ours, x, labels)
    assert found.is_adv.all()
    medians = [
        np.median(np.linalg.norm((moved - x).reshape(len(x), -1), axis=1))
        for moved in (found.raw.numpy(), expected)
    ]
    assert medians[0] == pytest.approx(medians[1], rel=0.02)


def test_momentum_agrees_bit_for_bit_with_the_papers_formula(pair):
    ours, _, theirs, x, labels = pair
    epsilon, steps, decay = 0.1, 10, 0.9
    start, wanted = torch.tensor(x), torch.tensor(labels)
    moved, momentum = start, torch.zeros_like(start)
    for _ in range(steps):
        variable = moved.clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(theirs(variable), wanted, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, variable)
        momentum = decay * momentum + gradient / gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
        moved = moved + 0.1 * epsilon * momentum.sign()
        moved = (start + (moved - start).clamp(-epsilon, epsilon)).clamp(0, 1)
    found = climbed(attacks.MIFGSM(steps, 0.1, decay), ours, x, labels, epsilon)
    assert np.array_equal(found, moved.numpy())
