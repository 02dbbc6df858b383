"""Native kernels are tested where llvmlite is installed, on every width the machine can run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # kernel_strategies


@pytest.fixture
def threads():
    """How many threads to use, for one test."""
    from autograd_cnn.kernels import get_num_threads, set_num_threads

    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)
