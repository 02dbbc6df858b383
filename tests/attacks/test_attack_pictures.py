import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.errors import ShapeError

pytest.importorskip("matplotlib")


def model(x):
    return ag.stack([ag.sum(x, (1, 2, 3)) * 0 + 1.0, ag.mean(x, (1, 2, 3)) * 2], 1)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 20, 33), (1, 3, 224, 224)])
def test_the_panel_shows_the_four_images_of_any_size(shape):
    x = np.random.default_rng(0).uniform(0.2, 0.3, shape).astype(np.float32)
    moved = (x + 0.3).astype(np.float32)
    moved[0, 0, 0, 0] -= 0.31
    figure = attacks.panel(model, x, moved, names=["dark", "bright"])
    axes = np.array(figure.axes).reshape(shape[0], 4)
    shown = [ax.images[0].get_array() for ax in axes[0]]
    first = lambda v: v[0, 0] if shape[1] == 1 else np.moveaxis(v[0], 0, -1)
    np.testing.assert_allclose(shown[0], first(x), atol=1e-6)
    np.testing.assert_allclose(shown[1], first(moved), atol=1e-6)
    np.testing.assert_allclose(shown[2], 0.5 + first(moved - x) / 2, atol=1e-6)
    np.testing.assert_allclose(shown[3], np.clip(0.5 + 5 * first(moved - x), 0, 1), atol=1e-5)
    assert [ax.get_title().split(":")[0] for ax in axes[0, :2]] == ["dark", "bright"]
    assert axes[0, 2].get_title() == "at most 0.300"
    assert [ax.get_xlabel() for ax in axes[-1]][3] == "10 × difference"


def test_a_grid_gives_each_image_its_answer():
    x = np.linspace(0.1, 0.9, 7).reshape(7, 1, 1, 1) * np.ones((7, 1, 4, 4))
    figure = attacks.image_grid(lambda x: model(x) * 100, x)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:7] == ["0: > 99.99 %"] * 3 + ["0: 50.0 %"] + ["1: > 99.99 %"] * 3
    assert len(figure.axes) == 10


def test_curves_carry_their_areas():
    curve = attacks.Curve(np.array([0.0, 1.0]), np.array([1.0, 0.5]), 0.75)
    axes = attacks.curve_picture({"plain": curve}).axes[0]
    assert axes.lines[0].get_ydata().tolist() == [100.0, 50.0]
    assert axes.get_legend().get_texts()[0].get_text() == "plain  (area 0.75)"


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: attacks.panel(model, np.zeros((1, 2, 4, 4)), np.zeros((1, 2, 4, 4))),
         ShapeError, "1×2×4×4"),
        (lambda: attacks.panel(model, np.zeros((1, 1, 4, 4)), np.zeros((2, 1, 4, 4))),
         ShapeError, "2×1×4×4"),
        (lambda: attacks.image_grid(model, np.zeros((4, 4))), ShapeError, "4×4"),
        (lambda: attacks.curve_picture({}), ValueError, "no curves"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_named(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()
