"""`autograd-cnn graph`: drawing what a file names, and saying clearly why not."""

import re
import sys

import pytest

from autograd_cnn.cli import main
from autograd_cnn.commands.graph import LEVELS, PASSES
from autograd_cnn.graphs.metrics import METRICS
from autograd_cnn.graphs.view import CHOICES, FORMATS, SHOWN

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
    def __init__(self, width):
        pass

class Simple(nn.Module):
    def forward(self, x):
        return ag.sin(x)
"""

BIG = """
import autograd_cnn as ag
from autograd_cnn import nn

def block(i, rng):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1, rng=rng)

        def forward(self, x):
            return ag.relu(self.conv(x))

    return Block()

net = nn.Sequential(
    stem=nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, rng=0), nn.BatchNorm2d(8), nn.ReLU()),
    **{str(i): block(i, i) for i in (1, 2)}, flat=nn.Flatten(), fc=nn.Linear(288, 2, rng=3),
)

def axes(node):
    return len(node.shape)
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "beside.py").write_text("two = 2.0")
    path = tmp_path / "model.py"
    path.write_text(FILE)
    yield path
    sys.modules.pop("beside", None)


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big.py"
    path.write_text(BIG)
    return path


def command(*arguments):
    return main(["graph", *map(str, arguments)])


@pytest.mark.parametrize(
    ("name", "shapes", "words"),
    [
        ("net", ["2x4"], "linear"), ("net.forward", ["2x4"], "linear"), ("y", [], "exp"),
        ("graph", [], "exp"), ("program", [], "exp"), ("made", [], "multiply"),
        ("loss", ["scalar", "scalar"], "multiply"), ("Simple", ["3"], "sin"),
    ],
)  # fmt: skip
def test_what_can_be_named(file, tmp_path, capsys, name, shapes, words):
    path, out = list(sys.path), tmp_path / "out.gv"
    flags = [word for shape in shapes for word in ("--shape", shape)]
    assert command(f"{file}:{name}", *flags, "--theme", "dark", "-o", out) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert words in out.read_text("utf-8") and "#15181D" in out.read_text("utf-8")
    assert sys.path == path


@pytest.mark.parametrize(
    ("flags", "there", "gone"),
    [
        (["--view", "module"], ["stem Sequential"], ["batch_norm</B>"]),
        (["--view", "ladder,module"], ["∂L/∂stem", "seed"], []),
        (["--view", "ladder"], ["∂L/∂conv2d", "kept: x, w"], []),
        (["--view", "overlay"], ["dir=back"], []),
        (["--view", "only"], ["∂L/∂conv2d"], ["▦"]),
        (["--view", "module", "--no-fold"], ["1 Block", "2 Block"], ["more Block"]),
        (["--depth", "1"], ["+1 more Block"], []),
        (["--color", "flops"], ["FLOP, log"], []),
        (["--color", "grad_norm"], ["‖∂L/∂out‖₂, log"], []),
        (["--color", "time"], ["time, log"], []),
        (["--color", "backward_time"], ["time of the backward pass, log"], []),
        (["--color", "{file}:axes"], ["axes, log"], []),
        (["--show", "dtype,receptive_field,saved,stats"], ["float32", "sees", "kept: ", "μ"],
         ["2×8×6×6"]),
        (["--hide", "relu", "--hide", "normalisation"], ["nodes hidden"], ["batch_norm</B>"]),
        (["--to", "stem"], ["what stem is computed from"], ["linear</B>"]),
        (["--from", "fc"], ["what depends on fc"], ["conv2d</B>"]),
        (["--from", "stem", "--to", "1"], ["from stem to 1"], ["linear</B>"]),
        (["--direction", "LR", "--symbols", "ascii"], ["rankdir=LR", "[+]", "1x3x6x6"],
         ["▦", "×"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_options_are_those_of_a_view(big, tmp_path, flags, there, gone):
    out = tmp_path / "out.gv"
    flags = [flag.format(file=big) for flag in flags]
    if "ascii" in flags:
        flags += ["--depth", "1"]
    assert command(f"{big}:net", "--shape", "1x3x6x6", *flags, "-o", out) == 0
    source = out.read_text("utf-8")
    text = " ".join(re.sub("<[^>]*>", " ", source).split())
    assert [words for words in there if words not in text + source] == []
    assert [words for words in gone if words in source] == []


def test_maps_are_drawn_by_every_layout(big, tmp_path):
    for layout in ("lanes", "auto"):
        out = tmp_path / f"{layout}.svg"
        flags = ("--show", "maps", "--layout", layout, "--shape", "1x3x6x6")
        assert command(f"{big}:net", *flags, "-o", out) == 0
        assert "data:image/png" in out.read_text("utf-8")


@pytest.mark.parametrize("suffix", ["svg", "html", "json", "mmd", "graphml", "GV"])
def test_the_suffix_is_the_format(file, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    assert command(f"{file}:y", "--layout", "lanes", "-o", out) == 0
    assert out.stat().st_size > 200


def test_scalars(file, tmp_path):
    out, shapes = tmp_path / "out.gv", ("--shape", "scalar", "--shape", "scalar")
    assert command(f"{file}:loss", *shapes, "--view", "scalar", "-o", out) == 0
    assert "∂f/∂a" in out.read_text("utf-8")


def test_without_a_file_the_table_is_printed(big, capsys):
    assert command(f"{big}:net", "--shape", "1x3x6x6") == 0
    printed = capsys.readouterr().out
    assert "Sequential: stem" in printed and "Parameters: " in printed


def test_networks_of_ours_are_made_with_their_defaults(capsys):
    for name in ("LeNet5", "autograd_cnn.models:LeNet5"):
        assert command(name, "--shape", "1x1x28x28") == 0
        assert "61,706" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{file}"], "is not FILE.py:NAME"), (["{file}:1"], "is not FILE.py:NAME"),
        (["no.py:net"], "there is no file no.py"), (["LeNet6"], "ag.models has only"),
        (["{file}:nett"], "has no nett; it has net"), (["{file}:Net"], "Net(width) is a class"),
        (["{file}:net"], "give the shape of its input"), (["{file}:number"], "not a int"),
        (["{file}:loss"], "loss(a, b) needs 2 input"),
        (["{file}:net", "--shape", "2by4"], "no shape"), (["{file}:x"], "not a leaf"),
        (["{file}:net", "--shape", "2x5"], "net cannot be called with 2x5: linear"),
        (["{file}:y", "--color", "red"], "color='red' is none of"),
        (["{file}:y", "--color", "{file}:number"], "no function of a node"),
        (["{file}:y", "--show", "shapes"], "show=['shapes'] is not among"),
        (["{file}:y", "--hide", "conv"], "nothing here is named 'conv'"),
        (["{file}:y", "--to", "conv"], "no node and no module is 'conv'"),
        (["{file}:y", "--view", "scalar"], "needs real scalars, but x is 2"),
        (["{file}:y", "--view", "scalar,ladder"], "leave out backward and depth"),
        (["{file}:y", "--color", "time"], "nobody watched"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn(file, tmp_path, capsys, arguments, message):
    out = tmp_path / "out.gv"
    assert command(*(word.format(file=file) for word in arguments), "-o", out) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("autograd-cnn graph: ") and message in printed
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--view", "tree"], "'tree' is none of module, op, scalar, ladder, overlay, only"),
        (["--view", "op,scalar"], "op and scalar exclude each other"),
        (["--depth", "0"], "is not a whole number ≥ 1"), (["--theme", "red"], "invalid choice"),
    ],
)  # fmt: skip
def test_words_that_no_option_knows(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        command("file.py:net", *arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_a_format_that_is_not_there_is_said_before_the_file_is_run(tmp_path, capsys):
    path = tmp_path / "broken.py"
    path.write_text("1 / 0")
    assert command(f"{path}:net", "-o", tmp_path / "net.bmp") == 2
    assert "'bmp' is none of svg, png" in capsys.readouterr().err


def test_errors_of_the_file_come_through(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        command(f"{path}:net", "-o", tmp_path / "out.gv")


def test_the_help_names_every_choice(capsys):
    with pytest.raises(SystemExit):
        command("--help")
    text = capsys.readouterr().out
    for word in (*SHOWN, *METRICS, *LEVELS, *PASSES, *(f".{f}" for f in FORMATS[:4])):
        assert word in text
    assert set(LEVELS) | set(PASSES) == {*CHOICES["level"], *CHOICES["backward"]} - {None}
