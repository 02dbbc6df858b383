import numpy as np
import pytest

from autograd_cnn import explain, nn
from autograd_cnn.errors import ShapeError


def test_tiles_stand_in_rows_with_white_between_them():
    images = [np.full((1, 2, 3), value) for value in (0.0, 0.5, 1.0)]
    found = explain.tiles(images, columns=2)
    assert found.shape == (5, 7, 3)
    assert (found[:2, :3] == 0).all() and (found[:2, 4:] == 128).all()
    assert (found[2] == 255).all() and (found[:, 3] == 255).all()
    assert (found[3:, 4:] == 255).all()  # the place of a fourth
    with pytest.raises(ShapeError, match="no images"):
        explain.tiles([])


def test_the_page_has_a_row_a_channel_and_three_blocks():
    model = nn.Sequential(conv=nn.Conv2d(1, 3, 3, rng=0), relu=nn.ReLU()).eval()
    x = np.random.default_rng(0).random((12, 1, 9, 9)).astype(np.float32)
    figure = explain.patches_page(model, x, "relu", [0, 2], count=4, steps=3)
    assert len(figure.axes) == 6
    patches, projections, synthetic = (ax.get_images()[0].get_array() for ax in figure.axes[:3])
    assert patches.shape == projections.shape == (7, 7, 3)  # 2×2 tiles of 3×3 and a gap
    assert synthetic.shape == (3, 3, 3)


def test_a_confusion_matrix_shows_its_counts():
    ax = explain.show_confusion(np.array([[5, 0], [2, 1]]), ["cat", "dog"])
    assert sorted(text.get_text() for text in ax.texts) == ["1", "2", "5"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]


def test_an_embedding_names_each_class_at_its_middle():
    points = np.array([[0.0, 0.0], [2.0, 0.0], [10.0, 5.0]])
    ax = explain.show_embedding(points, [1, 1, 7])
    assert {text.get_text(): text.get_position() for text in ax.texts} == {
        "1": (1.0, 0.0), "7": (10.0, 5.0),
    }  # fmt: skip
    with pytest.raises(ShapeError, match="N×2, got 3×3"):
        explain.show_embedding(np.zeros((3, 3)), [0, 1, 2])
