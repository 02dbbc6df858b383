"""The six networkx recipes of the guide, each on a computation whose answer is known."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn

nx = pytest.importorskip("networkx")

GUIDE = Path(__file__).parents[2] / "docs" / "graphs.md"


def answer(number, capsys, graph, **names):
    """What recipe `number` prints for a graph."""
    (block,) = [b for b in re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"),
                                      re.M | re.S) if "import networkx" in b]  # fmt: skip
    recipes = re.split(r"^# (?=\d\. )", block, flags=re.M)
    assert len(recipes) == 7 and recipes[number].startswith(f"{number}. ")
    exec("# " + recipes[number], {"nx": nx, "ag": ag, "G": graph.to_networkx(), **names})
    return capsys.readouterr().out.splitlines()[-1]


def test_ancestors_of_a_nan(capsys):
    def f(a, b):
        return ag.sum(ag.log(a * 0.0 - 1.0) + ag.exp(b))

    with np.errstate(invalid="ignore"):
        bad = ag.graph(f, [1.0], [2.0], watch=True)
    assert answer(1, capsys, bad, bad=bad) == "['a', 'multiply', 'subtract']"  # b has no part in it


def test_parameters_that_no_gradient_reaches(capsys):
    gate = ag.custom_primitive("gate", lambda x, w: x * w, x=lambda g, w: g * w, w=None)

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2, rng=0)
            self.outer = nn.Linear(2, 2, rng=1)

        def forward(self, x):
            return gate(self.outer(x), self.inner(x))

    g = ag.graph(Gated(), np.ones((1, 2), np.float32))
    assert answer(2, capsys, g) == "['weight, bias']"
    (linear,) = [n for n in g.nodes if g.path(n.module) == ("inner",)]
    assert linear.parameters


def test_the_critical_path(capsys):
    """Three slow operations take longer than four quick ones."""

    def f(a, b):
        return ag.exp(ag.tanh(a)) * ag.sin(ag.cos(ag.abs(b)))

    g = ag.graph(f, [1.0], [2.0])
    slow = {"exp": 5.0, "tanh": 5.0}
    nodes = tuple(replace(node, seconds=slow.get(node.name, 1.0)) for node in g.nodes)
    assert answer(3, capsys, replace(g, nodes=nodes)) == "a → tanh → exp → multiply"


def test_the_biggest_kept_tensors(capsys):
    def f(x):
        return ag.sum(ag.exp(ag.sum(ag.tanh(x), 0)))

    printed = answer(4, capsys, ag.graph(f, np.zeros((100, 4))))
    assert printed.startswith("[('tanh', 3200), ('exp', 32)")


def test_articulation_operations(capsys):
    def f(x):
        h = ag.sin(x)
        return ag.sum(ag.exp(ag.tanh(h) + ag.cos(h)))

    assert answer(5, capsys, ag.graph(f, [1.0])) == "['sin', 'add', 'exp']"


def test_unused_inputs(capsys):
    x, mask = (ag.tensor([1.0], requires_grad=True, name=name) for name in ("x", "mask"))
    assert answer(6, capsys, ag.graph(ag.sum(ag.exp(x))), x=x) == "['mask']"
    assert mask.requires_grad
