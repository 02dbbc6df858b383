"""Every operation that has a record: recorded, replayed, written, differentiated, compiled."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import ProgramError
from autograd_cnn.program import Program
from autograd_cnn.testing import records
from autograd_cnn.testing.draw import Draw

records.load()
RECORDS = {**records.RECORDS, **records.COMPOSITES}
# they write entry by entry at places that depend on values
# what they compute depends on the values of their index arrays
REFUSED = {"index_multiply", "index_max", "index_min"}


def example(record):
    """A function of the drawn arrays, and the arrays."""
    sample = record.make(Draw(np.random.default_rng(0)))
    inputs = sample.inputs
    places = [k for k, value in enumerate(inputs) if isinstance(value, (np.ndarray, np.generic))]

    def function(*values):
        full = list(inputs)
        for place, value in zip(places, values, strict=True):
            full[place] = value
        return record.function(*full, **sample.attributes)

    return function, [ag.Tensor(np.asarray(inputs[place])) for place in places]


def squared(function):
    """A scalar of every floating-point answer."""

    def loss(*args):
        total = ag.tensor(0.0, dtype="float64")
        for answer in ag.tree.leaves(function(*args)):
            if isinstance(answer, ag.Tensor) and answer.dtype.kind == "f":
                total = total + ag.sum(answer * answer)
        return total

    return loss


def bits(tree):
    return [np.asarray(getattr(leaf, "_data", leaf)).tobytes() for leaf in ag.tree.leaves(tree)]


def close(first, second):
    for one, other in zip(ag.tree.leaves(first), ag.tree.leaves(second), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", RECORDS)
def test_recorded_is_replayed(name):
    function, args = example(RECORDS[name])
    if name in REFUSED:
        with pytest.raises(ProgramError):
            ag.trace(function)(*args)
        return
    expected = function(*args)
    program = ag.trace(function)(*args)
    assert bits(program(*args)) == bits(expected)
    close(program.simplify()(*args), expected)
    assert str(Program.from_json(program.to_json())) == str(program)
    places = tuple(k for k, value in enumerate(args) if value.dtype.kind == "f")
    if not places:
        return
    both = ag.value_and_grad(squared(function), places)
    answer, fast = both(*args), ag.compile(both)
    fast(*args)
    assert bits(fast(*args)) == bits(answer) and "replayed 1 times" in fast.explain()
    gradient = ag.trace(squared(function))(*args).grad(places)
    close(gradient(*args), answer[1])
    close(gradient.simplify()(*args), answer[1])
