"""What the design promises about size, dependencies and names."""

import inspect
import subprocess
import sys
from pathlib import Path

import autograd_cnn as ag

PACKAGE = Path(ag.__file__).parent
CORE = [
    "__init__", "tensor", "operators", "tape", "primitive", "quick", "rules", "engine",
    "transforms", "tree", "errors",
]  # fmt: skip


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_the_core_stays_under_2000_lines():
    assert sum(lines(PACKAGE / f"{name}.py") for name in CORE) < 2000


def test_no_file_is_longer_than_400_lines():
    long = {p.relative_to(PACKAGE): lines(p) for p in PACKAGE.rglob("*.py") if lines(p) > 400}
    assert not long


def test_importing_the_package_needs_numpy_only():
    script = """
import sys
before = set(sys.modules)
import autograd_cnn as ag
x = ag.tensor([1.0, 2.0], requires_grad=True)
ag.sum(ag.conv1d(x.reshape(1, 1, 2), x.reshape(1, 1, 2))).backward()
ours = {name.split(".")[0] for name in set(sys.modules) - before}
print(" ".join(sorted(ours - set(sys.stdlib_module_names))))
"""
    run = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = {name for name in run.stdout.split() if not name.startswith("_")}
    assert loaded == {"autograd_cnn", "numpy"}


def test_every_public_operation_has_a_docstring():
    for name in ag.ops.__all__:
        operation = getattr(ag, name)
        if inspect.isfunction(operation):
            assert operation.__doc__, name


def test_public_names_exist():
    for name in ag.__all__:
        assert getattr(ag, name) is not None
