"""Simplified programs: fewer steps, the same value and gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import autograd_cnn as ag
from autograd_cnn.errors import ProgramError
from autograd_cnn.program import RULES

_transpose = ag.transpose
# a function that each rule can shorten; x and y have one shape
EXAMPLES = {
    "identity(x) = x": lambda x, y: ag.identity(x) * y,
    "x·1 = x": lambda x, y: 1.0 * (x * 1.0) + y * np.ones(y.shape, "f"),
    "x/1 = x": lambda x, y: x / 1.0 * y,
    "x − 0 = x": lambda x, y: (x - 0.0) * y,
    "x + 0 = x": lambda x, y: (x + 0.0) * (0.0 + y),
    "x¹ = x": lambda x, y: x**1 * y,
    "−(−x) = x": lambda x, y: ag.negative(-x) * y,
    "x·(−1) = −x": lambda x, y: x * -1.0 + -1.0 * y,
    "x + (−y) = x − y": lambda x, y: x * x + (-y),
    "x − (−y) = x + y": lambda x, y: x * x - (-y),
    "(x·a)·b = x·(ab)": lambda x, y: x * 3.0 * 0.7 + y,
    "relu(relu(x)) = relu(x)": lambda x, y: ag.relu(ag.relu(x)) * y,
    "||x|| = |x|": lambda x, y: ag.abs(ag.abs(x)) * y,
    "max(x, x) = x": lambda x, y: ag.maximum(x, x) * ag.minimum(y, y),
    "astype to its own dtype": lambda x, y: ag.astype(x, "float32") * y,
    "reshape to its own shape": lambda x, y: ag.reshape(ag.reshape(x, (-1, 1)), x.shape) * y,
    "reshape of a reshape": lambda x, y: ag.sum(ag.reshape(ag.reshape(x * y, (-1, 1)), (1, -1))),
    "transpose of a transpose": lambda x, y: _transpose(_transpose(x)) * y,
    "transpose into its own order": lambda x, y: _transpose(x, tuple(range(x.ndim))) * y,
    "flip of a flip": lambda x, y: ag.flip(ag.flip(x, 0), 0) * y,
    "broadcast of a broadcast": lambda x, y: (
        ag.broadcast_to(ag.broadcast_to(x, (2, *x.shape)), (3, 2, *x.shape)) ** 2 + y
    ),
    "arithmetic broadcasts by itself": lambda x, y: ag.broadcast_to(x[:1], y.shape) * y + (
        y - ag.broadcast_to(x[:1], y.shape)),
    "sum of a broadcast": lambda x, y: ag.sum_to(ag.broadcast_to(x, (3, *x.shape)), x.shape) * y,
    "sum of a sum": lambda x, y: ag.sum_to(
        ag.sum_to(ag.reshape(x * y, (1, *x.shape)), (1, 1, x.shape[1])), (1, 1, 1)),
    "no padding": lambda x, y: ag.pad(x, 0) * y,
}  # fmt: skip
COMPANIONS = {"reshape to its own shape": ["reshape of a reshape"]}
# the value keeps every bit, the gradient's sum is taken in another order
REGROUPING = {"broadcast of a broadcast", "arithmetic broadcasts by itself"}
# not reached through public operations, which leave such a step out themselves
UNREACHED = {"broadcast to its own shape"}

values = arrays(
    np.float32,
    (3, 2),
    elements=st.floats(-4, 4, width=32).map(lambda v: v if abs(v) > 1e-3 else 0.0),
)


def test_every_rule_has_an_example():
    assert EXAMPLES.keys() | UNREACHED == RULES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
@given(x=values, y=values)
def test_a_rule_keeps_value_and_gradient(name, x, y):
    scalar = lambda x, y: ag.sum(EXAMPLES[name](x, y) * 0.5)
    program = ag.trace(scalar)(ag.tensor(x), ag.tensor(y))
    shorter = program.simplify([name, *COMPANIONS.get(name, ())])
    assert shorter.report[name] >= 1 and len(shorter) <= len(program)
    before, after = program.value_and_grad((0, 1))(x, y), shorter.value_and_grad((0, 1))(x, y)
    if RULES[name].exact:
        assert np.array_equal(before[0].numpy(), after[0].numpy())
    for first, second in zip(ag.tree.leaves(before), ag.tree.leaves(after), strict=True):
        if RULES[name].exact and name not in REGROUPING:
            assert np.array_equal(first.numpy(), second.numpy())
        else:
            np.testing.assert_allclose(second, first, rtol=1e-5, atol=1e-5)


def test_own_broadcast_is_removed_from_a_listing():
    from autograd_cnn.program.listing import Instruction, Slot

    program = ag.trace(lambda x: ag.exp(x))(ag.tensor([1.0, 2.0]))
    listing, slot = program.listing, Slot(9)
    listing.types[slot] = listing.types[Slot(0)]
    step = Instruction("primitive", "broadcast_to", (Slot(1),), {"shape": (2,)}, (slot,))
    step.target = ag.TABLE["broadcast_to"]
    listing.instructions.append(step)
    listing.outputs = (slot,)
    shorter = program.simplify()
    assert [step.name for step in shorter.instructions] == ["exp"]


def test_structure_alone_keeps_every_bit():
    def f(x):
        unused = ag.exp(x) * 3.0  # noqa: F841
        a, b = ag.tanh(x * 2.0), ag.tanh(x * 2.0)
        return ag.sum(a * b * (ag.tensor([2.0]) * ag.tensor([3.0])))

    x = ag.tensor([0.3, -1.7])
    program = ag.trace(f)(x)
    shorter = program.simplify(())
    assert shorter.report == {"common subexpression": 2, "constant": 1}
    assert shorter(x).numpy().tobytes() == program(x).numpy().tobytes()
    assert shorter.grad()(x).numpy().tobytes() == program.grad()(x).numpy().tobytes()


def test_noise_is_never_merged():
    program = ag.trace(lambda x: ag.dropout(x, 0.5) - ag.dropout(x, 0.5))(
        ag.tensor(np.ones(99, "f"))
    )
    ag.seed(0)
    assert np.abs(program.simplify()(np.ones(99, "f")).numpy()).sum() > 0


def test_zero_times_x_is_not_zero():
    program = ag.trace(lambda x: x * 0.0)(ag.tensor([1.0])).simplify()
    with np.errstate(invalid="ignore"):
        assert np.isnan(program(np.array([np.inf], "f")).numpy()).all()


def test_a_detached_value_stays_detached():
    f = lambda x: ag.sum(x.detach() * 1.0 * x)
    program = ag.trace(f)(ag.tensor([2.0, 3.0]))
    assert program.simplify().grad()(np.array([2, 3], "f")).tolist() == [2.0, 3.0]


def test_the_gradient_of_a_chain_needs_no_ones_and_no_broadcasts():
    program = ag.trace(lambda x: ag.sum(ag.sin(x)))(ag.tensor([1.0, 2.0])).grad().simplify()
    assert [step.name for step in program.instructions] == ["cos"]


def test_unknown_rules_are_refused():
    with pytest.raises(ProgramError, match="nonsense"):
        ag.trace(lambda x: x * 1.0)(1.0).simplify(["nonsense"])
