"""What the checker of HIPS autograd lets through, and ours does not."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import GradientError

ERROR = 5e-7


def test_a_rule_wrong_in_the_seventh_digit():
    from autograd import extend, test_util
    from autograd import numpy as theirs

    sine = extend.primitive(np.sin)
    extend.defvjp(sine, lambda ans, x: lambda g: g * theirs.cos(x) * (1.0 + ERROR))
    x = np.array([0.7, -1.3, 2.1])
    test_util.check_grads(sine, modes=["rev"], order=1)(x)
    ours = ag.custom_primitive("sine", np.sin, x=lambda g, x: g * ag.cos(x) * (1.0 + ERROR))
    with pytest.raises(GradientError):
        ag.testing.check(ours, x)
