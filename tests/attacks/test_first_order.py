import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks, nn

ATTACKS = [
    attacks.FGSM(),
    attacks.BIM(),
    attacks.LinfPGD(steps=8, step_size=0.2),
    attacks.L2PGD(steps=8, step_size=0.2),
]
NAMES = ["FGSM", "BIM", "LinfPGD", "L2PGD"]
every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def images(n, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, 2, 3, 3))


def network(seed=0):
    """A small untrained net in float64: curved enough for steps to differ."""
    layers = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, rng=seed),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(54, 4, rng=seed + 1),
    )
    return layers.to("float64").eval()


def predicted(model, x):
    return ag.argmax(model(ag.tensor(x)), 1).numpy().copy()


def affine(n=5, pixels=7):
    """Two classes with an affine difference f(x) = wᵀx + b, images near 0.5, and their |f|."""
    w, x = draw(pixels), 0.5 + 0.08 * draw(n, pixels, seed=1)
    b = -(x @ w).mean()
    weight = np.stack([w, np.zeros(pixels)], axis=1)
    model = lambda x: x @ ag.tensor(weight) + ag.tensor([b, 0.0], dtype="float64")
    f = x @ w + b
    return model, x, np.where(f > 0, 0, 1), np.abs(f), w


@pytest.mark.parametrize(
    ("attack", "order"), [(attacks.FGSM(), 1), (attacks.L2PGD(5, 1.0, random_start=False), 2)]
)
def test_an_affine_model_flips_just_beyond_its_distance(attack, order):
    # the distance to the boundary is |f|/‖w‖₁ in L∞ and |f|/‖w‖₂ in L2
    model, x, labels, margin, w = affine()
    distance = margin / np.linalg.norm(w, order)
    assert distance.max() < 0.15  # so that no pixel meets the bounds
    for sample in range(len(x)):
        one = (model, x[sample : sample + 1], labels[sample : sample + 1])
        found = attack(*one, epsilons=[0.999 * distance[sample], 1.001 * distance[sample]])
        assert found.is_adv.tolist() == [[False], [True]]


def test_fgsm_is_its_formula():
    weight = np.array([[2.0, -1.0], [-3.0, 1.0], [1.0, 1.0]])
    found = attacks.FGSM()(lambda x: x @ ag.tensor(weight), np.full((1, 3), 0.5), [1], 0.25)
    # raising the loss of class 1 means rising along w₀ − w₁ = (3, −4, 0)
    assert found.raw.numpy().tolist() == [[0.75, 0.25, 0.5]]


@every_attack
def test_epsilon_zero_gives_the_input_bit_for_bit(attack):
    model, x = network(), images(4)
    found = attack(model, x, predicted(model, x), epsilons=0.0)
    assert np.array_equal(found.raw.numpy(), x)
    assert not found.is_adv.any()


@every_attack
@pytest.mark.parametrize("epsilon", [0.03, 0.4])
def test_results_stay_inside_the_ball_and_the_bounds(attack, epsilon):
    model, x = network(), images(6)
    found = attack(model, x, predicted(model, x), epsilons=epsilon)
    for moved in (found.raw.numpy(), found.clipped.numpy()):
        change = (moved - x).reshape(6, -1)
        order = 2 if isinstance(attack, attacks.L2PGD) else np.inf
        assert np.linalg.norm(change, order, axis=1).max() <= epsilon * (1 + 1e-12)
        assert moved.min() >= 0.0
        assert moved.max() <= 1.0
        assert np.abs(change).max() > 0


@every_attack
def test_one_seed_one_result_and_samples_do_not_mix(attack):
    model, x = network(), images(5)
    labels = predicted(model, x)
    first = attack(model, x, labels, epsilons=0.1).raw.numpy()
    assert np.array_equal(first, attack(model, x, labels, epsilons=0.1).raw.numpy())
    for place in (4, 1):
        alone = attack(model, x[place : place + 1], labels[place : place + 1], epsilons=0.1)
        np.testing.assert_allclose(alone.raw.numpy()[0], first[place], atol=1e-12)


def test_another_seed_starts_elsewhere():
    model, x = network(), images(2)
    labels = predicted(model, x)
    runs = [attacks.LinfPGD(1, 0.1, seed=seed)(model, x, labels, 0.01) for seed in (0, 1)]
    assert not np.array_equal(runs[0].raw.numpy(), runs[1].raw.numpy())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("strong", [attacks.LinfPGD(3, 0.3), attacks.LinfPGD(1, 0.01)])
def test_projected_gradient_is_never_weaker_than_one_step(seed, strong):
    model, x = network(seed), images(30, seed)
    labels, epsilons = predicted(model, x), [0.01, 0.05, 0.2]
    weak = attacks.FGSM()(model, x, labels, epsilons).is_adv
    found = strong(model, x, labels, epsilons).is_adv
    assert weak.any()
    assert not weak.all()
    assert (found >= weak).all()


def test_only_samples_that_still_stand_are_worked_on():
    model, x = network(), images(6)
    labels = predicted(model, x)
    labels[:4] = (labels[:4] + 1) % 4  # fooled before anything is done
    sizes = []

    def watched(x):
        if x.requires_grad:
            sizes.append(len(x))
        return model(x)

    found = attacks.BIM(steps=3)(watched, x, labels, epsilons=1e-6)
    assert np.array_equal(found.raw.numpy()[:4], x[:4])
    assert found.is_adv.tolist() == [True] * 4 + [False] * 2
    assert sizes == [2] * (3 + 1)


def test_several_epsilons_are_several_calls():
    model, x = network(), images(3)
    labels, attack = predicted(model, x), attacks.BIM(steps=3)
    together = attack(model, x, labels, [0.2, 0.05])
    assert together.raw.shape == (2, *x.shape)
    assert together.is_adv.shape == (2, 3)
    for k, epsilon in enumerate([0.2, 0.05]):
        alone = attack(model, x, labels, epsilon)
        assert np.array_equal(together.raw.numpy()[k], alone.raw.numpy())
        assert np.array_equal(together.is_adv[k], alone.is_adv)


def test_the_model_is_left_as_it_was():
    model, x = network(), images(2)
    before = [parameter.numpy().copy() for parameter in model.parameters()]
    attacks.LinfPGD(steps=2)(model, x, predicted(model, x), 0.1)
    assert all(
        np.array_equal(b, p.numpy()) for b, p in zip(before, model.parameters(), strict=True)
    )
    assert all(parameter.grad is None for parameter in model.parameters())
