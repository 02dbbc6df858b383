"""Every snippet that a reader may copy runs: README, guides and docstrings."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import autograd_cnn

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NEEDS_A_GPU = {"autograd_cnn.kernels.cupy", "autograd_cnn.kernels.cudnn"}


def snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_pages_snippets_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = snippets(page)
    names: dict = {"__name__": "snippet"}
    for number, block in enumerate(blocks):
        if ">>>" in block:
            parsed = doctest.DocTestParser().get_doctest(block, names, f"{page.name}", None, number)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            runner.run(parsed, clear_globs=False)
            names.update(parsed.globs)
            assert runner.failures == 0, f"block {number} of {page.name}"
        else:
            exec(compile(block, f"{page.name}:{number}", "exec"), names)


def test_the_readme_has_snippets_and_exactly_two_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"^```sh\n(.*?)^```$", readme, re.M | re.S)[0].splitlines()
    assert commands == [
        'pip install -e ".[demo]" && autograd-cnn demo',
        'pip install -e ".[test]" && pytest',
    ]
    assert len(snippets(ROOT / "README.md")) >= 3


def modules() -> list[str]:
    found = pkgutil.walk_packages(autograd_cnn.__path__, "autograd_cnn.")
    return ["autograd_cnn", *(m.name for m in found if m.name not in NEEDS_A_GPU)]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_examples_run(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(script.read_text("utf-8"), script.name, "exec"), {"__name__": "__main__"})


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
