"""Losses against PyTorch: class weights, label smoothing, ignored labels, every reduction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
F = torch.nn.functional
drawn = settings(max_examples=60, deadline=None, derandomize=True)
REDUCTIONS = ["mean", "sum", "none"]


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


@drawn
@given(
    shape=st.sampled_from([(4, 3), (1, 5), (2, 3, 4), (2, 4, 3, 2), (3,)]),
    reduction=st.sampled_from(REDUCTIONS),
    weighted=st.booleans(),
    ignoring=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 99),
)
def test_cross_entropy(agree, shape, reduction, weighted, ignoring, smoothing, seed):
    axis = 1 if len(shape) > 1 else 0
    random = np.random.default_rng(seed)
    classes, places = shape[axis], shape[:axis] + shape[axis + 1 :]
    labels = random.integers(0, classes, places)
    if ignoring and labels.size > 1:
        labels.flat[0] = -100
    weight = random.uniform(0.5, 2.0, classes) if weighted else None
    options = {"reduction": reduction, "label_smoothing": smoothing}
    factors = None if weight is None else torch.from_numpy(weight)
    agree(
        lambda x: ag.cross_entropy(x, labels, weight, **options),
        lambda x: F.cross_entropy(x, torch.tensor(labels), factors, **options),
        normal(seed, *shape),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 2), (5,)])
def test_cross_entropy_of_probabilities(agree, shape, smoothing, weighted, reduction):
    axis = 1 if len(shape) > 1 else 0
    raw = np.exp(normal(1, *shape))
    weight = np.random.default_rng(2).uniform(0.5, 2.0, shape[axis]) if weighted else None
    factors = None if weight is None else torch.from_numpy(weight)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    agree(  # the target has a gradient too
        lambda x, t: ag.cross_entropy(x, t, weight, **options),
        lambda x, t: F.cross_entropy(x, t, factors, **options),
        normal(3, *shape), raw / raw.sum(axis, keepdims=True),
    )  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("ignore_index", [-100, 1, 255])
def test_another_ignored_label(agree, reduction, ignore_index):
    labels = np.array([0, 1, 2, ignore_index, 1])
    options = {"reduction": reduction, "ignore_index": ignore_index}
    agree(
        lambda x: ag.cross_entropy(x, labels, **options),
        lambda x: F.cross_entropy(x, torch.tensor(labels), **options),
        normal(4, 5, 3),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 2), (3,)])
def test_negative_log_likelihood(agree, shape, weighted, reduction):
    axis = 1 if len(shape) > 1 else 0
    random = np.random.default_rng(5)
    labels = random.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :])
    weight = random.uniform(0.5, 2.0, shape[axis]) if weighted else None
    factors = None if weight is None else torch.from_numpy(weight)
    agree(
        lambda x: ag.nll_loss(ag.log_softmax(x, axis), labels, weight, reduction=reduction),
        lambda x: F.nll_loss(
            F.log_softmax(x, axis), torch.tensor(labels), factors, reduction=reduction
        ),
        normal(6, *shape),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_negative_log_likelihood_of_probabilities(agree, reduction):
    # PyTorch has no such labels: −Σ target·x over the classes, by hand
    def theirs(x, target):
        losses = -(target * x).sum(1)
        return losses if reduction == "none" else getattr(losses, reduction)()

    agree(
        lambda x, target: ag.nll_loss(x, target, reduction=reduction), theirs,
        normal(9, 4, 3), np.random.default_rng(9).uniform(0.1, 1, (4, 3)),
    )  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["mse_loss", "binary_cross_entropy_with_logits"])
def test_regression_and_binary_losses(agree, name, reduction):
    x, y = normal(7, 3, 4) * 3, np.random.default_rng(8).uniform(0, 1, (3, 4))
    agree(
        lambda x, y: getattr(ag, name)(x, y, reduction=reduction),
        lambda x, y: getattr(F, name)(x, y, reduction=reduction),
        x, y,
    )  # fmt: skip


@pytest.mark.parametrize("size", [1.0, 30.0, 300.0, 5000.0])
def test_large_logits_neither_overflow_nor_lose_the_gradient(size):
    x = np.array([[size, -size, 0.0], [-size, size, size]], np.float32)
    labels, targets = np.array([1, 2]), np.array([[0, 1, 0], [1, 0, 1]], np.float32)
    for ours, theirs, target in (
        (ag.cross_entropy, F.cross_entropy, labels),
        (
            ag.binary_cross_entropy_with_logits,
            F.binary_cross_entropy_with_logits,
            targets,
        ),
    ):
        tensor = ag.tensor(x, requires_grad=True)
        other = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        value = ours(tensor, target)
        lifted = torch.tensor(target)
        expected = theirs(other, lifted.double() if lifted.is_floating_point() else lifted)
        (wanted,) = torch.autograd.grad(expected, other)
        np.testing.assert_allclose(value.item(), expected.item(), rtol=1e-6)
        found = ag.gradients(value, tensor)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-7)


def test_an_impossible_class_costs_nothing_where_it_is_not_the_target():
    x = np.array([[0.5, -np.inf, 1.0]])
    value = ag.cross_entropy(ag.tensor(x), [2])
    expected = F.cross_entropy(torch.from_numpy(x), torch.tensor([2]))
    np.testing.assert_allclose(value.item(), expected.item(), rtol=1e-14)
