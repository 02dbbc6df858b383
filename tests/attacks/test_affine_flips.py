"""On an affine model 0.999 of the exact distance never flips the answer, and 1.001 always does."""

import numpy as np
import pytest
from affine_model import affine

from autograd_cnn import attacks

# attack, and the order of the norm dual to its own: the distance is |f| over that norm of w
EXACT = {
    "FGSM": (attacks.FGSM(), 1),
    "FGM": (attacks.FGM(), 2),
    "BIM": (attacks.BIM(), 1),
    "MIFGSM": (attacks.MIFGSM(), 1),
    "LinfPGD": (attacks.LinfPGD(), 1),
    "L2PGD": (attacks.L2PGD(100, 0.1), 2),
    "L1PGD": (attacks.L1PGD(random_start=False), np.inf),
    "APGD": (attacks.APGD(steps=20), 1),
    "APGD-l2": (attacks.APGD("l2", steps=20), 2),
    "AutoAttack": (attacks.AutoAttack(steps=20), 1),
    "AutoAttack-l2": (attacks.AutoAttack("l2", steps=20), 2),
    "Universal": (attacks.Universal(), 1),
    "Universal-l2": (attacks.Universal("l2"), 2),
    "DeepFool": (attacks.DeepFool(overshoot=5e-4, nudge=0), 2),
    "DeepFool-linf": (attacks.DeepFool("linf", overshoot=5e-4, nudge=0), 1),
    "LBFGS": (attacks.LBFGS(), 2),
    "FMN": (attacks.FMN(), 2),
    "FMN-linf": (attacks.FMN("linf"), 1),
}


@pytest.mark.parametrize("name", EXACT)
def test_every_sample_flips_just_beyond_its_distance(name):
    attack, dual = EXACT[name]
    if name == "LBFGS":
        pytest.importorskip("scipy")
    model, x, labels, margin, w = affine(n=8)
    exact = margin / np.linalg.norm(w, dual)
    assert exact.max() < 0.5 - np.abs(x - 0.5).max()  # so that no pixel meets the bounds
    for place in range(len(x)):
        one = model, x[place : place + 1], labels[place : place + 1]
        found = attack(*one, epsilons=[0.999 * exact[place], 1.001 * exact[place]])
        assert found.is_adv.tolist() == [[False], [True]]
