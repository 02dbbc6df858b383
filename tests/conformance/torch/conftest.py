"""PyTorch as an oracle: values, first and second derivatives of every operation."""

import numpy as np
import pytest

import autograd_cnn as ag

REASON = "PyTorch is not installed: pip install torch==2.13.0"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """One thread for PyTorch: the suite runs a process on every core already."""
    pytest.importorskip("torch", reason=REASON).set_num_threads(1)


@pytest.fixture(autouse=True)
def counted(request):
    """The name under which the summary at the end counts this test."""
    request.node.user_properties.append(("oracle", "PyTorch"))


@pytest.fixture(scope="session")
def agree():
    """`agree(ours, theirs, *arrays, order=2, rtol=1e-11)`: the same function, to rounding.

    Compared are the value, the gradient of ⟨value, u⟩ and the gradient of ⟨gradient, v⟩, with
    random u and v, at every array. A cotangent of ones would be zero for softmax and every norm.
    Ours computes in the precision of the arrays, the oracle on the same numbers in float64.
    """
    return _agree


@pytest.fixture(scope="session")
def agree_single():
    """`agree_single(ours, theirs, *arrays, terms)`: ours in float32 within its rounding bound.

    The oracle runs in float64 on the same float32 numbers. A sum of `terms` products errs by at
    most terms·ε·Σ|products| (Higham 2002, §3.1), and Σ|products| is the operation on magnitudes.
    """
    return _agree_single


def _agree(ours, theirs, *arrays, order=2, rtol=1e-11):
    mine = [ag.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
    other = [_lift(array) for array in arrays]
    dtype = next((array.dtype for array in arrays if array.dtype.kind == "f"), None)
    value, expected = _as_list(ours(*mine)), _as_list(theirs(*other))
    assert len(value) == len(expected)
    for level in range(order + 1):
        for ours_here, theirs_here in zip(value, expected, strict=True):
            _close(ours_here, theirs_here, rtol, level, dtype)
        if level == order:
            return
        value, expected = _derive(value, expected, mine, other, level, dtype)


def _agree_single(ours, theirs, *arrays, terms):
    import torch

    mine = [ag.tensor(array.astype(np.float32), requires_grad=True) for array in arrays]
    exact = [_lift(array.astype(np.float32).astype(np.float64)) for array in arrays]
    sizes = [_lift(array.detach().abs().numpy()) for array in exact]
    value, expected, bound = ours(*mine), theirs(*exact), theirs(*sizes)
    assert value.dtype == np.float32
    cotangent = np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)
    found = [value, *ag.gradients(value, mine, cotangent)]
    seed = torch.from_numpy(cotangent.astype(np.float64))
    wanted = [expected, *torch.autograd.grad(expected, exact, seed)]
    bounds = [bound, *torch.autograd.grad(bound, sizes, seed.abs())]
    for a, b, size in zip(found, wanted, bounds, strict=True):
        assert a.dtype == np.float32
        error = np.abs(a.numpy().astype(np.float64) - b.detach().numpy())
        limit = (terms + 2) * np.finfo(np.float32).eps * size.detach().numpy()
        assert (error <= limit + np.finfo(np.float32).tiny).all(), float((error - limit).max())


def _derive(value, expected, mine, other, seed, dtype):
    """Both sides' gradients of ⟨value, u⟩ with one random u; zeros where nothing depends."""
    import torch

    random = np.random.default_rng(seed)
    seeds = [np.asarray(random.standard_normal(tuple(e.shape)), dtype) for e in expected]
    inputs = [i for i, array in enumerate(other) if array.requires_grad]
    tracked = [i for i, e in enumerate(expected) if e.requires_grad]
    found = ag.gradients(value, [mine[i] for i in inputs], seeds, create_graph=True)
    wanted = [None] * len(inputs)
    if tracked:
        wanted = torch.autograd.grad(
            [expected[i] for i in tracked],
            [other[i] for i in inputs],
            [torch.from_numpy(seeds[i].astype(np.float64)) for i in tracked],
            create_graph=True,
            allow_unused=True,
        )
    zeros = [torch.zeros_like(other[i]) for i in inputs]
    return found, [z if w is None else w for w, z in zip(wanted, zeros, strict=True)]


def _close(ours, theirs, rtol, level, dtype):
    a, b = ours.numpy(), theirs.numpy(force=True)
    assert a.shape == b.shape, (level, a.shape, b.shape)
    if b.dtype.kind != "f":
        np.testing.assert_array_equal(a, b)
        return
    assert a.dtype == dtype, (level, a.dtype, dtype)
    scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0.0)))
    np.testing.assert_allclose(a, b, rtol=0, atol=rtol * scale, err_msg=f"derivative {level}")


def _lift(array):
    import torch

    if array.dtype.kind != "f":
        return torch.from_numpy(np.array(array))
    return torch.from_numpy(np.array(array, np.float64)).requires_grad_()


def _as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]
