"""What all methods have in common: units, zeros, modes, pieces and one-call forms."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn

SEGMENTS = np.arange(36).reshape(6, 6) // 9

METHODS = {
    "saliency": explain.Saliency,
    "guided_backprop": explain.GuidedBackprop,
    "deconvnet": explain.Deconvnet,
    "redirected_relu": explain.RedirectedReLU,
    "input_x_gradient": explain.InputXGradient,
    "integrated_gradients": explain.IntegratedGradients,
    "smooth_grad": lambda m: explain.SmoothGrad(explain.Saliency(m)),
    "var_grad": lambda m: explain.VarGrad(explain.Saliency(m)),
    "lrp": explain.LRP,
    "cam": lambda m: explain.CAM(m, "relu"),
    "grad_cam": lambda m: explain.GradCAM(m, "relu"),
    "grad_cam_plus_plus": lambda m: explain.GradCAMPlusPlus(m, "relu"),
    "layer_cam": lambda m: explain.LayerCAM(m, "relu"),
    "score_cam": lambda m: explain.ScoreCAM(m, "relu"),
    "guided_grad_cam": lambda m: explain.GuidedGradCAM(m, "relu"),
    "occlusion": explain.Occlusion,
    "lime": lambda m: explain.LIME(m, SEGMENTS, samples=30),
    "rise": lambda m: explain.RISE(m, masks=30, cells=3),
}
OPTIONS = {"lime": {"segments": SEGMENTS, "samples": 30}, "rise": {"masks": 30, "cells": 3}}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def network(norm=False):
    layers = {"conv": nn.Conv2d(2, 4, 3, rng=1)}
    if norm:
        layers["norm"] = nn.BatchNorm2d(4)
    return nn.Sequential(
        **layers, relu=nn.ReLU(), pool=nn.GlobalAvgPool(), linear=nn.Linear(4, 3, rng=2)
    ).to("float64").eval()  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_the_one_call_form_is_the_method(name):
    model, x = network(), draw(2, 2, 6, 6)
    layer = ("relu",) if "cam" in name else ()
    short = getattr(explain, name)(model, x, *layer, [1, 0], **OPTIONS.get(name, {})).numpy()
    long = METHODS[name](model).attribute(x, [1, 0]).numpy()
    assert np.array_equal(short, long)
    assert short.shape in ((2, 2, 6, 6), (2, 1, 6, 6))


@pytest.mark.parametrize("name", METHODS)
def test_a_network_of_zeros_has_maps_of_zeros(name):
    model, x = network(), draw(2, 2, 6, 6)
    for parameter in model.parameters():
        parameter.assign(np.zeros(parameter.shape))
    found = METHODS[name](model).attribute(x, 1).numpy()
    if name == "rise":  # the mean probability of every mask: a constant
        np.testing.assert_allclose(found, 1 / 3, rtol=1e-12)
    else:
        np.testing.assert_allclose(found, 0.0, atol=1e-15)


@pytest.mark.parametrize("name", METHODS)
def test_a_model_in_training_mode_is_refused_and_left_alone(name):
    model, x = network(norm=True).train(), draw(2, 2, 6, 6)
    before = model.norm.running_mean.numpy().copy()
    with pytest.raises(ValueError, match=r"norm \(BatchNorm2d\) in training mode"):
        METHODS[name](model).attribute(x, 1)
    assert np.array_equal(model.norm.running_mean.numpy(), before)


MEASURES = {
    "deletion": lambda m, x: explain.deletion(m, x, x, [0, 1]),
    "insertion": lambda m, x: explain.insertion(m, x, x, [0, 1]),
    "infidelity": lambda m, x: explain.infidelity(m, x, x, [0, 1]),
    "sensitivity": lambda m, x: explain.sensitivity(explain.Saliency(m), x, [0, 1]),
    "fragility": lambda m, x: explain.fragility(m, x, [0, 1]),
    "bias": lambda m, x: explain.bias_report(m, x, [0, 1]),
    "cascade": lambda m, x: explain.cascading_randomisation(m, {"g": explain.Saliency}, x, [0, 1]),
    "landscape": lambda m, x: explain.loss_landscape(m, x, [0, 1]),
    "maximise": lambda m, x: explain.maximise(m, 0, start=x),
    "dream": lambda m, x: explain.deep_dream(m, x, "conv"),
    "invert": lambda m, x: explain.invert(m, x, "conv", x.shape),
    "patches": lambda m, x: explain.top_patches(m, x, "conv"),
    "embedding": lambda m, x: explain.embed(m, x, "conv"),
    "strongest": lambda m, x: explain.strongest_feature_map(m, x, "conv"),
    "last maps": explain.last_maps,
}


@pytest.mark.parametrize("name", MEASURES)
def test_everything_else_refuses_training_mode_too(name):
    model = network(norm=True).train()
    before = model.norm.running_mean.numpy().copy()
    with pytest.raises(ValueError, match="in training mode"):
        MEASURES[name](model, draw(2, 2, 6, 6))
    assert np.array_equal(model.norm.running_mean.numpy(), before)


GRADIENTS = ("saliency", "guided_backprop", "deconvnet", "redirected_relu", "smooth_grad")
PRODUCTS = ("input_x_gradient", "integrated_gradients", "lrp")


@pytest.mark.parametrize("name", GRADIENTS + PRODUCTS)
def test_every_gradient_method_explains_any_unit(name):
    # a convolution without bias is linear: all gradients are its filter
    model = nn.Sequential(conv=nn.Conv2d(2, 4, 3, bias=False, rng=1), relu=nn.ReLU())
    model.to("float64").eval()
    x, weight = draw(1, 2, 6, 6), model.conv.weight.numpy()
    mask = np.zeros((4, 4, 4))
    mask[3, 1, 2], mask[0, 0, 0] = 2.0, -1.0
    one, two = np.zeros((2, *x.shape))
    one[..., 1:4, 2:5] = weight[3]
    two[..., 1:4, 2:5] = 2.0 * weight[3]
    two[..., :3, :3] -= weight[0]
    channel = sum(
        np.pad(weight[3], ((0, 0), (i, 3 - i), (j, 3 - j))) for i in range(4) for j in range(4)
    )
    for unit, expected in (
        (explain.Unit("conv", 3, (1, 2)), one),
        (explain.Unit("conv", mask=mask), two),
        (explain.Unit("conv", 3), channel[None]),
    ):
        method = explain.LRP(model, epsilon=0.0) if name == "lrp" else METHODS[name](model)
        found = method.attribute(x, unit).numpy()
        expected = expected * x if name in PRODUCTS else expected
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=str(unit))


def test_a_relu_module_that_is_used_twice_has_its_rule_at_each_use():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x):
            return ag.sum(self.relu(self.relu(x) * -2.0 + 3.0), 1)

    x = np.array([[1.0, 0.5, -1.0, 2.0]])
    # the inner ReLU gets −2 where the outer one is on: plain −2, −2, 0 (x < 0), 0 (outer is off)
    assert explain.saliency(Twice(), x).tolist() == [[-2.0, -2.0, 0.0, 0.0]]
    assert explain.guided_backprop(Twice(), x).tolist() == [[0.0] * 4]
    assert explain.deconvnet(Twice(), x).tolist() == [[0.0] * 4]


def test_in_a_residual_block_with_the_activation_first_the_shortcut_passes_untouched():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x):
            return ag.sum(x + ag.tensor([-3.0, 2.0, -3.0, 2.0]) * self.relu(x), 1)

    x = np.array([[1.0, 1.0, -1.0, -1.0]])
    assert explain.saliency(Block(), x).tolist() == [[-2.0, 3.0, 1.0, 1.0]]
    assert explain.guided_backprop(Block(), x).tolist() == [[1.0, 3.0, 1.0, 1.0]]
    assert explain.deconvnet(Block(), x).tolist() == [[1.0, 3.0, 1.0, 3.0]]
