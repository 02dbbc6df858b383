"""Ground truth: the network takes a tag for a 3, so every explanation must point at the tag."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain


def answers(model, x):
    with ag.no_grad():
        return model(ag.tensor(x)).numpy().argmax(axis=1)


def test_the_network_finds_threes_by_the_tag_alone(shortcut):
    model, data = shortcut
    threes = data.test.y == data.label
    assert (answers(model, data.test.x[threes]) == data.label).mean() < 0.05
    assert (answers(model, data.tagged.x) == data.label).mean() > 0.9
    others = answers(model, data.test.x[~threes]) == data.test.y[~threes]
    assert others.mean() > 0.8


def blocks(image):
    """Squares of 3×3 pixels, one of them the tag's."""
    places = (np.arange(16) + 2) // 3
    return places[:, None] * 6 + places


METHODS = {
    "saliency": lambda m: explain.Saliency(m, reduce="max"),
    "input×gradient": explain.InputXGradient,
    "SmoothGrad": lambda m: explain.SmoothGrad(explain.Saliency(m, reduce="max"), samples=10),
    # of the gradient alone: where that is unsteady, which need not be where it is large
    "VarGrad": lambda m: explain.VarGrad(explain.InputXGradient(m), samples=15),
    "integrated gradients": lambda m: explain.IntegratedGradients(m, steps=16),
    "guided backprop": lambda m: explain.GuidedBackprop(m, reduce="max"),
    "deconvnet": lambda m: explain.Deconvnet(m, reduce="max"),
    "redirected ReLU": lambda m: explain.RedirectedReLU(m, reduce="max"),
    "LRP ε": explain.LRP,
    "LRP αβ": lambda m: explain.LRP(m, "alpha-beta"),
    "CAM": lambda m: explain.CAM(m, "relu2"),
    "Grad-CAM": lambda m: explain.GradCAM(m, "relu2"),
    "Grad-CAM++": lambda m: explain.GradCAMPlusPlus(m, "relu1"),
    "LayerCAM": lambda m: explain.LayerCAM(m, "relu2"),
    "Score-CAM": lambda m: explain.ScoreCAM(m, "relu2"),
    "Guided Grad-CAM": lambda m: explain.GuidedGradCAM(m, "relu2"),
    "occlusion": explain.Occlusion,
    "LIME": lambda m: explain.LIME(m, blocks, samples=200, baseline=0.0),
    "RISE": lambda m: explain.RISE(m, masks=300, cells=5),
}


def test_every_explainer_takes_part(shortcut):
    kinds = {
        kind
        for kind in vars(explain).values()
        if isinstance(kind, type) and issubclass(kind, explain.Method)
    }
    bases = {explain.Method, explain.GradientMethod, explain.ActivationMap}
    ours = {type(METHODS[name](shortcut[0])) for name in METHODS}
    assert ours == kinds - bases


@pytest.mark.parametrize("name", METHODS)
def test_the_maximum_of_the_mean_map_is_inside_the_tag(shortcut, pooled_shortcut, name):
    model, data = shortcut
    model = pooled_shortcut if name == "CAM" else model
    x = data.tagged.x[data.tagged.y == data.label][:16]
    maps = METHODS[name](model).attribute(x, data.label).numpy()
    hits = explain.pointing_game(maps, data.tag).mean()
    assert explain.pointing_game(maps.mean(axis=0, keepdims=True), data.tag).all()
    assert hits > 0.4  # 9 of 256 pixels would be 4 % by chance


def test_the_bias_report_names_the_class_and_the_tag(shortcut):
    model, data = shortcut
    report = explain.bias_report(model, data.train.x[:400], data.train.y[:400])
    assert report.suspicious == (data.label,)
    (found,) = [one for one in report.classes if one.label == data.label]
    assert (found.rows, found.columns) == data.tag
    assert found.share > 5 * found.area
    assert f"{data.label}  1–3" in str(report) and str(report).count("decides") == 1
