"""The same bytes each time: a dozen networks at three levels, as DOT, JSON and SVG in lanes.

Files are written anew with AUTOGRAD_CNN_WRITE_GOLDEN=1; look at what changed before keeping it.
"""

import os
import re
from pathlib import Path

import pytest
from networks import NETWORKS, SCALARS

import autograd_cnn as ag

GOLDEN = Path(__file__).parent / "golden"
FACTS = ("shape", "params", "attrs", "kept", "receptive_field", "dtype")
# the sizes of what the tape keeps belong to the kernels, source lines to the file above
PLACE = re.compile(rb"networks\.py:\d+|small_network\.py:\d+")


def check(name, data):
    data = PLACE.sub(b"file.py", data)
    path = GOLDEN / name
    if os.environ.get("AUTOGRAD_CNN_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert data == path.read_bytes(), name


@pytest.mark.parametrize("name", NETWORKS)
def test_operations_and_modules_of_each_network(name):
    output = NETWORKS[name]()
    g = ag.graph(output)
    check(f"{name}.op.gv", g.view().pipe("gv"))
    check(f"{name}.op.json", g.view().pipe("json"))
    check(f"{name}.op.svg", g.view(layout="lanes", show=FACTS).pipe("svg"))
    modules = g.view(level="module", theme="dark", layout="lanes")
    assert g.modules
    check(f"{name}.module.gv", modules.pipe("gv"))
    check(f"{name}.module.json", modules.pipe("json"))
    check(f"{name}.module.svg", modules.pipe("svg"))


@pytest.mark.parametrize("name", SCALARS)
def test_scalars(name):
    view = ag.graph(*SCALARS[name]).view(level="scalar", layout="lanes")
    check(f"{name}.scalar.gv", view.pipe("gv"))
    check(f"{name}.scalar.json", view.pipe("json"))
    check(f"{name}.scalar.svg", view.pipe("svg"))


@pytest.mark.parametrize("name", ["perceptron", "gate", "two_outputs"])
def test_the_backward_pass_of_some(name):
    output = NETWORKS[name]()
    g = ag.graph(output)
    for backward in ("ladder", "overlay", "only"):
        source = g.view(backward=backward, symbols="ascii").pipe("gv")
        # the last digit of a norm may depend on the BLAS
        check(f"{name}.{backward}.gv", re.sub(rb"\d\.\de[+-]\d\d", b"0.0e+00", source))


def test_mermaid():
    check("neuron.mmd", ag.graph(*SCALARS["neuron"]).view().pipe("mmd"))


def test_every_golden_file_is_checked():
    """A dozen networks at two levels, a dozen of scalars, each as DOT, JSON and SVG."""
    ends = [f"{level}.{kind}" for level in ("op", "module") for kind in ("gv", "json", "svg")]
    wanted = {f"{name}.{end}" for name in NETWORKS for end in ends}
    wanted |= {f"{name}.scalar.{kind}" for name in SCALARS for kind in ("gv", "json", "svg")}
    passes = ("ladder", "overlay", "only")
    wanted |= {f"{name}.{p}.gv" for name in ("perceptron", "gate", "two_outputs") for p in passes}
    assert len(NETWORKS) == len(SCALARS) == 12
    assert {path.name for path in GOLDEN.iterdir()} == wanted | {"neuron.mmd"}


def test_the_golden_files_stay_small():
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < 700_000
