"""The short way through a call records what the general way records."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.tape import node_of
from autograd_cnn.testing import records
from autograd_cnn.testing.draw import Draw

records.load()
SHORT = sorted(
    name for name, primitive in ag.TABLE.items()
    if primitive.call is not primitive and name in records.RECORDS
)  # fmt: skip


def tensors_of(sample):
    """The drawn inputs as recorded tensors: answers of an operation, so that all have a node."""
    made = []
    for value in sample.inputs:
        array = np.asarray(value)
        if array.dtype.kind in "fc":
            made.append(ag.identity(ag.tensor(array, requires_grad=True)))
        else:
            made.append(ag.tensor(array))
            node_of(made[-1])
    return made


@pytest.mark.parametrize("name", SHORT)
def test_both_ways_agree(name):
    primitive = ag.TABLE[name]
    for seed in range(3):
        sample = records.record_of(name).make(Draw(np.random.default_rng(seed)))
        inputs = tensors_of(sample)
        short = primitive.call(*inputs, **sample.attributes)
        general = primitive(*inputs, **sample.attributes)
        np.testing.assert_array_equal(short.numpy(), general.numpy())
        assert short.dtype == general.dtype
        assert short.requires_grad == general.requires_grad
        ours, theirs = short._node, general._node
        if theirs is None:
            assert ours is None
            continue
        assert ours.parents == theirs.parents
        assert ours.plan is theirs.plan
        assert (ours.shape, ours.dtype, ours.attributes) == (
            theirs.shape, theirs.dtype, theirs.attributes)  # fmt: skip
        assert len(ours.kept) == len(theirs.kept)
        for one, other in zip(ours.kept, theirs.kept, strict=True):
            np.testing.assert_array_equal(one, other)


def test_most_operations_have_a_short_way():
    assert {"add", "multiply", "tanh", "relu", "sum", "reshape", "matmul"} <= set(SHORT)


def test_the_unusual_goes_the_general_way():
    x = ag.tensor([1.0, -2.0], requires_grad=True)
    seen = []

    class Observer:
        def forward(self, primitive, inputs, attributes, ans, node):
            seen.append(primitive.name)

    with ag.observe(Observer()):
        ag.relu(x)
    assert seen == ["relu"]
    with pytest.raises(ag.errors.ShapeError, match="do not broadcast: axis −1 is 2 and 3 long"):
        ag.add(x, ag.tensor([1.0, 2.0, 3.0]))
    with ag.no_grad():
        assert not (x * x).requires_grad
    assert (x * x).requires_grad
    line = (x * x)._node.line
    assert line.startswith("test_quick.py:")
