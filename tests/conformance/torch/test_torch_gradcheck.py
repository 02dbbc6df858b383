"""What PyTorch's own checker lets through, and ours does not."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import GradientError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
ERROR = 5e-4


class Sine(torch.autograd.Function):
    """sin with a derivative that is wrong in the fourth digit."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(context, g):
        return g * torch.cos(context.saved_tensors[0]) * (1.0 + ERROR)


def test_a_rule_wrong_in_the_fourth_digit():
    x = np.array([0.7, -1.3, 2.1])
    assert torch.autograd.gradcheck(Sine.apply, torch.tensor(x, requires_grad=True))
    ours = ag.custom_primitive("sine", np.sin, x=lambda g, x: g * ag.cos(x) * (1.0 + ERROR))
    with pytest.raises(GradientError):
        ag.testing.check(ours, x)
