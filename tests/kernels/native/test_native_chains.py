"""Chains of elementwise kernels: bit for bit what NumPy's functions give one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_strategies import LAYOUTS, lay_out

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

from autograd_cnn.kernels.native import machine
from autograd_cnn.kernels.native.chain_code import ARITY
from autograd_cnn.kernels.native.chains import Chain, Input, Result, Step

every_machine = pytest.mark.parametrize("name", machine.runnable())
EDGES = [0.0, -0.0, 1.0, -1.5, 3.0, 1e-45, -1e-38, 3e38, -3e38, np.inf, -np.inf, np.nan]
NUMPY = {
    "identity": np.positive, "add": np.add, "subtract": np.subtract, "multiply": np.multiply,
    "divide": np.true_divide, "negative": np.negative, "square": np.square, "sqrt": np.sqrt,
    "abs": np.abs, "sign": np.sign, "step": lambda x: (x > 0).astype("float32"),
    "relu": lambda x: np.maximum(x, np.float32(0)), "maximum": np.maximum,
    "minimum": np.minimum, "where": np.where, "greater": np.greater,
    "greater_equal": np.greater_equal, "less": np.less, "less_equal": np.less_equal,
    "equal": np.equal, "not_equal": np.not_equal,
}  # fmt: skip


@pytest.fixture(autouse=True)
def two_threads_for_everything(monkeypatch, threads):
    monkeypatch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
    threads(2)


def one_by_one(steps, outputs, inputs):
    found = []
    with np.errstate(all="ignore"):
        for step in steps:
            operands = [
                inputs[o.number] if isinstance(o, Input)
                else found[o.number] if isinstance(o, Result) else o
                for o in step.operands
            ]  # fmt: skip
            found.append(NUMPY[step.kernel](*operands))
    shape = np.broadcast_shapes(*[array.shape for array in inputs])
    return [np.broadcast_to(found[number], shape) for number in outputs]


def same_bits(one, other):
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    bits = "uint8" if one.dtype == bool else "uint32"
    one, other = np.ascontiguousarray(one), np.ascontiguousarray(other)
    both_nan = np.isnan(one) & np.isnan(other)
    return bool(((one.view(bits) == other.view(bits)) | both_nan).all())


def values(shape, seed, edges=True):
    generator = np.random.default_rng(seed)
    array = generator.normal(size=shape).astype("float32")
    if edges:
        array = np.where(generator.random(shape) < 0.3, generator.choice(EDGES, shape), array)
    return array.astype("float32")


@st.composite
def chains(draw):
    """Shapes that broadcast, with a chain whose every step has a float32 operand."""
    whole = draw(
        st.sampled_from([(), (1,), (37,), (2, 300), (3, 4, 5), (2, 3, 5, 7), (4, 0), (1, 70)])
    )
    shapes = [whole]
    for _ in range(draw(st.integers(0, 2))):
        kept = draw(st.integers(0, len(whole)))
        axes = [n if draw(st.booleans()) else 1 for n in whole[len(whole) - kept :]]
        shapes.append(tuple(axes))
    conditions = draw(st.integers(0, 1))
    floats, steps, kinds = len(shapes), [], []
    shapes += [whole] * conditions

    def operand(wanted):
        numbers = [Input(i) for i in range(floats)]
        numbers += [Result(i) for i, kind in enumerate(kinds) if kind == "f"]
        if wanted == "number":
            return draw(st.sampled_from(numbers))
        masks = [Input(i) for i in range(floats, len(shapes))]
        masks += [Result(i) for i, kind in enumerate(kinds) if kind == "?"]
        scalars = [2, 0.1, -1.5, float("inf"), np.float32(0.3), True]
        return draw(st.sampled_from(numbers + masks + scalars))

    for _ in range(draw(st.integers(1, 8))):
        kernel = draw(st.sampled_from(sorted(ARITY)))
        operands = [operand("any") for _ in range(ARITY[kernel])]
        place = draw(st.integers(1 if kernel == "where" else 0, len(operands) - 1))
        operands[place] = operand("number")
        steps.append(Step(kernel, tuple(operands)))
        comparison = kernel.startswith(("greater", "less", "equal", "not_"))
        kinds.append("?" if comparison else "f")
    outputs = draw(st.lists(st.integers(0, len(steps) - 1), min_size=1, max_size=3))
    return shapes, floats, tuple(steps), tuple(outputs)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(chains(), st.integers(0, 99), st.sampled_from(LAYOUTS))
@every_machine
def test_a_chain_gives_the_bits_of_its_kernels_one_by_one(name, drawn, seed, layout):
    shapes, floats, steps, outputs = drawn
    inputs = [values(shape, seed + i) for i, shape in enumerate(shapes)]
    inputs = [x if i < floats else x > 0 for i, x in enumerate(inputs)]
    inputs = [lay_out(x, layout) if x.size and x.ndim else x for x in inputs]
    # a chain has as many inputs as it names
    used = 1 + max(o.number for s in steps for o in s.operands if isinstance(o, Input))
    chain = Chain(steps, outputs)
    with machine.force(name):
        if chain.obstacle(*inputs[:used]):
            assert len({shape for shape in shapes}) > 2
            return
        answers = chain(*inputs[:used])
    expected = one_by_one(steps, outputs, inputs[:used])
    assert all(map(same_bits, answers, expected))


ADD_RELU = (Step("add", (Input(0), Input(1))), Step("relu", (Result(0),)))


@every_machine
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1,), (7, 1), (3, 8191), (5, 6, 16, 16), (200_001,)])
def test_any_number_of_threads_gives_the_same_bits(name, count, shape, threads):
    threads(count)
    x, y = values(shape, 1), values(shape, 2)
    with machine.force(name), np.errstate(all="ignore"):
        (answer,) = Chain(ADD_RELU, (1,))(x, y)
        assert same_bits(answer, np.maximum(x + y, np.float32(0)))


@pytest.mark.parametrize("kernel", ["add", "multiply", "subtract"])
def test_a_product_is_rounded_before_it_is_added(kernel):
    """(1 + 2⁻¹²)² − 1 is 2⁻¹¹ + 2⁻²⁴, of which rounding the square first leaves 2⁻¹¹."""
    x = np.full(50, 1 + 2.0**-12, "float32")
    steps = (Step("square", (Input(0),)), Step("subtract", (Result(0), 1.0)))
    (answer,) = Chain(steps, (1,))(x)
    assert set(answer.tolist()) == {2.0**-11}


def test_another_scalar_needs_no_other_code(monkeypatch):
    from autograd_cnn.kernels.native import compiler

    x = np.ones(5, "float32")
    Chain((Step("multiply", (Input(0), 2.0)),), (0,))(x)
    monkeypatch.setattr(compiler, "_compile", None)
    assert Chain((Step("multiply", (Input(0), 3.5)),), (0,))(x)[0].tolist() == [3.5] * 5


def test_memory_can_be_given_and_may_be_an_input():
    x, y, room = values((40, 3), 1), values((3,), 2), np.empty((40, 3), "float32")
    chain = Chain(ADD_RELU, (0, 1))
    with np.errstate(all="ignore"):
        expected = x + y, np.maximum(x + y, np.float32(0))
    first, second = chain(x, y, out=(None, room))
    assert second is room and same_bits(second, expected[1]) and same_bits(first, expected[0])
    first, second = chain(x, y, out=(x, None))
    assert first is x and same_bits(x, expected[0]) and same_bits(second, expected[1])


def test_memory_that_does_not_fit_is_refused_before_anything_is_written():
    x, y = np.ones((4, 3), "float32"), np.ones((1, 3), "float32")
    chain, large = Chain(ADD_RELU, (0, 1)), np.ones((5, 3), "float32")
    for out, why in [
        ((np.ones((4, 3)), None), "float64"),
        ((large, None), r"\(5, 3\)"),
        ((np.ones((3, 4), "float32").T, None), "contiguous"),
        ((np.broadcast_to(np.float32(1), (4, 3)), None), "contiguous and writeable"),
        ((x, x), "overlaps"),
        ((x,), "1 outputs, of 2"),
    ]:
        with pytest.raises(ValueError, match=why):
            chain(x, y, out=out)
    with pytest.raises(ValueError, match="overlaps"):
        chain(large[:4], y, out=(large[1:], None))
    with pytest.raises(ValueError, match="overlaps"):  # every row reads y, and one would write it
        chain(x, x[1], out=(x, None))
    assert (x == 1).all() and (large == 1).all()


@pytest.mark.parametrize(
    ("steps", "outputs", "why"),
    [
        ((Step("cosh", (Input(0),)),), (0,), "no kernel 'cosh'"),
        ((Step("add", (Input(0),)),), (0,), "add has 2 operands, not 1"),
        ((Step("relu", (Result(0),)),), (0,), "step 0 reads step 0"),
        ((Step("add", (Input(0), np.float64(1))),), (0,), "float64 .* is no operand"),
        ((Step("relu", (Input(0),)),), (1,), r"outputs \(1,\) of 1 steps"),
    ],
)
def test_a_chain_that_makes_no_sense_is_refused(steps, outputs, why):
    with pytest.raises(ValueError, match=why):
        Chain(steps, outputs)


def test_what_a_chain_does_not_take_it_says():
    x = np.ones((2, 3), "float32")
    chain = Chain(ADD_RELU, (1,))
    assert chain.obstacle(x, x) == ""
    assert chain.obstacle(x, x.astype("float64")) == "float64 is neither float32 nor bool"
    assert chain.obstacle(x, x.astype(">f4")) == ">f4 is neither float32 nor bool"
    assert chain.obstacle(x) == "1 inputs where the steps name 2"
    assert chain.obstacle(x > 0, x > 0) == "no operand of step 0, add, is float32"
    assert "cannot be broadcast" in chain.obstacle(x, np.ones(4, "float32"))
    many, few = np.ones((2, 3, 2, 3), "float32"), np.ones((1, 3, 1, 3), "float32")
    assert chain.obstacle(many, few).startswith("4 groups of axes")
    with pytest.raises(ValueError, match="chain: float64 is neither"):
        chain(x, x.astype("float64"))


def test_inputs_are_left_alone_and_answers_are_fresh():
    x, y = values((6, 700), 1, edges=False), values((700,), 2, edges=False)
    before = x.tobytes(), y.tobytes()
    first, second = (Chain(ADD_RELU, (1,))(x, y)[0] for _ in range(2))
    assert first.tobytes() == second.tobytes() and (x.tobytes(), y.tobytes()) == before
    assert not any(np.shares_memory(first, other) for other in (second, x, y))
