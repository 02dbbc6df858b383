"""What holds for any computation with any names: nothing is lost, nothing is mangled."""

import gc
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_network import scope
from test_pictures import declared_and_used, labels
from test_views import recorded

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.graphs import collapse, fold_repeats, from_json, layout_lanes
from autograd_cnn.graphs.drawing import Group
from autograd_cnn.graphs.html_labels import escape
from autograd_cnn.graphs.transforms import grouped

# what breaks formats, scripts, right-to-left and combining signs, and anything else
hostile = st.one_of(
    st.text(alphabet="<>&\"'{}|\\[]()%#\n\t;=/-", min_size=1, max_size=12),
    st.sampled_from(["中文", "שלום", "عدد", "é̂", "∂σ/∂x", "🙂", "\x00\x1b", "\ud800", "</svg>"]),
    st.text(min_size=1, max_size=12),
)


def readable(text):
    """What of a text XML can hold; spaces of any kind are one."""
    return " ".join("".join("�" if escape(c) == "�" else c for c in text).split())


@given(hostile, hostile, hostile)
def test_any_label_survives_in_every_picture(name, module, kind):
    x = ag.tensor([1.0], requires_grad=True, name=name)
    with scope(module, kind):
        y = ag.exp(ag.relu(x))
    view = ag.graph(y).view()
    dot = ["".join(ElementTree.fromstring(f"<x>{label}</x>").itertext())
           for label in labels(view.source)]  # fmt: skip
    drawn = ElementTree.fromstring(ag.graph(y).view(layout="lanes").pipe("svg"))
    svg = ["".join(element.itertext()) for element in drawn.iter()]
    for texts in (dot, svg):
        seen = [readable(text) for text in texts]
        for word in (name, module, kind):
            assert any(readable(word) in text for text in seen)
    declared, used = declared_and_used(view.source)
    assert used <= declared


@given(recorded())
def test_a_picture_has_a_card_for_each_node_and_no_other(output):
    if output.is_leaf:
        return
    g = ag.graph(output)
    for options in ({"layout": "lanes"}, {"level": "module", "layout": "lanes"}, {"depth": 2}):
        view = g.view(**options)
        ids = {f"n{node.id}" for node in view.shown.nodes}
        declared, _ = declared_and_used(view.source)
        assert {name for name in declared if name[0] == "n"} == ids
        cards = [item.key for item in layout_lanes.draw(view).items if isinstance(item, Group)]
        assert sorted(cards) == sorted(ids)


@given(recorded())
def test_json_brings_any_graph_back(output):
    if output.is_leaf:
        return
    g = ag.graph(output)
    for graph in (g, collapse(g), fold_repeats(collapse(g)), g.view(backward="only").shown):
        assert from_json(graph.to_json()) == graph


@given(recorded())
def test_the_same_computation_is_the_same_description(output):
    if output.is_leaf:
        return
    gc.collect()  # an input whose tensor is gone is no longer memory that lives anyway
    one, other = ag.graph(output), ag.graph(output)
    assert one == other and one.view().source == other.view().source
    assert not ag.graphs.diff(one, other)


@given(recorded())
def test_every_node_but_inputs_is_reached_and_sums_agree(output):
    if output.is_leaf:
        return
    g = ag.graph(output)
    assert [node.id for node in g.nodes] == list(range(len(g.nodes)))
    assert all(edge.source < edge.target for edge in g.edges)
    assert {edge.target for edge in g.edges} == {n.id for n in g.nodes if not n.is_input}
    assert len(g.ancestors(g.nodes[g.outputs[0]]).nodes) == len(g.nodes)
    for small in (collapse(g), fold_repeats(collapse(g))):
        assert sum(n.nbytes for n in small.nodes) == sum(n.nbytes for n in g.nodes)
        assert small.kept_bytes == g.kept_bytes


@given(st.lists(st.integers(0, 2), min_size=1, max_size=9))
def test_a_group_holds_what_a_fold_shows(kinds):
    """Runs of equal blocks: collapsing the group around a run gives the folded card."""
    x = ag.tensor(np.ones((1, 2)), requires_grad=True)
    for i, kind in enumerate(kinds):
        with scope(str(i), f"Kind{kind}"):
            x = ag.relu([ag.sin, ag.abs, ag.tanh][kind](x))
    g = ag.graph(x)
    folded = fold_repeats(collapse(g))
    again = collapse(grouped(g, folded))
    assert [n.members for n in again.nodes] == [n.members for n in folded.nodes]
    assert [n.attributes for n in again.nodes] == [n.attributes for n in folded.nodes]


def test_a_hundred_thousand_operations():
    """No recursion anywhere; the picture would be in lanes, and a notebook gets words."""
    x = z = ag.tensor([0.0], requires_grad=True, name="x")
    for i in range(100_000):
        z = ag.sin(z) if i % 2 else z + x
    g = ag.graph(z)
    assert len(g.nodes) == 100_001 and len(g.edges) == 150_000
    assert len(g.ancestors(500).nodes) == 501
    view = g.view()
    assert view._layout() == "lanes"
    assert set(view._repr_mimebundle_()) == {"text/plain"}


def test_describing_waits_until_something_is_read(network):
    """The snapshot is a copy of the tape's facts; it stays true when the tape is gone."""
    loss = network.loss()
    g = ag.graph(loss)
    assert "nodes" not in vars(g)
    expected = [node.name for node in ag.graph(loss).nodes]
    network.w1._data[...] = np.nan
    loss.backward()
    del loss
    assert [node.name for node in g.nodes] == expected
    assert "nodes" in vars(g) and "_describe" not in vars(g)
    with pytest.raises(AttributeError, match="a graph has no colour"):
        _ = g.colour


def test_html_folds_runs_of_equal_modules():
    net = nn.Sequential(*[nn.Sequential(nn.Linear(3, 3, rng=i), nn.ReLU()) for i in range(4)])
    page = ag.graph(net, np.ones((1, 3), np.float32)).view(level="module").pipe("html").decode()
    assert re.search(r'"name":"0 … 3"', page) and "Sequential +3 more Sequential" in page
    plain = ag.graph(net, np.ones((1, 3), np.float32)).view(level="module", fold=False)
    assert "0 … 3" not in plain.pipe("html").decode()


def test_time_of_both_passes():
    net = nn.Sequential(nn.Linear(4, 4, rng=0), nn.ReLU(), nn.Linear(4, 2, rng=1))
    g = ag.graph(net, np.ones((2, 4), np.float32), watch=True)
    timed = [node for node in g.nodes if not node.is_input]
    assert all(node.seconds > 0 and node.backward_seconds > 0 for node in timed)
    assert g.nodes[0].backward_seconds is None  # an input has no rule
    assert "time of the backward pass, log" in g.view(color="backward_time").source
    with ag.graphs.Watch() as watch:
        loss = ag.sum(net(ag.tensor(np.ones((2, 4), np.float32))))
        loss.backward(retain_graph=True)
    assert all(n.backward_seconds > 0 for n in ag.graph(loss, watch=watch).nodes if not n.is_input)
    with pytest.raises(ValueError, match="nobody watched the backward_seconds"):
        ag.graph(loss).view(color="backward_time")


def test_both_names_of_what_is_kept(network):
    g = ag.graph(network.loss())
    assert g.view(show=("kept",)).source == g.view(show=("saved",)).source
