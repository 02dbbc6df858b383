"""`grad`, `jacobian`, `hessian` and elementwise derivatives, to third order, on drawn inputs."""

import numpy as np
import pytest
from hips_functions import ARRAYS, BINARY, LACKING, NOT_COMPARED, POSITIVE, UNARY, Watched
from hypothesis import given
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.ops import protocol

# a derivative that is constant has none further: HIPS says so, and gives the right zeros
pytestmark = pytest.mark.filterwarnings("ignore:Output seems independent of input:UserWarning")

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.sampled_from([(), (1,), (4,), (2, 3), (2, 1, 2)])


def drawn(seed, shape, positive=False):
    random = np.random.default_rng(seed)
    return random.uniform(0.3, 2.0, shape) if positive else random.normal(size=shape)


def agree(ours, theirs, rtol=1e-10):
    ours, theirs = ours.numpy(), np.asarray(theirs)
    assert ours.shape == theirs.shape
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * scale)


def test_every_shared_function_is_compared():
    """Whatever NumPy function takes our tensors is in a record, or its reason is given."""
    names = set()
    watched, x = Watched(np, names), ag.tensor(drawn(0, (3, 3), positive=True))
    for _, function in UNARY.values():
        function(watched, x)
    for function in BINARY.values():
        function(watched, x, x)
    for function in ARRAYS.values():
        function(watched, x)
    ufuncs = {u.__name__ for u in vars(np).values() if isinstance(u, np.ufunc)}
    ours = {u for u in ufuncs if hasattr(ag.ops, protocol._UFUNCS.get(u, u))}
    ours |= {protocol._FUNCTIONS.get(name, name) for name in protocol._SUPPORTED}
    assert ours - names == NOT_COMPARED.keys()


@pytest.mark.parametrize("name", LACKING)
def test_what_the_oracle_lacks_it_lacks(hips, name):
    theirs = lambda x: hips.numpy.sum(LACKING[name](hips.numpy, x))
    with pytest.raises(NotImplementedError):
        hips.grad(theirs)(drawn(0, (3,)))


@pytest.mark.parametrize("name", UNARY)
@given(seed=SEEDS, shape=SHAPES)
def test_elementwise(hips, name, seed, shape):
    domain, function = UNARY[name]
    x = drawn(seed, shape, domain == POSITIVE)
    ours = lambda x: function(np, x)
    theirs = lambda x: function(hips.numpy, x)
    agree(ours(ag.tensor(x)), theirs(x))
    for _ in range(3):
        ours, theirs = elementwise(ours), hips.elementwise_grad(theirs)
        agree(ours(x), theirs(x))


def elementwise(function):
    """The derivative of each entry in itself."""
    return ag.grad(lambda x: ag.sum(function(x)))


@pytest.mark.parametrize("name", BINARY)
@given(seed=SEEDS, shapes=st.sampled_from([((), ()), ((3,), ()), ((2, 1), (3,)), ((2, 3), (2, 3))]))
def test_two_operands(hips, name, seed, shapes):
    x, y = (drawn(seed + k, shape, positive=True) for k, shape in enumerate(shapes))
    function = BINARY[name]
    ours = lambda x, y: ag.sum(function(np, x, y))
    theirs = lambda x, y: hips.numpy.sum(function(hips.numpy, x, y))
    for first in (0, 1):
        for second in (0, 1):
            mine, other = ag.grad(ours, first), hips.grad(theirs, first)
            agree(mine(x, y), other(x, y))
            total = lambda x, y, mine=mine: ag.sum(mine(x, y))
            their_total = lambda x, y, other=other: hips.numpy.sum(other(x, y))
            mine, other = ag.grad(total, second), hips.grad(their_total, second)
            agree(mine(x, y), other(x, y))
            last = ag.grad(lambda x, y, mine=mine: ag.sum(mine(x, y)), first)
            their_last = hips.grad(lambda x, y, other=other: hips.numpy.sum(other(x, y)), first)
            agree(last(x, y), their_last(x, y))


@pytest.mark.parametrize("name", ARRAYS)
@given(seed=SEEDS)
def test_jacobian(hips, name, seed):
    x, function = drawn(seed, (3, 3)), ARRAYS[name]
    ours = ag.jacobian(lambda x: function(np, x))
    theirs = hips.jacobian(lambda x: function(hips.numpy, x))
    agree(ours(x), theirs(x), rtol=1e-8)


@pytest.mark.parametrize("name", ARRAYS)
@given(seed=SEEDS)
def test_to_third_order(hips, name, seed):
    """Of Σ sin f: its gradient, its Hessian times v, and that again times w."""
    x, v, w = (drawn(seed + k, (3, 3)) for k in range(3))
    function = ARRAYS[name]
    ours = lambda x: ag.sum(ag.sin(function(np, x)))
    theirs = lambda x: hips.numpy.sum(hips.numpy.sin(function(hips.numpy, x)))
    for direction in (v, w, v):
        ours, theirs = ag.grad(ours), hips.grad(theirs)
        agree(ours(x), theirs(x), rtol=1e-7)
        ours = lambda x, inner=ours, d=direction: ag.sum(inner(x) * d)
        theirs = lambda x, inner=theirs, d=direction: hips.numpy.sum(inner(x) * d)


@given(seed=SEEDS)
def test_whole_hessian_and_third_derivatives(hips, seed):
    """Of a small network: every entry of the Hessian and of its Jacobian."""
    w, x = drawn(seed, (2, 3)), drawn(seed + 1, (3,))
    ours = lambda x: ag.sum(ag.log(1.0 + ag.exp(ag.matmul(w, ag.tanh(x)))) ** 2)
    m = hips.numpy
    theirs = lambda x: m.sum(m.log(1.0 + m.exp(m.matmul(w, m.tanh(x)))) ** 2)
    agree(ag.hessian(ours)(x), hips.hessian(theirs)(x))
    agree(ag.jacobian(ag.hessian(ours))(x), hips.jacobian(hips.hessian(theirs))(x))


@given(seed=SEEDS)
def test_products(hips, seed):
    """vᵀJ, J·v, H·v and a value with its gradient."""
    x, v = drawn(seed, (3, 3)), drawn(seed + 1, (3, 3))
    function = lambda np, x: np.matmul(np.sin(x), np.exp(x))
    ours, theirs = lambda x: function(np, x), lambda x: function(hips.numpy, x)
    agree(ag.vjp(ours, x)[1](v)[0], hips.make_vjp(theirs)(x)[0](v))
    agree(
        ag.jvp(ours, (x,), (v,))[1], hips.differential_operators.make_jvp_reversemode(theirs)(x)(v)
    )
    total, their_total = lambda x: ag.sum(ours(x)), lambda x: hips.numpy.sum(theirs(x))
    agree(ag.hvp(total, x, v), hips.hessian_vector_product(their_total)(x, v))
    value, gradient = ag.value_and_grad(total)(x)
    agree(value, total(ag.tensor(x)).numpy())
    agree(gradient, hips.value_and_grad(their_total)(x)[1])


TIES = {
    "abs": lambda np, x: np.abs(x),
    "max": lambda np, x: np.max(x, axis=1),
    "min": lambda np, x: np.min(x),
    "maximum": lambda np, x: np.maximum(x, x[::-1]),
    "minimum": lambda np, x: np.minimum(x, x[:1]),
}


@pytest.mark.parametrize("name", TIES)
@given(seed=SEEDS)
def test_ties_are_shared_alike(hips, name, seed):
    """At a kink both give the mean of the one-sided derivatives, or share evenly."""
    x = np.random.default_rng(seed).integers(-1, 2, (2, 4)).astype(float)
    function = TIES[name]
    ours = ag.grad(lambda x: ag.sum(function(np, x)))
    theirs = hips.grad(lambda x: hips.numpy.sum(function(hips.numpy, x)))
    agree(ours(x), theirs(x), rtol=0)
