import numpy as np
import pytest
from affine_model import affine

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.attacks import Minimal
from autograd_cnn.errors import ShapeError


def test_the_curve_of_an_affine_model_counts_the_distances_beyond_epsilon():
    model, x, labels, margin, w = affine(n=20)
    distance = margin / np.abs(w).sum()
    epsilons = np.array([0.02, 0.005, 0.01])
    curve = attacks.robustness_curve(model, x, labels, attacks.FGSM(), epsilons)
    assert curve.epsilons.tolist() == [0.0, 0.005, 0.01, 0.02]
    parts = [(distance > e).mean() for e in (0, 0.005, 0.01, 0.02)]
    assert curve.accuracy.tolist() == parts
    area = 0.005 * (parts[0] + 2 * parts[1] + parts[2]) / 2 + 0.01 * (parts[2] + parts[3]) / 2
    assert curve.area == pytest.approx(area / 0.02, rel=1e-12)


def test_distances_count_what_was_not_fooled_as_infinitely_far():
    fooled = np.array([True, True, False, True])
    found = attacks.distances(Minimal(None, np.array([0.3, 0.1, np.inf, 0.2]), fooled))
    assert found == (0.1, pytest.approx(0.25), pytest.approx(0.2), 0.75)
    far = Minimal(None, np.array([0.3, np.inf, np.inf]), np.array([True, False, False]))
    assert attacks.distances(far).median == np.inf
    never = Minimal(None, np.full(2, np.inf), np.zeros(2, bool))
    assert attacks.distances(never) == (np.inf, np.inf, np.inf, 0.0)


def test_change_norms_of_a_known_change():
    x = np.zeros((2, 2, 1, 3))
    moved = x.copy()
    moved[0, :, 0, 1] = [0.3, -0.4]
    norms = attacks.change_norms(moved, x)
    assert {name: values.tolist() for name, values in norms.items()} == {
        "l0": [1.0, 0.0], "l1": [0.7, 0.0], "l2": [0.5, 0.0], "linf": [0.4, 0.0],
    }  # fmt: skip


def test_images_transfer_between_models_of_one_boundary_and_not_of_another():
    weight = np.array([[1.0, 0.0], [0.0, 0.0]])
    along, same = (lambda x, k=k: (x - 0.5) @ ag.tensor(k * weight) for k in (1.0, 7.0))
    across = lambda x: (x - 0.5) @ ag.tensor(weight[::-1].copy())
    x = 0.5 + np.random.default_rng(0).uniform(0.01, 0.09, (9, 2))
    x[0] = [0.4, 0.6]  # wrong for one of them, so left out
    matrix = attacks.transfer_matrix(
        [along, same, across], x, np.zeros(9, int), attacks.FGSM(), 0.1
    )
    assert matrix.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_every_image_shown_is_counted():
    model, x, labels, _, _ = affine()
    counted = attacks.Counted(model)
    attacks.BIM(steps=3)(counted, x, labels, 1e-9)
    # who is fooled, 3 steps, who now, one whole step, who now, who in the end
    assert counted.queries == 8 * len(x)
    assert counted.differentiated == 4 * len(x)
    used = attacks.queries_used(attacks.BIM(steps=3), model, x, labels, 1e-9)
    assert used.tolist() == [8] * len(x)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda m, x, y: attacks.robustness_curve(m, x, y, attacks.FGSM(), [0.0]), ValueError, "0"),
        (lambda m, x, y: attacks.success_by_class([True], [0, 1], 2), ShapeError, "1 results, 2"),
        (lambda m, x, y: attacks.change_norms(x, x[:2]), ShapeError, "5×7 and of 2×7"),
        (
            lambda m, x, y: attacks.transfer_matrix([m], x, 1 - y, attacks.FGSM(), 0.1),
            ValueError,
            "no sample",
        ),
        (lambda m, x, y: attacks.distances(Minimal(None, y[:0], y[:0])), ValueError, "no samples"),
    ],
)
def test_mistakes_are_named(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake(*affine()[:3])
