"""`autograd-cnn explain`, and what it shares with `fool`."""

import re
import sys

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import cli, explain
from autograd_cnn.commands.explain import METHODS, ON_MAPS

NETWORK = """
import autograd_cnn as ag
from autograd_cnn import nn

net = nn.Sequential(
    conv=nn.Conv2d(1, 4, 3, padding=1, rng=1), relu=nn.ReLU(), pool=nn.GlobalAvgPool(),
    linear=nn.Linear(4, 3, rng=2),
)
sure = nn.Sequential(pool=nn.GlobalAvgPool(), linear=nn.Linear(1, 3, rng=2), soft=nn.Softmax(1))
flat = nn.Sequential(flat=nn.Flatten(), linear=nn.Linear(64, 3, rng=0))
number = 7

def make():
    return nn.Sequential(conv=nn.Conv2d(3, 2, 3, rng=0), pool=nn.GlobalAvgPool())

def needs(channels):
    return net

def logits(x):
    return x
"""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`call(words)` gives (status, what was printed, errors), with a network and images at hand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "networks.py").write_text(NETWORK)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "image.npy", rng.random((1, 8, 8)).astype(np.float32))
    np.save(tmp_path / "whole.npy", rng.integers(0, 256, (8, 8)))
    np.save(tmp_path / "colour.npy", rng.random((3, 8, 8)))

    def run(words):
        status = cli.main(["explain", *words.split()])
        return status, *capsys.readouterr()

    return run


def pixels(path):
    with pytest.importorskip("PIL.Image").open(path) as image:
        return np.asarray(image)


def network(name="net"):
    names: dict = {}
    exec(NETWORK, names)
    return names[name].eval()


def test_the_values_written_are_those_of_the_method(call, tmp_path):
    status, printed, _ = call("networks.py:net image.npy --method guided --target 2 -o out.npy")
    assert status == 0
    image = np.load(tmp_path / "image.npy")[None]
    expected = explain.guided_backprop(network(), image, 2).numpy()
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
    with ag.no_grad():
        logits = network()(ag.tensor(image)).numpy()[0]
    shares = np.exp(logits) / np.exp(logits).sum()
    best = int(logits.argmax())
    assert f"the network says class {best}: {shares[best]:.1%}".replace("%", " %") in printed
    row, column = np.unravel_index(np.abs(expected[0, 0]).argmax(), (8, 8))
    assert f"strongest at row {row}, column {column}" in printed


@pytest.mark.parametrize("method", [name for name in METHODS if name != "lime"])
def test_every_method_draws_a_picture(call, tmp_path, method):
    pytest.importorskip("PIL.Image")
    few = " --samples 5" if "samples" in METHODS[method].options else ""
    status, printed, errors = call(f"networks.py:net image.npy --method {method}{few} -o out.png")
    assert (status, errors) == (0, "")
    assert ("maps of relu" in printed) == (method in ON_MAPS)
    assert pixels(tmp_path / "out.png").shape == (320, 320, 3)


def test_lime_by_name(call, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("skimage")
    pytest.importorskip("PIL.Image")
    assert call("networks.py:net image.npy --method lime --samples 20 -o out.png")[0] == 0


def test_every_method_of_the_library_has_a_name_here():
    kinds = {
        kind.__name__
        for kind in vars(explain).values()
        if isinstance(kind, type) and issubclass(kind, explain.Method)
    }
    bases = {"Method", "GradientMethod", "ActivationMap"}
    assert kinds - bases == {entry.kind for entry in METHODS.values()}


def test_layers_and_units(call, tmp_path):
    call("networks.py:net image.npy --layer conv -o layer.npy --target 1")
    image = np.load(tmp_path / "image.npy")[None]
    expected = explain.saliency(network(), image, 1, layer="conv").numpy()
    assert np.array_equal(np.load(tmp_path / "layer.npy"), expected)
    for text, unit in (
        ("relu:3", explain.Unit("relu", 3)),
        ("relu:3:2,5", explain.Unit("relu", 3, (2, 5))),
        ("relu:3:max", explain.Unit("relu", 3, "max")),
    ):
        assert call(f"networks.py:net image.npy --unit {text} -o unit.npy")[0] == 0
        expected = explain.saliency(network(), image, unit).numpy()
        assert np.array_equal(np.load(tmp_path / "unit.npy"), expected), text


def test_plain_maps_are_drawn_without_the_image(call, tmp_path):
    pytest.importorskip("PIL.Image")
    call("networks.py:net image.npy -o values.npy")
    call("networks.py:net image.npy --plain -o plain.png")
    values = np.load(tmp_path / "values.npy")[0]
    drawn = pixels(tmp_path / "plain.png")
    assert np.array_equal(drawn[::40, ::40], explain.coloured(values))


def test_normalisation_is_part_of_the_network(call, tmp_path):
    call("networks.py:net image.npy --mean 0.5 --std 0.25 --method input-x-gradient "
         "--target 0 -o out.npy")  # fmt: skip
    image = np.load(tmp_path / "image.npy")[None]
    gradient = explain.saliency(network(), (image - 0.5) / 0.25, 0).numpy() / 0.25
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), image * gradient, rtol=1e-4)


def test_a_network_of_the_library_with_weights(call, tmp_path):
    pytest.importorskip("safetensors")
    ag.save(ag.models.DigitsNet(rng=3), tmp_path / "digits.safetensors")
    status, _, errors = call("DigitsNet whole.npy --weights digits.safetensors -o out.npy")
    assert (status, errors) == (0, "")
    image = (np.load(tmp_path / "whole.npy") / 255).astype(np.float32)[None, None]
    expected = explain.saliency(ag.models.DigitsNet(rng=3).eval(), image).numpy()
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
    _, printed, errors = call("DigitsNet whole.npy")
    assert "random weights: give --weights" in errors
    assert call("DigitsNet whole.npy")[1] == printed


def test_probabilities_are_told_as_they_are_with_a_warning(call, tmp_path):
    _, printed, errors = call("networks.py:sure image.npy")
    with ag.no_grad():
        shares = network("sure")(ag.tensor(np.load(tmp_path / "image.npy")[None])).numpy()[0]
    found = {int(c): float(p) for c, p in re.findall(r"class (\d): ([0-9.]+) %", printed)}
    assert found == {c: round(100 * float(p), 1) for c, p in enumerate(shares)}
    assert errors.count("look like probabilities") == 1


def test_a_picture_without_pillow_is_refused_before_any_work(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    status, printed, errors = call("networks.py:net image.npy -o out.png")
    assert (status, printed) == (2, "") and 'pip install "autograd-cnn[plot]"' in errors


def test_pictures_are_read_as_the_network_needs_them(call, tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((6, 5, 3), 200, np.uint8)).save(tmp_path / "photo.png")
    call("networks.py:net photo.png -o grey.npy")
    assert np.load(tmp_path / "grey.npy").shape == (1, 1, 6, 5)
    call("networks.py:make photo.png --size 9x7 -o colour.npy")
    assert np.load(tmp_path / "colour.npy").shape == (1, 3, 9, 7)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("net image.npy", "'net' is not FILE.py:NAME, and ag.models has only .*LeNet5"),
        ("missing.py:net image.npy", "there is no file missing.py"),
        ("networks.py:nett image.npy", "has no nett; it has net"),
        ("networks.py:number image.npy", "is no network: it is of type int"),
        ("networks.py:needs image.npy", "cannot be made without arguments: .*channels"),
        ("networks.py:net none.png", "there is no file none.png"),
        ("networks.py:net networks.py", "no picture that Pillow can read"),
        ("networks.py:net colour.npy", r"has 3 channel\(s\); the network takes 1"),
        ("networks.py:flat colour.npy", r"cannot read an image 1×3×8×8: .*--size"),
        ("networks.py:net image.npy --target 3", "--target 3: the network has 3 classes, 0 … 2"),
        ("networks.py:net image.npy --layer conf", "no layer 'conf'; there are conv, relu"),
        ("networks.py:net image.npy --unit relu", "--unit relu is not LAYER:CHANNEL"),
        ("networks.py:net image.npy --unit relu:9", "saliency: unit: class 9 .* 0 … 3"),
        ("networks.py:net image.npy --steps 5", "--steps means nothing to saliency, .* --layer"),
        ("networks.py:flat image.npy --method grad-cam", "no layer .* gives maps"),
        ("networks.py:net image.npy --weights w.safetensors", "there is no file w.safetensors"),
        ("networks.py:net image.npy --weights image.npy", "is no safetensors file"),
        ("networks.py:net image.npy --std 0", "std must be positive, got"),
        ("networks.py:net image.npy -o out.jpg", "the picture is .png, the values .npy"),
        ("networks.py:net image.npy -o none/out.png", "there is no folder none"),
        ("networks.py:net image.npy --method cam --unit relu:1", "cam explains a class"),
        ("networks.py:net image.npy --layer linear -o out.png", "linear has no places"),
    ],
)
def test_what_the_user_can_mend_is_told_in_one_line(call, words, message):
    pytest.importorskip("PIL.Image")
    pytest.importorskip("safetensors")
    status, _, errors = call(words)
    assert status == 2 and re.fullmatch(f"autograd-cnn explain: .*{message}.*\n", errors), errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("net image --method magic", "invalid choice: 'magic'"),
        ("net image --size 224", "not HEIGHTxWIDTH"),
        ("net image --target 1 --unit relu:1", "not allowed with"),
        ("net image --steps 1", "whole number ≥ 2"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["explain", *words.split()])
    assert stopped.value.code == 2 and message in capsys.readouterr().err
