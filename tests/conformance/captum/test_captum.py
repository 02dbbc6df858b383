import warnings
from copy import deepcopy

import numpy as np
import pytest

from autograd_cnn import explain

TARGETS = [2, 0, 3]


@pytest.fixture
def same(torch, pair):
    """`same(ours, theirs)`: two functions of (model, x), to rounding."""

    def check(ours, theirs, rtol=1e-12):
        model, their_model, x = pair
        variable = torch.from_numpy(x).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Captum's hooks and its deprecated calls
            expected = theirs(their_model, variable).detach().numpy()
        found = ours(model, x).numpy()
        assert np.abs(expected).max() > 0
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * scale)

    return check


def test_saliency(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.saliency(f, x, TARGETS),
        lambda f, x: attr.Saliency(f).attribute(x, TARGETS, abs=False),
    )


def test_input_x_gradient(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.input_x_gradient(f, x, TARGETS),
        lambda f, x: attr.InputXGradient(f).attribute(x, TARGETS),
    )


def test_guided_backprop(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.guided_backprop(f, x, TARGETS),
        lambda f, x: attr.GuidedBackprop(f).attribute(x, TARGETS),
    )


def test_deconvnet(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.deconvnet(f, x, TARGETS),
        lambda f, x: attr.Deconvolution(f).attribute(x, TARGETS),
    )


def test_integrated_gradients(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.integrated_gradients(f, x, TARGETS, steps=20, baseline=0.3),
        lambda f, x: attr.IntegratedGradients(f).attribute(
            x, 0.3, TARGETS, n_steps=20, method="gausslegendre"
        ),
        rtol=1e-6,  # Captum has its points of the path in float32
    )


@pytest.mark.parametrize("relu", [False, True])
def test_grad_cam(same, relu):
    attr = pytest.importorskip("captum.attr")

    def theirs(f, x):
        cam = attr.LayerGradCam(f, f[4])
        maps = cam.attribute(x, TARGETS, relu_attributions=relu)
        return attr.LayerAttribution.interpolate(maps, (12, 12), "bilinear")

    same(lambda f, x: explain.grad_cam(f, x, "4", TARGETS, relu=relu), theirs)


def test_guided_grad_cam(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.guided_grad_cam(f, x, "4", TARGETS),
        lambda f, x: attr.GuidedGradCam(f, f[4]).attribute(x, TARGETS, interpolate_mode="bilinear"),
    )


def test_gradient_at_a_layer_and_from_a_unit(same):
    attr = pytest.importorskip("captum.attr")
    same(
        lambda f, x: explain.input_x_gradient(f, x, TARGETS, layer="3"),
        lambda f, x: attr.LayerGradientXActivation(f, f[3]).attribute(x, TARGETS),
    )
    same(
        lambda f, x: explain.saliency(f, x, explain.Unit("3", 5, (2, 4))),
        lambda f, x: attr.NeuronGradient(f, f[3]).attribute(x, (5, 2, 4)),
    )


@pytest.mark.parametrize(("size", "stride"), [((3, 3), (1, 1)), ((4, 5), (3, 2))])
def test_occlusion(same, size, stride):
    attr = pytest.importorskip("captum.attr")

    def theirs(f, x):
        found = attr.Occlusion(f).attribute(
            x, (2, *size), (2, *stride), baselines=0.5, target=TARGETS
        )
        return found[:, :1]  # the same for each channel

    same(
        lambda f, x: explain.occlusion(f, x, TARGETS, size=size, stride=stride, baseline=0.5),
        theirs,
        rtol=1e-5,
    )


EPSILON = 1e-12


def relevance(model, x, rule, **options):
    """Captum's LRP with one rule for all layers that are shared out; its rules stay on a module."""
    attr = pytest.importorskip("captum.attr")
    rules = pytest.importorskip("captum.attr._utils.lrp_rules")
    changed = deepcopy(model)
    for layer in changed:
        if type(layer).__name__ != "ReLU":
            layer.rule = getattr(rules, rule)(**options)
            layer.rule.STABILITY_FACTOR = EPSILON
    return attr.LRP(changed).attribute(x, TARGETS)


def test_relevance_by_the_epsilon_rule(same):
    same(
        lambda f, x: explain.lrp(f, x, TARGETS, epsilon=EPSILON),
        lambda f, x: relevance(f, x, "EpsilonRule"),
        rtol=1e-9,  # Captum divides by z + ε at pooling too
    )


def test_relevance_by_the_rule_of_the_positive_contributions(same):
    # on a network without biases, which Captum leaves out of the rule, and inputs ≥ 0
    def ours(f, x):
        f = deepcopy(f)
        for layer in f:
            if hasattr(layer, "bias"):
                layer.bias.assign(np.zeros(layer.bias.shape))
        options = {"rule": "alpha-beta", "alpha": 1.0, "beta": 0.0}
        return explain.lrp(f, np.abs(x), TARGETS, **options)

    def theirs(f, x):
        f = deepcopy(f)
        for layer in f:
            if hasattr(layer, "bias"):
                layer.bias.data.zero_()
        return relevance(f, x.detach().abs().requires_grad_(), "Alpha1_Beta0_Rule")

    same(ours, theirs, rtol=1e-9)


def test_the_linear_part_of_lime_is_that_of_its_authors():
    """The same subsets and scores, fitted by the `lime` package."""
    base = pytest.importorskip("lime.lime_base", reason="pip install lime==0.2.0.1")
    pairwise = pytest.importorskip("sklearn.metrics").pairwise_distances
    from autograd_cnn.explain.lime import draw_subsets, proximity

    rng = np.random.default_rng(5)
    present = draw_subsets(150, 12, seed=3)
    found = present @ rng.normal(size=12) + rng.normal(size=150) * 0.1
    ours = explain.LIME(lambda x: x, alpha=1.0)._fit(
        present.astype(float), found, proximity(present, 0.25)
    )
    distances = pairwise(present.astype(float), present[:1].astype(float), metric="cosine").ravel()
    theirs = base.LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)))
    intercept, pairs, fit, _ = theirs.explain_instance_with_data(
        present.astype(float), found[:, None], distances, 0, 12, feature_selection="none"
    )
    np.testing.assert_allclose(ours[0], [c for _, c in sorted(pairs)], atol=1e-10)
    assert ours[1] == pytest.approx(intercept, abs=1e-10)
    assert ours[2] == pytest.approx(fit, abs=1e-10)
