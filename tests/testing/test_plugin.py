"""The pytest plugin, in a pytest of its own."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

TESTS = """
import numpy as np, autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.testing import check, check_model, gradcheck, strategies

wrong = ag.custom_primitive("my_cube", lambda x: x**3, x=lambda g, x: g * 3.003 * x**2)

def test_right():
    check(ag.TABLE["sin"], np.ones(3), laws=[2, 3])

def test_wrong():
    check(wrong, np.ones((4, 5)), laws=[2, 3])

def test_network():
    check_model(nn.Linear(3, 2), np.ones((4, 3)))

@gradcheck(x=strategies.tensors((2,)), laws=[3], max_examples=3)
def test_drawn(x):
    return ag.tanh(x)
"""


def run(folder, *options, hypothesis=True):
    (folder / "test_it.py").write_text(TESTS, "utf-8")
    installed = {entry.value for entry in entry_points(group="pytest11")}
    plugin = [] if "autograd_cnn.testing.plugin" in installed else [
        "-p", "autograd_cnn.testing.plugin"]  # fmt: skip
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"}
    if not hypothesis:
        (folder / "sitecustomize.py").write_text("import sys\nsys.modules['hypothesis'] = None\n")
        environment["PYTHONPATH"] = f"{folder}{os.pathsep}{paths}"
        plugin += ["-p", "no:hypothesispytest"]
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), *plugin,
               *options, str(folder / "test_it.py")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "with workers"])
def test_the_report_is_a_table_of_every_check(tmp_path, workers):
    if workers:
        pytest.importorskip("xdist")
    text = run(tmp_path, "--gradcheck-report", *workers)
    assert "gradient checks" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "✗" in lines["my_cube"]
    assert "✗" not in lines["sin"] and "test_drawn" in lines and "Linear" in lines
    assert ", 1 broken" in text
    assert "1 failed, 3 passed" in text


def test_a_failure_shows_the_law_and_the_shrunk_example(tmp_path):
    text = run(tmp_path, "-k", "wrong")
    section = text[text.index("broken law of differentiation") :]
    assert "law 3, complex step, by my_cube" in section
    assert "x = array([[1.]])" in section
    assert "gradient checks" not in text


def test_pytest_runs_without_hypothesis(tmp_path):
    text = run(tmp_path, "-k", "right", "--gradcheck-report", hypothesis=False)
    assert "ModuleNotFoundError" not in text or "MissingDependencyError" in text
    assert "INTERNALERROR" not in text


def test_importing_the_plugin_leaves_the_checker_alone():
    script = (
        "import sys, autograd_cnn.testing.plugin\n"
        "print([m for m in sys.modules if 'hypothesis' in m or m.endswith('testing.checker')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
