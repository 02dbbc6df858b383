"""Recycled memory: nobody's numbers change, and there is little more of it than was in use."""

import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_cnn as ag
from autograd_cnn.kernels.native import memory

LARGE = memory.SMALLEST // 4


def address(array):
    return array.__array_interface__["data"][0]


@pytest.fixture
def recycler():
    return memory.Recycler()


def test_small_arrays_own_their_memory(recycler):
    assert recycler.empty((LARGE - 1,)).flags.owndata and recycler.empty((0, 3)).shape == (0, 3)
    assert (recycler.used, recycler.idle, recycler.most) == (0, 0, 0)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "complex128", bool, ">f4"])
def test_large_arrays_are_like_any_others_at_a_cache_line(recycler, dtype):
    array = recycler.empty((3, LARGE, 4), dtype)
    assert type(array) is np.ndarray and array.shape == (3, LARGE, 4) and array.dtype == dtype
    assert array.flags.writeable and array.flags.c_contiguous and address(array) % 64 == 0
    array[...] = 1
    assert (array == 1).all()


def test_types_beyond_numpys_own_keep_their_type_and_objects_are_left_alone(recycler):
    assert recycler.empty((LARGE, 4), "V2").dtype == "V2" and recycler.used > 0
    objects = recycler.empty((LARGE,), object)
    assert objects.flags.owndata and objects[0] is None


def test_memory_is_recycled_when_the_last_view_is_gone(recycler):
    array = recycler.empty((2, LARGE))
    place, view = address(array), array[1:].T.view("int32")
    del array
    second = recycler.empty((2, LARGE))
    assert address(second) != place
    del view
    assert address(recycler.empty((2 * LARGE - 9,))) == place  # a neighbouring size
    assert recycler.empty((2, LARGE)).flags.writeable


def test_a_read_only_view_leaves_nothing_behind(recycler):
    recycler.empty((LARGE,)).flags.writeable = False
    assert recycler.empty((LARGE,)).flags.writeable and recycler.most == 4 * LARGE


steps = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 9)), max_size=40)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps)
def test_arrays_keep_their_numbers_and_memory_stays_near_the_most_in_use(steps):
    recycler, alive, most = memory.Recycler(), {}, 0
    for number, (size, slot) in enumerate(steps):
        alive.pop(slot, None)
        alive[slot] = recycler.empty((size, LARGE), "float32"), number
        alive[slot][0][...] = number
        used = sum(4 * LARGE * len(array) for array, _ in alive.values())
        most = max(most, used)
        assert used <= recycler.used <= used * 9 / 8
        assert recycler.used <= recycler.most <= most * 9 / 8
        assert recycler.used + recycler.idle <= recycler.most * 5 / 4
        assert all((array == written).all() for array, written in alive.values())


def test_released_memory_is_counted_and_gone(recycler):
    kept, _ = recycler.empty((LARGE,)), recycler.empty((4, LARGE))
    del _
    assert recycler.release() == 16 * LARGE and recycler.release() == 0
    assert (recycler.used, recycler.idle, recycler.most) == (4 * LARGE, 0, 4 * LARGE)
    assert kept.flags.writeable


def test_idle_memory_goes_before_an_allocation_fails(recycler, monkeypatch):
    large, small = recycler.empty((9, LARGE)), recycler.empty((2, LARGE))
    del large, small
    empty, refused = np.empty, []

    def reluctant(size, dtype):
        if recycler.idle:
            refused.append(size)
            raise MemoryError
        return empty(size, dtype)

    monkeypatch.setattr(memory.np, "empty", reluctant)
    assert recycler.empty((LARGE,)).size == LARGE and len(refused) == 1 and recycler.idle == 0


def test_a_block_in_a_cycle_comes_home_with_the_collection(recycler):
    cycle = [recycler.empty((LARGE,))]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert recycler.release() == 4 * LARGE


def test_many_threads_share_no_block(recycler):
    def work(number):
        seen = True
        for _ in range(50):
            array = recycler.empty((LARGE,), "int32")
            array.fill(number)
            seen = seen and (array == number).all()
        return seen

    with ThreadPoolExecutor(4) as callers:
        assert all(callers.map(work, range(8)))
    recycler.release()
    assert (recycler.used, recycler.idle) == (0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_even_where_the_lock_was_held():
    array = memory.empty((LARGE,))
    array.fill(1)
    with ThreadPoolExecutor(1) as other:
        held = memory._recycler._lock
        other.submit(held.acquire).result()
        child = os.fork()
        if child == 0:
            second = memory.empty((LARGE,))
            second.fill(2)
            os._exit(0 if (array == 1).all() and (second == 2).all() else 1)
        other.submit(held.release).result()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_interpreter_ends_quietly_with_blocks_in_use():
    program = """
from autograd_cnn.kernels.native import memory
class Holder: pass
kept, Holder.array = memory.empty((1 << 20,)), memory.empty((1 << 20,))
Holder.self = Holder
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stderr == b""


def test_a_parameter_over_recycled_memory_does_not_change_what_others_read():
    array = memory.empty((LARGE,))
    array.fill(1)
    parameter = ag.Tensor(array, requires_grad=True)
    del array
    seen, loss = parameter.numpy(), parameter * parameter
    parameter.assign(np.full(LARGE, 5, "float32"))
    loss.sum().backward()
    assert (seen == 1).all() and parameter.tolist()[0] == 5 and (parameter.grad.numpy() == 2).all()


def test_answers_of_native_kernels_come_from_it_and_are_let_go():
    pytest.importorskip("llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"')
    x = ag.Tensor(np.ones((8, 16, 32, 32), "float32"))
    w = ag.Tensor(np.ones((16, 16, 3, 3), "float32"), requires_grad=True)
    memory.release_memory()
    before = memory._recycler.used
    loss = ag.conv2d(x, w, padding=1).sum()
    loss.backward()
    del loss, w
    assert ag.kernels.release_memory() > 0 and memory._recycler.used == before
