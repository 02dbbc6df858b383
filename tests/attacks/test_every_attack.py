"""What holds for every attack, whatever it does."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks, nn

pytest.importorskip("scipy")

QUICK = {
    "FGSM": attacks.FGSM(),
    "FGM": attacks.FGM(),
    "BIM": attacks.BIM(),
    "LinfPGD": attacks.LinfPGD(6, 0.2),
    "L2PGD": attacks.L2PGD(6, 0.2),
    "L1PGD": attacks.L1PGD(10, 0.2),
    "MIFGSM": attacks.MIFGSM(),
    "APGD": attacks.APGD(steps=12),
    "APGD-dlr": attacks.APGD("l2", "dlr", steps=12),
    "APGD-targeted": attacks.APGD("linf", "dlr-targeted", steps=12, targets=3),
    "Square": attacks.Square(queries=40, p=0.3),
    "Square-l2": attacks.Square("l2", queries=40, p=0.3),
    "AutoAttack": attacks.AutoAttack(steps=6, queries=20),
    "DeepFool": attacks.DeepFool(),
    "DeepFool-linf": attacks.DeepFool("linf"),
    "CarliniWagnerL2": attacks.CarliniWagnerL2(4, 30, 0.05),
    "EAD": attacks.EAD(1e-3, 4, 30, 0.05, initial_const=1.0),
    "LBFGS": attacks.LBFGS(4, 10),
    "FMN": attacks.FMN(steps=30),
    "FMN-linf": attacks.FMN("linf", steps=30),
    "FMN-l1": attacks.FMN("l1", steps=30),
    "JSMA": attacks.JSMA(),
    "OnePixel": attacks.OnePixel(generations=3, population=20),
    "Boundary": attacks.Boundary(40),
    "HopSkipJump": attacks.HopSkipJump(steps=3),
    "HopSkipJump-linf": attacks.HopSkipJump("linf", steps=3),
    "Universal": attacks.Universal(steps=10),
    "Universal-l2": attacks.Universal("l2", steps=10),
    # sure of anything is sure enough: what is left is to be another class
    "FoolingImage": attacks.FoolingImage(confidence=1e-6, steps=50),
}
EPSILONS = {"Linf": 0.1, "L2": 0.5, "L1": 1.5, "L0": 2.0}
every_attack = pytest.mark.parametrize("name", QUICK)
# one change for all the images: what it is depends on all of them
TOGETHER = {"Universal", "Universal-l2"}


def network(seed=0):
    """A small untrained net in float64: curved enough for steps to differ."""
    layers = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, rng=seed),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(96, 5, rng=seed + 1),
    )
    return layers.to("float64").eval()


def images(n=4, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, 2, 4, 4))


def predicted(model, x):
    return ag.argmax(model(ag.tensor(x)), 1).numpy().copy()


def away_from(labels):
    return attacks.Misclassification(labels)


def test_no_attack_is_left_out():
    every = {kind for kind in vars(attacks).values() if isinstance(kind, type)}
    every = {kind for kind in every if issubclass(kind, attacks.Attack)}
    general = {attacks.Attack, attacks.MinimalAttack, attacks.FirstOrder}
    assert every - general == {type(attack) for attack in QUICK.values()}


def size_of(attack):
    return EPSILONS[type(attack.norm).__name__]


@pytest.fixture(scope="module")
def results():
    """Each attack once, at epsilon 0 and at a real one."""
    model, x = network(), images()
    labels = predicted(model, x)
    kept = {}

    def result(name):
        if name not in kept:
            kept[name] = QUICK[name](model, x, away_from(labels), [0.0, size_of(QUICK[name])])
        return kept[name]

    return result


@every_attack
def test_epsilon_zero_gives_the_input_bit_for_bit(name, results):
    found = results(name)
    assert np.array_equal(found.clipped.numpy()[0], images())
    assert not found.is_adv[0].any()


@every_attack
def test_results_stay_inside_the_ball_and_the_bounds(name, results):
    attack, clipped = QUICK[name], results(name).clipped
    assert clipped.numpy().min() >= 0.0
    assert clipped.numpy().max() <= 1.0
    distance = attack.norm.distance(clipped[1], ag.tensor(images()))
    assert distance.max() <= size_of(attack) * (1 + 1e-12)
    assert distance.max() > 0
    raw = results(name).raw.numpy()
    assert raw.min() >= 0.0
    assert raw.max() <= 1.0


@every_attack
def test_what_is_called_fooled_is_fooled(name, results):
    model, found = network(), results(name)
    labels = predicted(model, images())
    answers = predicted(model, found.clipped.numpy()[1])
    assert np.array_equal(answers != labels, found.is_adv[1])


@every_attack
def test_one_seed_gives_one_result(name, results):
    model, x, attack = network(), images(), QUICK[name]
    again = attack(model, x, away_from(predicted(model, x)), size_of(attack)).raw.numpy()
    assert np.array_equal(again, results(name).raw.numpy()[1])


@pytest.mark.parametrize("name", sorted({*QUICK} - TOGETHER))
def test_a_batch_gives_what_its_samples_give_one_by_one(name, results):
    model, x, attack = network(), images(), QUICK[name]
    labels, together = predicted(model, x), results(name).raw.numpy()[1]
    for place in range(len(x)):
        here = slice(place, place + 1)
        one = attack(model, x[here], away_from(labels[here]), size_of(attack)).raw.numpy()
        np.testing.assert_allclose(one[0], together[place], atol=1e-9)


@every_attack
def test_only_samples_that_still_stand_are_worked_on(name):
    model, x, attack = network(), images(), QUICK[name]
    labels = (predicted(model, x) + 1) % 5  # all fooled before anything is done
    counted = attacks.Counted(model)
    found = attack(counted, x, away_from(labels), size_of(attack))
    assert np.array_equal(found.raw.numpy(), x)
    assert found.is_adv.all()
    # two passes ask whether anything is left to do; AutoAttack makes three more, one of them on
    # the tape, to see whether gradients are masked
    masked = name == "AutoAttack"
    assert counted.queries == (2 + 3 * masked) * len(x)
    assert counted.differentiated == masked * len(x)


@every_attack
def test_a_fooled_sample_beside_others_stays_as_it_is(name):
    model, x, attack = network(), images(), QUICK[name]
    labels = predicted(model, x)
    labels[1] = (labels[1] + 1) % 5
    found = attack(model, x, away_from(labels), size_of(attack))
    assert found.is_adv[1]
    assert np.array_equal(found.raw.numpy()[1], x[1])
    assert np.array_equal(found.clipped.numpy()[1], x[1])


@every_attack
def test_the_model_is_left_as_it_was(name, results):
    results(name)
    model, x = network(), images(2)
    QUICK[name](model, x, away_from(predicted(model, x)), size_of(QUICK[name]))
    fresh = network()
    for left, expected in zip(model.parameters(), fresh.parameters(), strict=True):
        assert np.array_equal(left.numpy(), expected.numpy())
        assert left.grad is None


@pytest.mark.parametrize("name", sorted({*QUICK} - {"APGD-targeted"}))
def test_a_target_class_can_be_asked_for(name):
    model, x, attack = network(), images(), QUICK[name]
    wanted = (predicted(model, x) + 2) % 5
    found = attack(model, x, attacks.Targeted(wanted), 3 * size_of(attack))
    answers = predicted(model, found.clipped.numpy())
    assert np.array_equal(answers == wanted, found.is_adv)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("weak", "strong"),
    [
        (attacks.FGSM(), attacks.BIM(3, 0.3)),
        (attacks.FGSM(), attacks.LinfPGD(3, 0.3)),
        (attacks.FGSM(), attacks.MIFGSM(3, 0.4)),
        (attacks.FGSM(), attacks.APGD(steps=3)),
        (attacks.FGSM(), attacks.APGD(loss="dlr", steps=3)),
        (attacks.FGM(), attacks.L2PGD(3, 0.3)),
        (attacks.FGM(), attacks.APGD("l2", steps=3)),
    ],
)
def test_many_steps_are_never_weaker_than_one(weak, strong, seed):
    model, x = network(seed), images(30, seed)
    labels = predicted(model, x)
    epsilons = np.array([0.2, 1.0, 2.0]) * size_of(weak)
    once = weak(model, x, labels, epsilons).is_adv
    many = strong(model, x, labels, epsilons).is_adv
    assert once.any()
    assert not once.all()
    assert (many >= once).all()
