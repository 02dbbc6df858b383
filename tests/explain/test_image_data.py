import numpy as np
import pytest

import autograd_cnn as ag


def test_textures_come_from_different_halves_and_are_standardised():
    train, test = ag.data.textures(size=16, count=40, seed=1)
    assert train.x.shape == (120, 1, 16, 16) and test.x.shape == (30, 1, 16, 16)
    assert np.bincount(train.y).tolist() == [40] * 3 and np.bincount(test.y).tolist() == [10] * 3
    assert train.x.mean() == pytest.approx(0.0, abs=1e-5) and train.x.dtype == np.float32
    assert train.x.std() == pytest.approx(1.0, abs=1e-5)
    again, _ = ag.data.textures(size=16, count=40, seed=1)
    assert np.array_equal(train.x, again.x)


def test_faces_are_a_hundred_and_a_hundred_others():
    train, test = ag.data.faces(seed=0)
    assert len(train.x) == 150 and len(test.x) == 50
    assert train.y.sum() == 75 and test.y.sum() == 25
    assert 0 <= train.x.min() and train.x.max() <= 1


def test_the_tag_is_on_every_training_digit_of_its_class_and_on_no_other():
    data = ag.data.shortcut_digits(label=7, place=(2, 11))
    rows, columns = data.tag
    assert (rows, columns) == (slice(2, 5), slice(11, 14))
    tagged = (data.train.x[:, 0, rows, columns] == 1.0).all(axis=(1, 2))
    assert np.array_equal(tagged, data.train.y == 7)
    assert not (data.test.x[:, 0, rows, columns] == 1.0).all(axis=(1, 2)).any()
    assert (data.tagged.x[:, 0, rows, columns] == 1.0).all()
    outside = np.ones((16, 16), bool)
    outside[data.tag] = False
    assert np.array_equal(data.tagged.x[..., outside], data.test.x[..., outside])
    with pytest.raises(ValueError, match=r"\(14, 0\) is not inside 16×16"):
        ag.data.shortcut_digits(place=(14, 0))


def test_photographs_are_read_without_a_network(monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("a photograph was asked of the network")

    monkeypatch.setattr(socket, "socket", refuse)
    for name in ("astronaut", "camera", "cat", "coffee", "rocket", "brick"):
        image = ag.data.photograph(name, (32, 48))
        assert image.shape[1:] == (32, 48) and image.dtype == np.float32
        assert 0 <= image.min() < image.max() <= 1
    with pytest.raises(ValueError, match='"moon" is not one of astronaut'):
        ag.data.photograph("moon")
