"""What the views show: colours, facts, overlays, the backward pass alone, parts of a graph."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_network import SmallNetwork, scope
from test_pictures import declared_and_used, labels

import autograd_cnn as ag
from autograd_cnn.errors import TapeError
from autograd_cnn.graphs import Watch, collapse, fold_repeats, layout_lanes
from autograd_cnn.graphs.drawing import Group, Line, Rectangle


def text_of(source):
    return " ".join(re.sub("<[^>]*>", " ", source).split())


def watched(network, **options):
    with Watch(**options) as watch:
        loss = network.loss()
    return loss, ag.graph(loss, watch=watch)


def test_a_colour_is_the_number_that_it_says(network):
    loss = network.loss()
    g = ag.graph(loss)
    assert "FLOP 55.3k" in text_of(g.view(color="flops").source)
    assert "FLOP, log: 320 … 55.3k" in text_of(g.view(color="flops").source)
    assert "out 4 KiB" in text_of(g.view(color="bytes").source)  # 2·8·8·8 entries of 4 bytes

    def axes(node):
        return float(len(node.shape)) - 3.0

    source = text_of(g.view(color=axes).source)
    assert "axes 1" in source and "axes −3" in source and "axes, linear: −3 … 1" in source


def test_time_statistics_and_maps_need_a_watch(network):
    g = ag.graph(network.loss())
    for options in ({"color": "time"}, {"show": ("stats",)}, {"show": ("maps",)}):
        with pytest.raises(ValueError, match="nobody watched"):
            g.view(**options)
    _, g = watched(network, maps=2)
    assert re.search(r"time \d", text_of(g.view(color="time").source))
    assert "μ" in g.view(show=("stats",)).source


def test_maps_are_in_the_picture_itself(network):
    _, g = watched(network, maps=2)
    view = g.view(show=("maps",), layout="lanes")
    images = [item for item in ElementTree.fromstring(view.pipe("svg")).iter()
              if item.tag.endswith("image")]  # fmt: skip
    assert len(images) == sum(len(node.maps) for node in g.nodes) == 16
    assert all(image.get("href").startswith("data:image/png;base64,iVBOR") for image in images)
    assert "IMG" not in view.source  # DOT could only name files


@pytest.mark.parametrize("format", ["svg", "png", "pdf"])
@pytest.mark.parametrize("layout", ["dot", "lanes"])
def test_maps_in_every_format(network, format, layout):
    pytest.importorskip("pygraphviz")
    _, g = watched(network, maps=2)
    plain = g.view(layout=layout).pipe(format)
    data = g.view(show=("shape", "params", "attrs", "maps"), layout=layout).pipe(format)
    assert len(data) > len(plain)
    assert b".png" not in data.replace(b"image/png", b"")


def test_receptive_fields_and_kept_bytes_are_shown(network):
    loss = network.loss()
    source = text_of(ag.graph(loss).view(show=("receptive_field", "kept")).source)
    assert "sees 3×3 jump 1 start −1" in source and "sees 12×12 jump 2 start −5" in source
    assert "sees 8×8 (all)" in source
    assert "kept: ans (4 KiB)" in source  # the first relu's answer


def test_the_first_bad_node_is_marked_and_no_other():
    x = ag.tensor([1.0, -1.0], requires_grad=True)
    with Watch() as watch, np.errstate(all="ignore"), scope("middle", "Block"):
        y = ag.exp(ag.log(ag.relu(x)))
        y = ag.sum(ag.sqrt(-y))
    g = ag.graph(y, watch=watch)
    for view in (g.view(), g.view(level="module")):
        assert view.source.count("first NaN or infinity") == 1
        assert view.source.count("#B00020") >= 2  # the frame and the row
    assert "first NaN or infinity: 1 of 2" in text_of(g.view().source)
    assert "1 of 2 not finite" in text_of(g.view().source)
    card = next(
        item for item in layout_lanes.draw(g.view(layout="lanes")).items
        if isinstance(item, Group) and "log" in item.tooltip
    )  # fmt: skip
    assert [box.line_width for box in card.items if getattr(box, "line", "") == "#B00020"][-1] == 2


def test_an_overlay_has_a_way_back_for_each_gradient(network):
    loss = network.loss()
    g = ag.graph(loss)
    source = g.view(backward="overlay").source
    differentiable = [
        e for e in g.edges if e.differentiable and g.node(e.source).requires_grad
    ]  # fmt: skip
    assert source.count("dir=back") == len(differentiable) == 11
    lines = [item for item in layout_lanes.draw(g.view(backward="overlay", layout="lanes")).items
             if isinstance(item, Line) and item.dash == "dashed"]  # fmt: skip
    assert len(lines) == 11


def test_the_backward_pass_alone_is_the_graph_turned_round(network):
    loss = network.loss()
    g = ag.graph(loss)
    shown = g.view(backward="only").shown
    assert [n.name for n in shown.nodes[:3]] == [
        "∂L/∂cross_entropy", "∂L/∂linear", "∂L/∂dropout",
    ]  # fmt: skip
    assert all(edge.source < edge.target for edge in shown.edges)
    back = {(11 - e.target, 11 - e.source) for e in shown.edges}
    assert back == {(e.source, e.target) for e in g.edges if e.source != 0}  # x wants no gradient
    assert "∂L/∂weight 8×3×3×3" in text_of(g.view(backward="only").source)


def test_a_recorded_backward_pass_is_set_apart():
    x = ag.tensor([2.0], requires_grad=True, name="x")
    with scope("layer", "Layer"):
        y = ag.tanh(x * x)
    g = ag.graph(ag.gradients(y, x, create_graph=True))
    orders = {name: {n.order for n in g.nodes if n.name == name} for name in ("tanh", "subtract")}
    assert orders == {"tanh": {0}, "subtract": {1}}
    paths = {g.path(node.module) for node in g.nodes if node.order == 1}
    assert paths == {
        ("backward",), ("backward", "∂layer", "∂tanh"), ("backward", "∂layer", "∂multiply"),
    }  # fmt: skip
    assert g.nodes[-1].name == "add" and g.nodes[-1].order == 1  # both ways back to x, summed
    assert [n.name for n in g.nodes if n.order and n.is_input] == ["seed"]
    source = g.view().source
    assert "first derivatives" in source and "style=dotted" in source and "style=dashed" in source


def test_second_derivatives_are_another_pass():
    second = ag.grad(ag.grad(lambda a: ag.tanh(a * a)))
    g = ag.graph(lambda a: second(a), 2.0)
    assert {node.order for node in g.nodes} == {0, 1, 2}
    assert {m.name for m in g.modules if m.parent is None} == {"backward", "backward 2"}
    assert len(collapse(g).nodes) < len(g.nodes)


def test_a_users_own_sum_is_no_part_of_the_backward_pass():
    x = ag.tensor(2.0, requires_grad=True)
    slope = ag.gradients(x * x * x, x, create_graph=True)
    g = ag.graph(slope + slope * x)
    assert g.nodes[-1].name == "add" and g.nodes[-1].order == 0


# parts of a graph


def names(graph):
    return [node.name for node in graph.nodes]


def test_slices_ancestors_descendants(network):
    loss = network.loss()
    g = ag.graph(loss)
    assert names(g.slice_between("max_pool2d", "mean")) == [
        "max_pool2d", "conv2d", "add", "relu", "mean",
    ]  # fmt: skip
    assert names(g.ancestors("stem.bn")) == ["x", "conv2d", "batch_norm"]
    assert names(g.descendants("head.fc")) == ["linear", "cross_entropy"]
    assert g.slice_between("block", "block").nodes == g.nodes[5:8]
    part = g.slice_between("max_pool2d", "mean")
    assert part.note == "from max_pool2d to mean: 5 of 12 nodes" and part.note in part.view().source
    assert part.view(color="grad_norm").graph.node(6).gradient is not None  # still measurable


def test_parts_that_are_not_there_are_refused(network):
    g = ag.graph(network.loss())
    with pytest.raises(ValueError, match="2 nodes are named relu: give one of the ids 3, 7"):
        g.ancestors("relu")
    with pytest.raises(ValueError, match=r"no path runs from linear to relu \(3\)"):
        g.slice_between("linear", 3)
    with pytest.raises(ValueError, match="no node and no module is 'stm'; there are x, conv2d"):
        g.ancestors("stm")
    with pytest.raises(ValueError, match="no node has the id 99"):
        g.descendants(99)
    with pytest.raises(ValueError, match="nothing here is named 'conv'"):
        g.hide("conv")
    with pytest.raises(ValueError, match="every node"):
        g.hide(lambda node: True)


def test_hiding_joins_what_it_hides(network):
    g = ag.graph(network.loss())
    small = g.hide("batch_norm", "activation")
    assert names(small) == [
        "x", "conv2d", "max_pool2d", "conv2d", "add", "mean", "linear", "cross_entropy",
    ]  # fmt: skip
    assert (1, 4) in {(e.source, e.target) for e in small.edges}
    assert small.note == "4 of 12 nodes hidden"


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3), min_size=1, max_size=12),
       st.sets(st.integers(1, 12)))  # fmt: skip
def test_hiding_keeps_exactly_the_paths(readers, hidden):
    """A path between two shown nodes through hidden ones is an edge, and nothing else is new."""
    made = [ag.tensor([1.0], requires_grad=True)]
    for places in readers:
        y = made[places[0] % len(made)] * 1.5
        for place in places[1:]:
            y = y + made[place % len(made)]
        made.append(y)
    g = ag.graph(made[-1])
    gone = {node.id for node in g.nodes if node.id in hidden and node.id not in g.outputs}
    shown = g.hide(lambda node: node.id in gone)
    expected = set()
    for node in g.nodes:
        if node.id not in gone:
            stack = [e.source for e in g.edges if e.target == node.id]
            while stack:
                place = stack.pop()
                if place in gone:
                    stack += [e.source for e in g.edges if e.target == place]
                else:
                    expected.add((place, node.id))
    assert {(e.source, e.target) for e in shown.edges} == expected


# properties of every picture


@st.composite
def recorded(draw):
    """An output of random branching operations in random nested modules, with any names."""
    made = [ag.tensor([1.0, -1.0], requires_grad=True, name=draw(st.text(max_size=6)) or "x")]

    def grow(depth):
        for _ in range(draw(st.integers(1, 4))):
            kind = draw(st.integers(0, 4 if depth < 3 else 3))
            x = made[draw(st.integers(0, len(made) - 1))]
            if kind == 4:
                with scope(draw(st.sampled_from(["a", "b", "<&>", "中 ∂"])), "Block"):
                    grow(depth + 1)
            else:
                y = made[-1]
                made.append([ag.sin, ag.relu, lambda v, x=x: v + x, lambda v, x=x: v * x][kind](y))

    grow(0)
    return made[-1]


@given(recorded(), st.sampled_from([{}, {"level": "module"}, {"depth": 2, "fold": False},
                                    {"backward": "ladder"}, {"backward": "only"},
                                    {"backward": "overlay", "symbols": "ascii"}]))  # fmt: skip
def test_every_endpoint_is_declared(output, options):
    if output.is_leaf:
        return
    source = ag.graph(output).view(**options).source
    declared, used = declared_and_used(source)
    assert used <= declared
    for label in labels(source):
        ElementTree.fromstring(f"<x>{label}</x>")


@given(recorded(), st.integers(1, 3))
def test_collapsing_never_loses_an_edge(output, depth):
    if output.is_leaf:
        return
    g = ag.graph(output)
    for small in (collapse(g, depth), fold_repeats(collapse(g, depth))):
        place = {i: node.id for node in small.nodes for i in (node.members or (node.id,))}
        assert sorted(place) == [node.id for node in g.nodes]
        crossing = sorted(
            (place[e.source], place[e.target]) for e in g.edges
            if place[e.source] != place[e.target]
        )  # fmt: skip
        drawn = [pair for e in small.edges for pair in [(e.source, e.target)] * e.count]
        assert sorted(drawn) == crossing


@given(recorded(), st.sampled_from([{"layout": "lanes"}, {"backward": "ladder"},
                                    {"backward": "overlay", "layout": "lanes"}]))  # fmt: skip
def test_in_rows_nothing_overlaps(output, options):
    if output.is_leaf:
        return
    drawing = layout_lanes.draw(ag.graph(output).view(**options))
    cards = [item.items[0] for item in drawing.items if isinstance(item, Group)]
    columns = {}
    for card in cards:
        columns.setdefault(card.x, []).append(card)
    edges = sorted((min(c.x for c in col), max(c.x + c.width for c in col))
                   for col in columns.values())  # fmt: skip
    assert all(left[1] <= right[0] for left, right in pairwise(edges))
    for column in columns.values():
        assert all(a.y + a.height <= b.y for a, b in pairwise(column))
    boxes = [item for item in drawing.items
             if isinstance(item, Rectangle) and item.radius == 8.0]  # fmt: skip
    for left in {box.x for box in boxes}:  # a ladder has boxes on both sides
        beside = [box for box in boxes if box.x == left]
        assert all(a.y + a.height < b.y for a, b in pairwise(beside))
    for line in (item for item in drawing.items if isinstance(item, Line)):
        for (x0, y0), (x1, y1) in pairwise(line.points):
            for card in cards:
                inside_x = min(x0, x1) < card.x + card.width and max(x0, x1) > card.x
                inside_y = min(y0, y1) < card.y + card.height and max(y0, y1) > card.y
                assert not (inside_x and inside_y)


def test_a_view_without_its_tape_says_so():
    g = ag.graph(SmallNetwork().loss())
    with pytest.raises(TapeError, match="gone"):
        g.view(backward="overlay")
