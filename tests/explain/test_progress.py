"""Bars beside what takes long: asked for, they are drawn, and change nothing."""

import sys

import numpy as np
import pytest

from autograd_cnn import explain, nn
from autograd_cnn.errors import MissingDependencyError
from autograd_cnn.explain.chunks import tracked

X = np.random.default_rng(0).normal(size=(2, 1, 6, 6))
SQUARES = np.arange(36).reshape(6, 6) // 9


def network():
    model = nn.Sequential(
        conv=nn.Conv2d(1, 2, 3, rng=0), relu=nn.ReLU(), pool=nn.GlobalAvgPool(),
        linear=nn.Linear(2, 2, rng=1),
    )  # fmt: skip
    return model.to("float64").eval()


LONG = {
    "occlusion": lambda m, **o: explain.occlusion(m, X, 1, size=3, **o),
    "LIME": lambda m, **o: explain.lime(m, X, 1, segments=SQUARES, samples=8, **o),
    "RISE": lambda m, **o: explain.rise(m, X, 1, masks=8, cells=3, **o),
    "Score-CAM": lambda m, **o: explain.score_cam(m, X, "relu", 1, **o),
    "integrating": lambda m, **o: explain.integrated_gradients(m, X, 1, steps=3, **o),
    "SmoothGrad": lambda m, **o: explain.smooth_grad(m, X, 1, samples=3, **o),
    "VarGrad": lambda m, **o: explain.var_grad(m, X, 1, samples=3, **o),
    "ascending": lambda m, **o: explain.maximise(m, 1, start=X, steps=2, **o).images,
    "dreaming": lambda m, **o: explain.deep_dream(m, X, "conv", octaves=1, steps=1, **o),
    "looking for patches": lambda m, **o: explain.projections(
        m, X, "conv", explain.top_patches(m, X, "conv", 1, [0], **o)[0]
    )[0],
    "deletion": lambda m, **o: explain.deletion(m, X, X, 1, steps=2, **o).scores,
    "insertion": lambda m, **o: explain.insertion(m, X, X, 1, steps=2, **o).scores,
    "infidelity": lambda m, **o: explain.infidelity(m, X, X, 1, samples=3, **o),
    "sensitivity": lambda m, **o: explain.sensitivity(explain.Saliency(m), X, 1, samples=2, **o),
    "moving the explanation": lambda m, **o: explain.fragility(m, X, steps=2, **o).after,
    "randomising": lambda m, **o: explain.cascading_randomisation(
        m, {"gradient": explain.Saliency}, X, **o
    ).maps["gradient"],
    "walking around": lambda m, **o: explain.loss_landscape(m, X, [0, 1], points=3, **o).losses,
}


@pytest.mark.parametrize("title", LONG)
def test_a_bar_is_drawn_when_asked_for_and_changes_nothing(title, capsys):
    pytest.importorskip("rich")
    if title == "LIME":
        pytest.importorskip("sklearn")
    quiet = np.asarray(LONG[title](network(), progress=False))
    assert capsys.readouterr().out == ""
    shown = np.asarray(LONG[title](network(), progress=True))
    assert title in capsys.readouterr().out
    assert np.array_equal(quiet, shown)


def test_without_a_terminal_or_without_rich_there_is_no_bar(monkeypatch, capsys):
    assert list(tracked(range(3), 3, "counting", None)) == [0, 1, 2]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    assert list(tracked(range(3), 3, "counting", None)) == [0, 1, 2]
    assert capsys.readouterr().out == ""
    with pytest.raises(MissingDependencyError, match=r"autograd-cnn\[train\]"):
        tracked(range(3), 3, "counting", True)
