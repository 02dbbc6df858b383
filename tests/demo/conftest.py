import json

import pytest

pytest.importorskip("sklearn", reason="the demo needs scikit-learn: pip install autograd-cnn[demo]")


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """A whole run of the demo, with two epochs."""
    from rich.console import Console

    from autograd_cnn import demo

    folder = tmp_path_factory.mktemp("demo") / "made" / "on the way"
    demo.run(folder, seed=3, epochs=2, console=Console(quiet=True))
    return folder


@pytest.fixture(scope="session")
def results(demo_folder):
    return json.loads((demo_folder / "results.json").read_text())
