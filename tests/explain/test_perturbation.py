import sys

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import MissingDependencyError, ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def linear_model(weight):
    """S_c(x) = Σ w_c·x."""
    matrix = ag.tensor(weight.reshape(len(weight), -1).T)
    return lambda x: ag.flatten(x, 1) @ matrix


def test_occlusion_of_a_linear_model_is_the_sum_under_the_patch():
    weight, x = draw(2, 3, 5, 7), draw(2, 3, 5, 7, seed=1)
    found = explain.Occlusion(linear_model(weight), (2, 3), (1, 2)).map(x, [1, 0]).numpy()
    assert found.shape == (2, 1, 4, 3)
    for n, c in enumerate((1, 0)):
        for i in range(4):
            for j in range(3):
                window = np.s_[:, i : i + 2, 2 * j : 2 * j + 3]
                expected = (weight[c][window] * x[n][window]).sum()
                assert found[n, 0, i, j] == pytest.approx(expected, rel=1e-12)


def test_occlusion_with_one_pixel_is_weight_times_distance_from_the_baseline():
    weight, x, grey = draw(1, 2, 4, 4), draw(1, 2, 4, 4, seed=1), draw(2, 1, 1, seed=2)
    found = explain.occlusion(linear_model(weight), x, 0, size=1, baseline=grey)
    np.testing.assert_allclose(
        found.numpy()[0, 0], (weight[0] * (x[0] - grey)).sum(0), rtol=1e-10, atol=1e-12
    )


def test_the_three_forms_of_occlusion_agree_about_one_patch():
    weight, x = draw(3, 1, 4, 4), draw(1, 1, 4, 4, seed=1)
    model = linear_model(weight)
    covered = x.copy()
    covered[..., :2, :2] = 0.5
    z, z_covered = ((weight * image).sum((1, 2, 3)) for image in (x, covered))
    p, p_covered = (np.exp(v) / np.exp(v).sum() for v in (z, z_covered))
    expected = {
        "score": z[2] - z_covered[2],
        "loss": -np.log(p[2]) + np.log(p_covered[2]),
        "probability": p_covered[2],
    }
    for form, value in expected.items():
        occlusion = explain.Occlusion(model, 2, 2, baseline=0.5, form=form)
        assert occlusion.map(x, 2).numpy()[0, 0, 0, 0] == pytest.approx(value, rel=1e-10), form


def test_the_mean_colour_covers_a_sample_of_one_colour_without_a_trace():
    x = np.ones((2, 3, 4, 4)) * draw(2, 3, 1, 1)
    found = explain.occlusion(linear_model(draw(1, 3, 4, 4)), x, 0, baseline="mean")
    np.testing.assert_allclose(found.numpy(), 0.0, atol=1e-12)


def test_windows_of_a_batch_in_pieces_give_the_same():
    weight, x = draw(2, 1, 6, 6), draw(3, 1, 6, 6)
    whole = explain.occlusion(linear_model(weight), x, 1)
    pieces = explain.occlusion(linear_model(weight), x, 1, max_bytes=1)
    np.testing.assert_allclose(pieces.numpy(), whole.numpy(), rtol=1e-12)


def test_the_strongest_feature_map_loses_what_is_covered():
    # channel 1 copies the image, channel 0 is dead
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 1, rng=0), relu=nn.ReLU())
    model.conv.weight.assign(np.array([0.0, 1.0], np.float32).reshape(2, 1, 1, 1))
    model.conv.bias.assign(np.zeros(2, np.float32))
    model.to("float64").eval()
    x = np.abs(draw(1, 1, 4, 4))
    found = explain.strongest_feature_map(model, x, "relu", size=2, stride=2)
    assert found.channels.tolist() == [1]
    blocks = x[0, 0].reshape(2, 2, 2, 2).sum((1, 3))
    np.testing.assert_allclose(found.occlusion.numpy()[0, 0], x.sum() - blocks, rtol=1e-12)
    np.testing.assert_allclose(found.projection.numpy(), np.ones_like(x))


SEGMENTS = np.repeat(np.repeat(np.arange(6).reshape(2, 3), 2, 0), 2, 1)  # 4×6 in blocks of 2×2


def additive(terms):
    """The sum of terms[s]·mean of block s."""
    weight = (terms[SEGMENTS] / 4)[None]
    return lambda x: ag.sum(x * ag.tensor(weight), (1, 2, 3))


@pytest.mark.parametrize("regression", ["ridge", "lasso"])
def test_lime_recovers_the_terms_of_an_additive_model(regression):
    terms = np.array([3.0, -1.0, 0.0, 2.0, 0.5, -4.0])
    lime = explain.LIME(
        additive(terms), SEGMENTS, samples=200, regression=regression, alpha=1e-10, baseline=0.0
    )
    (found,) = lime.explain(np.ones((1, 1, 4, 6)))
    within = 1e-8 if regression == "ridge" else 1e-4  # the lasso is iterated to 1e-4
    np.testing.assert_allclose(found.coefficients, terms, atol=within)
    assert found.intercept == pytest.approx(0.0, abs=within) and found.fit == pytest.approx(1.0)
    attribution = lime.attribute(np.ones((1, 1, 4, 6))).numpy()
    np.testing.assert_allclose(attribution[0, 0], terms[SEGMENTS], atol=within)


def test_a_random_forest_finds_the_one_superpixel_that_counts():
    terms = np.array([0.0, 0.0, 5.0, 0.0, 0.0, 0.0])
    lime = explain.LIME(
        additive(terms), SEGMENTS, samples=60, regression="random forest", baseline=0.0
    )
    (found,) = lime.explain(np.ones((1, 1, 4, 6)))
    assert found.coefficients.argmax() == 2 and found.coefficients[2] > 0.99


def test_lime_without_segments_cuts_along_the_colours():
    image = np.zeros((3, 20, 20))
    image[:, :, 10:] = 1.0
    found = explain.superpixels(image, 4)
    left, right = set(found[:, :10].ravel()), set(found[:, 10:].ravel())
    assert left and right and not left & right


def test_lime_repeats_with_its_seed():
    model, x = additive(np.arange(6.0) ** 2), draw(1, 1, 4, 6)
    options = {"segments": SEGMENTS, "samples": 20}
    first, same, other = (
        explain.lime(model, x, seed=seed, **options).numpy() for seed in (3, 3, 4)
    )
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_rise_of_one_pixel_is_the_mean_of_the_masks_weighted_by_that_pixel():
    # S(x∘m) = m at the pixel, so there the map is Σm²/Σm, and its mean elsewhere is smaller
    def model(x):
        return x[:, 0, 5, 2]

    x = np.ones((1, 1, 8, 8))
    found = explain.rise(model, x, masks=400, cells=4, seed=1).numpy()[0, 0]
    assert np.unravel_index(found.argmax(), found.shape) == (5, 2)
    assert np.array_equal(found, explain.rise(model, x, masks=400, cells=4, seed=1).numpy()[0, 0])
    far = found[:2, 6:]
    assert abs(far.mean() - 0.5) < 0.05  # independent of the pixel: E[m] = ½


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f, x: explain.occlusion(f, x, 0, size=9), ShapeError, "9 pixels .* image of 4"),
        (lambda f, x: explain.occlusion(f, x, 0, form="odds"), ValueError, "odds.*score"),
        (lambda f, x: explain.occlusion(f, x, 0, baseline=[1, 2]), ShapeError, "baseline 2 does"),
        (lambda f, x: explain.occlusion(f, x, 0, baseline="blue"), ValueError, "mean"),
        (lambda f, x: explain.lime(f, x, 0, regression="svm"), ValueError, "svm.*ridge"),
        (lambda f, x: explain.lime(f, x, 0, segments=np.ones((2, 2))), ShapeError, "2×2 .* 1×4×4"),
        (lambda f, x: explain.rise(f, x, 0, masks=0), ValueError, "got 0, 7"),
    ],
)
def test_settings_that_do_not_fit_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(linear_model(draw(2, 1, 4, 4)), draw(1, 1, 4, 4))


def test_without_scikit_image_lime_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(MissingDependencyError, match=r"skimage.segmentation.*autograd-cnn\["):
        explain.lime(linear_model(draw(2, 1, 4, 4)), draw(1, 1, 4, 4), 0)
