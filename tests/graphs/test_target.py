"""Drawing what a file names, and saying clearly why not."""

import sys

import pytest

from autograd_cnn.graphs.target import TargetError, draw_target

FILE = """
import numpy as np
import autograd_cnn as ag
from autograd_cnn import nn
import beside

net = nn.Sequential(nn.Linear(4, 3, rng=0), nn.ReLU())
x = ag.tensor([1.0, 2.0], requires_grad=True, name="x")
y = ag.sum(ag.exp(x))
graph = ag.graph(y)
number = 3
program = ag.trace(lambda v: ag.sum(ag.exp(v)))(np.ones(3))

def loss(a, b):
    return a * b

def made():
    return ag.sum(x * beside.two)

class Net(nn.Module):
    pass
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "beside.py").write_text("two = 2.0")
    path = tmp_path / "model.py"
    path.write_text(FILE)
    yield path
    sys.modules.pop("beside", None)


@pytest.mark.parametrize(
    ("name", "shapes", "words"),
    [
        ("net", ["2x4"], "linear"), ("net.forward", ["2x4"], "linear"), ("y", [], "exp"),
        ("graph", [], "exp"), ("program", [], "exp"), ("made", [], "multiply"),
        ("loss", ["scalar", "scalar"], "multiply"),
    ],
)  # fmt: skip
def test_what_can_be_named(file, tmp_path, name, shapes, words):
    path = list(sys.path)
    out = draw_target(f"{file}:{name}", tmp_path / "out.gv", shapes, theme="dark")
    assert words in out.read_text("utf-8") and "#15181D" in out.read_text("utf-8")
    assert sys.path == path


def test_a_watch_is_there_when_a_view_needs_it(file, tmp_path):
    for name, shapes in (("net", ["2x4"]), ("made", [])):
        out = draw_target(
            f"{file}:{name}", tmp_path / "o.gv", shapes, color="time", show=("stats",)
        )
        assert "μ" in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("target", "shapes", "message"),
    [
        ("{file}", [], "is not FILE.py:NAME"), ("{file}:1", [], "is not FILE.py:NAME"),
        ("no.py:net", [], "there is no file no.py"),
        ("{file}:nett", [], "has no nett; it has net"), ("{file}:Net", [], "an instance"),
        ("{file}:net", [], "give the shape of its input"), ("{file}:number", [], "not a int"),
        ("{file}:loss", [], r"loss\(a, b\) needs 2 input"), ("{file}:net", ["2by4"], "no shape"),
        ("{file}:x", [], "not a leaf"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn(file, tmp_path, target, shapes, message):
    out = tmp_path / "out.gv"
    with pytest.raises(TargetError, match=message):
        draw_target(target.format(file=file), out, shapes)
    assert not out.exists()


def test_errors_of_the_file_come_through(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        draw_target(f"{path}:net", tmp_path / "out.gv")
