"""The same bytes each time: a dozen networks as DOT, JSON and SVG in rows, and one of scalars.

Files are written anew with AUTOGRAD_CNN_WRITE_GOLDEN=1; look at what changed before keeping it.
"""

import os
import re
from pathlib import Path

import pytest
from networks import NETWORKS, neuron

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
def test_each_level_of_each_network(name):
    output = NETWORKS[name]()
    g = ag.graph(output)
    check(f"{name}.op.gv", g.view().pipe("gv"))
    check(f"{name}.json", g.to_json().encode())
    check(f"{name}.op.svg", g.view(layout="rows", show=FACTS).pipe("svg"))
    if g.modules:
        modules = g.view(level="module", theme="dark", layout="rows")
        check(f"{name}.module.gv", modules.pipe("gv"))
        check(f"{name}.module.svg", modules.pipe("svg"))


@pytest.mark.parametrize("name", ["perceptron", "gate", "two_outputs"])
def test_the_backward_pass_of_some(name):
    output = NETWORKS[name]()
    g = ag.graph(output)
    for backward in ("ladder", "overlay", "only"):
        source = g.view(backward=backward, symbols="ascii").pipe("gv")
        # the last digit of a norm may depend on the BLAS
        check(f"{name}.{backward}.gv", re.sub(rb"\d\.\de[+-]\d\d", b"0.0e+00", source))


def test_scalars():
    view = ag.graph(neuron, 0.1, -0.1, 20.0, 10.0).view(level="scalar")
    check("neuron.scalar.gv", view.pipe("gv"))
    check("neuron.mmd", ag.graph(neuron, 0.1, -0.1, 20.0, 10.0).view().pipe("mmd"))


def test_the_golden_files_stay_small():
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) < 400_000
