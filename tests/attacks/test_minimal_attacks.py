"""Attacks that look for the nearest image: exact on affine models."""

import numpy as np
import pytest
from affine_model import affine, distances, draw

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.attacks import DeepFool

# attack, the order of the norm dual to its own, and how far above the exact distance it may end
AFFINE = {
    "DeepFool": (DeepFool(overshoot=1e-3, nudge=0), 2, 1.0011),
    "DeepFool-linf": (DeepFool("linf", overshoot=1e-3, nudge=0), 1, 1.0011),
    "CarliniWagnerL2": (attacks.CarliniWagnerL2(12, 400, learning_rate=0.003), 2, 1.01),
    "EAD": (attacks.EAD(0.01, 14, 300), np.inf, 1.01),
    "LBFGS": (attacks.LBFGS(), 2, 1.0001),
    "FMN": (attacks.FMN(), 2, 1.0001),
    "FMN-linf": (attacks.FMN("linf"), 1, 1.0001),
    "FMN-l1": (attacks.FMN("l1"), np.inf, 1.002),
    "Boundary": (attacks.Boundary(800), 2, 1.001),
    "HopSkipJump": (attacks.HopSkipJump(), 2, 1.002),
    "HopSkipJump-linf": (attacks.HopSkipJump("linf"), 1, 1.002),
    "L1PGD": (attacks.L1PGD(random_start=False), np.inf, 1.002),
    "FGM": (attacks.FGM(), 2, 1.002),
    "MIFGSM": (attacks.MIFGSM(), 1, 1.002),
    "APGD": (attacks.APGD(steps=20), 1, 1.002),
    "APGD-l2": (attacks.APGD("l2", steps=20), 2, 1.002),
}


@pytest.mark.parametrize("name", AFFINE)
def test_the_distance_found_on_an_affine_model_is_the_exact_one(name):
    # |f|/‖w‖₂ in L2, |f|/‖w‖₁ in L∞, |f|/max|w| in L1
    attack, dual, most = AFFINE[name]
    if name == "LBFGS":
        pytest.importorskip("scipy")
    model, x, labels, margin, w = affine()
    found = attack(model, x, labels)
    assert found.is_adv.all()
    ratio = distances(attack, found, x) / (margin / np.linalg.norm(w, dual))
    assert ratio.min() >= 1 - 1e-9  # nothing nearer can fool
    assert ratio.max() <= most


def test_deepfool_of_an_affine_model_is_its_formula():
    # one step: x − (1 + overshoot)·(|f|/‖w‖ + nudge)·sgn(f)·w/‖w‖
    model, x, labels, margin, w = affine()
    f = np.where(labels == 0, margin, -margin)
    length = (1 + 0.02) * (np.abs(f) / np.linalg.norm(w) + 1e-4)
    expected = x - np.sign(f)[:, None] * length[:, None] * w / np.linalg.norm(w)
    np.testing.assert_allclose(DeepFool()(model, x, labels).raw.numpy(), expected, atol=1e-8)
    length = (1 + 0.02) * (np.abs(f) / np.abs(w).sum() + 1e-4)
    expected = x - np.sign(f)[:, None] * length[:, None] * np.sign(w)
    found = DeepFool("linf")(model, x, labels)
    np.testing.assert_allclose(found.raw.numpy(), expected, atol=1e-8)


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_deepfool_goes_to_the_nearest_of_many_boundaries(norm, dual):
    weight, x = draw(6, 5), 0.5 + 0.02 * draw(8, 6, seed=2)
    b = -(x @ weight).mean(axis=0)
    model = lambda x: x @ ag.tensor(weight) + ag.tensor(b)
    logits = x @ weight + b
    labels = logits.argmax(axis=1)
    gaps = logits.max(axis=1, keepdims=True) - logits
    slopes = weight[:, labels].T[:, None] - weight.T  # of each sample's class over each other one
    lengths = np.linalg.norm(slopes, dual, axis=2)
    exact = np.where(lengths > 0, gaps / np.maximum(lengths, 1e-9), np.inf).min(axis=1)
    attack = DeepFool(norm, overshoot=1e-3, nudge=0)
    found = attack(model, x, labels)
    np.testing.assert_allclose(distances(attack, found, x), 1.001 * exact, rtol=1e-6)
    # towards one class only its own boundary counts, and nothing is nearer than the nearest
    wanted = (labels + 1) % 5
    found = DeepFool(norm)(model, x, attacks.Targeted(wanted))
    assert found.is_adv.all()
    assert (distances(attack, found, x) >= exact).all()


def test_deepfool_makes_one_forward_pass_a_step():
    model, x, labels, _, _ = affine()
    calls = []

    def watched(x):
        calls.append(x.requires_grad)
        return model(x)

    DeepFool()(watched, x, labels)
    # one step crosses the boundary, the second pass sees that all are fooled
    assert sum(calls) == 2


def test_the_saliency_map_attack_changes_the_pixel_that_matters_most():
    # raising x₂ and x₄ gains most for class 1 and costs class 0 most
    weight = np.array([[1.0, 0.1, -1.0, 0.2, -2.0, 0.0], [0.0, 0.2, 1.0, 0.1, 2.0, 0.3]]).T
    model = lambda x: x @ ag.tensor(weight)
    x = np.full((1, 6), 0.4)
    x[0, 0] = 1.0
    x[0, 2] = x[0, 4] = 0.0
    found = attacks.JSMA(gamma=0.4)(model, x, attacks.Targeted(1))
    expected = x.copy()
    expected[0, [2, 4]] = 1.0
    assert found.is_adv.all()
    assert found.raw.numpy().tolist() == expected.tolist()
    assert distances(attacks.JSMA(), found, x).tolist() == [2.0]


def test_one_pixel_finds_the_only_pixel_that_can_fool():
    pytest.importorskip("scipy")
    weight = np.zeros((2, 2, 4, 4))
    weight[0] = 0.01
    weight[1, 1, 2, 3] = 1.0  # channel 1 of the pixel (2, 3)
    flat = weight.reshape(2, -1).T
    model = lambda x: ag.flatten(x, 1) @ ag.tensor(flat)
    x = np.full((2, 2, 4, 4), 0.5)
    x[:, 1, 2, 3] = [0.1, 0.02]
    attack = attacks.OnePixel(generations=30, population=60)
    found = attack(model, x, [0, 0])
    assert found.is_adv.all()
    changed = (found.raw.numpy() != x).any(axis=1)
    assert changed.sum(axis=(1, 2)).tolist() == [1, 1]
    assert changed[:, 2, 3].all()
    assert distances(attack, found, x).tolist() == [1.0, 1.0]


def test_a_minimal_attack_runs_once_for_all_epsilons():
    model, x, labels, margin, w = affine()
    exact = margin / np.linalg.norm(w)
    epsilons = [0.0, *np.sort(exact * 1.02)]
    attack = DeepFool(overshoot=0.01, nudge=0)
    calls = []

    def watched(x):
        calls.append(x.requires_grad)
        return model(x)

    found = attack(watched, x, labels, epsilons)
    assert sum(calls) == 2
    assert found.is_adv.tolist() == [[bool(e > d) for d in exact] for e in epsilons]
    assert np.array_equal(found.clipped.numpy()[0], x)
    for k, epsilon in enumerate(epsilons):
        change = np.linalg.norm(found.clipped.numpy()[k] - x, axis=1)
        assert change.max() <= epsilon * (1 + 1e-12)


def test_more_confidence_goes_further():
    model, x, labels, margin, w = affine()
    attack = attacks.CarliniWagnerL2(12, 400, learning_rate=0.01, confidence=0.2)
    found = attack(model, x, labels)
    exact = (margin + 0.2) / np.linalg.norm(w)
    ratio = distances(attack, found, x) / exact
    assert ratio.min() >= 1 - 1e-9
    assert ratio.max() <= 1.02


def test_a_walk_may_start_from_a_pool():
    model, x, labels, _, _ = affine()
    never = lambda x: model(x) * ag.tensor([1.0, 0.0], dtype="float64") + ag.tensor([9.0, 0.0])
    attack = attacks.Boundary(50)
    assert not attack(never, x, np.zeros(len(x), int)).is_adv.any()
    pool = np.concatenate([x, 1 - x])
    started = attacks.Boundary(50, starts=pool)(model, x, labels)
    answers = model(ag.tensor(pool)).numpy().argmax(axis=1)
    for place, label in enumerate(labels):
        others = pool[answers != label]
        nearest = np.linalg.norm(others - x[place], axis=1).min()
        assert np.linalg.norm(started.raw.numpy()[place] - x[place]) <= nearest


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: DeepFool("l1"), ValueError, "'l1' is not one of 'l2', 'linf'"),
        (lambda: DeepFool(steps=0), ValueError, "got 0"),
        (lambda: DeepFool(overshoot=-1), ValueError, "-1"),
        (lambda: attacks.CarliniWagnerL2(learning_rate=0), ValueError, "above 0"),
        (lambda: attacks.EAD(decision="l2"), ValueError, "'l2'"),
        (lambda: attacks.LBFGS(steps=0), ValueError, "at least 1"),
        (lambda: attacks.FMN(gamma=1), ValueError, "within"),
        (lambda: attacks.JSMA(theta=0), ValueError, "not 0"),
        (lambda: attacks.OnePixel(pixels=0), ValueError, "at least 1"),
        (lambda: attacks.Boundary(0), ValueError, "got 0"),
        (lambda: attacks.HopSkipJump("l1"), ValueError, "'l1'"),
    ],
)
def test_settings_out_of_range_are_named(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()


@pytest.mark.parametrize("attack", [DeepFool(), attacks.JSMA()])
def test_attacks_that_need_classes_say_so(attack):
    model, x, _, _, _ = affine()
    with pytest.raises(TypeError, match="Confidence"):
        attack(model, x, attacks.Confidence(0.9999))
