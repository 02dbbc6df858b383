"""In a notebook graphs and views show themselves, fast, and never raise."""

import asyncio
import sys
import time

import pytest

import autograd_cnn as ag

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

CELLS = [
    "import autograd_cnn as ag\n"
    "x = ag.tensor([1.0, -2.0], requires_grad=True, name='x')\n"
    "y = ag.sum(ag.relu(x) * x)\n"
    "g = ag.graph(y)",
    "g",
    "g.view(backward='ladder')",
    "y.backward()\nag.graph(y).view()",
    "deep = x\nfor _ in range(3000): deep = ag.relu(deep)\nag.graph(deep)",
]


@pytest.mark.filterwarnings("ignore")  # those of the notebook machinery are not ours
def test_an_executed_notebook_holds_the_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": "."}})
    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    done = client.execute()
    shown = [cell.outputs[0].data for cell in done.cells[1:]]
    for data in shown[:3]:
        assert "<svg" in data["image/svg+xml"]
    assert "∂L/∂relu" in shown[1]["image/svg+xml"]
    assert set(shown[3]) == {"text/plain"}  # too large for a page


@pytest.mark.parametrize("length", [10, 600, 3_000])
def test_a_picture_in_a_notebook_takes_less_than_two_seconds(length):
    x = y = ag.tensor([1.0], requires_grad=True, name="x")
    for _ in range(length // 2):
        y = ag.relu(y + x)
    graph = ag.graph(ag.sum(y))
    start = time.process_time()
    bundle = graph._repr_mimebundle_()
    assert time.process_time() - start < 2.0 and "text/plain" in bundle
