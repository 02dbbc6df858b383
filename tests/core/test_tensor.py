"""Tensor: creation, values that cannot change under the tape, conversions, messages."""

import copy
import pickle

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import DeviceError, DTypeError, ShapeError, TapeError


def test_creation_copies_and_chooses_dtypes():
    array = np.arange(3.0)
    t = ag.tensor(array)
    array[0] = 100
    assert t.tolist() == [0.0, 1.0, 2.0]
    assert t.dtype == np.float64
    assert ag.tensor([1.0, 2.0]).dtype == np.float32
    assert ag.tensor([1, 2]).dtype == np.int64
    assert ag.tensor([1, 2], dtype="float32").dtype == np.float32
    assert ag.tensor(True).dtype == np.bool_
    with pytest.raises(DTypeError, match="holds numbers"):
        ag.tensor(np.array(["a"]))


def test_values_cannot_be_written_to():
    t = ag.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TapeError, match=r"x\.at\[index\]\.set"):
        t[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        t.numpy()[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(t)[0] = 5.0


def test_in_place_operators_make_new_tensors():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    y = ag.exp(x)
    before = y
    y += 1.0
    assert before is not y
    ag.sum(before).backward()
    assert np.allclose(x.grad.numpy(), np.exp([1.0, 2.0]))


def test_assigning_never_changes_what_a_tape_kept():
    w, x = ag.tensor([2.0, 3.0], requires_grad=True), ag.tensor([1.0, 1.0], requires_grad=True)
    y = ag.sum(ag.reshape(w, (2, 1)) * ag.reshape(x, (2, 1)))  # keeps views of both
    w.assign([100.0, 100.0])
    y.backward()
    assert x.grad.tolist() == [2.0, 3.0]
    assert w.tolist() == [100.0, 100.0]


def test_writing_to_a_raw_array_after_recording_does_not_change_the_gradient():
    x, a = ag.tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0], "float32")
    product, joined = ag.sum(x * a), ag.einsum("i,i->", x, a)
    a[:] = 100
    assert ag.gradients(product, x).tolist() == [3.0, 4.0]
    assert ag.gradients(joined, x).tolist() == [3.0, 4.0]


def test_assigning_reuses_memory_only_when_nobody_looks():
    w = ag.tensor(np.zeros(1000), requires_grad=True)
    place = w._data.ctypes.data
    w.assign(np.ones(1000))
    assert w._data.ctypes.data == place
    seen = w.numpy()
    w.assign(np.full(1000, 2.0))
    assert seen[0] == 1.0 and w.numpy()[0] == 2.0
    shared = np.zeros(3)
    t = ag.Tensor(shared)
    t.assign(np.ones(3))
    assert shared.tolist() == [0.0, 0.0, 0.0]


def test_assigning_checks_shape_and_leafness():
    w = ag.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ShapeError, match="the new values are 3, the tensor is 2"):
        w.assign(np.ones(3))
    with pytest.raises(TapeError, match="made by multiply"):
        (w * 2).assign(np.ones(2))


def test_requires_grad_is_for_leaves():
    x = ag.tensor(1.0, requires_grad=True)
    y = x * 2
    with pytest.raises(TapeError, match="leaves only"):
        y.requires_grad = False
    frozen = y.detach()
    assert frozen.is_leaf and not frozen.requires_grad
    assert frozen.requires_grad_().requires_grad


def test_conversions():
    t = ag.tensor([[1.5]])
    assert float(t) == 1.5 and int(t) == 1 and bool(t) and t.item() == 1.5
    assert f"{t:.2f}" == "1.50"
    assert [1, 2, 3][ag.tensor(1)] == 2
    with pytest.raises(ShapeError, match="one value, this tensor has 2"):
        ag.tensor([1.0, 2.0]).item()
    with pytest.raises(TypeError, match="no length"):
        len(ag.tensor(1.0))
    assert [float(row) for row in ag.tensor([1.0, 2.0])] == [1.0, 2.0]
    assert np.from_dlpack(t).tolist() == [[1.5]]


def test_dtypes_and_devices_convert_and_gradients_come_back():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    ag.sum(x.to("float64") * 2).backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [2.0, 2.0]
    assert x.to("cpu") is x
    assert not x.astype(int).requires_grad
    with pytest.raises(DeviceError, match='device "tpu" is not known'):
        ag.tensor(1.0, device="tpu")


def test_asking_for_a_gpu_says_what_is_missing():
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(DeviceError, match=r"needs CuPy.*pip install"):
            ag.tensor(1.0, device="cuda")


def test_representations():
    x = ag.tensor([1.0], requires_grad=True, name="image")
    assert repr(x) == "tensor([1.], name='image', requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], from=multiply)"
    assert repr(ag.tensor(np.float64(1))) == "tensor(1., dtype=float64)"


def test_copies_are_deep_and_pickles_are_refused():
    x = ag.tensor([1.0], requires_grad=True)
    y = copy.deepcopy(x)
    y.assign([5.0])
    assert x.tolist() == [1.0] and y.requires_grad
    with pytest.raises(TapeError):
        copy.deepcopy(x * 2)
    with pytest.raises(TypeError, match="safetensors"):
        pickle.dumps(x)


def test_tensors_hash_by_identity_and_compare_by_value():
    x, y = ag.tensor([1.0, 2.0]), ag.tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False]
    assert (x < y).tolist() == [False, True]
    assert len({x, y, x}) == 2
