import pytest
from small_network import SmallNetwork


@pytest.fixture
def network():
    return SmallNetwork()
