"""Every convolution, pooling, normalisation, loss and activation of the table against PyTorch.

The value, the first and the second derivative, in both precisions, of contiguous arrays and of
views, over drawn geometries. What is left out fails.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")

from torch_operations import EVERY  # noqa: E402

import autograd_cnn as ag  # noqa: E402

MODULES = ("activation", "columns", "conv", "losses", "norm", "parametrize", "pool", "subsample")
FAMILIES = ("activation", "loss", "normalisation")
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
"""Of the largest entry; the oracle computes in float64, from the same numbers."""

# a layout is how an array is stored, and how it is read from there: by us, by PyTorch
LAYOUTS = {
    "contiguous": (lambda a: a, lambda x: x, lambda x: x),
    "turned": (lambda a: a.T, ag.transpose, lambda x: turned(x).contiguous()),
    "every second": (lambda a: np.repeat(a, 2, -1), lambda x: x[..., ::2], lambda x: x[..., ::2]),
    "backwards": (lambda a: a[..., ::-1], lambda x: x[..., ::-1], lambda x: x.flip(-1)),
}


def turned(x):
    return x.permute(*reversed(range(x.ndim)))


def test_views_are_not_contiguous():
    x = ag.tensor(np.zeros((2, 3, 4)))
    assert [read(x)._data.flags.c_contiguous for _, read, _ in LAYOUTS.values()] == [
        True, False, False, False,
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=max(4, settings().max_examples // 6), deadline=None)
@given(data=st.data(), layout=st.sampled_from([*LAYOUTS]))
def test_value_and_two_derivatives(agree, name, dtype, data, layout):
    ours, theirs, arrays = EVERY[name](data)
    stored, read, read_there = LAYOUTS[layout]
    agree(
        lambda *a: bent(ours(*map(read, a))),
        lambda *a: bent(theirs(*map(read_there, a))),
        *(np.array(stored(a), dtype, order="C") for a in arrays),
        rtol=TOLERANCE[dtype],
    )


def bent(y):
    """So that the second derivative of a linear function is one of its rules too, and not 0."""
    return y * y + y


def test_every_function_is_compared():
    table = {name for name in ag.ops.__all__
             if getattr(ag.ops, name).__module__.rsplit(".", 1)[-1] in MODULES}  # fmt: skip
    assert table <= EVERY.keys()


class Names:
    """An observer of the primitives that run."""

    def __init__(self):
        self.seen = set()

    def forward(self, primitive, *rest):
        self.seen.add(primitive.name)


@pytest.fixture(scope="module")
def compared():
    """The primitives that the records come to, in the functions and in their derivatives."""
    names = Names()

    @settings(max_examples=3, deadline=None, derandomize=True, database=None)
    @given(data=st.data())
    def run(make, data):
        ours, _, arrays = make(data)
        tensors = [ag.tensor(array, requires_grad=True) for array in arrays]
        y = [bent(ours(*tensors))]
        for _ in range(2):  # recorded, so that its operations are watched
            y = ag.gradients(y, tensors, [np.ones(v.shape) for v in y], create_graph=True)

    with ag.observe(names):
        for make in EVERY.values():
            run(make)
    return names.seen


def test_every_primitive_is_compared(compared):
    """Of the table: those of the families, and all that convolve or pool."""
    wanted = {name for name, primitive in ag.TABLE.items()
              if primitive.family in FAMILIES or "conv" in name or "pool" in name}  # fmt: skip
    # the mask of dropout is random: its own test compares the share and the mean
    assert wanted - compared == {"dropout"}
