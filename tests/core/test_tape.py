"""The tape: depth, memory, threads, freeing, source lines, scopes."""

import gc
import threading
import weakref

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import tape
from autograd_cnn.errors import RuleError, TapeError


def test_100_000_operations_go_forward_and_back_without_recursion():
    x = ag.tensor(1.0, requires_grad=True, dtype="float64")
    y = x
    for _ in range(100_000):
        y = y + 1e-5
    y.backward()
    assert float(x.grad) == 1.0
    assert float(y) == pytest.approx(2.0, abs=1e-9)
    del y  # freeing a deep chain must not overflow the stack either


def test_doubling_a_thousand_times_visits_each_node_once():
    x = ag.tensor(1.0, requires_grad=True, dtype="float64")
    y = x
    for _ in range(1000):
        y = y + y
    y.backward()
    assert float(x.grad) == 2.0**1000


def test_a_tape_is_freed_by_reference_counting_alone():
    x = ag.tensor(np.ones((4, 4)), requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        y = ag.sum(ag.relu(ag.matmul(x, x)) * ag.exp(x))
        ag.gradients(y, x, create_graph=True)
        y.backward(retain_graph=True)
        node = weakref.ref(tape.node_of(y))
        hidden = weakref.ref(node().parents[0])
        del y
        assert node() is None and hidden() is None
    finally:
        gc.enable()


def test_a_node_keeps_what_its_formulas_name_and_nothing_else():
    x = ag.tensor(np.ones(3), requires_grad=True)
    y = ag.tensor(np.ones(3))
    exp, product, total = ag.exp(x), x * y, x + y
    assert tape.node_of(exp).kept[0] is exp._data
    assert len(tape.node_of(exp).kept) == 1
    # y has no gradient, so x is not needed
    assert [v is y._data for v in tape.node_of(product).kept] == [True]
    assert tape.node_of(total).kept == ()


def test_values_are_freed_by_backward_and_asking_again_says_so():
    x = ag.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert float(x.grad) == 8.0
    with pytest.raises(TapeError, match=r"multiply \(recorded at test_tape.py:\d+\).*retain_graph"):
        y.backward()


def test_two_threads_do_not_disturb_each_other():
    started, finish, recorded = threading.Event(), threading.Event(), []

    def without_recording():
        with ag.no_grad(), ag.override(relu="guided"):
            started.set()
            finish.wait(10)
            x = ag.tensor(1.0, requires_grad=True)
            recorded.append((x * x).requires_grad)

    thread = threading.Thread(target=without_recording)
    thread.start()
    started.wait(10)
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    ag.sum(ag.relu(x) * ag.tensor([1.0, -1.0])).backward()
    finish.set()
    thread.join()
    assert x.grad.tolist() == [1.0, -1.0]
    assert recorded == [False]


def test_many_threads_add_up_the_same_gradients():
    results = {}

    def work(number):
        x = ag.tensor(np.full(50, number + 1.0), requires_grad=True)
        y = x
        for _ in range(200):
            y = y * 1.0
        ag.sum(y * x).backward()
        results[number] = x.grad.numpy()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, gradient in results.items():
        assert np.array_equal(gradient, np.full(50, 2 * (number + 1.0)))


def test_the_context_is_restored_after_an_exception():
    with pytest.raises(ZeroDivisionError), ag.no_grad():
        raise ZeroDivisionError
    assert tape.current().recording
    with pytest.raises(RuleError), ag.override(relu="nonsense"):
        pass
    assert tape.current().rules == {}


def test_no_grad_is_a_decorator_too_and_enable_grad_undoes_it():
    x = ag.tensor(1.0, requires_grad=True)

    @ag.no_grad()
    def quiet():
        with ag.enable_grad():
            inside = x * x
        return x * x, inside

    outer, inner = quiet()
    assert not outer.requires_grad and inner.requires_grad
    assert (x * x).requires_grad


def test_a_failing_rule_names_the_operation_and_the_users_line():
    def broken(g, x):
        raise ValueError("no luck")

    bad = ag.custom_primitive("unlucky", lambda x: x * 2, x=broken)
    y = ag.sum(bad(ag.tensor([1.0], requires_grad=True)))
    with pytest.raises(RuleError, match=r"no luck.*unlucky for x, recorded at test_tape\.py:\d+"):
        y.backward()


def test_a_rule_of_the_wrong_shape_shows_both_shapes():
    bad = ag.custom_primitive("short", lambda x: x * 2, x=lambda g: g[:2])
    y = ag.sum(bad(ag.tensor([1.0, 2.0, 3.0], requires_grad=True)))
    with pytest.raises(RuleError, match=r"gave 2 where the input is 3"):
        y.backward()


def test_scopes_are_recorded():
    x = ag.tensor(1.0, requires_grad=True)
    outer = tape.Scope("stem", "Sequential", None)
    with tape.changed(scope=tape.Scope("conv", "Conv2d", outer)):
        y = x * x
    assert tape.node_of(y).scope.path == ("stem", "conv")
    assert tape.node_of(x * x).scope is None


def test_observers_see_every_operation_forward_and_backward():
    class Watch:
        def __init__(self):
            self.forward_names, self.backward_names = [], []

        def forward(self, primitive, inputs, attributes, ans, node):
            self.forward_names.append((primitive.name, node is not None))

        def backward(self, node, g, gradients):
            self.backward_names.append((node.name, len(gradients)))

    watch = Watch()
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    with ag.observe(watch):
        y = ag.sum(x * x)
        ag.exp(ag.tensor(0.0))
        y.backward()
    assert watch.forward_names == [("multiply", True), ("sum", True), ("exp", False)]
    assert watch.backward_names == [("sum", 1), ("multiply", 2)]


def test_anomaly_detection_names_the_first_bad_operation_forward_and_backward():
    x = ag.tensor([0.0, 4.0], requires_grad=True)
    with np.errstate(all="ignore"):
        with (
            ag.detect_anomaly(),
            pytest.raises(
                ag.errors.AnomalyError, match=r"divide made 1 .* forward, at test_tape\.py"
            ),
        ):
            ag.log(x + 1.0) / x * 0.0
        with ag.detect_anomaly():
            y = ag.sum(ag.sqrt(x))
            with pytest.raises(
                ag.errors.AnomalyError, match=r"rule of sqrt for x made 1 NaN or infinite of 2"
            ):
                y.backward()
