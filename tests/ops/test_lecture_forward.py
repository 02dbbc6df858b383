"""The numbers of the lectures, forward: shapes, convolutions, pooling, normalisation, dropout."""

import numpy as np
import pytest

import autograd_cnn as ag


def image(rows):
    """Rows of numbers as a 1×1×H×W tensor."""
    return ag.tensor(np.array(rows, np.float64)[None, None])


def plane(tensor):
    return tensor.numpy()[0, 0].tolist()


def test_the_five_by_five_demonstration():
    x = image([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
    w = image([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    assert plane(ag.conv2d(x, w)) == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


def sparse_matrix(w):
    """The 4×16 matrix of a 3×3 kernel on a 4×4 image, written out from the definition."""
    matrix = np.zeros((4, 16))
    for row, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        for p in range(3):
            for q in range(3):
                matrix[row, 4 * (i + p) + j + q] = w[p, q]
    return matrix


def test_convolution_is_a_sparse_matrix_and_its_gradient_the_transpose():
    w, x, g = np.arange(1.0, 10).reshape(3, 3), np.arange(16.0) ** 2, np.array([1.0, -2, 3, 5])
    matrix = sparse_matrix(w)
    assert np.count_nonzero(matrix) == 36

    tensor = ag.tensor(x.reshape(1, 1, 4, 4), requires_grad=True)
    y = ag.conv2d(tensor, ag.tensor(w[None, None]))
    assert np.array_equal(y.numpy().ravel(), matrix @ x)
    gradient = ag.gradients(y, tensor, g.reshape(1, 1, 2, 2))
    assert np.array_equal(gradient.numpy().ravel(), matrix.T @ g)

    flat = ag.tensor(x, requires_grad=True)
    product = ag.tensor(matrix) @ flat
    assert np.array_equal(product.numpy(), y.numpy().ravel())
    assert np.array_equal(ag.gradients(product, flat, g).numpy(), matrix.T @ g)

    found = ag.jacobian(lambda t: ag.conv2d(t, ag.tensor(w[None, None])))(tensor.detach())
    assert np.array_equal(found.numpy().reshape(4, 16), matrix)


def test_transposed_convolution_multiplies_by_the_transpose():
    w, y = np.arange(1.0, 10).reshape(3, 3), np.array([1.0, -2, 3, 5])
    x = ag.conv_transpose2d(ag.tensor(y.reshape(1, 1, 2, 2)), ag.tensor(w[None, None]))
    assert np.array_equal(x.numpy().ravel(), sparse_matrix(w).T @ y)


@pytest.mark.parametrize("stride, expected", [(1, [-2, 2, 1, 2, 1]), (2, [-2, 1, 1])])
def test_one_dimension_three_taps_padding_one(stride, expected):
    x, w = ag.tensor([[[1.0, 2, -1, 1, -3]]]), ag.tensor([[[1.0, 0, -1]]])
    assert ag.conv1d(x, w, stride=stride, padding=1).numpy()[0, 0].tolist() == expected


def test_a_moving_average_is_a_convolution():
    x = np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    y = ag.conv1d(ag.tensor(x[None, None]), ag.tensor(np.full((1, 1, 4), 0.25)))
    assert y.numpy()[0, 0].tolist() == [2.25, 2.75, 4.75, 4.25, 5.5]


def test_an_exponential_moving_average_is_a_convolution():
    x, alpha = np.array([8.0, 0, 4, 16, -8]), 0.5
    taps = alpha * (1 - alpha) ** np.arange(5)
    y = ag.conv1d(ag.tensor(x[None, None]), ag.tensor(taps[None, None, ::-1]), padding=((4, 0),))
    state, expected = 0.0, []
    for value in x:
        state = alpha * value + (1 - alpha) * state
        expected.append(state)
    assert y.numpy()[0, 0].tolist() == expected == [4, 2, 3, 9.5, 0.75]


def test_the_first_layer_of_alexnet():
    x = ag.tensor(np.zeros((1, 3, 227, 227), np.float32))
    w, b = ag.tensor(np.zeros((96, 3, 11, 11), np.float32)), ag.tensor(np.zeros(96, np.float32))
    y = ag.conv2d(x, w, b, stride=4)
    assert y.shape == (1, 96, 55, 55)
    assert y.size == 290_400
    per_filter = w[0].size + 1
    assert per_filter == 364
    assert w.size + b.size == 34_944
    assert y.size * per_filter == 105_705_600  # if every unit had weights of its own


@pytest.mark.parametrize("n, k, p, s", [(7, 3, 0, 1), (7, 3, 1, 1), (7, 3, 0, 2), (32, 5, 2, 1)])
def test_the_output_size_formula(n, k, p, s):
    x, w = ag.tensor(np.zeros((1, 1, n))), ag.tensor(np.zeros((1, 1, k)))
    assert ag.conv1d(x, w, stride=s, padding=p).shape[2] == (n - k + 2 * p) / s + 1


@pytest.mark.parametrize("kernel, dilation", [(3, 1), (3, 2), (2, 4), (5, 3)])
def test_dilation_is_a_kernel_with_holes(kernel, dilation):
    random = np.random.default_rng(0)
    x = random.integers(-5, 6, (2, 1, 17)).astype(float)
    w = random.integers(-5, 6, (1, 1, kernel)).astype(float)
    holed = np.zeros((1, 1, kernel + (kernel - 1) * (dilation - 1)))
    holed[:, :, ::dilation] = w
    y = ag.conv1d(ag.tensor(x), ag.tensor(w), dilation=dilation)
    assert np.array_equal(y.numpy(), ag.conv1d(ag.tensor(x), ag.tensor(holed)).numpy())
    assert y.shape[2] == 17 - holed.size + 1
    if dilation == 1:
        assert np.array_equal(holed, w)  # no hole


def test_one_by_one_reduces_channels_pixel_by_pixel():
    random = np.random.default_rng(1)
    x, w = random.integers(-3, 4, (2, 8, 4, 5)) * 1.0, random.integers(-3, 4, (3, 8, 1, 1)) * 1.0
    y = ag.conv2d(ag.tensor(x), ag.tensor(w)).numpy()
    assert y.shape == (2, 3, 4, 5)
    assert np.array_equal(y[1, :, 2, 3], w[:, :, 0, 0] @ x[1, :, 2, 3])


@pytest.mark.parametrize(
    "size, options, expected",
    [
        (4, {"kernel_size": 2, "stride": 2}, 2),
        (55, {"kernel_size": 3, "stride": 2}, 27),
        (27, {"kernel_size": 3, "stride": 2}, 13),
        (13, {"kernel_size": 3, "stride": 2}, 6),
        (50, {"kernel_size": 10, "stride": 10}, 5),
        (6, {"kernel_size": 3, "stride": 2, "ceil_mode": True}, 3),
    ],
)
@pytest.mark.parametrize("pool", [ag.max_pool2d, ag.avg_pool2d])
def test_pooling_sizes(pool, size, options, expected):
    assert pool(ag.tensor(np.zeros((1, 1, size, size))), **options).shape[2:] == (expected,) * 2


def test_batch_norm_with_its_own_statistics_is_the_identity():
    x = np.random.default_rng(2).standard_normal((6, 3, 4, 4)) * [[[[2.0]], [[5.0]], [[0.1]]]] + 3
    std, mean = x.std((0, 2, 3)), x.mean((0, 2, 3))
    y = ag.batch_norm(
        ag.tensor(x), weight=ag.tensor(std), bias=ag.tensor(mean), training=True, eps=0.0
    )
    np.testing.assert_allclose(y.numpy(), x, rtol=0, atol=1e-13)


def test_batch_norm_divides_by_the_root_of_variance_plus_epsilon():
    x = ag.tensor(np.array([[1.0], [3.0]]))  # mean 2, biased variance 1
    y = ag.batch_norm(x, training=True, eps=3.0)
    assert y.numpy().ravel().tolist() == [-0.5, 0.5]  # (std + ε would give ∓1/4)


def test_running_statistics_take_the_unbiased_variance():
    mean, var = ag.tensor(np.zeros(1)), ag.tensor(np.ones(1))
    x = ag.tensor(np.array([[1.0], [3.0]]))
    ag.batch_norm(x, mean, var, training=True, momentum=0.25, eps=0)
    assert float(mean) == 0.25 * 2
    np.testing.assert_allclose(float(var), 0.75 * 1 + 0.25 * 2, rtol=1e-15)


def test_equal_values_have_no_negative_running_variance():
    var = ag.tensor(np.zeros(3, np.float32))
    x = ag.tensor(np.full((8, 3), [[0.1, 7.3, 1e4]], np.float32))
    ag.batch_norm(x, ag.tensor(np.zeros(3, np.float32)), var, training=True, momentum=1.0)
    assert (var.numpy() >= 0).all()


def test_layer_norm_is_the_same_for_a_sample_alone():
    x = np.random.default_rng(3).standard_normal((5, 7))
    together = ag.layer_norm(ag.tensor(x), 7).numpy()
    for i in range(5):
        np.testing.assert_array_equal(together[i], ag.layer_norm(ag.tensor(x[i]), 7).numpy())


def test_local_response_norm_by_hand():
    # b_i = a_i/(k + α Σ a_j²)^β, j from max(0, i − n/2) to min(N − 1, i + n/2)
    a = ag.tensor(np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1))
    b = ag.local_response_norm(a, size=3, alpha=0.5, beta=2.0, k=1.0).numpy().ravel()
    sums = [1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16]
    np.testing.assert_allclose(
        b, [v / (1 + 0.5 * s) ** 2 for v, s in zip([1, 2, 3, 4], sums, strict=True)], rtol=1e-15
    )
    np.testing.assert_allclose(b[0], 1 / 12.25, rtol=1e-15)


def test_dropout_averages_to_half_over_the_four_masks():
    w, x = np.array([3.0, -7.0]), ag.tensor(np.array([2.0, 5.0]))
    outputs = {}
    for seed in range(100):
        kept = ag.dropout(x, 0.5, rng=seed).numpy() * 0.5  # undo the 1/(1 − p) of training
        outputs[tuple(kept != 0)] = float(w @ kept)
    assert len(outputs) == 4
    assert np.mean(list(outputs.values())) == 0.5 * (3.0 * 2.0 - 7.0 * 5.0)


def test_dropout_is_scaled_so_that_evaluation_needs_nothing():
    x = ag.tensor(np.arange(1.0, 9.0))
    assert ag.dropout(x, 0.9, training=False) is x
    kept = ag.dropout(x, 0.75, rng=4).numpy()
    assert {0.0, 4.0} >= set(kept / x.numpy())
    assert np.array_equal(kept, ag.dropout(x, 0.75, rng=4).numpy())


def test_a_residual_block_with_zero_weights_is_the_identity():
    x = ag.tensor(np.random.default_rng(4).standard_normal((2, 3, 5, 5)), requires_grad=True)
    zero = ag.tensor(np.zeros((3, 3, 3, 3)))
    y = x + ag.conv2d(ag.relu(ag.conv2d(x, zero, padding=1)), zero, padding=1)
    assert np.array_equal(y.numpy(), x.numpy())
    g = np.random.default_rng(5).standard_normal(y.shape)
    assert np.array_equal(ag.gradients(y, x, g).numpy(), g)


def test_activation_constants():
    one = ag.tensor(np.array(1.0))
    np.testing.assert_allclose(float(ag.selu(one)), 1.0507009873554804934, rtol=1e-16)
    limit = float(ag.selu(ag.tensor(np.array(-1e3))))
    np.testing.assert_allclose(limit, -1.0507009873554804934 * 1.6732632423543772848, rtol=1e-15)
    np.testing.assert_allclose(float(ag.softplus(ag.tensor(np.array(0.0)))), np.log(2), rtol=1e-15)
    np.testing.assert_allclose(float(ag.gelu(one)), 0.8413447460685429, rtol=1e-14)
    assert float(ag.sigmoid(ag.tensor(np.array(0.0)))) == 0.5
    assert float(ag.leaky_relu(ag.tensor(np.array(-2.0)), 0.25)) == -0.5


def test_a_uniform_guess_costs_the_logarithm_of_the_classes():
    value = ag.cross_entropy(ag.tensor(np.zeros((4, 10))), [1, 2, 3, 4])
    np.testing.assert_allclose(float(value), np.log(10), rtol=1e-15)
