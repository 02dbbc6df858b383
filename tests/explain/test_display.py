import numpy as np
import pytest

from autograd_cnn import explain
from autograd_cnn.errors import ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_signed_maps_are_symmetric_about_zero():
    ax = explain.show(np.array([[[-1.0, 3.0]]]), title="a map")
    (drawn,) = ax.get_images()
    assert drawn.get_clim() == (-3.0, 3.0) and drawn.get_cmap().name == "RdBu_r"
    assert ax.get_title() == "a map" and not ax.get_xticks().size
    ax = explain.show(np.array([[[0.0, 3.0]]]))
    assert ax.get_images()[0].get_clim() == (0.0, 3.0)


def test_channels_are_summed_and_zeros_stay_zeros():
    found = explain.coloured(np.array([[[1.0, 1.0]], [[-1.0, 1.0]]]))
    assert found[0].tolist() == [[0, 0, 4], [252, 255, 164]]
    assert explain.coloured(np.zeros((1, 2, 2))).tolist() == [[[0, 0, 4]] * 2] * 2
    (drawn,) = explain.show(np.zeros((2, 2))).get_images()
    assert not np.isnan(np.asarray(drawn.get_array())).any()


def test_an_overlay_shows_the_pale_image_where_the_map_is_zero():
    image = np.array([[[0.2, 1.0]]])
    found = explain.coloured(np.array([[[0.0, 1.0]]]), image)
    assert found[0, 0].tolist() == [122, 122, 122]  # 0.35 + 0.65·0.2
    mixed = [0.85 * c + 0.15 * 255 for c in (252, 255, 164)]
    assert found[0, 1] == pytest.approx(mixed, abs=0.6)
    with pytest.raises(ShapeError, match="map 1×3 on an image 1×2"):
        explain.show(np.zeros((1, 1, 3)), image)


def test_an_overlay_on_axes_has_the_colours_of_the_plain_array():
    image, values = np.linspace(0, 1, 12).reshape(1, 3, 4), draw(1, 3, 4)
    (drawn,) = explain.overlay(image, values).get_images()
    shown = np.floor(np.asarray(drawn.get_array()) * 255 + 0.5)
    assert np.array_equal(shown, explain.coloured(values, image))


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    pytest.importorskip("PIL.Image")
    (tmp_path / "map.png").write_bytes(b"old")

    def fail(*paths):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        explain.save_png(tmp_path / "map.png", np.zeros((2, 2, 3)))
    assert (tmp_path / "map.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_grid_has_a_row_a_method_and_a_column_an_image():
    maps = {"gradient": draw(3, 1, 4, 4), "CAM": np.abs(draw(3, 1, 4, 4))}
    figure = explain.grid(np.zeros((3, 1, 4, 4)), maps, ["a", "b", "c"])
    assert len(figure.axes) == 9
    assert [ax.get_title() for ax in figure.axes[:4]] == ["a", "b", "c", ""]
    assert [figure.axes[i].get_ylabel() for i in (0, 3, 6)] == ["image", "gradient", "CAM"]
    with pytest.raises(ShapeError, match="2 maps of x for 3 images"):
        explain.grid(np.zeros((3, 1, 4, 4)), {"x": draw(2, 1, 4, 4)})


def test_two_maps_and_their_difference_share_one_scale():
    figure = explain.difference(np.array([[[1.0, -2.0]]]), np.array([[[5.0, 0.0]]]))
    images = [ax.get_images()[0] for ax in figure.axes[:3]]
    assert {image.get_clim() for image in images} == {(-5.0, 5.0)}
    assert np.asarray(images[2].get_array()).tolist() == [[4.0, 2.0]]


def test_png_files_hold_the_pixels(tmp_path):
    image = pytest.importorskip("PIL.Image")
    colours = explain.coloured(draw(1, 3, 5))
    explain.save_png(tmp_path / "map.png", colours, enlarge=4)
    read = np.asarray(image.open(tmp_path / "map.png"))
    assert read.shape == (12, 20, 3) and np.array_equal(read[::4, ::4], colours)
    assert explain.pixels(np.array([[[0.0, 1.0]]])).tolist() == [[[0] * 3, [255] * 3]]


def test_nothing_is_shown_on_a_screen():
    import matplotlib._pylab_helpers as helpers

    explain.show(draw(1, 3, 3))
    explain.grid(draw(1, 1, 3, 3), {"map": draw(1, 1, 3, 3)})
    assert not helpers.Gcf.get_all_fig_managers()


def test_axes_of_ones_own_are_drawn_on():
    figure = explain.show(draw(1, 3, 3)).figure
    ax = figure.add_axes((0.0, 0.0, 0.5, 0.5))
    assert explain.picture(np.zeros((3, 4, 4)), ax=ax) is ax
