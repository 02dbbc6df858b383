import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import ShapeError
from autograd_cnn.explain.target import part_of


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def curved(x):
    hidden = ag.tanh(x @ ag.tensor(draw(4, 6)))
    return hidden @ ag.tensor(draw(6, 3, seed=1))


def test_integrated_gradients_are_exact_on_a_linear_model_in_one_step():
    weight, x, start = draw(4, 3), draw(2, 4, seed=1), draw(4, seed=2)
    found = explain.integrated_gradients(
        lambda x: x @ ag.tensor(weight), x, 1, steps=1, baseline=start
    )
    np.testing.assert_allclose(found.numpy(), (x - start) * weight[:, 1], rtol=1e-14)


def test_integrated_gradients_are_exact_on_a_polynomial_of_degree_2_steps():
    x = np.array([[1.0, -2.0]])
    found = explain.integrated_gradients(lambda x: (x**4).sum(axis=1), x, steps=2)
    np.testing.assert_allclose(found.numpy(), x**4, rtol=1e-14)


def test_integrated_gradients_become_complete_as_the_steps_grow():
    x = draw(5, 4, seed=3)
    deltas = []
    for steps in (1, 4, 16):
        method = explain.IntegratedGradients(curved, steps=steps, baseline=0.1)
        deltas.append(np.abs(method.delta(method.attribute(x), x).numpy()).max())
    assert deltas[0] > 1e-2 > deltas[1] > deltas[2]
    assert deltas[2] < 1e-9


@pytest.mark.parametrize("layer", [None, "relu"])
def test_points_and_samples_in_pieces_give_the_same(layer):
    model = nn.Sequential(
        conv=nn.Conv2d(1, 3, 3, rng=0), relu=nn.Tanh(), flat=nn.Flatten(), last=nn.Linear(27, 2)
    ).to("float64").eval()  # fmt: skip
    x, start = draw(3, 1, 5, 5), draw(3, 1, 5, 5, seed=1)
    options = {"steps": 5, "baseline": start, "layer": layer}
    for target in ([0, 1, 1], explain.Unit("relu", [0, 2, 1], "max"), explain.Unit("relu", 1)):
        if layer is not None and not isinstance(target, list):
            continue
        whole = explain.integrated_gradients(model, x, target, **options).numpy()
        for size in (1, 2000):
            pieces = explain.integrated_gradients(model, x, target, max_bytes=size, **options)
            np.testing.assert_allclose(pieces.numpy(), whole, rtol=1e-12, atol=1e-15)
        alone = [
            explain.integrated_gradients(
                model, x[n : n + 1], part_of(target, slice(n, n + 1)),
                **(options | {"baseline": start[n : n + 1]}),
            ).numpy()
            for n in range(3)
        ]  # fmt: skip
        np.testing.assert_allclose(np.concatenate(alone), whole, rtol=1e-12, atol=1e-15)


def test_a_function_of_the_outputs_sees_the_batch_as_it_is():
    # it picks by place in the batch, so copies of the batch side by side would mislead it
    seen = []

    def target(outputs):
        seen.append(outputs.shape)
        return outputs[(np.arange(3), np.array([2, 0, 1]))]

    x = draw(3, 4)
    found = explain.integrated_gradients(curved, x, target, steps=4)
    assert set(seen) == {(3, 3)}
    by_class = explain.integrated_gradients(curved, x, [2, 0, 1], steps=4)
    np.testing.assert_allclose(found.numpy(), by_class.numpy(), rtol=1e-12)


def test_integrated_gradients_explain_the_class_predicted_at_the_input():
    # far from the input another class leads: it must not be the one explained
    def model(x):
        return x @ ag.tensor([[1.0, 0.0]]) + ag.tensor([0.0, 2.0])

    found = explain.integrated_gradients(model, np.array([[3.0]]))
    np.testing.assert_allclose(found.numpy(), [[3.0]], rtol=1e-14)


def test_a_baseline_that_does_not_fit_is_refused_with_both_shapes():
    with pytest.raises(ShapeError, match="baseline 3 does not broadcast to the input 2×4"):
        explain.integrated_gradients(curved, draw(2, 4), baseline=[0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="got 0"):
        explain.IntegratedGradients(curved, steps=0)


def test_input_times_gradient_sums_to_the_score_of_a_linear_model():
    weight, x = draw(4, 3), draw(2, 4, seed=1)
    found = explain.input_x_gradient(lambda x: x @ ag.tensor(weight), x, 2)
    np.testing.assert_allclose(found.numpy().sum(axis=1), (x @ weight)[:, 2], rtol=1e-13)


def test_smoothgrad_repeats_with_its_seed_and_is_the_gradient_without_noise():
    x = draw(3, 4, seed=5)
    method = explain.Saliency(curved)
    first = explain.SmoothGrad(method, samples=4, seed=1).attribute(x).numpy()
    assert np.array_equal(first, explain.SmoothGrad(method, 4, seed=1).attribute(x).numpy())
    assert not np.array_equal(first, explain.SmoothGrad(method, 4, seed=2).attribute(x).numpy())
    of_model = explain.SmoothGrad(curved, samples=4, seed=1).attribute(x).numpy()
    assert np.array_equal(first, of_model)
    still = explain.SmoothGrad(method, samples=2, noise=0.0).attribute(x)
    np.testing.assert_allclose(still.numpy(), method.attribute(x).numpy(), rtol=1e-14)


def test_smoothgrad_of_a_quadratic_is_its_gradient_at_the_mean_of_the_noise():
    # ∂Σx² = 2x, so the mean over noisy copies is 2(x + mean noise): within 5 standard errors
    x, samples, noise = np.array([[0.0, 1.0]]), 400, 0.2
    found = explain.smooth_grad(lambda x: (x * x).sum(axis=1), x, samples=samples, noise=noise)
    error = np.abs(found.numpy() - 2 * x).max()
    assert 0 < error < 5 * 2 * noise / samples**0.5
