"""Products, indexing and shapes against PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional
drawn = settings(max_examples=50, deadline=None, derandomize=True)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


MATMULS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)), ((1, 2, 3), (4, 1, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("x, y", MATMULS)
def test_matmul(agree, x, y):
    agree(ag.matmul, torch.matmul, normal(1, *x), normal(2, *y))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_fully_connected(agree, lead, bias):
    arrays = [normal(1, *lead, 5), normal(2, 3, 5)] + [normal(3, 3)] * bias
    agree(ag.linear, F.linear, *arrays)


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
    ("ij->j", (2, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), ("i,j->ij", (3,), (4,)),
    ("bchw,oc->bohw", (2, 3, 2, 2), (4, 3)), ("ij,ij->", (2, 3), (2, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("ij,k->i", (2, 3), (4,)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("abc,cd,be->ade", (2, 3, 4), (4, 5), (3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("subscripts, shapes", [(e[0], e[1:]) for e in EINSUMS])
def test_einsum(agree, subscripts, shapes):
    arrays = [normal(i, *shape) for i, shape in enumerate(shapes)]
    agree(lambda *a: ag.einsum(subscripts, *a), lambda *a: torch.einsum(subscripts, *a), *arrays)


def test_einsum_of_one_tensor_with_itself(agree):
    agree(
        lambda x: ag.einsum("ij,kj->ik", x, x), lambda x: torch.einsum("ij,kj->ik", x, x),
        normal(1, 3, 4),
    )  # fmt: skip


INDICES = [
    0, -1, slice(None, None, 2), (slice(1, None), 0), (Ellipsis, 1), (None, 1), (slice(None), None),
    ([0, 2, 0],), (slice(None), [1, 1]), ([0, 1], [2, 0]), (0, [3, 3, 1]),
    ([[0, 1], [2, 2]],), (slice(0, 0),),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(agree, index):
    agree(lambda x: x[index] * x[index], lambda x: x[index] * x[index], normal(1, 3, 4, 5))


def test_indexing_with_truth_values(agree):
    chosen = normal(2, 3, 4) > 0
    lifted = torch.from_numpy(chosen)
    agree(lambda x: x[chosen] ** 2, lambda x: x[lifted] ** 2, normal(1, 3, 4))


@pytest.mark.parametrize("index", [([0, 2, 0],), ([0, 1], [2, 0]), (slice(None), 1)], ids=str)
def test_adding_at_an_index(agree, index):
    x, value = normal(1, 3, 4), normal(2, *np.zeros((3, 4))[index].shape)
    places = tuple(torch.arange(4) if i == slice(None) else torch.tensor(i) for i in index)
    if index[0] == slice(None):
        places = (torch.arange(3), torch.tensor(1))
    agree(
        lambda x, v: x.at[index].add(v * v),
        lambda x, v: x.index_put(places, v * v, accumulate=True),
        x, value,
    )  # fmt: skip


@pytest.mark.parametrize("index", [([0, 2],), ([0, 1], [2, 0])], ids=str)
def test_setting_at_an_index(agree, index):
    x, value = normal(1, 3, 4), normal(2, *np.zeros((3, 4))[index].shape)
    places = tuple(torch.tensor(i) for i in index)
    agree(
        lambda x, v: x.at[index].set(v * v) * x, lambda x, v: x.index_put(places, v * v) * x,
        x, value,
    )  # fmt: skip


@drawn
@given(axis=st.integers(-2, 1), seed=st.integers(0, 99), size=st.integers(1, 4))
def test_taking_along_an_axis(agree, axis, seed, size):
    shape = [3, 4]
    shape[axis] = size
    indices = np.random.default_rng(seed).integers(0, (3, 4)[axis], shape)
    agree(
        lambda x: ag.take_along_axis(x, indices, axis) ** 2,
        lambda x: torch.take_along_dim(x, torch.from_numpy(indices), axis) ** 2,
        normal(seed, 3, 4),
    )
    agree(
        lambda y: ag.put_along_axis(y * y, indices, axis, 6),
        lambda y: (
            torch.zeros(*[6 if i == axis % 2 else n for i, n in enumerate(shape)])
            .double()
            .scatter_add(axis, torch.from_numpy(indices), y * y)
        ),
        normal(seed, *shape),
    )


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda x: ag.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
        (lambda x: ag.transpose(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1)),
        (lambda x: ag.moveaxis(x, 0, -1), lambda x: x.movedim(0, -1)),
        (lambda x: ag.swapaxes(x, 0, 2), lambda x: x.swapaxes(0, 2)),
        (lambda x: ag.flip(x, (0, 2)), lambda x: x.flip(0, 2)),
        (lambda x: ag.broadcast_to(x, (5, 2, 3, 4)), lambda x: x.broadcast_to(5, 2, 3, 4)),
        (lambda x: ag.squeeze(ag.expand_dims(x, 1), 1), lambda x: x.unsqueeze(1).squeeze(1)),
        (lambda x: ag.flatten(x, 1), lambda x: x.flatten(1)),
        (lambda x: ag.concatenate([x, x * x, x], 1), lambda x: torch.cat([x, x * x, x], 1)),
        (lambda x: ag.stack([x, x * x], 2), lambda x: torch.stack([x, x * x], 2)),
        (lambda x: ag.split(x, 2, 2), lambda x: x.split(2, 2)),
        (lambda x: ag.pad(x, ((0, 0), (1, 2), (3, 0))), lambda x: F.pad(x, (3, 0, 1, 2))),
        (
            lambda x: ag.pad(x, ((0, 0), (1, 2), (3, 0)), value=-7.5),
            lambda x: F.pad(x, (3, 0, 1, 2), value=-7.5),
        ),
    ],
)
def test_shapes(agree, ours, theirs):
    def squared(f):
        def g(x):
            result = f(x)
            result = list(result) if isinstance(result, (list, tuple)) else [result]
            return [r * r for r in result]

        return g

    agree(squared(ours), squared(theirs), normal(1, 2, 3, 4))


def test_single_precision_matmul_stays_within_its_rounding_bound(agree_single):
    agree_single(ag.matmul, torch.matmul, normal(1, 40, 300), normal(2, 300, 50), terms=300)
    layer = normal(1, 64, 100), normal(2, 10, 100), normal(3, 10)
    agree_single(ag.linear, F.linear, *layer, terms=101)
