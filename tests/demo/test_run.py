import re
from xml.etree import ElementTree

import numpy as np
from rich.console import Console

import autograd_cnn as ag
from autograd_cnn import demo
from autograd_cnn.demo.training import with_shifts
from autograd_cnn.models import DigitsNet

PICTURES = {
    "learning_curves.png", "graph.png", "backward.png", "explanations.png", "adversarial.png",
    "robustness.png",
}  # fmt: skip
OTHERS = {
    "weights.safetensors", "graph.svg", "graph.pdf", "graph.gv", "backward.svg", "results.json",
    "index.html",
}  # fmt: skip


def test_every_file_is_there_and_nothing_else(demo_folder):
    assert {path.name for path in demo_folder.iterdir()} == PICTURES | OTHERS


def test_pictures_are_pictures(demo_folder):
    from PIL import Image

    for name in PICTURES:
        with Image.open(demo_folder / name) as image:
            assert min(image.size) > 300, name
            assert len(np.unique(np.asarray(image.convert("L")))) > 20, name
    for name in ("graph.svg", "backward.svg"):
        assert ElementTree.parse(demo_folder / name).getroot().tag.endswith("svg")
    assert (demo_folder / "graph.pdf").read_bytes().startswith(b"%PDF")


def test_the_same_seed_gives_the_same_numbers(demo_folder, tmp_path):
    demo.run(tmp_path, seed=3, epochs=2, console=Console(quiet=True))
    # a PDF holds its date, and the ladder (in the page too) the line that called the demo
    for name in sorted((PICTURES | OTHERS) - {"graph.pdf", "backward.svg", "index.html"}):
        assert (tmp_path / name).read_bytes() == (demo_folder / name).read_bytes(), name


def test_it_learns_and_its_weights_can_be_loaded(demo_folder, results):
    training = results["training"]
    assert training["held_out_accuracy"] >= 0.95
    assert training["train_loss"][1] < training["train_loss"][0]
    assert (training["training_images"], training["held_out_images"]) == (1346, 451)
    net = DigitsNet()
    net.load_state_dict(ag.load(demo_folder / "weights.safetensors"))
    _, test = ag.data.digits(seed=3)
    assert ag.train.evaluate(net, *test).accuracy == training["held_out_accuracy"]


def test_the_laws_hold_to_rounding(results):
    checks = results["gradient_check"]
    held = {law["law"] for law in checks["laws"] if law["comparisons"]}
    assert {2, 3, 5, 6, 8} <= held
    assert checks["worst_error"] < 1e-12
    assert checks["parameters_checked"] == results["training"]["parameters"] == 11_050


def test_robust_accuracy_falls_and_steps_are_never_weaker_than_one(results):
    counted = results["fooling"]["robust_accuracy"]
    assert counted["epsilon"][0] == 0.0
    assert len(counted["epsilon"]) == 6
    for name in ("FGSM", "PGD"):
        assert counted[name][0] == results["training"]["held_out_accuracy"]
        assert (np.diff(counted[name]) <= 0).all()
    assert (np.array(counted["PGD"]) <= counted["FGSM"]).all()
    assert counted["PGD"][-1] < 0.5


def test_single_digits_are_fooled(results):
    for sample in results["fooling"]["single_step"]["samples"]:
        assert sample["prediction"] != sample["fooled_prediction"]
    found = results["fooling"]["targeted"]["samples"]
    assert [sample["fooled_prediction"] for sample in found] == [6, 8, 1, 3]
    assert all(sample["fooled_confidence"] >= 0.9 for sample in found)


def test_the_page_needs_nothing_but_itself(demo_folder):
    text = (demo_folder / "index.html").read_text()
    assert "default-src 'none'" in text
    assert "<script" not in text
    images = re.findall(r'<img src="([^"]{30})', text)
    assert len(images) == 6
    assert all(source.startswith("data:image/") for source in images)
    assert not re.findall(r"""(?:href|src)=["'](?!data:)""", text)
    assert "prefers-color-scheme: dark" in text


def test_shifts_move_the_digit_by_one_pixel():
    train, _ = ag.data.digits(seed=0)
    few = type(train)(train.x[:3], train.y[:3])
    enlarged = with_shifts(few)
    same, down, up, right, left = np.split(enlarged.x, 5)
    assert np.array_equal(same, few.x)
    assert np.array_equal(down[:, :, 1:], few.x[:, :, :-1])
    assert np.array_equal(up[:, :, :-1], few.x[:, :, 1:])
    assert np.array_equal(right[..., 1:], few.x[..., :-1])
    assert np.array_equal(left[..., :-1], few.x[..., 1:])
    edges = (down[:, :, 0], up[:, :, -1], right[..., 0], left[..., -1])
    assert not any(edge.any() for edge in edges)
    assert enlarged.y.tolist() == few.y.tolist() * 5
