"""One pool: any size, any number of callers, and a fork."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kernel_strategies import numbers

pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')

import autograd_cnn as ag
from autograd_cnn.kernels import provider
from autograd_cnn.kernels.native import threads as pools
from autograd_cnn.kernels.specs import conv_spec

kernels = provider("native")
W = numbers((8, 4, 3, 3), 3)
SPEC = conv_spec("conv2d", (8, 4, 13, 13), W.shape)


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    from autograd_cnn.kernels.native import conv

    monkeypatch.setattr("autograd_cnn.kernels.native.threads.SMALL", 0)
    conv._prepare.cache_clear()
    yield
    conv._prepare.cache_clear()


def test_any_number_of_threads_gives_the_same_whole_numbers(threads):
    x = numbers((8, 4, 13, 13), 1)
    expected = provider("numpy").conv(x, W, spec=SPEC)
    for count in (1, 2, 3, 5, 1, 4):
        threads(count)
        assert ag.kernels.get_num_threads() == count
        assert np.array_equal(kernels.conv(x, W, spec=SPEC), expected)


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_thread_is_refused(threads, count):
    with pytest.raises(ValueError, match=f"set_num_threads\\({count}\\): at least one"):
        threads(count)


def test_callers_in_many_threads_do_not_share_buffers(threads):
    threads(2)
    inputs = [numbers((8, 4, 13, 13), seed) for seed in range(8)]
    expected = [provider("numpy").conv(x, W, spec=SPEC) for x in inputs] * 4
    with ThreadPoolExecutor(4) as callers:
        together = list(callers.map(lambda x: kernels.conv(x, W, spec=SPEC), inputs * 4))
    assert all(map(np.array_equal, together, expected))


def test_the_size_may_change_while_kernels_run(threads):
    x = numbers((8, 4, 13, 13), 1)
    expected = provider("numpy").conv(x, W, spec=SPEC)
    with ThreadPoolExecutor(2) as callers:
        results = [callers.submit(kernels.conv, x, W, spec=SPEC) for _ in range(40)]
        for count in (3, 1, 2, 4) * 3:
            threads(count)
    assert all(np.array_equal(result.result(), expected) for result in results)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_every_share_is_done_once_whatever_the_size_of_the_pool(size, workers):
    pool, finished = pools.Pool(size), []
    with pool.lock:
        pool.run(finished.append, workers)
    pool.close()
    assert sorted(finished) == list(range(workers))


def test_an_interrupt_is_raised_when_every_worker_is_done_and_a_new_pool_follows(threads):
    threads(2)
    finished = []

    def work(number):
        finished.append(number)
        if number == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), pools.pool() as pool:
        pool.run(work, 2)
    assert sorted(finished) == [0, 1]
    with pools.pool() as other:
        assert other is not pool
        other.run(finished.append, 2)
    assert sorted(finished) == [0, 0, 1, 1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_its_own_pool(threads):
    threads(2)
    x = numbers((8, 4, 13, 13), 1)
    expected = kernels.conv(x, W, spec=SPEC)
    child = os.fork()
    if child == 0:
        right = np.array_equal(kernels.conv(x, W, spec=SPEC), expected)
        os._exit(0 if right else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert np.array_equal(kernels.conv(x, W, spec=SPEC), expected)
