"""Pooling, unpooling and adaptive pooling against PyTorch, over drawn geometries."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch_geometry import pools

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional
drawn = settings(max_examples=60, deadline=None, derandomize=True)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def every_window_sees_the_input(pool, x, options):
    """Where a dilated window has no tap inside, PyTorch's gradient writes outside its memory."""
    return bool(torch.isfinite(pool(torch.from_numpy(x), **options)).all())


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=st.integers(0, 99))
def test_max_pooling(agree, ndim, data, seed):
    options, shape = data.draw(pools(ndim, dilated=True))
    ours, theirs = getattr(ag, f"max_pool{ndim}d"), getattr(F, f"max_pool{ndim}d")
    x = normal(seed, *shape)
    assume(every_window_sees_the_input(theirs, x, options))
    agree(lambda x: ours(x, **options), lambda x: theirs(x, **options), x)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=st.integers(0, 99))
def test_places_of_the_maxima(ndim, data, seed):
    options, shape = data.draw(pools(ndim, dilated=True))
    # whole numbers from a short range: many ties, which the first entry wins in both
    x = np.random.default_rng(seed).integers(0, 3, shape).astype(np.float64)
    pool = getattr(F, f"max_pool{ndim}d")
    assume(every_window_sees_the_input(pool, x, options))
    _, places = getattr(ag, f"max_pool{ndim}d")(ag.tensor(x), return_indices=True, **options)
    _, expected = pool(torch.from_numpy(x), return_indices=True, **options)
    np.testing.assert_array_equal(places.numpy(), expected.numpy())


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), count_include_pad=st.booleans(), seed=st.integers(0, 99))
def test_average_pooling(agree, ndim, data, count_include_pad, seed):
    options, shape = data.draw(pools(ndim, dilated=False))
    options["count_include_pad"] = count_include_pad
    # PyTorch's gradient in 3-D refuses a kernel larger than the image, padded or not
    assume(ndim < 3 or all(n >= k for n, k in zip(shape[2:], options["kernel_size"], strict=True)))
    ours, theirs = getattr(ag, f"avg_pool{ndim}d"), getattr(F, f"avg_pool{ndim}d")
    agree(lambda x: ours(x, **options), lambda x: theirs(x, **options), normal(seed, *shape))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@drawn
@given(data=st.data(), seed=st.integers(0, 99))
def test_adaptive_average_pooling(agree, ndim, data, seed):
    size = tuple(data.draw(st.integers(1, 7)) for _ in range(ndim))
    out = tuple(data.draw(st.integers(1, 8)) for _ in range(ndim))
    ours = getattr(ag, f"adaptive_avg_pool{ndim}d")
    theirs = getattr(F, f"adaptive_avg_pool{ndim}d")
    agree(lambda x: ours(x, out), lambda x: theirs(x, out), normal(seed, 2, 2, *size))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_global_average_pooling(agree, ndim):
    theirs = getattr(F, f"adaptive_avg_pool{ndim}d")
    x = normal(1, 2, 3, *(4, 5, 6)[:ndim])
    agree(ag.global_avg_pool, lambda x: theirs(x, 1).flatten(1), x)


@pytest.mark.parametrize(
    "options, size",
    [
        ({"kernel_size": 2}, (6, 8)),
        ({"kernel_size": (2, 3)}, (6, 9)),
        ({"kernel_size": 3, "stride": 3, "padding": 1}, (7, 7)),
        ({"kernel_size": 2, "stride": 3}, (8, 8)),
    ],
)
def test_unpooling_with_switches(agree, options, size):
    def ours(x):
        return ag.max_unpool2d(*ag.max_pool2d(x, return_indices=True, **options), **options)

    def theirs(x):
        return F.max_unpool2d(*F.max_pool2d(x, return_indices=True, **options), **options)

    agree(ours, theirs, normal(3, 2, 3, *size))


def test_unpooling_to_a_given_size(agree):
    def ours(x):
        y, places = ag.max_pool2d(x, 2, return_indices=True)
        return ag.max_unpool2d(y, places, 2, output_size=x.shape)

    def theirs(x):
        y, places = F.max_pool2d(x, 2, return_indices=True)
        return F.max_unpool2d(y, places, 2, output_size=x.shape[2:])

    agree(ours, theirs, normal(4, 2, 3, 7, 5))


def test_overlapping_windows_unpool_each_maximum_once(agree):
    options = {"kernel_size": 3, "stride": 1}
    x = normal(5, 1, 2, 6, 6)

    def ours(x):
        return ag.max_unpool2d(*ag.max_pool2d(x, return_indices=True, **options), **options)

    def theirs(x):  # PyTorch's own value is this too; its gradient counts a shared place twice
        _, places = F.max_pool2d(x, return_indices=True, **options)
        kept = torch.zeros(x.shape[0], x.shape[1], 36, dtype=x.dtype)
        return x * kept.scatter_(2, places.flatten(2), 1.0).reshape(x.shape)

    agree(ours, theirs, x)
    value = F.max_unpool2d(
        *F.max_pool2d(torch.from_numpy(x), return_indices=True, **options), **options
    )
    np.testing.assert_array_equal(ours(ag.tensor(x)).numpy(), value.numpy())


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
def test_third_derivatives(agree, kind):
    # pooling is linear while its switches stay: a square before and a cube after bend it
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    ours, theirs = getattr(ag, kind), getattr(F, kind)
    x = normal(8, 2, 2, 6, 5)
    cube = lambda pool: lambda x: pool(x * x, **options) ** 3
    agree(cube(ours), cube(theirs), x, order=3)


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
def test_half_precision(kind):
    x = normal(6, 2, 3, 8, 8).astype(np.float16)
    tensor = ag.tensor(x, requires_grad=True)
    y = getattr(ag, kind)(tensor, 2)
    expected = getattr(F, kind)(torch.from_numpy(x.astype(np.float64)), 2).numpy()
    assert y.dtype == ag.gradients(ag.sum(y), tensor).dtype == np.float16
    np.testing.assert_allclose(y.numpy(), expected, atol=0 if kind == "max_pool2d" else 2**-8)


def test_nan_wins_a_maximum(agree):
    x = normal(7, 1, 1, 4, 4)
    x[0, 0, 1, 2] = np.nan
    y = ag.max_pool2d(ag.tensor(x), 2).numpy()
    np.testing.assert_array_equal(y, F.max_pool2d(torch.from_numpy(x), 2).numpy())
