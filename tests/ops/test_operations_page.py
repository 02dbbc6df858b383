"""The page of operations names every operation and layer, and nothing that is not there."""

import re
from pathlib import Path

import autograd_cnn as ag
from autograd_cnn import nn

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def names(title):
    """The words in the table under a title of the page."""
    section = PAGE.split(title)[1].split("\n## ")[0]
    spans = re.findall(r"`([^`]*)`", "\n".join(re.findall(r"^\|.*", section, re.M)))
    return {word for word in " ".join(spans).split() if word.isidentifier()}


def test_the_page_names_every_operation():
    assert names("# Operations") == set(ag.ops.__all__)


def test_the_page_names_every_layer():
    helpers = {"LoadResult", "init", "parameters_replaced"}
    assert names("## Layers") == set(nn.__all__) - helpers
