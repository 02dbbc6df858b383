import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def network():
    model = nn.Sequential(
        conv=nn.Conv2d(3, 4, 3, padding=1, rng=1),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        deep=nn.Conv2d(4, 5, 3, rng=2),
    )
    return model.to("float64").eval()


def test_filters_run_from_black_to_white():
    model = network()
    found = explain.filters(model, "conv")
    assert found.shape == (4, 3, 3, 3) and found.dtype == np.uint8
    weight = model.conv.weight.numpy()
    for one, w in zip(found, weight, strict=True):
        assert one.min() == 0 and one.max() == 255
        assert np.array_equal(one.argmax(), np.moveaxis(w, 0, -1).argmax())
    assert explain.filters(model, "deep").shape == (5, 4, 3, 3)


def test_weights_of_a_linear_layer_are_images_of_its_input():
    model = nn.Sequential(flat=nn.Flatten(), linear=nn.Linear(12, 2)).eval()
    model.linear.weight.assign(np.stack([np.arange(12.0), np.ones(12)]).astype(np.float32))
    found = explain.filters(model, "linear", shape=(1, 3, 4))
    assert found[0].ravel().tolist() == [int(i / 11 * 255 + 0.5) for i in range(12)]
    assert set(found[1].ravel()) == {128}
    with pytest.raises(ShapeError, match="12 weights a unit are no image 1×5×5"):
        explain.filters(model, "linear", shape=(1, 5, 5))
    with pytest.raises(ShapeError, match="ReLU has no weights"):
        explain.filters(network(), "relu")


def test_the_patch_that_excites_a_unit_most_is_found_with_its_box():
    model, rng = network(), np.random.default_rng(3)
    x = rng.normal(size=(6, 3, 12, 12)) * 0.1
    # a unit of "deep" sees 8×8 pixels: put what it likes best into image 4
    unit = explain.Unit("deep", 2, (1, 2))
    liked = explain.saliency(model, x[4:5], unit).numpy()[0]
    x[4] += 3.0 * liked
    found = explain.top_patches(model, x, "deep", count=3)
    assert sorted(found) == [0, 1, 2, 3, 4]
    best = found[2][0]
    assert (best.image, best.position) == (4, (1, 2))
    # the box starts at 2·i − 1 and is 8 pixels wide; what lies outside the image is cut off
    assert (best.rows, best.columns) == (slice(1, 9), slice(3, 11))
    assert np.array_equal(best.crop(x), x[4][:, 1:9, 3:11])
    strengths = [patch.activation for patch in found[2]]
    assert strengths == sorted(strengths, reverse=True)
    with ag.no_grad():
        assert strengths[0] == pytest.approx(model(ag.tensor(x)).numpy()[:, 2].max())
    assert len({patch.image for patch in found[2]}) == 3


def test_projections_stay_inside_their_boxes():
    model, x = network(), draw(4, 3, 12, 12)
    patches = explain.top_patches(model, x, "deep", count=2, channels=[0])[0]
    units = explain.Unit("deep", [0, 0], [patch.position for patch in patches])
    whole = explain.deconvnet(model, x[[patch.image for patch in patches]], units).numpy()
    for one, patch, full in zip(
        explain.projections(model, x, "deep", patches), patches, whole, strict=True
    ):
        assert one.shape == patch.crop(x).shape
        assert np.abs(one).sum() == pytest.approx(np.abs(full).sum())


def test_the_receptive_field_is_the_support_of_the_gradient():
    model = network()
    for layer in (model.conv, model.deep):
        layer.weight.assign(np.abs(layer.weight.numpy()))
    x = np.abs(draw(1, 3, 12, 12))
    field = explain.receptive_field(model, x, "deep")
    assert (field.size, field.jump) == ((8, 8), (2, 2))
    # average pooling instead of max: every pixel of the box counts
    model.pool = nn.AvgPool2d(2)
    gradient = explain.saliency(model, x, explain.Unit("deep", 0, (1, 1))).numpy()[0]
    rows, columns = np.nonzero(gradient.any(axis=0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 8, 1, 8)


def test_pca_finds_the_line_that_the_features_lie_on():
    model = nn.Sequential(linear=nn.Linear(1, 6, rng=0)).to("float64").eval()
    x = draw(40, 1)
    found = explain.embed(model, x, "linear")
    assert np.abs(found[:, 1]).max() < 1e-12
    assert abs(np.corrcoef(found[:, 0], x[:, 0])[0, 1]) == pytest.approx(1.0)


def test_tsne_keeps_groups_apart_and_repeats_with_its_seed():
    model = nn.Sequential(linear=nn.Linear(2, 8, rng=0)).to("float64").eval()
    groups = np.repeat([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], 10, 0) + draw(30, 2)
    found = explain.embed(model, groups, "linear", "tsne", perplexity=5, seed=1)
    assert np.array_equal(found, explain.embed(model, groups, "linear", "tsne", 1, 5))
    centres = found.reshape(3, 10, 2).mean(1)
    spread = np.linalg.norm(found.reshape(3, 10, 2) - centres[:, None], axis=2).max()
    apart = min(np.linalg.norm(centres[i] - centres[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert apart > spread


def test_features_in_pieces_are_those_of_the_whole():
    model, x = network(), draw(5, 3, 12, 12)
    whole = explain.features(model, x, "deep", max_bytes=None)
    pieces = explain.features(model, x, "deep", max_bytes=1)
    np.testing.assert_allclose(pieces, whole, rtol=1e-12, atol=1e-14)
    pooled = explain.features(model, x, "deep", pooled=True)
    np.testing.assert_allclose(pooled, whole.mean((2, 3)), rtol=1e-12)


def test_the_confusion_matrix_counts():
    assert explain.confusion_matrix([2, 0, 2, 1], [2, 1, 0, 1], 4).tolist() == [
        [0, 1, 0, 0],
        [0, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 0, 0, 0],
    ]
    with pytest.raises(ShapeError, match="2 labels and 3 predictions"):
        explain.confusion_matrix([0, 1], [0, 1, 1])


def test_segmentation_grows_the_salient_spot_to_the_edges_of_the_object():
    image = np.full((3, 24, 24), 0.2)
    image[:, 6:18, 8:20] = 0.8
    saliency = np.zeros((24, 24))
    saliency[10:13, 12:15] = 1.0  # a spot inside the object
    saliency += np.exp(-((np.arange(24)[:, None] - 11) ** 2 + (np.arange(24) - 13) ** 2) / 60)
    found = explain.segment(image, saliency, inside=0.97, outside=0.4)
    truth = image[0] > 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.95
    assert not explain.segment(image, np.zeros((24, 24))).any()
