"""HIPS autograd as an oracle: its calculus and ours on the same NumPy functions."""

import pytest

REASON = "HIPS autograd is not installed: pip install autograd==1.9.1"


@pytest.fixture(scope="session", autouse=True)
def hips():
    """The package; without it these tests are skipped."""
    return pytest.importorskip("autograd", reason=REASON)


@pytest.fixture(autouse=True)
def counted(request):
    """The name under which the summary at the end counts this test."""
    request.node.user_properties.append(("oracle", "HIPS autograd"))
