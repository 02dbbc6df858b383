"""Matrix products on the pool: exact, whatever the shape, the layout and the threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_strategies import lay_out, layouts, numbers, quick, seeds

pytest.importorskip("llvmlite", reason="native kernels need llvmlite: autograd-cnn[fast]")
controllers = pytest.importorskip("threadpoolctl", reason="BLAS cannot be told its threads")

from autograd_cnn.kernels import provider, set_num_threads, get_num_threads  # noqa: E402, I001
from autograd_cnn.kernels.native import products  # noqa: E402

sizes = st.sampled_from([1, 2, 17, 64, 130])


@quick
@given(sizes, sizes, sizes, st.integers(1, 3), seeds, layouts, layouts)
def test_products_of_whole_numbers_are_exact(rows, inner, columns, threads, seed, first, second):
    before = get_num_threads()
    set_num_threads(threads)
    try:
        x = lay_out(numbers((rows, inner), seed, "float32"), first)
        y = lay_out(numbers((inner, columns), seed + 1, "float32"), second)
        found = provider("native").matmul(x, y)
        assert found.dtype == np.float32 and found.flags.c_contiguous
        assert np.array_equal(found, x.astype(np.int64) @ y.astype(np.int64))
    finally:
        set_num_threads(before)


@pytest.mark.parametrize("shape", [(3000, 64, 40), (40, 64, 3000), (300, 300, 300)])
def test_shared_products_are_exact(shape, threads):
    rows, inner, columns = shape
    x, y = numbers((rows, inner), 0, "float64"), numbers((inner, columns), 1, "float64")
    assert products.shared(x, y)
    for count in (1, 2, 3):
        threads(count)
        assert np.array_equal(products.matmul(x, y), x.astype(np.int64) @ y.astype(np.int64))


def test_blas_has_its_threads_back_afterwards():
    def counted():
        return [pool["num_threads"] for pool in controllers.threadpool_info()
                if pool["user_api"] == "blas"]  # fmt: skip

    x = np.ones((200, 200), np.float32)
    with controllers.threadpool_limits(2, user_api="blas"):
        before = counted()
        products.matmul(x, x)
        assert counted() == before


def test_what_is_left_to_numpy():
    one, many = np.ones((4, 4), np.float32), np.ones((100, 100), np.float32)
    assert not products.shared(one, one)  # tiny
    assert not products.shared(many, many.astype(np.float64))  # of two kinds
    assert not products.shared(many, many[:50])  # does not fit: NumPy says so
    assert not products.shared(np.ones((2, 100, 100), np.float32), many)
    assert products.shared(many, many)
