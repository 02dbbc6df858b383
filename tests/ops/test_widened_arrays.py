"""Exact laws and known numbers of scans, orders, linear algebra, padding, pooling and losses."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import ShapeError


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def gradient(f, x):
    return ag.grad(lambda x: ag.sum(f(x)))(ag.tensor(np.asarray(x, np.float64))).numpy()


# scans and orders


def test_running_sums_undo_differences_exactly():
    x = np.random.default_rng(0).integers(-9, 9, (3, 7)).astype(np.float64)
    np.testing.assert_array_equal(np.diff(ag.cumsum(x, 1), axis=1), x[:, 1:])


@pytest.mark.parametrize("zeros", [(), (0,), (2,), (0, 3), (1, 2, 3)])
def test_running_products_have_every_derivative_at_zeros(zeros):
    """The last entry is the product of all: its mixed derivative in all of them is 1 everywhere."""
    x = np.array([2.0, -3.0, 5.0, 7.0])
    x[list(zeros)] = 0.0
    f = lambda x: ag.cumprod(x)[-1]
    others = [np.prod(np.delete(x, i)) for i in range(4)]
    np.testing.assert_array_equal(gradient(f, x), others)
    for place in range(4):
        f = partial(f, place)
    assert float(f(ag.tensor(x))) == 1.0


def partial(f, place):
    """The derivative of a scalar function in one entry of its argument."""
    return lambda x: ag.grad(f)(x)[place]


def test_an_empty_axis_has_an_empty_scan():
    for scan in (ag.cumsum, ag.cumprod):
        assert gradient(scan, np.zeros((0, 3))).shape == (0, 3)


def test_sorting_is_the_same_backwards_where_nothing_is_equal():
    x = normal(0, 4, 6)
    np.testing.assert_array_equal(ag.sort(x, 1), np.sort(x, 1))
    np.testing.assert_array_equal(ag.sort(x, 1, descending=True), np.sort(x, 1)[:, ::-1])
    weights = np.arange(24.0).reshape(4, 6)
    back = gradient(lambda x: ag.sort(x, 1) * weights, x)
    np.testing.assert_array_equal(np.take_along_axis(back, np.argsort(x, 1), 1), weights)


def test_of_equal_entries_the_first_takes_the_first_gradient():
    weights = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(
        gradient(lambda x: ag.sort(x) * weights, [5.0, 4.0, 4.0]), [3, 1, 2]
    )


def test_gathering_is_the_transpose_of_adding():
    rng = np.random.default_rng(0)
    x, y = rng.integers(-5, 5, (3, 4)), rng.integers(-5, 5, (2, 6))
    places = rng.integers(0, 4, (2, 6))
    added = ag.add_along_axis(np.zeros((3, 4), int), places, y, 1)
    assert (ag.gather(x, 1, places) * y).sum() == (x * added).sum()


# matrices


@pytest.mark.parametrize("offset", [-3, -1, 0, 2, 9])
@pytest.mark.parametrize("axes", [(0, 1), (2, 0), (-1, 1)])
def test_diagonals_are_those_of_numpy(offset, axes):
    x = np.arange(60).reshape(3, 4, 5)
    np.testing.assert_array_equal(ag.diagonal(x, offset, *axes), np.diagonal(x, offset, *axes))


@pytest.mark.parametrize("k", [-2, 0, 3])
def test_triangles_share_out_a_matrix(k):
    x = normal(0, 2, 3, 4)
    np.testing.assert_array_equal(ag.tril(x, k) + ag.triu(x, k + 1), x)


def test_kronecker_products_multiply_apart():
    a, b = (np.random.default_rng(i).integers(-4, 5, (2, 3)).astype(float) for i in (0, 1))
    c, d = (np.random.default_rng(i).integers(-4, 5, (3, 2)).astype(float) for i in (2, 3))
    np.testing.assert_array_equal(ag.kron(a, b) @ ag.kron(c, d), ag.kron(a @ c, b @ d))


def test_norms_neither_overflow_nor_vanish():
    for scale in (1e200, 1e-200):
        np.testing.assert_allclose(ag.norm(np.array([3.0, 4.0]) * scale) / scale, 5.0, rtol=1e-15)
        cubes = ag.norm(np.array([3.0, 4.0, 5.0]) * scale, 3) / scale
        np.testing.assert_allclose(cubes, 6.0, rtol=1e-14)
    assert ag.norm(np.full(4, 300.0, np.float16)) == np.float16(600.0)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 1.5, float("inf"), -float("inf")])
def test_the_gradient_of_a_norm_at_zero_is_zero_to_second_order(ord):
    zeros = ag.tensor(np.zeros(3))
    f = lambda x: ag.norm(x, ord)
    np.testing.assert_array_equal(ag.grad(f)(zeros).numpy(), np.zeros(3))
    np.testing.assert_array_equal(ag.hessian(f)(zeros).numpy(), np.zeros((3, 3)))


def test_the_largest_singular_value_of_zeros_has_the_gradient_zero():
    np.testing.assert_array_equal(
        gradient(lambda x: ag.norm(x, 2), np.zeros((2, 3))), np.zeros((2, 3))
    )


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, 2, np.inf, -np.inf])
def test_norms_of_matrices_are_those_of_numpy(ord):
    x = normal(0, 4, 3)
    np.testing.assert_allclose(ag.norm(x, ord), np.linalg.norm(x, ord), rtol=1e-13)
    turned = ag.norm(x[None], ord, (2, 1)) if ord else ag.norm(x.T)
    np.testing.assert_allclose(turned, np.linalg.norm(x.T, ord), rtol=1e-13)


def test_norms_that_do_not_exist():
    with pytest.raises(ValueError, match="'nuc'"):
        ag.norm(np.ones((2, 2)), "nuc")
    with pytest.raises(ValueError, match="above 0"):
        ag.norm(np.ones(2), 0)
    with pytest.raises(ShapeError, match="not 3"):
        ag.norm(np.ones((2, 2, 2)), 1)


def test_the_determinant_of_a_product_is_the_product_of_the_determinants():
    a, b = (np.random.default_rng(i).integers(-3, 4, (2, 4, 4)).astype(float) for i in (0, 1))
    np.testing.assert_allclose(ag.det(a @ b), ag.det(a) * ag.det(b), rtol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_the_determinant_has_all_derivatives_at_singular_matrices(rank):
    """★ det(diag) = Π d: the mixed derivative in all diagonal entries is 1 at any rank."""
    x = ag.tensor(np.diag([3.0] * rank + [0.0] * (3 - rank)))
    first = lambda x: ag.grad(ag.det)(x)[0, 0]
    second = lambda x: ag.grad(first)(x)[1, 1]
    third = lambda x: ag.grad(second)(x)[2, 2]
    assert float(third(x)) == pytest.approx(1.0, rel=1e-12)
    assert float(second(x)) == pytest.approx(3.0 * (rank == 3), abs=1e-12)
    assert float(first(x)) == pytest.approx(9.0 * (rank == 3), abs=1e-12)


def test_the_gradient_of_the_logarithm_of_a_determinant_is_the_inverse_transposed():
    x = normal(0, 2, 4, 4)
    found = gradient(lambda x: ag.slogdet(x).logabsdet, x)
    np.testing.assert_allclose(found, np.swapaxes(np.linalg.inv(x), -1, -2), rtol=1e-12)


def test_linear_algebra_says_what_is_wrong():
    with pytest.raises(ShapeError, match="square matrices, got 2×3"):
        ag.inv(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="has 2 rows, the right-hand side is 3"):
        ag.solve(np.eye(2), np.ones(3))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        ag.inv(np.zeros((2, 2)))
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        ag.cholesky(-np.eye(2))


def test_functions_of_equal_eigenvalues_alone_have_a_gradient():
    """Σw³ is the trace of x³: its gradient is 3x², whatever basis LAPACK chose."""
    basis = np.linalg.qr(normal(0, 3, 3))[0]
    x = basis @ np.diag([2.0, 2.0, 5.0]) @ basis.T
    found = gradient(lambda x: ag.eigh(x).eigenvalues ** 3, x)
    np.testing.assert_allclose(found, 3.0 * x @ x, rtol=1e-12)


def test_eigenvectors_of_equal_eigenvalues_have_no_gradient():
    """V·w²·Vᵀ is x², but that cannot be seen from V and w: NaN, and never a wrong number."""

    def square(x):
        values, vectors = ag.eigh(x)
        return ag.matmul(vectors * (values * values), ag.swapaxes(vectors, 0, 1)) * weights

    weights = normal(1, 3, 3)
    apart, equal = np.diag([2.0, 3.0, 5.0]), np.diag([2.0, 2.0, 5.0])
    both = weights + weights.T
    np.testing.assert_allclose(
        gradient(square, apart), (apart @ both + both @ apart) / 2, rtol=1e-12
    )
    assert np.isnan(gradient(square, equal)).any()


@pytest.mark.parametrize("name", ["solve", "inv", "det", "cholesky", "eigh", "slogdet"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_linear_algebra_keeps_the_dtype_and_the_layout_does_not_matter(name, dtype):
    x = (normal(0, 2, 3, 3) * 0.2 + 2.0 * np.eye(3)).astype(dtype)
    x = x + np.swapaxes(x, 1, 2)
    other = np.asfortranarray(x)[:, ::-1][:, ::-1]
    run = lambda x: getattr(ag, name)(*((x, x) if name == "solve" else (x,)))
    results = [r if isinstance(r, tuple) else (r,) for r in (run(x), run(other))]
    for one, two in zip(*results, strict=True):
        assert one.dtype == dtype
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.cumsum(x), lambda x: np.cumsum(x, axis=1), lambda x: np.cumprod(x, 0),
        np.sort, lambda x: np.tril(x, 1), np.triu, lambda x: np.kron(x, x),
        lambda x: np.outer(x, x), lambda x: np.linalg.norm(x), lambda x: np.linalg.norm(x, 1, 0),
        lambda x: np.linalg.inv(x), lambda x: np.linalg.det(x), lambda x: np.linalg.solve(x, x),
        lambda x: np.linalg.slogdet(x)[1], lambda x: np.linalg.cholesky(x @ x.T),
        lambda x: np.linalg.eigh(x @ x.T)[0],
    ],
)  # fmt: skip
def test_numpy_functions_on_tensors_are_ours(call):
    x = normal(3, 3, 3)
    found = call(ag.tensor(x, requires_grad=True))
    assert isinstance(found, ag.Tensor) and found.requires_grad
    np.testing.assert_allclose(found.numpy(), call(x), rtol=1e-13, atol=1e-14)


# padding


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap", "constant"])
def test_padding_is_that_of_numpy(mode):
    x, widths = np.arange(12.0).reshape(3, 4), ((2, 1), (0, 3))
    np.testing.assert_array_equal(ag.pad(x, widths, mode=mode), np.pad(x, widths, mode=mode))
    np.testing.assert_array_equal(np.pad(ag.tensor(x), widths, mode=mode), np.pad(x, widths, mode))


@pytest.mark.parametrize("mode, most", [("reflect", 3), ("circular", 4)])
def test_padding_with_more_than_there_is(mode, most):
    with pytest.raises(ShapeError, match=f"at most {most} entries from axis 0 of 4"):
        ag.pad(np.ones(4), (most + 1, 0), mode=mode)
    with pytest.raises(ValueError, match='"mirror"'):
        ag.pad(np.ones(4), 1, mode="mirror")


def test_circular_padding_makes_convolution_turn_around():
    x, w = normal(0, 1, 1, 6), normal(1, 1, 1, 3)
    run = lambda x: ag.conv1d(ag.pad(x, ((0, 0), (0, 0), (1, 1)), mode="circular"), w)
    np.testing.assert_allclose(run(np.roll(x, 2, -1)), np.roll(run(x), 2, -1), rtol=1e-13)


# pooling and resampling


def test_lp_pooling_goes_from_the_sum_to_the_maximum():
    x = np.abs(normal(0, 1, 2, 6, 6))
    np.testing.assert_allclose(ag.lp_pool2d(x, 1, 2), 4.0 * ag.avg_pool2d(x, 2), rtol=1e-13)
    np.testing.assert_allclose(ag.lp_pool2d(x, 200.0, 2), ag.max_pool2d(x, 2), rtol=2e-2)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_a_window_of_zeros_has_the_gradient_zero(p):
    x = np.zeros((1, 1, 4))
    x[..., 2:] = 3.0, 4.0
    found = gradient(lambda x: ag.lp_pool1d(x, p, 2), x)
    np.testing.assert_array_equal(found[..., :2], 0.0)
    assert (found[..., 2:] > 0).all()


def test_a_partial_window_sums_what_it_sees():
    x = np.array([[[3.0, 4.0, 5.0]]])
    np.testing.assert_array_equal(ag.lp_pool1d(x, 2, 2, ceil_mode=True), [[[5.0, 5.0]]])


def test_adaptive_maximum_of_whole_windows_is_the_maximum():
    x = np.random.default_rng(0).integers(0, 4, (2, 3, 6, 8)).astype(np.float64)
    ours = ag.adaptive_max_pool2d(x, (3, 2), return_indices=True)
    theirs = ag.max_pool2d(x, (2, 4), return_indices=True)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_overlapping_adaptive_windows_add_their_gradients():
    np.testing.assert_array_equal(
        gradient(lambda x: ag.adaptive_max_pool1d(x, 2), [[[1.0, 5.0, 2.0]]]), [[[0, 2, 0]]]
    )


def test_nearest_repeats_and_its_gradient_sums():
    x = normal(0, 1, 1, 2, 3)
    twice = ag.interpolate(x, scale_factor=2)
    np.testing.assert_array_equal(twice, x.repeat(2, 2).repeat(2, 3))
    np.testing.assert_array_equal(
        gradient(lambda x: ag.interpolate(x, scale_factor=2), x), np.full_like(x, 4)
    )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("corners", [False, True])
def test_resampling_keeps_constants_and_with_corners_lines(mode, corners):
    ones = ag.interpolate(np.ones((1, 1, 4, 5)), (7, 3), mode=mode, align_corners=corners)
    np.testing.assert_allclose(ones, 1.0, rtol=1e-13)
    line = np.broadcast_to(np.arange(5.0), (1, 1, 4, 5))
    if corners and mode == "bilinear":
        found = ag.interpolate(line, (4, 9), mode=mode, align_corners=True)
        np.testing.assert_allclose(found[0, 0, 0], np.arange(9) / 2, atol=1e-13)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({}, ValueError, "give one of the two"),
        ({"size": 2, "scale_factor": 2}, ValueError, "give one of the two"),
        ({"size": 2, "mode": "linear"}, ShapeError, "needs 1 spatial"),
        ({"size": 2, "mode": "lanczos"}, ValueError, "lanczos"),
        ({"scale_factor": 0.1}, ShapeError, "is 0×0: nothing"),
        ({"size": 2, "align_corners": True}, ValueError, "align_corners"),
    ],
)
def test_resampling_says_what_is_wrong(options, error, words):
    with pytest.raises(error, match=words):
        ag.interpolate(np.ones((1, 1, 4, 4)), **options)


@pytest.mark.parametrize(
    "call, shape, out",
    [
        (lambda x: ag.unfold(x, 2), (0, 2, 4, 4), (0, 8, 9)),
        (lambda x: ag.fold(x, 4, 2), (0, 8, 9), (0, 2, 4, 4)),
        (lambda x: ag.adaptive_max_pool2d(x, 3), (0, 2, 4, 4), (0, 2, 3, 3)),
        (lambda x: ag.lp_pool2d(x, 2, 2), (0, 2, 4, 4), (0, 2, 2, 2)),
        (lambda x: ag.interpolate(x, 3, mode="bilinear"), (0, 2, 4, 4), (0, 2, 3, 3)),
        (lambda x: ag.interpolate(x, 8), (0, 2, 4, 4), (0, 2, 8, 8)),
        (lambda x: ag.pad(x, 1, mode="replicate"), (2, 3), (4, 5)),
        (lambda x: ag.sort(x, 0), (0, 3), (0, 3)),
        (ag.inv, (0, 2, 2), (0, 2, 2)),
        (ag.det, (0, 2, 2), (0,)),
        (ag.det, (2, 0, 0), (2,)),
        (ag.norm, (0,), ()),
        (lambda x: ag.locally_connected1d(x, np.ones((2, 3, 1, 2))), (0, 1, 4), (0, 2, 3)),
    ],
)
def test_nothing_in_nothing_out(call, shape, out):
    x = ag.tensor(np.ones(shape), requires_grad=True)
    y = call(x)
    assert y.shape == out
    assert ag.gradients(ag.sum(y), x).shape == shape


# activations, losses, weights


def test_hinge_at_and_around_the_margin():
    x, y = [0.0, 1.0, 2.0, 0.5], np.array([1.0, 1.0, 1.0, -1.0])
    np.testing.assert_array_equal(ag.hinge_loss(np.array(x), y, "none"), [1.0, 0.0, 0.0, 1.5])
    np.testing.assert_array_equal(gradient(lambda x: ag.hinge_loss(x, y, "sum"), x), [-1, 0, 0, 1])


def test_the_gradient_of_the_huber_loss_is_the_residual_kept_within_delta():
    d = np.array([-3.0, -0.5, 0.0, 0.5, 0.25, 7.0])
    found = gradient(lambda x: ag.huber_loss(x, np.zeros(6), "sum", 0.5), d)
    np.testing.assert_array_equal(found, np.clip(d, -0.5, 0.5))


def test_a_divergence_is_zero_only_from_itself_and_a_target_of_zero_adds_nothing():
    p, q = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.25, 0.5]])
    log_q = np.log(q)
    assert ag.kl_div(log_q, q, "batchmean") == 0.0
    assert ag.kl_div(log_q, p, "batchmean") == pytest.approx(np.log(2.0), rel=1e-14)
    found = ag.grad(lambda p: ag.kl_div(ag.tensor(log_q), p, "sum"))(ag.tensor(p)).numpy()
    np.testing.assert_allclose(
        found, [[np.log(0.5) + 1 - log_q[0, 0]] * 2 + [-log_q[0, 2]]], rtol=1e-14
    )


@pytest.mark.parametrize(
    "labels, words", [([0, 3], "label 3"), ([0, -1], "label -1"), ([0], "needs labels 2")]
)
def test_labels_that_do_not_fit_a_margin_loss(labels, words):
    with pytest.raises((ValueError, ShapeError), match=words):
        ag.multi_margin_loss(ag.tensor(np.zeros((2, 3))), labels)


def test_prelu_with_one_weight_is_leaky_relu():
    x = normal(0, 2, 3)
    np.testing.assert_array_equal(ag.prelu(x, np.array([0.1])), ag.leaky_relu(x, 0.1))
    with pytest.raises(ShapeError, match="2 for 3 channels"):
        ag.prelu(x, np.ones(2))


def test_the_gradient_of_a_weight_written_by_length_is_orthogonal_to_its_direction():
    v, g, u = normal(0, 3, 4), np.abs(normal(1, 3)), normal(2, 3, 4)
    np.testing.assert_allclose(np.linalg.norm(ag.weight_norm(v, g), axis=1), g, rtol=1e-14)
    found = gradient(lambda v: ag.weight_norm(v, ag.tensor(g)) * u, v)
    np.testing.assert_allclose((found * v).sum(axis=1), 0.0, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_weight_divided_by_its_spectral_norm_has_norm_one(axis):
    w = normal(0, 3, 4)
    unit, u = ag.spectral_norm(w, normal(1, w.shape[axis]), 200, axis)
    np.testing.assert_allclose(np.linalg.norm(unit, 2), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(u), 1.0, rtol=1e-14)
