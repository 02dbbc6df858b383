import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def linear_model(weight):
    matrix = ag.tensor(weight.reshape(len(weight), -1).T)
    return lambda x: ag.flatten(x, 1) @ matrix


def test_guided_backprop_barely_notices_that_the_network_forgot_everything(digits_net):
    model, test = digits_net
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    found = explain.cascading_randomisation(
        model,
        {
            "gradient": explain.Saliency,
            "guided": explain.GuidedBackprop,
            "Grad-CAM": lambda m: explain.GradCAM(m, "dilated.relu"),
        },
        test.x[:100],
    )
    assert found.layers[0] == "classifier.linear" and found.layers[-1] == "stem.conv"
    numbers = {name: dict(zip(found.layers, row, strict=True)) for name, row in
               found.means().items()}  # fmt: skip
    for layer in ("classifier.linear", "classifier.norm", "dilated.norm", "dilated.conv"):
        assert numbers["guided"][layer] > 0.7, layer
        assert abs(numbers["gradient"][layer]) < 0.6, layer
        assert abs(numbers["Grad-CAM"][layer]) < 0.4, layer
    assert all(np.array_equal(before[n], v.numpy()) for n, v in model.state_dict().items())
    assert str(found).splitlines()[0].split()[0] == "classifier.linear"


def test_spearman_is_the_correlation_of_ranks():
    # ranks of (1, 2, 2, 9) are 0, 1.5, 1.5, 3; of (4, 3, 2, 1) 3, 2, 1, 0
    # Σ products about 1.5: −1.5·1.5·2 = −4.5; norms √4.5 and √5
    assert explain.spearman([1, 2, 2, 9], [4, 3, 2, 1]) == pytest.approx(-4.5 / np.sqrt(22.5))
    assert explain.spearman([1.0, 1.0], [1.0, 2.0]) == 0.0
    scipy = pytest.importorskip("scipy.stats")
    a, b = draw(50).round(1), draw(50, seed=1).round(1)
    assert explain.spearman(a, b) == pytest.approx(scipy.spearmanr(a, b).statistic, abs=1e-12)


def test_the_gradient_of_a_linear_model_has_neither_infidelity_nor_sensitivity():
    weight, x = draw(2, 1, 4, 4), draw(3, 1, 4, 4, seed=1)
    model = linear_model(weight)
    method = explain.Saliency(model)
    gradient = method.attribute(x, 1)
    np.testing.assert_allclose(explain.infidelity(model, x, gradient, 1), 0.0, atol=1e-25)
    assert explain.sensitivity(method, x, 1).tolist() == [0.0, 0.0, 0.0]


def test_infidelity_of_a_wrong_explanation_is_its_squared_error():
    # with I = one pixel at a time (a known perturbation), ⟨I, φ − w⟩² is the error of that pixel
    weight, x = draw(1, 1, 2, 2), draw(1, 1, 2, 2, seed=1)
    wrong = np.zeros((1, 1, 2, 2))
    one = np.zeros((1, 2, 2))
    one[0, 1, 0] = 2.0
    found = explain.infidelity(
        linear_model(weight), x, wrong, 0, perturbation=lambda x, generator: one, samples=3
    )
    assert found == pytest.approx((2.0 * weight[0, 0, 1, 0]) ** 2)


def test_sensitivity_of_input_times_gradient_on_a_linear_model_is_that_of_the_input():
    # φ = w·x, so ‖φ(x+δ) − φ(x)‖ = ‖w·δ‖ ≤ radius·‖w‖
    weight, x = draw(1, 1, 4, 4), draw(1, 1, 4, 4, seed=1)
    method = explain.InputXGradient(linear_model(weight))
    found = explain.sensitivity(method, x, 0, radius=0.1, samples=30)
    bound = 0.1 * np.linalg.norm(weight) / np.linalg.norm(weight * x)
    assert 0.4 * bound < found[0] < bound


def test_deletion_and_insertion_of_an_additive_score_have_known_areas():
    # the score is the sum of the pixels 4, 3, 2, 1; deleted in that order: 10, 6, 3, 1, 0
    x = np.array([[[[1.0, 4.0], [3.0, 2.0]]]])

    def model(x):
        return ag.sum(x, (1, 2, 3))

    gone = explain.deletion(model, x, x, score="logit", steps=4)
    assert gone.scores.tolist() == [[10.0, 6.0, 3.0, 1.0, 0.0]]
    assert gone.areas.tolist() == [(5 + 6 + 3 + 1 + 0) / 4]
    back = explain.insertion(model, x, x, score="logit", steps=4)
    assert back.scores.tolist() == [[0.0, 4.0, 7.0, 9.0, 10.0]]
    # a map that puts the pixels in the wrong order does worse at both
    assert explain.deletion(model, x, -x, score="logit", steps=4).areas > gone.areas
    assert explain.insertion(model, x, -x, score="logit", steps=4).areas < back.areas


def test_a_gradient_deletes_better_than_chance(digits_net):
    model, test = digits_net
    x = test.x[:30]
    share = explain.InputXGradient(model).attribute(x).numpy()
    random = draw(*share.shape)
    assert (
        explain.deletion(model, x, share).areas.mean()
        < explain.deletion(model, x, random).areas.mean() - 0.1
    )


def test_the_explanation_moves_and_the_answer_stays(digits_net):
    model, test = digits_net
    x = test.x[:20]
    found = explain.fragility(model, x, epsilon=0.1, steps=10)
    change = np.abs(found.images.numpy() - x)
    assert change.max() <= 0.1 + 1e-6 and found.images.numpy().min() >= 0
    with ag.no_grad():
        answers = [model(ag.tensor(images)).numpy().argmax(1) for images in (x, found.images)]
    assert np.array_equal(*answers)
    noise = np.clip(x + 0.1 * np.sign(draw(*x.shape)), 0, 1).astype(np.float32)
    by_chance = explain.saliency(model, noise, answers[0], reduce="max").numpy()
    chance = [explain.spearman(a, b) for a, b in zip(found.before.numpy(), by_chance, strict=True)]
    assert found.kept.mean() < 0.5 and found.correlations.mean() < np.mean(chance) - 0.1


def test_the_pointing_game_takes_masks_of_each_sample():
    maps = np.zeros((2, 1, 3, 3))
    maps[0, 0, 1, 1] = maps[1, 0, 2, 0] = 1.0
    masks = np.zeros((2, 3, 3), bool)
    masks[:, 1, 1] = True
    assert explain.pointing_game(maps, masks).tolist() == [True, False]
    with pytest.raises(ShapeError, match="mask 4×4 for maps 2×3×3"):
        explain.pointing_game(maps, np.ones((4, 4), bool))


def test_a_layer_that_is_not_there_is_named():
    model = nn.Sequential(a=nn.Linear(2, 2)).eval()
    with pytest.raises(KeyError, match="no layer 'b'; there are a"):
        explain.cascading_randomisation(
            model, {"gradient": explain.Saliency}, np.ones((1, 2), np.float32), layers=["b"]
        )
