"""Gradient norms in a graph are those of the backward pass, and measuring changes nothing."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import TapeError
from autograd_cnn.graphs import with_gradients


def test_norms_are_those_of_the_gradients(network):
    loss = network.loss()
    g = with_gradients(ag.graph(loss))
    norm = np.linalg.norm(ag.gradients(loss, network.w1).numpy())
    assert g.nodes[1].parameters[0].gradient == pytest.approx(norm, rel=1e-6)
    assert g.nodes[-1].gradient == 1.0
    assert g.nodes[0].gradient is None


def test_a_known_gradient():
    x = ag.tensor([3.0, 4.0], requires_grad=True)
    y = ag.sum(x * x)
    g = with_gradients(ag.graph(y))
    assert g.nodes[0].gradient == pytest.approx(10.0)  # ‖2x‖


def test_measuring_leaves_the_tape_and_grad_alone(network):
    loss = network.loss()
    ag.graph(loss).view(backward="ladder")
    assert network.w1.grad is None
    loss.backward()
    assert network.w1.grad is not None


def test_a_freed_tape_cannot_be_measured(network):
    loss = network.loss()
    loss.backward()
    g = ag.graph(loss)
    assert "conv2d" in g.view().source
    with pytest.raises(TapeError, match="freed"):
        g.view(color="grad_norm")


def test_zero_and_not_computed_look_different():
    x = ag.tensor([1.0], requires_grad=True, name="x")
    silent = ag.tensor([2.0], name="silent")
    y = ag.sum(ag.relu(-x) * silent)
    source = ag.graph(y).view(color="grad_norm").source
    zero, missing = source.count("0 exactly"), source.count("not computed")
    assert (zero, missing) == (2, 1)  # x and −x get exactly 0; nothing was asked about `silent`


def test_the_rules_in_force_are_the_ones_measured():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    y = ag.sum(ag.relu(x) * ag.tensor([3.0, -4.0]))
    g = ag.graph(y)
    assert with_gradients(g).nodes[0].gradient == pytest.approx(5.0)
    with ag.override(relu="guided"):
        assert with_gradients(g).nodes[0].gradient == pytest.approx(3.0)


def test_norms_do_not_overflow():
    x = ag.tensor(np.array([1.0, 1.0], np.float32), requires_grad=True)
    y = x * np.float32(3e38) * np.float32(0.5)
    assert with_gradients(ag.graph(y)).nodes[0].gradient == pytest.approx(1.5e38 * 2**0.5)


def test_a_function_is_measured_before_its_tape_goes():
    g = ag.graph(lambda x: ag.sum(x * x), [3.0, 4.0])
    assert "1.0e+01" in g.view(backward="ladder").source
