"""Formats for other programs: they parse there, and say what the graph says."""

import io
import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from networks import NETWORKS

import autograd_cnn as ag
from autograd_cnn.graphs import Watch, diff, from_json

networkx = pytest.importorskip("networkx")


@pytest.mark.parametrize("name", NETWORKS)
def test_json_round_trips(name):
    g = ag.graph(NETWORKS[name](), watch=Watch(maps=2))
    other = from_json(g.to_json())
    assert other == g and other.to_json() == g.to_json()
    assert other.view().source == g.view().source


def test_json_of_what_was_watched_and_measured(network):
    with Watch(maps=2) as watch:
        loss = network.loss()
    g = ag.graph(loss, watch=watch).view(color="grad_norm").graph
    nodes = (replace(g.nodes[0], gradient=math.inf, name="NaN"), *g.nodes[1:])
    g = replace(g, nodes=nodes)
    text = g.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    other = from_json(text)
    assert other == g and other.nodes[0].gradient == math.inf and other.nodes[0].name == "NaN"
    assert other.nodes[1].maps == g.nodes[1].maps != ()
    difference = diff(g, other)
    assert not difference and difference.same == 12


def test_collapsed_graphs_round_trip(network):
    g = ag.graphs.collapse(ag.graph(network.loss()))
    assert from_json(g.to_json()) == g


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no graph"), ('{"format": "svg"}', "no graph"),
        ('{"format": "autograd_cnn graph", "version": 9}', "version 9"),
        ('{"format": "autograd_cnn graph", "version": 2, "nodes": [{"color": 1}]}', "no graph"),
    ],
)  # fmt: skip
def test_other_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        from_json(text)


def test_graphml_reads_back(network):
    loss = network.loss()
    g = ag.graph(loss)
    back = networkx.read_graphml(io.BytesIO(g.view().pipe("graphml")), node_type=int)
    assert sorted(back.edges()) == sorted((e.source, e.target) for e in g.edges)
    assert back.nodes[1]["shape"] == "2×8×8×8" and back.nodes[1]["parameters"] == 224


def test_gexf_reads_back_and_has_no_date(network):
    loss = network.loss()
    data = ag.graph(loss).view().pipe("gexf")
    assert b"lastmodifieddate" not in data
    assert data == ag.graph(loss).view().pipe("gexf")
    back = networkx.read_gexf(io.BytesIO(data), node_type=int)
    assert back.nodes[1]["name"] == "conv2d" and len(back) == 12


@pytest.mark.parametrize("format", ["graphml", "gexf"])
def test_any_name_survives(format):
    x = ag.tensor([1.0], requires_grad=True, name='<&">\x00 中文')
    data = ag.graph(ag.exp(x)).view().pipe(format)
    assert '<&">� 中文' in {
        text for e in ElementTree.fromstring(data).iter() for text in (e.text, e.get("value"))
    }


def test_mermaid(network):
    loss = network.loss()
    text = ag.graph(loss).view(level="module").pipe("mmd").decode()
    assert text.startswith("flowchart TB\n")
    assert '  n4["stem Sequential"]:::module' in text
    assert '  n4 -->|"2×8×4×4 ×2"| n7' in text
    x = ag.tensor([1.0], requires_grad=True, name='a"]; b["#\n')
    first = ag.graph(ag.exp(x)).view().pipe("mermaid").decode().splitlines()[1]
    assert first == '  n0["a#quot;]; b[#quot;#35;"]:::input'


def test_mermaid_refuses_what_it_cannot_draw():
    x = ag.tensor([1.0], requires_grad=True)
    for _ in range(201):
        x = ag.sin(x)
    with pytest.raises(ValueError, match="up to 200 edges well, and this view has 201"):
        ag.graph(x).view().pipe("mmd")


def test_every_suffix_writes_a_file(network, tmp_path):
    loss = network.loss()
    view = ag.graph(loss).view(layout="lanes")
    for suffix in ("svg", "gv", "dot", "json", "graphml", "gexf", "mmd", "html"):
        assert view.save(tmp_path / f"net.{suffix}").stat().st_size > 500


# the differences


def net(kernel, *more):
    def run(x):
        w = ag.tensor(np.ones((2, 1, kernel, kernel)), requires_grad=True)
        y = ag.conv2d(x, w)
        for operation in more:
            y = operation(y)
        return ag.sum(y)

    return ag.graph(run, np.ones((1, 1, 6, 6)))


def test_an_inserted_operation_shifts_nothing():
    found = diff(net(3, ag.exp), net(3, ag.relu, ag.exp))
    assert [node.name for node in found.added] == ["relu"] and not found.removed
    assert [change.what for change in found.changed] == [("input conv2d → relu",)]
    assert found.same == 3


def test_attributes_shapes_and_weights_are_compared():
    (change,) = diff(net(3), net(5)).changed
    assert change.what == (
        "k3×3 s1 → k5×5 s1", "1×2×4×4 → 1×2×2×2", "weight 2×1×3×3 → 2×1×5×5",
    )  # fmt: skip
    assert change.before.name == change.after.name == "conv2d"


def test_a_difference_keeps_every_node_and_edge_of_both(network):
    one, two = net(3, ag.exp, ag.tanh), net(3, ag.tanh, ag.sin)
    g = diff(one, two).graph
    assert all(edge.source < edge.target for edge in g.edges)
    for graph, gone in ((one, "added"), (two, "removed")):
        nodes = [node for node in g.nodes if node.mark != gone]
        assert [node.name for node in nodes] == [node.name for node in graph.nodes]
        place = {node.id: i for i, node in enumerate(nodes)}
        edges = [(place[e.source], place[e.target]) for e in g.edges if e.mark != gone]
        assert sorted(edges) == sorted((e.source, e.target) for e in graph.edges)


def test_a_difference_is_drawn_with_words_too():
    found = diff(net(3, ag.exp), net(5, ag.relu))
    for source in (found.view().source, found.view(layout="lanes").pipe("svg").decode()):
        for words in ("+ added", "− removed", "± changed"):
            assert words in source


def test_a_program_before_and_after_it_is_simplified():
    program = ag.trace(lambda x: ag.sum(ag.exp(x) * x + 0.0))(np.ones(3))
    g = ag.graph(program)
    assert [node.name for node in g.nodes[1:]] == ["exp", "multiply", "add", "sum"]
    found = diff(g, ag.graph(program.simplify()))
    assert [node.name for node in found.removed] == ["add"] and not found.added


def test_a_whole_models_name_does_not_matter():
    from autograd_cnn import nn

    class Around(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x)

    def model():
        return nn.Sequential(nn.Linear(3, 3, rng=0), nn.Sequential(nn.ReLU(), nn.Tanh()))

    x = np.ones((1, 3), np.float32)
    assert not diff(ag.graph(model(), x), ag.graph(Around(model()), x))
