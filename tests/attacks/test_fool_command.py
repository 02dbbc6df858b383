"""`autograd-cnn fool`: what it prints, what it writes, and what it says of mistakes."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import attacks
from autograd_cnn.cli import main
from autograd_cnn.commands.fool import ATTACKS

NETWORK = '''
"""Three classes of one channel: class k where the k-th third of the rows is brightest."""
import numpy as np
from autograd_cnn import nn

net = nn.Sequential(nn.Conv2d(1, 1, 1, rng=0), nn.Flatten(), nn.Linear(36, 3, rng=0))
weight = np.full((3, 6, 6), -0.1, np.float32)
for k in range(3):
    weight[k, 2 * k : 2 * k + 2] = 1.0
net[0].weight.assign(np.ones((1, 1, 1, 1), np.float32))
net[0].bias.assign(np.zeros(1, np.float32))
net[2].weight.assign(weight.reshape(3, 36))
net[2].bias.assign(np.zeros(3, np.float32))
'''


@pytest.fixture
def fool(tmp_path, monkeypatch, capsys):
    """Run the command on that network and an image it calls 0; status, what it printed, folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NETWORK)
    image = np.full((1, 6, 6), 0.4, np.float32)
    image[0, :2] = 0.49
    np.save(tmp_path / "image.npy", image)

    def run(*arguments, image="image.npy"):
        status = main(["fool", "net.py:net", image, *arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    run.folder, run.image = tmp_path, image
    return run


def test_the_least_change_is_the_exact_one(fool):
    # f = 1.1·(Σ of 12 pixels − Σ of 12 others) = 1.1·1.08: in L∞ f/‖w‖₁ = 1.08/24
    status, text = fool("--target", "2", "--save", "moved.npy")
    assert status == 0
    assert "the network says class 0" in text
    assert "after the change class 2" in text
    moved = np.load(fool.folder / "moved.npy")
    assert moved.shape == (1, 6, 6)
    assert moved.dtype == np.float32
    assert np.abs(moved - fool.image).max() == pytest.approx(0.045, rel=2e-3)
    status, _ = fool("--target", "2", "--norm", "l2", "--save", "moved.npy")
    moved = np.load(fool.folder / "moved.npy")
    # the gradient also lowers class 1, so that the way is a little longer than the shortest
    ratio = np.linalg.norm(moved - fool.image) / (1.08 / 24**0.5)
    assert 1 <= ratio < 1.05


def test_within_an_epsilon_it_succeeds_or_says_that_it_did_not(fool):
    status, text = fool("--epsilon", "0.06", "--attack", "fgsm")
    assert status == 0
    assert "linf 0.06" in text
    status, text = fool("--epsilon", "1/25", "--attack", "fgsm", "--save", "none.npy")
    assert status == 1
    assert "fgsm found nothing within 0.04" in text
    assert not (fool.folder / "none.npy").exists()


def test_it_can_be_asked_to_be_sure(fool):
    _, text = fool("--target", "1", "--confidence", "0.8", "--save", "moved.npy")
    assert "after the change class 1: 8" in text


def test_the_panel_and_the_image_are_written(fool):
    pillow = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    status, text = fool("--target", "1", "-o", "panel.png", "--save", "moved.png")
    assert status == 0
    assert "moved.png: in 256 levels class" in text
    with pillow.open(fool.folder / "moved.png") as picture:
        levels = np.asarray(picture).astype(float)
    assert levels.shape == (6, 6)
    assert np.abs(levels - 255 * fool.image[0]).max() <= 255 * 0.045 + 1
    with pillow.open(fool.folder / "panel.png") as picture:
        assert picture.size[0] > 2.5 * picture.size[1]  # four images beside each other


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_has_a_name_and_a_default_norm(attack, fool):
    pytest.importorskip("scipy")
    steps = {"one-pixel": "2", "square": "200"}.get(attack, "20")
    options = [] if attack in ("fgsm", "lbfgs", "jsma") else ["--steps", steps]
    options += ["--epsilon", "0.2"] if attack in ("square", "autoattack") else []
    status, text = fool("--attack", attack, *options)
    if attack == "one-pixel":  # one pixel of twelve cannot make up for 1.08
        assert status == 1
        assert "one-pixel found nothing" in text
    else:
        assert status == 0
        assert "after the change class" in text


def test_every_attack_of_the_library_that_fools_one_image_can_be_named():
    named = {kind for known in ATTACKS.values() for kind in known.values()}
    every = {
        name
        for name in attacks.__all__
        if isinstance(getattr(attacks, name), type)
        and issubclass(getattr(attacks, name), attacks.Attack)
    }
    # one change for many images, images of nothing, and what others are made of
    assert every - named == {"Universal", "FoolingImage", "Attack", "MinimalAttack", "FirstOrder"}


def test_one_seed_one_image(fool):
    images = []
    for seed in ("1", "1", "2"):
        fool("--attack", "boundary", "--steps", "20", "--seed", seed, "--save", "moved.npy")
        images.append(np.load(fool.folder / "moved.npy"))
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "3"], "--target 3: the network has 3 classes, 0 … 2"),
        (["--target", "0"], "--target 0: that is what the network says already"),
        (["--attack", "cw", "--norm", "linf"], "cw does not know linf; it knows l2"),
        (["--attack", "fgsm", "--seed", "1"], "--seed means nothing to fgsm"),
        (["--attack", "fgsm", "--steps", "1"], "--steps means nothing to fgsm"),
        (["--attack", "deepfool", "--confidence", "0.9"], "deepfool: DeepFool works with labels"),
        (["-o", "panel.bmp"], "panel.bmp: the file is .png or .svg or .pdf"),
        (["--save", "no/where.npy"], "there is no folder no"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, fool):
    status, text = fool(*arguments)
    assert status == 2
    assert message in text
    assert text.splitlines()[-1].startswith("autograd-cnn fool: ")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--epsilon", "-1", "not a distance"), ("--epsilon", "1/0", "not a distance"),
     ("--confidence", "1.5", "not a probability"), ("--attack", "none", "invalid choice")],
)  # fmt: skip
def test_arguments_out_of_range_are_told(option, value, message, fool, capsys):
    with pytest.raises(SystemExit):
        fool(f"{option}={value}")
    assert message in capsys.readouterr().err


def test_images_outside_the_range_are_refused(fool):
    np.save(fool.folder / "far.npy", 3 * fool.image)
    status, text = fool(image="far.npy")
    assert status == 2
    assert "within 1.2 … 1.47, not 0 … 1" in text


def test_the_network_of_the_tests_is_the_one_described(fool):
    from autograd_cnn.named import find

    logits = find("net.py:net")(ag.tensor(fool.image[None])).numpy()
    np.testing.assert_allclose(logits, [[4.92, 3.732, 3.732]], rtol=1e-5)
