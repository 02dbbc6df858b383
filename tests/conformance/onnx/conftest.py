"""ONNX's node cases as an oracle: values, and through our checker derivatives."""

import pytest


@pytest.fixture(autouse=True)
def counted(request):
    """The name under which the summary at the end counts this test."""
    title = getattr(request.module, "TITLES", {}).get(request.node.originalname)
    if title:
        request.node.user_properties.append(("oracle", title))
