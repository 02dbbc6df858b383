"""The same network and weights, attacked by torchattacks and by us. See the README beside it."""

import warnings

import numpy as np
import pytest
from same_climb import climbed

from autograd_cnn import attacks

torch = pytest.importorskip("torch", reason="the reference runs in PyTorch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torchattacks = pytest.importorskip(
        "torchattacks", reason="pip install --no-deps torchattacks; pip install tqdm"
    )

pytestmark = pytest.mark.filterwarnings("ignore")


def found_by(attack, x, labels):
    return attack(torch.tensor(x), torch.tensor(labels)).detach().numpy()


def lengths(moved, x):
    return np.linalg.norm((moved - x).reshape(len(x), -1), axis=1)


@pytest.mark.parametrize("epsilon", [0.03, 0.2])
def test_attacks_in_the_largest_change_agree_bit_for_bit(networks, epsilon):
    ours, theirs, x, labels = networks
    steps = {"eps": epsilon, "alpha": 0.1 * epsilon, "steps": 20}
    for mine, reference in (
        (attacks.FGSM(), torchattacks.FGSM(theirs, epsilon)),
        (
            attacks.LinfPGD(20, 0.1, random_start=False),
            torchattacks.PGD(theirs, random_start=False, **steps),
        ),
        (attacks.MIFGSM(20, 0.1, 1.0), torchattacks.MIFGSM(theirs, decay=1.0, **steps)),
        (attacks.MIFGSM(20, 0.1, 0.5), torchattacks.MIFGSM(theirs, decay=0.5, **steps)),
    ):
        expected = found_by(reference, x, labels)
        assert np.array_equal(climbed(mine, ours, x, labels, epsilon), expected)


@pytest.mark.parametrize("epsilon", [0.2, 1.5])
def test_l2_pgd_agrees(networks, epsilon):
    ours, theirs, x, labels = networks
    mine = attacks.L2PGD(20, 0.1, random_start=False)
    reference = torchattacks.PGDL2(
        theirs, epsilon, 0.1 * epsilon, 20, random_start=False, eps_for_division=0.0
    )
    expected = found_by(reference, x, labels)
    np.testing.assert_allclose(climbed(mine, ours, x, labels, epsilon), expected, atol=1e-9)


def test_our_deepfool_fools_all_and_is_no_further(networks):
    ours, theirs, x, labels = networks
    expected = found_by(torchattacks.DeepFool(theirs), x, labels)
    with torch.no_grad():
        fooled = theirs(torch.tensor(expected)).argmax(1).numpy() != labels
    found = attacks.DeepFool()(ours, x, labels)
    assert found.is_adv.all()
    moved = found.raw.numpy()
    assert np.median(lengths(moved, x)[fooled]) <= 1.01 * np.median(lengths(expected, x)[fooled])


def test_our_carlini_wagner_is_no_further_than_one_without_a_search(networks):
    ours, theirs, x, labels = networks
    expected = found_by(torchattacks.CW(theirs, c=1.0, steps=100, lr=0.02), x, labels)
    with torch.no_grad():
        fooled = theirs(torch.tensor(expected)).argmax(1).numpy() != labels
    found = attacks.CarliniWagnerL2(4, 100, 0.02, initial_const=1.0)(ours, x, labels)
    assert found.is_adv.all()
    assert not fooled.all()  # one constant does not suit every image
    assert fooled.any()
    ratio = lengths(found.raw.numpy(), x)[fooled] / lengths(expected, x)[fooled]
    assert np.median(ratio) <= 1.005
