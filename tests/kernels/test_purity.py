"""Shared code names no array library: it works on whatever arrays it is given."""

import ast
from pathlib import Path

import pytest

import autograd_cnn

ROOT = Path(autograd_cnn.__file__).parent
SHARED = [
    ROOT / "kernels" / f"{name}.py" for name in "base elementwise arrays windows fused".split()
]
OPS = sorted((ROOT / "ops").glob("*.py"))
KERNELS = sorted((ROOT / "kernels").rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, relative ones with their dots."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {module} if node.module else {module + alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", SHARED + OPS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shared_code_imports_no_array_library(path):
    assert not {name.partition(".")[0] for name in imports(path)} & {"numpy", "cupy"}


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_kernels_import_nothing_of_ours_but_errors_and_each_other(path):
    outside = {name for name in imports(path) if name.startswith("..")}
    depth = len(path.relative_to(ROOT / "kernels").parts)
    ours = {name for name in outside if len(name) - len(name.lstrip(".")) > depth}
    assert {name.lstrip(".").partition(".")[0] for name in ours} <= {"errors"}
    assert not any(name.startswith("autograd_cnn") for name in imports(path))
