import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.attacks.encodings import PatternEncoding, PixelEncoding
from autograd_cnn.attacks.fooling_image import Elites
from autograd_cnn.errors import ShapeError


def confidence(net, images, classes):
    return ag.softmax(net(images), 1).numpy()[np.arange(len(classes)), classes]


@pytest.mark.parametrize("encoding", ["gradient", "direct", "cppn"])
def test_the_net_is_sure_of_every_digit_in_images_of_none(encoding, digits_net):
    found = attacks.fooling_images(digits_net, (1, 8, 8), 10, encoding)
    assert found.is_adv.all()
    assert found.raw.shape == (10, 1, 8, 8)
    assert confidence(digits_net, found.raw, np.arange(10)).min() > 0.9999
    assert found.raw.numpy().min() >= 0
    assert found.raw.numpy().max() <= 1


def test_patterns_of_coordinates_are_smooth(digits_net):
    found = attacks.fooling_images(digits_net, (1, 8, 8), [2, 3, 5], "cppn", confidence=0.999)
    assert found.is_adv.all()
    # neighbours differ less than pixels drawn at random, which differ by 1/3
    assert np.abs(np.diff(found.raw.numpy(), axis=3)).mean() < 0.25


def test_one_seed_one_image_and_another_seed_another(digits_net):
    attack = attacks.FoolingImage("direct", 0.9, steps=50, seed=1)
    x = np.zeros((2, 1, 8, 8), np.float32)
    first, again = (attack(digits_net, x, [1, 7]).raw.numpy() for _ in range(2))
    assert np.array_equal(first, again)
    other = attacks.FoolingImage("direct", 0.9, steps=50, seed=2)(digits_net, x, [1, 7])
    assert not np.array_equal(first, other.raw.numpy())


def test_what_is_sure_already_stays_as_it_is(digits_net):
    found = attacks.fooling_images(digits_net, (1, 8, 8), [4])
    again = attacks.FoolingImage()(digits_net, found.raw, [4])
    assert np.array_equal(again.raw.numpy(), found.raw.numpy())


def test_each_class_keeps_the_genome_it_is_surest_of():
    elites = Elites(2)
    elites.take(np.array([[1.0], [2.0]]), np.array([[0.1, 0.6], [0.3, 0.2]]))
    assert elites.genomes.tolist() == [[2.0], [1.0]]
    elites.take(np.array([[3.0]]), np.array([[0.9, 0.5]]))
    assert elites.genomes.tolist() == [[3.0], [1.0]]
    assert elites.best.tolist() == [0.9, 0.6]
    elites.forget(np.array([1]))
    elites.take(np.array([[4.0]]), np.array([[0.0, 0.1]]))
    assert elites.genomes.tolist() == [[3.0], [4.0]]


@pytest.mark.parametrize("encoding", [PixelEncoding, PatternEncoding])
def test_genomes_make_images_within_the_bounds(encoding):
    made, draw = encoding((3, 5, 7), (-1.0, 2.0)), np.random.default_rng(0)
    genomes = made.random(20, draw)
    children = made.mutated(genomes, draw)
    for images in (made.images(genomes), made.images(children)):
        assert images.shape == (20, 3, 5, 7)
        assert images.min() >= -1
        assert images.max() <= 2
    changed = (children != genomes).reshape(20, -1).mean(axis=1)
    assert 0 < changed.mean() < 0.5


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: attacks.FoolingImage("neat"), ValueError, "neat"),
        (lambda: attacks.FoolingImage(confidence=1.0), ValueError, "1.0"),
        (
            lambda: attacks.FoolingImage("direct")(
                lambda x: ag.flatten(x, 1), np.full((1, 1, 2, 2), 0.5), attacks.Confidence(0.5)
            ),
            TypeError,
            "chosen classes",
        ),
        (
            lambda: attacks.FoolingImage()(lambda x: x, np.array([[0.1, 0.2]]), [0]),
            ShapeError,
            "1×2",
        ),
    ],
)
def test_mistakes_are_named(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()
