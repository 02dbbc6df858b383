"""Transforms nest in each other and agree with calculus."""

import tracemalloc

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import ShapeError, TapeError


def f(x):
    return ag.sum(ag.sin(x) * ag.exp(x * 0.5))


def test_value_and_grad_and_argnums():
    value, (by_x, by_y) = ag.value_and_grad(lambda x, y: ag.sum(x * x * y), (0, 1))(
        np.array([1.0, 2.0]), np.array([3.0, 4.0])
    )
    assert float(value) == 19.0
    assert by_x.tolist() == [6.0, 16.0]
    assert by_y.tolist() == [1.0, 4.0]
    assert not value.requires_grad and not by_x.requires_grad


def test_grad_through_nested_containers_keeps_their_structure():
    parameters = {"w": np.array([1.0, 2.0]), "layers": [np.array(3.0), (np.array(4.0),)]}

    def loss(p):
        return ag.sum(p["w"]) * p["layers"][0] * p["layers"][1][0]

    found = ag.grad(loss)(parameters)
    assert found["w"].tolist() == [12.0, 12.0]
    assert float(found["layers"][0]) == 12.0
    assert float(found["layers"][1][0]) == 9.0


def test_grad_of_grad_of_grad():
    third = ag.grad(ag.grad(ag.grad(lambda x: x**5)))
    assert float(third(np.float64(2.0))) == 240.0


def test_an_inner_gradient_does_not_confuse_its_variable_with_the_outer_one():
    # d/dx [x · d/dy (x + y)] = 1: a perturbation confusion gives 2
    def outer(x):
        return x * ag.grad(lambda y: x + y)(x)

    assert float(ag.grad(outer)(np.float64(3.0))) == 1.0
    # d/dx [d/dy (x·y²) at y = x] = d/dx 2x² = 4x
    assert float(ag.grad(lambda x: ag.grad(lambda y: x * y * y)(x))(np.float64(3.0))) == 12.0


def test_jvp_equals_vjp_transposed():
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=5), rng.normal(size=5)
    tangent = ag.jvp(f, (x,), (v,))[1]
    _, pull = ag.vjp(f, x)
    assert float(tangent) == pytest.approx(float(ag.sum(pull(1.0)[0] * v)), rel=1e-14)


def test_jvp_through_every_kind_of_operation():
    rng = np.random.default_rng(2)
    x, w, b = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
    tangents = tuple(rng.normal(size=a.shape) for a in (x, w, b))

    def net(x, w, b):
        h = ag.conv2d(x, w, b, padding=1)
        h = ag.batch_norm(h, training=True)
        h = ag.max_pool2d(ag.relu(h), 2)
        h = ag.concatenate([h, h * 2], axis=1)
        return ag.logsumexp(ag.einsum("nchw,nchw->n", h, h))

    _, tangent = ag.jvp(net, (x, w, b), tangents)
    _, pull = ag.vjp(net, x, w, b)
    by_hand = sum(float(ag.sum(g * t)) for g, t in zip(pull(1.0), tangents, strict=True))
    assert float(tangent) == pytest.approx(by_hand, rel=1e-12)


def test_jvp_of_jvp_and_jvp_of_grad_and_grad_of_jvp():
    x = np.float64(0.7)
    cube = lambda x: x**3
    along = lambda x: ag.jvp(cube, (x,), (np.float64(1.0),))[1]
    assert float(along(x)) == pytest.approx(3 * 0.49)
    assert float(ag.jvp(along, (x,), (np.float64(1.0),))[1]) == pytest.approx(4.2)
    assert float(ag.grad(along)(x)) == pytest.approx(4.2)
    assert float(ag.jvp(ag.grad(cube), (x,), (np.float64(1.0),))[1]) == pytest.approx(4.2)


def test_hvp_is_hessian_times_vector_and_hessian_is_symmetric():
    rng = np.random.default_rng(3)
    x, v = rng.normal(size=4), rng.normal(size=4)

    def scalar(x):
        return ag.sum(ag.tanh(x) * ag.flip(x) ** 2)

    matrix = ag.hessian(scalar)(x).numpy()
    assert np.allclose(matrix, matrix.T, rtol=0, atol=1e-14)
    assert np.allclose(ag.hvp(scalar, x, v).numpy(), matrix @ v, rtol=1e-12)


def test_jacobian_of_a_matrix_product_is_the_matrix():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(3, 4))
    assert np.array_equal(ag.jacobian(lambda x: ag.matmul(a, x))(np.ones(4)).numpy(), a)


def test_transforms_give_gradients_to_a_surrounding_tape():
    x = ag.tensor(np.float64(2.0), requires_grad=True)
    ag.grad(lambda y: y**3)(x).backward()
    assert float(x.grad) == 12.0


def test_grad_needs_a_scalar():
    with pytest.raises(ShapeError, match="scalar value, this one gave 2"):
        ag.grad(lambda x: x * 2)(np.ones(2))
    with pytest.raises(ShapeError, match="argnums 1, but 1 positional"):
        ag.grad(f, 1)(np.ones(2))
    with pytest.raises(ShapeError, match="tangents"):
        ag.jvp(f, (np.ones(2),), (np.ones(3),))


def block(x, w):
    for _ in range(12):
        x = ag.tanh(ag.matmul(x, w))
    return x


def peak_of_backward(f):
    rng = np.random.default_rng(0)
    x = ag.tensor(rng.normal(size=(256, 256)), requires_grad=True)
    w = ag.tensor(rng.normal(size=(256, 256)) / 16, requires_grad=True)
    tracemalloc.start()
    try:
        y = x
        for _ in range(6):
            y = f(y, w)
        loss = ag.sum(y)
        del y
        recorded = tracemalloc.get_traced_memory()[0]
        loss.backward()
        return recorded, tracemalloc.get_traced_memory()[1], x.grad.numpy(), w.grad.numpy()
    finally:
        tracemalloc.stop()


def test_a_checkpoint_saves_memory_and_changes_nothing():
    recorded, peak, x_grad, w_grad = peak_of_backward(block)
    less, lower, x_same, w_same = peak_of_backward(ag.checkpoint(block))
    assert np.array_equal(x_grad, x_same) and np.array_equal(w_grad, w_same)
    array = 256 * 256 * 8
    assert recorded > 72 * array  # one output of 6·12 tanh each, at least
    assert less < 10 * array  # the six arguments, and the gradients to come
    assert lower < 0.6 * peak


def test_a_checkpoint_draws_the_same_noise_twice():
    def noisy(x):
        return ag.dropout(ag.exp(x), 0.5) * x

    x = ag.tensor(np.linspace(0, 1, 1000), requires_grad=True)
    ag.seed(7)
    plain = ag.gradients(ag.sum(noisy(x)), x).numpy()
    ag.seed(7)
    again = ag.gradients(ag.sum(ag.checkpoint(noisy)(x)), x).numpy()
    assert np.array_equal(plain, again)


def test_a_checkpoint_updates_running_statistics_once():
    means = []
    for wrap in (lambda f: f, ag.checkpoint):
        norm = ag.nn.BatchNorm1d(3)
        x = ag.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
        ag.sum(wrap(norm)(x) ** 3).backward()
        assert int(norm.num_batches_tracked) == 1
        means.append(norm.running_mean.tolist())
    assert means[0] == means[1]


def test_a_checkpoint_refuses_parameters_that_changed():
    w = ag.tensor([2.0], requires_grad=True, name="w")
    y = ag.sum(ag.checkpoint(lambda x: ag.exp(x * w))(ag.tensor([1.0], requires_grad=True)))
    w.assign([3.0])
    with pytest.raises(TapeError, match="w changed since the forward pass"):
        y.backward()


def test_checkpoints_nest_and_serve_higher_orders():
    inner = ag.checkpoint(lambda x: ag.exp(x))
    outer = ag.checkpoint(lambda x: ag.tanh(inner(x) * x))
    plain = lambda x: ag.tanh(ag.exp(x) * x)
    x = np.float64(0.3)
    assert float(ag.grad(ag.grad(outer))(x)) == pytest.approx(float(ag.grad(ag.grad(plain))(x)))
