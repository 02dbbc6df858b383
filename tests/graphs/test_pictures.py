"""Pictures: every endpoint declared, every text intact, the same bytes each time."""

import json
import re
import sys
import time
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from small_network import scope

import autograd_cnn as ag
from autograd_cnn.errors import MissingDependencyError
from autograd_cnn.graphs import layout_lanes
from autograd_cnn.graphs.drawing import Group, Line, Rectangle, Text
from autograd_cnn.graphs.html_labels import escape
from autograd_cnn.graphs.render import RenderError, available, render

NASTY = '<b>&"{x}|\\n\\ 中文 ∂'
needs_graphviz = pytest.mark.skipif(
    not available(), reason="neither the program dot nor pygraphviz is installed"
)
VIEWS = [
    {}, {"level": "module"}, {"depth": 2}, {"backward": "ladder"}, {"color": "grad_norm"},
    {"direction": "LR", "theme": "dark"}, {"symbols": "ascii", "theme": "print"},
    {"show": ("shape", "dtype", "source", "kept")}, {"level": "module", "backward": "ladder"},
    {"backward": "overlay"}, {"backward": "only"}, {"backward": "only", "level": "module"},
    {"color": "flops"}, {"color": "bytes", "show": ("receptive_field",)},
]  # fmt: skip


def declared_and_used(source):
    """The node names that a DOT source declares, and those that its edges mention."""
    declared = set(re.findall(r"^ *([nbm]\d+) \[label=<", source, re.M))
    used = set()
    for line in source.splitlines():
        chain = line.partition("[")[0]
        if "->" in chain:
            used |= {end.strip().partition(":")[0] for end in chain.split("->")}
    return declared, used


def labels(source):
    """Each HTML-like label of a source."""
    for start in [m.end() for m in re.finditer(r"label=<", source)]:
        depth, end = 1, start
        while depth:
            depth += {"<": 1, ">": -1}.get(source[end], 0)
            end += 1
        yield source[start : end - 1]


@pytest.mark.parametrize("options", VIEWS, ids=str)
def test_every_endpoint_is_declared_and_every_label_is_xml(network, options):
    loss = network.loss()
    source = ag.graph(loss).view(**options).source
    declared, used = declared_and_used(source)
    assert used <= declared
    for label in labels(source):
        ElementTree.fromstring(f"<x>{label}</x>")


def test_the_picture_has_one_card_a_node(network):
    loss = network.loss()
    g = ag.graph(loss)
    declared, _ = declared_and_used(g.view().source)
    assert len([name for name in declared if name[0] == "n"]) == len(g.nodes)
    declared, _ = declared_and_used(g.view(backward="ladder").source)
    assert len([name for name in declared if name[0] == "b"]) == len(g.nodes) - 1  # not x


def test_captions_name_class_parameters_and_flop(network):
    text = " ".join(re.sub("<[^>]*>", " ", ag.graph(network.loss()).view().source).split())
    assert "stem Sequential 240 params 55.3k FLOP" in text
    assert "head Head 90 params 320 FLOP" in text


def test_the_legend_lists_the_families_present_and_no_other():
    x = ag.tensor([1.0], requires_grad=True)
    source = ag.graph(ag.relu(x)).view().source
    assert "activation" in source and "normalisation" not in source


def test_the_ladder_holds_what_was_kept_and_every_parameter(network):
    loss = network.loss()
    source = ag.graph(loss).view(backward="ladder").source
    for words in ("kept: switches", "kept: x, w", "∂L/∂weight 8×3×3×3", "seed 1"):
        assert words in source
    assert "b0 " not in source  # no gradient was asked for x


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\ud800", "\uffff", "\x7f"])
def test_what_xml_cannot_hold_is_replaced(character):
    assert escape(f"a{character}b") == "a�b"


def test_any_text_survives():
    x = ag.tensor([1.0], requires_grad=True, name=NASTY)
    with scope(NASTY, NASTY):
        y = ag.exp(ag.relu(x))
    view = ag.graph(y).view()
    texts = ["".join(ElementTree.fromstring(f"<x>{label}</x>").itertext())
             for label in labels(view.source)]  # fmt: skip
    assert sum(NASTY in text for text in texts) == 2  # the card of x, the caption of the module
    drawn = ElementTree.fromstring(ag.graph(y).view(layout="lanes").pipe("svg"))
    assert any(NASTY in "".join(item.itertext()) for item in drawn.iter())
    assert json.loads(view.pipe("json"))["nodes"][0]["name"] == NASTY


@needs_graphviz
def test_any_text_survives_graphviz():
    x = ag.tensor([1.0], requires_grad=True, name=NASTY)
    svg = ag.graph(ag.relu(x)).view(layout="dot").pipe("svg").decode()
    assert NASTY in "".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ")


@pytest.mark.parametrize("options", VIEWS, ids=str)
def test_the_source_does_not_depend_on_the_run(network, options):
    first = ag.graph(network.loss())
    second_loss = network.loss()
    second = ag.graph(second_loss)
    options = {k: v for k, v in options.items() if k not in ("backward", "color")}
    assert first.view(**options).source == second.view(**options).source


def drawing_of(loss, **options):
    return layout_lanes.draw(ag.graph(loss).view(**options))


@pytest.mark.parametrize("options", [{"layout": "lanes"}, {"backward": "ladder"}], ids=str)
def test_in_rows_cards_do_not_overlap_and_no_line_crosses_one(network, options):
    loss = network.loss()
    drawing = drawing_of(loss, **options)
    cards = [item.items[0] for item in drawing.items if isinstance(item, Group)]
    for i, a in enumerate(cards):
        for b in cards[i + 1 :]:
            apart = (a.x + a.width <= b.x or b.x + b.width <= a.x
                     or a.y + a.height <= b.y or b.y + b.height <= a.y)  # fmt: skip
            assert apart
    for line in (item for item in drawing.items if isinstance(item, Line)):
        for (x0, y0), (x1, y1) in pairwise(line.points):
            for card in cards:
                inside_x = min(x0, x1) < card.x + card.width and max(x0, x1) > card.x
                inside_y = min(y0, y1) < card.y + card.height and max(y0, y1) > card.y
                assert not (inside_x and inside_y)


def test_in_rows_no_line_crosses_a_caption(network):
    loss = network.loss()
    drawing = drawing_of(loss, backward="ladder")
    names = ("stem", "Residual", "head")
    texts = [item for item in drawing.items if isinstance(item, Text)]
    captions = [text for text in texts if text.spans[0].text in names]
    assert len(captions) == 3
    for caption in captions:
        for line in (item for item in drawing.items if isinstance(item, Line)):
            for (x0, y0), (x1, y1) in pairwise(line.points):
                across = min(x0, x1) < caption.x + 60 and max(x0, x1) > caption.x
                beside = min(y0, y1) < caption.y + 5 and max(y0, y1) > caption.y - 5
                assert not (across and beside)


def test_in_rows_boxes_nest_or_are_apart(network):
    loss = network.loss()
    boxes = [item for item in drawing_of(loss, layout="lanes").items
             if isinstance(item, Rectangle) and item.radius == 8.0]  # fmt: skip
    assert len(boxes) == 3
    for above, below in pairwise(boxes):
        assert above.y + above.height < below.y


@pytest.mark.parametrize("kind", ["chain", "doubling"])
def test_ten_thousand_operations_take_under_a_second(kind):
    x = z = ag.tensor([0.0], requires_grad=True, name="x")
    for _ in range(10_000):
        z = ag.relu(z) if kind == "chain" else z + z
    start = time.process_time()
    g = ag.graph(z)
    source = g.view(layout="dot").source
    assert time.process_time() - start < 1.0
    assert len(g.nodes) == 10_001 and len(g.edges) == 10_000 * (1 + (kind == "doubling"))
    assert source.count("->") == 10_000
    assert x.requires_grad and g.view()._repr_svg_() is None  # too large for a page, no error


def test_a_deep_graph_collapses_to_its_modules_and_says_so():
    x = ag.tensor([1.0], requires_grad=True)
    for i in range(100):
        with scope(f"layer{i}", "Block"):
            x = ag.sin(x) if i % 2 else ag.relu(ag.sin(x))
    view = ag.graph(x).view(depth=1, fold=False)
    assert len(view.shown.nodes) == 101 and view.note == ""
    for i in range(100):
        with scope(f"more{i}", "Block"):
            x = ag.sin(ag.relu(ag.sin(x)))
    view = ag.graph(x).view(fold=False)
    assert view.note == f"modules of depth 1 collapsed: {len(view.shown.nodes)} of 451 nodes"
    assert view.note in view.source


@needs_graphviz
@pytest.mark.parametrize(
    "format, magic", [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
@pytest.mark.parametrize("options", [{}, {"backward": "ladder"}], ids=["flow", "ladder"])
def test_formats(network, tmp_path, format, magic, options):
    loss = network.loss()
    path = ag.graph(loss).view(**options).save(tmp_path / f"net.{format}")
    data = path.read_bytes()
    assert data.startswith(b"<svg" if format == "svg" and options else magic)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failed_save_leaves_the_old_file(network, tmp_path):
    path = tmp_path / "net.xyz"
    path.write_text("old")
    with pytest.raises(ValueError, match="none of svg, png"):
        ag.graph(network.loss()).view().save(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@needs_graphviz
def test_graphviz_complaints_are_heard():
    with pytest.raises(RenderError, match="could not draw"):
        render("digraph { a [label=<<b>>]; }", "svg")
    with pytest.raises(RenderError, match="more than"):
        render("digraph { a -> b }", "svg", timeout=1e-3)


def test_without_graphviz_svg_is_ours_and_png_says_what_to_install(network, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    view = ag.graph(network.loss()).view()
    assert view.pipe("svg").startswith(b"<svg")
    with pytest.raises(MissingDependencyError, match=r"autograd-cnn\[graph\]"):
        view.pipe("png")


def test_shapes_can_be_left_out(network):
    loss = network.loss()
    for options in ({"layout": "dot"}, {"layout": "lanes"}):
        view = ag.graph(loss).view(show=("attrs",), **options)
        text = view.source if options["layout"] == "dot" else view.pipe("svg").decode()
        assert "2×8×8×8" not in text and "k3×3" in text


def test_graphviz_object_holds_the_same_source(network):
    graphviz = pytest.importorskip("graphviz")
    view = ag.graph(network.loss()).view()
    digraph = view.to_graphviz()
    assert isinstance(digraph, graphviz.Digraph) and digraph.source == view.source


def test_notebooks_get_svg_or_text_and_never_an_error(network):
    loss = network.loss()
    g = ag.graph(loss)
    assert g._repr_svg_().lstrip().startswith("<")
    assert set(g._repr_mimebundle_()) == {"image/svg+xml", "text/plain"}
    broken = g.view()
    broken.shown = None
    assert broken._repr_svg_() is None
    assert not re.search(r"\bsize=", g.view().source)  # it clips pictures in notebooks


@pytest.mark.parametrize(
    "options",
    [
        {"level": "op!"},
        {"theme": "red"},
        {"show": ("colours",)},
        {"color": "red"},
        {"backward": True},
        {"layout": 3},
    ],
    ids=str,
)
def test_options_are_checked(network, options):
    with pytest.raises(ValueError, match=r"none of|not among"):
        ag.graph(network.loss()).view(**options)
