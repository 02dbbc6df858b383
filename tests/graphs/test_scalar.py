"""The scalar level: values, local derivatives, and the chain rule multiplied out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import neuron

import autograd_cnn as ag
from autograd_cnn.errors import TapeError
from autograd_cnn.graphs import with_derivatives
from autograd_cnn.graphs.emit_scalar import expressions
from autograd_cnn.graphs.scalar import chain_text


def by_name(g):
    return {node.name: node for node in g.nodes}


@pytest.mark.parametrize(
    ("x", "y", "slopes"),
    [((1.0, 20.0), 0.0, (0.0, 0.0)), ((20.0, 10.0), 1.0, (20.0, 10.0))],
    ids=["dead", "alive"],
)
def test_the_two_weights_and_a_relu(x, y, slopes):
    g = ag.graph(neuron, 0.1, -0.1, *x)
    nodes = by_name(g)
    assert nodes["relu"].value == pytest.approx(y) and nodes["relu"].slope == 1.0
    assert (nodes["w1"].slope, nodes["w2"].slope) == slopes
    assert nodes["x1"].value == x[0] and nodes["w2"].value == pytest.approx(-0.1)


def test_the_chain_rule_is_multiplied_out():
    g = ag.graph(neuron, 0.1, -0.1, 20.0, 10.0)
    w2 = by_name(g)["w2"]
    assert chain_text(g, w2.id) == "1·1·10 = 10"  # relu, the sum, times x₂
    x2 = by_name(g)["x2"]
    assert chain_text(g, x2.id) == "1·1·(−0.1) = −0.1"
    # two ways from a to f = a·b + a
    g = ag.graph(lambda a, b: a * b + a, 3.0, 5.0)
    assert chain_text(g, 0) == "1·5 + 1 = 6"


def test_a_picture_has_every_value_and_every_local_derivative():
    view = ag.graph(neuron, 0.1, -0.1, 20.0, 10.0).view(level="scalar")
    text = " ".join(re.sub("<[^>]*>", " ", view.source).split())
    for words in ("×x1 = 20", "×w1 = 0.1", "×x2 = 10", "×w2 = −0.1", "×1",
                  "∂f/∂w1 = 1·1·20 = 20", "w1·x1", "w1·x1 + w2·x2"):  # fmt: skip
        assert words in text
    assert view.direction == "LR" and view.source.count("shape=circle") == 4
    rows = ag.graph(neuron, 0.1, -0.1, 20.0, 10.0).view(level="scalar", layout="lanes")
    drawn = rows.pipe("svg").decode()
    assert "∂f/∂ = 1·1·20 = 20" in drawn and "= −1" in drawn and "×x1 = 20" in drawn


def test_expressions_get_a_name_when_they_grow_long():
    g = ag.graph(lambda a: 2.0 * ag.tanh(a - a * a) * ag.tanh(a), 1.0)
    texts = expressions(g.nodes, g.edges, g.outputs)
    assert texts[0] == "a" and "a·a" in texts.values() and "v1" in texts.values()
    assert texts[g.outputs[0]].startswith("f")


numbers = st.floats(-2.0, 2.0).filter(lambda value: abs(value) > 1e-2)


choices = st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 9))


@given(numbers, numbers, st.lists(choices, min_size=1, max_size=6))
def test_slopes_are_the_engines_gradients(a, b, steps):
    """Multiplying local derivatives along the paths gives what the engine computes."""
    operations = [
        lambda u, v: u + v, lambda u, v: u * v, lambda u, v: u - v, lambda u, v: ag.tanh(u),
        lambda u, v: ag.sin(v), lambda u, v: ag.relu(u),
    ]  # fmt: skip
    pairs = zip("ab", (a, b), strict=True)
    leaves = [ag.tensor(value, requires_grad=True, name=name) for name, value in pairs]
    made = list(leaves)
    for kind, i, j in steps:
        made.append(operations[kind](made[i % len(made)], made[j % len(made)]))
    y = made[-1] + leaves[0] * leaves[1]
    g = with_derivatives(ag.graph(y))
    gradients = ag.gradients(y, leaves)
    for node in g.nodes:
        assert node.value is not None
        if node.is_input:
            expected = float(gradients["ab".index(node.name)])
            assert node.slope == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_rules_in_force_are_shown():
    x = ag.tensor(2.0, requires_grad=True, name="x")
    y = -1.0 * ag.relu(x)
    g = ag.graph(y)
    assert with_derivatives(g).nodes[0].slope == -1.0
    with ag.override({"relu": lambda g: g * 7.0}):
        assert with_derivatives(g).nodes[0].slope == -7.0


def test_what_is_no_scalar_is_refused():
    with pytest.raises(ValueError, match="needs real scalars, but x is 3"):
        ag.graph(lambda x: ag.sum(x), [1.0, 2.0, 3.0]).view(level="scalar")
    z = x = ag.tensor(1.0, requires_grad=True)
    for _ in range(400):
        z = z + x
    with pytest.raises(ValueError, match="up to 300 nodes, not 401"):
        ag.graph(z).view(level="scalar")
    g = ag.graph(ag.exp(ag.tensor(1.0, requires_grad=True)))
    with pytest.raises(TapeError, match="gone"):
        g.view(level="scalar")
    with pytest.raises(ValueError, match="leave out"):
        g.view(level="scalar", backward="ladder")
