"""Programs: listings, derivatives of any order, JSON."""

import json

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import ProgramError, ShapeError
from autograd_cnn.program import Program


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in ag.tree.leaves(tree)]


def network(x, w, v):
    hidden = ag.relu(ag.conv2d(x, w, padding=1))
    pooled = ag.max_pool2d(hidden, 2).flatten(1)
    return ag.cross_entropy(pooled @ v, np.array([0, 2]))


ARGUMENTS = (array(0, 2, 1, 4, 4), array(1, 3, 1, 3, 3), array(2, 12, 3))


def test_the_listing_is_exactly_this():
    program = ag.trace(lambda x, w: ag.sum(ag.tanh(x @ w)[0] * np.array([1, 2], "f")))(
        array(0, 3, 4), array(1, 4, 2)
    )
    assert str(program) == (
        "program(%0: float32 3×4, %1: float32 4×2)\n"
        "  %2: float32 2 = constant [1., 2.]\n"
        "  %3: float32 3×2 = matmul(%0, %1)\n"
        "  %4: float32 3×2 = tanh(%3)\n"
        "  %5: float32 2 = getitem(%4, index=0)\n"
        "  %6: float32 2 = multiply(%5, %2)\n"
        "  %7: float32 scalar = sum(%6, axes=(0,), keepdims=False)\n"
        "  return %7"
    )


def test_two_recordings_print_the_same():
    once, twice = (str(ag.trace(ag.grad(network))(*ARGUMENTS)) for _ in range(2))
    assert once == twice


def test_a_run_is_the_functions_own_bit_for_bit():
    other = tuple(array(10 + i, *a.shape) for i, a in enumerate(ARGUMENTS))
    program = ag.trace(network)(*ARGUMENTS)
    assert bits(program(*other)) == bits(network(*map(ag.tensor, other)))


@pytest.mark.parametrize("argnums", [0, 1, 2, (0, 2)])
def test_the_gradient_is_a_program(argnums):
    program = ag.trace(network)(*ARGUMENTS).grad(argnums)
    assert isinstance(program, Program)
    other = tuple(array(20 + i, *a.shape) for i, a in enumerate(ARGUMENTS))
    expected = ag.grad(network, argnums)(*map(ag.tensor, other))
    for ours, theirs in zip(ag.tree.leaves(program(*other)), ag.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_the_fifth_derivative():
    program = ag.trace(lambda x: x**7)(1.0)
    for _ in range(5):
        program = program.grad().simplify()
    assert float(program(2.0)) == 7 * 6 * 5 * 4 * 3 * 2**2


def test_forward_and_reverse_mode_are_programs_that_agree():
    f = lambda x, y: (ag.sin(x) * y, ag.sum(x * x * y))
    x, y, u, v = (array(i, 3) for i in range(4))
    program = ag.trace(f)(x, y)
    (first, second), (t, s) = program.jvp()(x, y, u, v)
    assert bits((first, second)) == bits(f(ag.tensor(x), ag.tensor(y)))
    gx, gy = program.vjp()(x, y, (np.ones(3, "f"), np.float32(2.0)))
    assert np.isclose(np.sum(t.numpy()) + 2.0 * float(s), np.sum(gx.numpy() * u + gy.numpy() * v))


def test_the_derivative_of_a_jvp_program():
    program = ag.trace(lambda x: x**3)(2.0)
    pushed = ag.trace(lambda x: program.jvp()(x, 1.0)[1])(2.0)
    assert float(pushed.grad()(2.0)) == 12.0


def test_a_program_is_recorded_on_a_tape_and_inside_a_compiled_function():
    program = ag.trace(lambda x: ag.sum(x**3))(array(0, 3))
    x = ag.tensor([1.0, 2.0, 3.0], requires_grad=True)
    program(x).backward()
    assert x.grad.tolist() == [3.0, 12.0, 27.0]
    fast = ag.compile(ag.grad(program))
    assert bits(fast(x.detach())) == bits(fast(x.detach())) == bits(x.grad)


def test_trees_go_in_and_come_out():
    f = lambda batch: {"sum": batch["a"] + batch["b"][0], "n": 3}
    batch = {"a": ag.tensor([1.0]), "b": [ag.tensor([2.0])]}
    result = ag.trace(f)(batch)(batch)
    assert result["sum"].tolist() == [3.0] and result["n"] == 3


def test_a_closed_over_tensor_is_a_constant_as_it_was():
    w = ag.tensor([2.0])
    program = ag.trace(lambda x: x * w)(1.0)
    w.assign([5.0])
    assert program(3.0).tolist() == [6.0]


def test_what_a_value_decided_is_checked():
    program = ag.trace(lambda x, labels: ag.cross_entropy(x, labels))(
        array(0, 2, 3), np.array([0, 1])
    )
    program(array(1, 2, 3), np.array([2, 2]))
    with pytest.raises(ProgramError, match=r"losses\.py|test_program\.py"):
        program(array(1, 2, 3), np.array([2, -100]))


def test_values_and_effects_are_refused():
    w = ag.tensor([1.0], requires_grad=True)
    for f in (
        lambda x: x if x > 0 else -x,
        lambda x: w.assign([2.0]),
        lambda x: (x * w).sum().backward(),
        lambda x: float(x),
    ):
        with pytest.raises(ProgramError, match=r"test_program\.py"):
            ag.trace(f)(1.0)
    assert w.tolist() == [1.0] and w.grad is None


def test_arguments_are_checked():
    program = ag.trace(lambda x: x * 2.0)(array(0, 3))
    with pytest.raises(ShapeError, match="input %0 is float32 3, got float32 4"):
        program(array(0, 4))
    with pytest.raises(ShapeError, match="1 inputs, not 2"):
        program(array(0, 3), 1.0)


def test_noise_is_fresh_and_its_gradient_has_the_same_mask():
    program = ag.trace(lambda x: ag.sum(ag.dropout(x, 0.5) * x))(array(0, 64)).value_and_grad()
    x = np.ones(64, "f")
    ag.seed(1)
    value, gradient = program(x)
    assert float(value) * 2 == gradient.numpy().sum() and set(gradient.tolist()) == {0.0, 4.0}
    assert float(program(x)[0]) != float(value)


# JSON


def test_json_gives_the_same_program():
    program = ag.trace(network)(*ARGUMENTS).value_and_grad((0, 1, 2))
    text = program.to_json()
    again = Program.from_json(text)
    assert str(again) == str(program) and again.to_json() == text
    assert bits(again(*ARGUMENTS)) == bits(program(*ARGUMENTS))
    assert again.listing.instructions[3].line.startswith("test_program.py:")


def test_a_program_from_json_has_derivatives():
    program = Program.from_json(
        ag.trace(lambda x: ag.sum(x[..., None, ::2] ** 3))(array(0, 4)).to_json()
    )
    assert program.grad()(np.array([1, 2, 3, 4], "f")).tolist() == [3.0, 0.0, 27.0, 0.0]


def test_constants_keep_every_bit():
    value = np.array([np.nan, -0.0, np.inf, 1e-45], "f")
    program = ag.trace(lambda x: x + value)(np.zeros(4, "f"))
    again = Program.from_json(program.to_json())
    ((_, constant),) = again.listing.constants.items()
    assert constant.tobytes() == value.tobytes()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("primitive", "system"), ("kernel", "__init__"), ("numpy", "load"), ("numpy", "os.system"),
     ("numpy", ".tofile"), ("numpy", "operator.methodcaller"), ("read", "value")],
)  # fmt: skip
def test_unknown_names_are_refused(kind, name):
    data = json.loads(ag.trace(lambda x: ag.exp(x))(1.0).to_json())
    data["instructions"][0] |= {"kind": kind, "name": name}
    with pytest.raises(ProgramError, match=r"may hold|kind"):
        Program.from_json(json.dumps(data))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("inputs"),
        lambda data: data.update(version=2),
        lambda data: data["instructions"][0].update(operands={"tuple": [{"slot": 7}]}),
        lambda data: data.update(outputs=[{"slot": 99}]),
        lambda data: data["instructions"][0].update(operands={"exec": "1"}),
    ],
)
def test_damaged_programs_are_refused(damage):
    data = json.loads(ag.trace(lambda x: ag.exp(x))(1.0).to_json())
    damage(data)
    with pytest.raises(ProgramError):
        Program.from_json(json.dumps(data))


def test_operations_of_your_own_run_but_are_not_written():
    cube = ag.custom_primitive("cube", lambda x: x**3, x=lambda g, x: g * 3 * x**2)
    program = ag.trace(cube)(2.0)
    assert str(program).count("cube") == 1 and float(program.grad()(2.0)) == 12.0
    with pytest.raises(ProgramError, match="your own"):
        program.to_json()
