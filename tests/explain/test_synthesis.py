import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn, optim
from autograd_cnn.errors import ShapeError
from autograd_cnn.explain.images import Fourier, Movement, blurred, warped


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def linear_model(weight):
    matrix = ag.tensor(weight.reshape(len(weight), -1).T.astype(np.float32))
    return lambda x: ag.flatten(x, 1) @ matrix


def network():
    model = nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, padding=1, rng=1), relu=nn.ReLU(), last=nn.Conv2d(4, 3, 3, rng=2)
    )
    return model.to("float64").eval()


@pytest.mark.parametrize("parametrisation", ["pixels", "fourier"])
def test_the_class_model_of_a_linear_score_is_half_the_weight_over_lambda(parametrisation):
    weight, decay = draw(2, 1, 4, 6), 0.5
    # ∂/∂I is w − 2λI: with a step of 1/(4λ) the error halves each time (in pixels)
    momentum = {"pixels": 0.0, "fourier": 0.9}[parametrisation]
    found = explain.class_model(
        linear_model(weight), 1, (1, 1, 4, 6), l2=decay, parametrisation=parametrisation,
        steps=60 if parametrisation == "pixels" else 600,
        optimizer=lambda p: optim.SGD(p, lr=0.25 / decay, momentum=momentum),
    )  # fmt: skip
    np.testing.assert_allclose(found.images.numpy()[0], weight[1] / (2 * decay), atol=1e-5)
    assert found.objectives[-1, 0] == pytest.approx((weight[1] ** 2).sum() / (4 * decay), rel=1e-5)


def test_within_bounds_a_linear_score_drives_every_pixel_to_an_end():
    weight = draw(1, 1, 4, 4)
    found = explain.maximise(
        linear_model(weight), 0, (1, 1, 4, 4), steps=60, bounds=(-1.0, 1.0)
    ).images.numpy()
    assert np.array_equal(found[0], np.sign(weight[0]))


def test_ascent_raises_the_unit_it_is_asked_for_and_repeats_with_its_seed():
    model, unit = network(), explain.Unit("last", 2, (3, 3))
    options = {"steps": 30, "bounds": (-1.0, 1.0), "jitter": 1.0, "rotate": 5.0, "scale": 0.05}
    first = explain.maximise(model, unit, (1, 1, 8, 8), seed=3, **options)
    same = explain.maximise(model, unit, (1, 1, 8, 8), seed=3, **options)
    assert first.objectives[-1] > 2 * first.objectives[0] > 0
    assert np.array_equal(first.images.numpy(), same.images.numpy())
    # of the 8×8 pixels only the 5×5 that the unit sees (and their neighbours) have moved far
    still = explain.maximise(model, unit, (1, 1, 8, 8), "zero", steps=30).images.numpy()[0, 0]
    assert not still[:, :1].any() and np.abs(still[2:7, 2:7]).min() > 0


def test_a_unit_that_starts_dead_is_excited_under_redirected_rules():
    model = nn.Sequential(conv=nn.Conv2d(1, 1, 3, rng=0), relu=nn.ReLU()).eval()
    model.conv.bias.assign(np.full(1, -0.5, np.float32))
    found = {
        rules: explain.maximise(
            model, explain.Unit("relu", 0, (0, 0)), (1, 1, 3, 3), "zero", steps=40, rules=rules
        ).objectives[-1, 0]
        for rules in (None, "redirected")
    }
    assert found[None] == 0.0 and found["redirected"] > 1.0


def test_total_variation_makes_smoother_images():
    model, unit = network(), explain.Unit("last", 0)
    rough, smooth = (
        explain.maximise(
            model, unit, (1, 1, 8, 8), steps=40, bounds=(0.0, 1.0), total_variation_weight=weight
        ).images
        for weight in (0.0, 0.3)
    )
    assert float(explain.total_variation(smooth)) < 0.5 * float(explain.total_variation(rough))


@pytest.mark.parametrize("size", [(5, 8), (6, 7)])
def test_the_fourier_parametrisation_can_be_undone(size):
    image = ag.tensor(draw(2, 3, *size))
    space = Fourier(size, image)
    np.testing.assert_allclose(space.image(space.of(image)).numpy(), image.numpy(), atol=1e-13)


def test_fourier_steps_begin_with_large_structures():
    model, roughness = linear_model(draw(1, 1, 16, 16)), {}
    for name in ("pixels", "fourier"):
        image = explain.maximise(
            model, 0, (1, 1, 16, 16), "zero", steps=1, parametrisation=name,
            optimizer=lambda p: optim.SGD(p, lr=1.0),
        ).images  # fmt: skip
        roughness[name] = float(explain.total_variation(image)) / np.abs(image.numpy()).sum()
    assert roughness["fourier"] < 0.5 * roughness["pixels"]


def test_turning_and_moving_put_pixels_where_they_belong():
    image = ag.tensor(draw(1, 2, 5, 5))
    turned = warped(image, angle=np.pi / 2).numpy()
    np.testing.assert_allclose(turned, np.rot90(image.numpy(), -1, (2, 3)), atol=1e-12)
    moved = warped(image, shift=(1, -2)).numpy()
    assert np.array_equal(moved[..., 1:, :3], image.numpy()[..., :-1, 2:])
    assert np.array_equal(moved[..., 0, 0], image.numpy()[..., 0, 2])  # the border goes on


def test_a_blur_keeps_a_constant_and_the_mean_far_from_the_border():
    np.testing.assert_allclose(blurred(ag.tensor(np.ones((1, 1, 6, 9))), 2.0).numpy(), 1.0)
    point = np.zeros((1, 1, 21, 21))
    point[0, 0, 10, 10] = 1.0
    found = blurred(ag.tensor(point), 1.5).numpy()[0, 0]
    rows = np.arange(21) - 10
    assert found.sum() == pytest.approx(1.0)
    assert (found.sum(1) * rows**2).sum() == pytest.approx(1.5**2, rel=0.05)


def test_the_dream_of_the_identity_is_more_contrast():
    # a = I, so the gradient of ½‖a‖² is I: each step multiplies by 1 + step/mean|I|
    model = nn.Sequential(conv=nn.Conv2d(1, 1, 1, bias=False)).eval()
    model.conv.weight.assign(np.ones((1, 1, 1, 1), np.float32))
    image = draw(1, 1, 4, 4)
    found = explain.deep_dream(
        model, image, "conv", octaves=1, steps=1, step_size=0.1, jitter=0.0, bounds=None
    )
    np.testing.assert_allclose(found.numpy(), image * (1 + 0.1 / np.abs(image).mean()), rtol=1e-6)


def test_a_dream_excites_its_layer_more_and_stays_within_bounds():
    model, image = network(), np.random.default_rng(0).random((1, 1, 24, 20))

    def energy(x):
        return float(np.square(explain.activation(model, x, "relu").numpy()).mean())

    dream = explain.deep_dream(model, image, "relu", octaves=3, steps=5)
    assert dream.shape == image.shape and dream.numpy().min() >= 0 and dream.numpy().max() <= 1
    assert energy(dream) > 1.2 * energy(image)
    frames = list(explain.dream_zoom(model, image, "relu", 3, octaves=1, steps=5))
    nearer = image
    for frame in frames:
        assert energy(frame) > energy(nearer)
        nearer = warped(frame, zoom=1.05)


def test_a_layer_that_loses_nothing_is_inverted():
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 1, rng=0)).to("float64").eval()
    image = draw(1, 1, 4, 4)
    features = explain.activation(model, image, "conv")
    found = explain.invert(model, features, "conv", (1, 1, 4, 4), steps=300)
    np.testing.assert_allclose(found.images.numpy(), image, atol=1e-3)
    assert found.objectives[-1] > -1e-6


def test_movements_are_drawn_from_the_generator():
    image = ag.tensor(draw(1, 1, 6, 6))
    move = Movement(jitter=2.0)
    first, same, other = (move(image, np.random.default_rng(seed)).numpy() for seed in (0, 0, 1))
    assert np.array_equal(first, same) and not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f: explain.maximise(f, 0), ShapeError, "needs its shape, got none"),
        (lambda f: explain.maximise(f, 0, (1, 1, 4, 4), "ones"), ValueError, "neither"),
        (lambda f: explain.maximise(f, 0, (1, 1, 4, 4), steps=0), ValueError, "at least one step"),
        (lambda f: explain.maximise(f, 0, (1, 1, 4, 4), jitter=-1.0), ValueError, "jitter"),
        (lambda f: explain.deep_dream(f, draw(4, 4), "conv"), ShapeError, "got 4×4"),
        (
            lambda f: explain.invert(f, np.ones((1, 4, 2, 2)), "conv", (1, 1, 4, 4)),
            ShapeError,
            "features are 1×4×2×2, layer 'conv' gives 1×4×4×4",
        ),
    ],
)
def test_what_cannot_be_made_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call(network())
