"""What a graph says about a tape: nodes, edges, parameters, modules, costs."""

import gc
import weakref

import numpy as np
import pytest
from small_network import scope

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import TapeError
from autograd_cnn.graphs import collapse, fold_repeats


def names(graph):
    return [node.name for node in graph.nodes]


def test_nodes_come_in_the_order_of_the_tape(network):
    g = ag.graph(network.loss())
    assert names(g) == [
        "x", "conv2d", "batch_norm", "relu", "max_pool2d", "conv2d", "add", "relu", "mean",
        "dropout", "linear", "cross_entropy",
    ]  # fmt: skip
    assert [node.id for node in g.nodes] == list(range(12))
    assert all(edge.source < edge.target for edge in g.edges)
    assert g.outputs == (11,)


def test_edges_carry_the_shapes_of_what_flows(network):
    g = ag.graph(network.loss())
    shapes = {(e.source, e.target, e.position): e.shape for e in g.edges}
    assert shapes[0, 1, 0] == (2, 3, 8, 8)
    assert shapes[4, 6, 1] == (2, 8, 4, 4)  # the skip
    assert len(shapes) == len(g.edges) == 12


def test_an_input_without_gradient_is_shown_and_says_so(network):
    first = ag.graph(network.loss()).nodes[0]
    assert (first.name, first.is_input, first.requires_grad) == ("x", True, False)


def test_attributes_in_a_few_characters(network):
    g = ag.graph(network.loss())
    assert [n.attributes for n in g.nodes if n.attributes] == [
        "k3×3 s1 p1", "ε=1e-5", "k2×2 s2", "k3×3 s1 p2 d2", "over 2,3", "p=0.5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"stride": (2, 1)}, "k3×3 s2×1"),
        ({"padding": ((1, 0), (1, 0))}, "k3×3 s1 p1+0"),
        ({"groups": 2}, "k3×3 s1 g2"),
    ],
)
def test_window_text(options, text):
    w = ag.tensor(np.ones((2, 2 // options.get("groups", 1), 3, 3)), requires_grad=True)
    y = ag.conv2d(ag.tensor(np.ones((1, 2, 6, 6))), w, **options)
    assert ag.graph(y).nodes[-1].attributes == text


def test_parameters_are_rows_and_count_once(network):
    g = ag.graph(network.loss())
    assert [(p.name, p.shape, p.count) for p in g.nodes[1].parameters] == [
        ("weight", (8, 3, 3, 3), 216), ("bias", (8,), 8),
    ]  # fmt: skip
    assert g.parameter_count == 216 + 8 + 8 + 8 + 576 + 80 + 10
    x = ag.tensor(np.ones((1, 2)))
    w = ag.tensor(np.eye(2), requires_grad=True)
    assert ag.graph(ag.linear(ag.linear(x, w), w)).parameter_count == 4


def test_running_statistics_are_rows_but_no_parameters():
    norm = nn.BatchNorm2d(3).eval()
    g = ag.graph(norm(ag.tensor(np.ones((1, 3, 2, 2), np.float32))))
    assert {p.name: p.trainable for p in g.nodes[-1].parameters} == {
        "running_mean": False, "running_var": False, "weight": True, "bias": True,
    }  # fmt: skip
    assert g.parameter_count == 6


def test_a_models_own_parameter_is_a_row_in_any_operation():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter([2.0])

        def forward(self, x):
            return x * self.factor

    g = ag.graph(Scale(), [1.0, 3.0])
    assert names(g) == ["x", "multiply"]
    assert [p.name for p in g.nodes[1].parameters] == ["factor"]
    # without a module it is an input like any other
    loose = ag.tensor([2.0], requires_grad=True, name="factor")
    assert names(ag.graph(ag.tensor([1.0], name="x") * loose)) == ["x", "factor", "multiply"]


def test_kept_values_are_those_of_the_rules(network):
    kept = {node.name: node.kept for node in ag.graph(network.loss()).nodes}
    assert kept["relu"] == ("ans",)
    assert kept["max_pool2d"] == ("switches",)
    assert kept["add"] == ()
    assert kept["linear"] == ("x", "w")


def test_multiplications_of_a_convolution_and_a_linear_layer(network):
    g = ag.graph(network.loss())
    assert g.nodes[1].multiplications == 2 * 8 * 8 * 8 * 27
    assert g.nodes[10].multiplications == 2 * 10 * 8
    assert g.nodes[3].multiplications is None


def test_modules_are_the_scopes(network):
    g = ag.graph(network.loss())
    assert [m.path for m in g.modules] == [
        ("stem",), ("stem", "conv"), ("stem", "bn"), ("block",), ("block", "conv"), ("head",),
        ("head", "fc"),
    ]  # fmt: skip
    assert g.path(g.nodes[1].module) == ("stem", "conv")
    assert g.nodes[0].module is None and g.nodes[-1].module is None


def test_two_calls_of_a_module_are_two_modules():
    x = ag.tensor([1.0], requires_grad=True)
    for _ in range(2):
        with scope("shared", "Twice"):
            x = ag.relu(ag.exp(x))
    assert [(m.name, m.call) for m in ag.graph(x).modules] == [("shared", 1), ("shared", 2)]


def test_a_container_of_outputs_and_a_function():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    g = ag.graph({"a": ag.exp(x), "b": [ag.sin(x)]})
    assert names(g) == ["input", "exp", "sin"] and g.outputs == (1, 2)
    assert names(ag.graph(lambda a, b: a * b, 2.0, [3.0])) == ["a", "b", "multiply"]


def test_what_was_not_recorded_is_refused():
    x = ag.tensor([1.0], requires_grad=True)
    with ag.no_grad():
        y = ag.exp(x)
    for target in (y, x, ag.tensor([1.0]), 3.0):
        with pytest.raises(TapeError, match="recorded operations"):
            ag.graph(target)


def test_a_graph_keeps_no_array_and_no_tape_alive(network):
    loss = network.loss()
    node = weakref.ref(loss._node)
    array = weakref.ref(network.x._data)
    g = ag.graph(loss)
    assert "conv2d" in g.view().source
    del loss, network.x
    gc.collect()
    assert node() is None and array() is None
    assert len(g.nodes) == 12
    with pytest.raises(TapeError, match="tape of this graph is gone"):
        g.view(backward="ladder")


def test_collapsing_loses_no_edge(network):
    g = ag.graph(network.loss())
    for depth in (1, 2):
        small = collapse(g, depth)
        place = {i: node.id for node in small.nodes for i in (node.members or (node.id,))}
        assert sorted(place) == [node.id for node in g.nodes]
        crossing = [(place[e.source], place[e.target]) for e in g.edges]
        crossing = sorted(pair for pair in crossing if pair[0] != pair[1])
        drawn = [pair for e in small.edges for pair in [(e.source, e.target)] * e.count]
        assert sorted(drawn) == crossing
        assert small.parameter_count == g.parameter_count
        assert small.multiplications == g.multiplications
        assert all(edge.source < edge.target for edge in small.edges)


def test_collapsed_modules_and_lone_operations(network):
    small = collapse(ag.graph(network.loss()))
    assert [(n.name, len(n.members)) for n in small.nodes] == [
        ("x", 0), ("stem", 4), ("block", 3), ("head", 3), ("cross_entropy", 0),
    ]  # fmt: skip
    assert small.nodes[1].summary == "conv2d → batch_norm → relu → max_pool2d"
    with pytest.raises(ValueError, match="below 1"):
        collapse(small, 0)


def blocks(weights):
    x = ag.tensor(np.ones((1, 2)), name="x")
    for i, w in enumerate(weights):
        with scope(str(i), "Block"):
            x = ag.relu(ag.linear(x, w))
    return collapse(ag.graph(x))


def test_folding_tells_repeats_from_copies():
    def weight():
        return ag.tensor(np.eye(2), requires_grad=True)

    same = weight()
    shared, distinct = fold_repeats(blocks([same] * 3)), fold_repeats(blocks([weight(), weight()]))
    assert shared.nodes[-1].attributes == "Block ×3" and shared.parameter_count == 4
    assert distinct.nodes[-1].attributes == "Block +1 more Block"
    assert distinct.parameter_count == 8
    assert len(shared.nodes) == len(distinct.nodes) == 2


def test_folding_leaves_a_branch_alone():
    x = ag.tensor([1.0], requires_grad=True)
    with scope("a", "Block"):
        a = ag.exp(ag.relu(x))
    with scope("b", "Block"):
        b = ag.exp(ag.relu(a))
    g = collapse(ag.graph(a + b))
    assert len(fold_repeats(g).nodes) == len(g.nodes) == 4


def test_networkx_has_the_same_edges(network):
    pytest.importorskip("networkx")
    g = ag.graph(network.loss())
    other = g.to_networkx()
    assert sorted(other.edges(keys=True)) == sorted(
        (e.source, e.target, e.position) for e in g.edges
    )
    assert other.nodes[1]["shape"] == "2×8×8×8" and other.nodes[1]["parameters"] == 224


def test_x_times_x_has_two_edges():
    x = ag.tensor(3.0, requires_grad=True)
    g = ag.graph(x * x)
    assert [(e.source, e.target, e.position) for e in g.edges] == [(0, 1, 0), (0, 1, 1)]
