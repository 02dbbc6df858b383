"""The one-file page: complete, small, closed to scripts and networks that are not its own."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from small_network import scope

import autograd_cnn as ag
from autograd_cnn.graphs import Watch, formulas
from autograd_cnn.primitive import TABLE

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'"


class Page(HTMLParser):
    """The elements and attributes of a page, and the text of its scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.contents = [("page", {})], [""]
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.contents.append("")

    def handle_endtag(self, tag):
        self.elements.append((f"/{tag}", {}))
        self.contents.append("")

    def handle_data(self, data):
        self.contents[-1] += data

    def content(self, tag, **wanted):
        for (name, attributes), content in zip(self.elements, self.contents, strict=True):
            if name == tag and all(attributes.get(k) == v for k, v in wanted.items()):
                return content
        raise AssertionError(f"no {tag} {wanted}")


def page_of(output, **options):
    return ag.graph(output).view(**options).pipe("html").decode()


def data_of(text):
    return json.loads(Page(text).content("script", type="application/json"))


def test_every_operation_and_every_module_has_a_card_and_words(network):
    loss = network.loss()
    graph, text = ag.graph(loss), page_of(loss)
    data = data_of(text)
    assert [node["id"] for node in data["nodes"]] == [node.id for node in graph.nodes]
    ids = {attributes.get("id") for _, attributes in Page(text).elements}
    for node in graph.nodes:
        assert f"n{node.id}" in ids and (f"b{node.id}" in ids) == node.requires_grad
        assert data["items"][f"n{node.id}"]["title"] == node.name
    names = {data["modules"][int(key[1:])]["name"] for key in data["items"] if key[0] == "m"}
    assert names == {"stem", "block", "head"}  # the others hold one operation each
    assert len(data["edges"]) == len({(e.source, e.target) for e in graph.edges})


def test_the_policy_allows_this_script_and_this_style_only(network):
    text = page_of(network.loss())
    page = Page(text)
    policy = next(a["content"] for tag, a in page.elements if "http-equiv" in a)
    for tag in ("script", "style"):
        content = [c for (t, a), c in zip(page.elements, page.contents, strict=True)
                   if t == tag and "type" not in a][-1]  # fmt: skip
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_nothing_is_inline_and_nothing_is_fetched(network):
    with Watch(maps=2) as watch:
        loss = network.loss()
    view = ag.graph(loss, watch=watch).view(show=("shape", "params", "maps"))
    page = Page(view.pipe("html").decode())
    assert page.content("main") is not None and "image" in {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        addresses = [attributes.get(name) for name in ("src", "href", "xlink:href")]
        assert not [a for a in addresses if a and not a.startswith("data:")], tag
    everything = "".join(page.contents).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in everything and "@import" not in everything and "fetch(" not in everything


def test_names_cannot_leave_their_place():
    x = ag.tensor([1.0], requires_grad=True, name=NASTY)
    with scope(NASTY, NASTY):
        text = page_of(ag.exp(ag.relu(x)))
    assert "<img src=x" not in text and text.count("<script") == 2
    data = data_of(text)
    assert data["items"]["n0"]["title"] == NASTY
    for item in data["items"].values():  # what the script puts into the page as HTML
        for field in ("about", "forward", "backward"):
            assert "<script" not in item.get(field, "") and "<img" not in item.get(field, "")


def test_the_script_is_under_20_kilobytes(network):
    page = Page(page_of(network.loss()))
    (script,) = [c for (tag, a), c in zip(page.elements, page.contents, strict=True)
                 if tag == "script" and not a]  # fmt: skip
    assert len(script.encode()) < 20 * 1024


def test_the_same_bytes_each_time(network):
    loss = network.loss()
    assert page_of(loss) == page_of(loss)


def test_the_modules_of_the_view_start_collapsed(network):
    loss = network.loss()
    data = data_of(page_of(loss, level="module"))
    assert {data["modules"][m]["name"] for m in data["collapsed"]} == {"stem", "block", "head"}
    assert data_of(page_of(loss))["collapsed"] == []


def test_the_colours_of_the_view_are_chosen_at_the_start(network):
    loss = network.loss()
    assert data_of(page_of(loss, color="flops"))["colour"] == "flop"

    def rank(node):
        return len(node.shape)

    data = data_of(page_of(loss, color=rank))
    assert data["colour"] == "own" and data["metrics"][-1] == {"key": "own", "label": "rank"}
    assert [data["items"][f"n{i}"]["values"][-1] for i in (0, 1, 11)] == [4, 4, 0]


def test_a_graph_without_gradients_is_drawn_forward_only(network):
    loss = network.loss()
    loss.backward()
    text = page_of(loss)
    ids = {attributes.get("id", "") for _, attributes in Page(text).elements}
    assert not [id for id in ids if re.fullmatch(r"b\d+", id)]
    assert "gradient" not in [metric["key"] for metric in data_of(text)["metrics"]]


def bottleneck_network(blocks):
    """As many convolutions, norms and skips as ResNet-50 has, on small images."""
    x = ag.tensor(np.ones((1, 4, 4, 4)), requires_grad=True, name="x")
    w = ag.tensor(np.full((4, 4, 1, 1), 0.1), requires_grad=True, name="weight")
    scale = ag.tensor(np.ones(4), requires_grad=True, name="weight")
    shift = ag.tensor(np.zeros(4), requires_grad=True, name="bias")
    for stage, count in enumerate(blocks):
        with scope(f"layer{stage + 1}", "Sequential"):
            for i in range(count):
                with scope(str(i), "Bottleneck"):
                    y = x
                    for k in range(3):
                        with scope(f"conv{k}", "Conv2d"):
                            y = ag.conv2d(y, w)
                        with scope(f"bn{k}", "BatchNorm2d"):
                            y = ag.batch_norm(y, None, None, scale, shift, training=True)
                        y = ag.relu(y) if k < 2 else y
                    x = ag.relu(y + x)
    return ag.sum(x)


def test_a_resnet_50_takes_less_than_a_megabyte():
    loss = bottleneck_network((3, 4, 6, 3))
    text = page_of(loss)
    assert len(ag.graph(loss).nodes) > 160
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize("name", ["relu", "exp", "conv", "max_pool", "linear", "batch_norm"])
def test_common_operations_have_a_formula_for_every_gradient(name):
    words = formulas.describe(TABLE[name])
    assert words["about"] and [row[0] for row in words["gradients"]] == list(TABLE[name].inputs)
    assert all(text for _, text, _ in words["gradients"])


def test_formulas_are_the_rules_that_run():
    assert formulas.describe(TABLE["exp"]) == {
        "about": "eˣ.", "forward": "eˣ", "gradients": [("x", "g·ans", "")],
    }  # fmt: skip
    cube = ag.custom_primitive("cube", lambda x: x**3, x=lambda g, x: g * 3 * x**2)
    assert formulas.describe(cube)["gradients"] == [("x", "g·3·x^2", "")]
    source = eval("lambda g, x: g * x")  # a rule without a file says what it reads
    nameless = ag.custom_primitive("nameless", lambda x: x**2, x=source)
    assert formulas.describe(nameless)["gradients"] == [("x", "a function of g, x", "")]


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "conv_transpose2d", "conv1d_weight_grad"])
def test_names_on_cards_lead_back_to_primitives(name):
    assert formulas.primitive_of(name) is not None


def test_every_primitive_can_be_described():
    for primitive in TABLE.values():
        words = formulas.describe(primitive)
        assert "\\" not in words["forward"] and "{" not in words["forward"], primitive
