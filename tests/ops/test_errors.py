"""Bad input gets an error that shows the arithmetic, before any work is done."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import DeviceError, DTypeError, MissingDependencyError, ShapeError


def zeros(*shape, dtype=np.float32):
    return ag.tensor(np.zeros(shape, dtype))


@pytest.fixture(autouse=True)
def no_kernel_may_answer():
    """Whatever these calls do, no operation may have given an answer before the error."""

    class Watcher:
        def forward(self, primitive, inputs, attributes, ans, node):
            if primitive.name not in ("reshape", "getitem"):
                pytest.fail(f"{primitive.name} ran before the error")

    with ag.observe(Watcher()):
        yield


def test_an_empty_output_shows_the_formula():
    with pytest.raises(ShapeError) as caught:
        ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 11, 11))
    assert str(caught.value) == (
        "conv2d: input 3×8×8 with kernel 11, padding 0, dilation 1 has no output: "
        "(8 − 11)/1 + 1 = −2"
    )


CASES = {
    # convolution
    "conv: dilated kernel too long": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), dilation=5, stride=2, padding=1),
        ShapeError, "padding 1, dilation 5 has no output: (8 + 1 + 1 − ((3 − 1)·5 + 1))/2",
    ),
    "conv: one-sided padding": (
        lambda: ag.conv1d(zeros(1, 1, 3), zeros(1, 1, 6), padding=((0, 2),)),
        ShapeError, "padding 0+2, dilation 1 has no output: (3 + 0 + 2 − 6)/1 + 1 = 0",
    ),
    "conv: rank": (
        lambda: ag.conv2d(zeros(3, 8, 8), zeros(4, 3, 3, 3)),
        ShapeError, "input N×C×H×W must have 4 axes like the filters 4×3×3×3, got 3 axes: 3×8×8",
    ),
    "conv: rank of the filters": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3)),
        ShapeError, "filters must have 4 axes (out, in/groups, 2 spatial), got 3: 4×3×3",
    ),
    "conv: channels": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 2, 3, 3)),
        ShapeError, "1×3×8×8 has 3 channels, 3/1 group(s) = 3, but the filters 4×2×3×3 take 2",
    ),
    "conv: channels of a group": (
        lambda: ag.conv2d(zeros(1, 6, 8, 8), zeros(4, 6, 3, 3), groups=2),
        ShapeError, "has 6 channels, 6/2 group(s) = 3, but the filters 4×6×3×3 take 6",
    ),
    "conv: groups": (
        lambda: ag.conv2d(zeros(1, 6, 8, 8), zeros(4, 2, 3, 3), groups=3),
        ShapeError, "groups=3 must divide the 6 input channels and the 4 filters",
    ),
    "conv: no groups": (
        lambda: ag.conv2d(zeros(1, 6, 8, 8), zeros(4, 2, 3, 3), groups=0), ShapeError, "groups=0",
    ),
    "conv: bias": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), zeros(3)),
        ShapeError, "bias 3 for 4 output channels",
    ),
    "conv: images of whole numbers": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8, dtype=np.uint8), zeros(4, 3, 3, 3)),
        DTypeError, "conv2d needs floating-point numbers, got uint8",
    ),
    "conv: lists": (
        lambda: ag.conv1d([[[1.0, 2.0]]], zeros(1, 1, 1)), DTypeError, "not list",
    ),
    "conv: bias as a list": (
        lambda: ag.conv1d(zeros(1, 1, 2), zeros(1, 1, 1), [0.0]), DTypeError, "not list",
    ),
    "conv: stride 0": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), stride=(1, 0)),
        ShapeError, "stride=(1, 0) must be at least 1 on every axis",
    ),
    "conv: too many strides": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), stride=(1, 1, 1)),
        ShapeError, "stride=(1, 1, 1) has 3 entries",
    ),
    "conv: fractional dilation": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), dilation=(1.5, 1)),
        DTypeError, "dilation=(1.5, 1) must hold whole numbers",
    ),
    "conv: same with a stride": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), stride=2, padding="same"),
        ShapeError, 'padding="same" needs stride 1, got stride (2, 2)',
    ),
    "conv: unknown padding": (
        lambda: ag.conv2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3), padding="full"),
        ShapeError, 'padding="full"',
    ),
    "conv_transpose: channels": (
        lambda: ag.conv_transpose2d(zeros(1, 3, 8, 8), zeros(4, 3, 3, 3)),
        ShapeError, "input 1×3×8×8 with filters 4×3×3×3",
    ),
    "conv_transpose: empty": (
        lambda: ag.conv_transpose1d(zeros(1, 1, 2), zeros(1, 1, 2), padding=2),
        ShapeError, "has no output: (2 − 1)·1 − 2·2 + (2 − 1)·1 + 1 + 0 = −1",
    ),
    "conv_transpose: output padding": (
        lambda: ag.conv_transpose1d(zeros(1, 1, 2), zeros(1, 1, 2), stride=2, output_padding=2),
        ShapeError, "output_padding 2 must be below max(stride 2, dilation 1)",
    ),
    # pooling
    "pool: empty": (
        lambda: ag.max_pool2d(zeros(1, 3, 4, 4), 5),
        ShapeError, "input 3×4×4 with kernel 5, padding 0, dilation 1 has no output: "
        "(4 − 5)/5 + 1 = 0",
    ),
    "pool: padding": (
        lambda: ag.max_pool2d(zeros(1, 3, 4, 4), 3, padding=2),
        ShapeError, "padding 2 is more than half the window, 3/2 = 1.5",
    ),
    "pool: rank": (
        lambda: ag.avg_pool2d(zeros(3, 4, 4), 2), ShapeError, "4 axes (N, C and 2 spatial)",
    ),
    "unpool: shapes": (
        lambda: ag.max_unpool2d(zeros(1, 1, 2, 2), np.zeros((1, 1, 2, 3), int), 2),
        ShapeError, "input 1×1×2×2 but indices 1×1×2×3",
    ),
    "unpool: rank": (
        lambda: ag.max_unpool2d(zeros(2, 2), np.zeros((2, 2), int), 2), ShapeError, "N×C×H×W",
    ),
    "unpool: index": (
        lambda: ag.max_unpool2d(zeros(1, 1, 1, 1), np.full((1, 1, 1, 1), 4), 2),
        ShapeError, "index 4 outside the 2×2 plane",
    ),
    "adaptive: rank": (lambda: ag.adaptive_avg_pool2d(zeros(3, 4, 4), 2), ShapeError, "4 axes"),
    # normalisation
    "batch_norm: parameters": (
        lambda: ag.batch_norm(zeros(4, 3), weight=zeros(4), training=True),
        ShapeError, "weight is 4 for 3 channels of 4×3",
    ),
    "batch_norm: one value": (
        lambda: ag.batch_norm(zeros(1, 3), training=True), ShapeError, "1×3 has 1",
    ),
    "batch_norm: whole numbers": (
        lambda: ag.batch_norm(zeros(4, 3, dtype=int), training=True), DTypeError, "int64",
    ),
    "layer_norm: axes": (
        lambda: ag.layer_norm(zeros(4, 3), 4), ShapeError, "the last axes of 4×3 are not 4",
    ),
    "layer_norm: weight": (
        lambda: ag.layer_norm(zeros(4, 3), 3, zeros(4)), ShapeError, "weight is 4, not 3",
    ),
    "layer_norm: whole numbers": (
        lambda: ag.layer_norm(zeros(4, 3, dtype=int), 3), DTypeError, "int64",
    ),
    "group_norm: groups": (
        lambda: ag.group_norm(zeros(2, 4, 3), 3), ShapeError, "3 groups do not divide 4 channels",
    ),
    "dropout: probability": (lambda: ag.dropout(zeros(3), 1.5), ValueError, "p = 1.5 is not"),
    "dropout: whole numbers": (
        lambda: ag.dropout(zeros(3, dtype=int), 0.3), DTypeError, "dropout needs floating-point",
    ),
    # losses
    "label too large": (
        lambda: ag.cross_entropy(zeros(2, 3), [0, 3]),
        ValueError, "label 3 at place 1 is not within 0 … 2, the 3 classes of 2×3",
    ),
    "label negative": (
        lambda: ag.cross_entropy(zeros(2, 3), [-1, 0]), ValueError, "label -1 at place 0",
    ),
    "labels: number": (
        lambda: ag.cross_entropy(zeros(2, 3), [0, 1, 2]),
        ShapeError, "input 2×3 needs labels 2, got 3",
    ),
    "labels: fractions of another shape": (
        lambda: ag.cross_entropy(zeros(2, 3), [0.0, 1.0]),
        ShapeError, "probabilities 2 for input 2×3",
    ),
    "labels: truth values": (
        lambda: ag.cross_entropy(zeros(2, 3), [True, False]), DTypeError, "not bool",
    ),
    "loss: class weights": (
        lambda: ag.cross_entropy(zeros(2, 3), [0, 1], weight=[1.0, 2.0]),
        ShapeError, "weight 2 for 3 classes",
    ),
    "loss: smoothing": (
        lambda: ag.cross_entropy(zeros(2, 3), [0, 1], label_smoothing=1.1),
        ValueError, "label_smoothing 1.1 is not within [0, 1]",
    ),
    "loss: reduction": (
        lambda: ag.mse_loss(zeros(2), zeros(2), reduction="avg"), ValueError, '"avg" is not',
    ),
    "loss: nothing counted": (
        lambda: ag.cross_entropy(zeros(2, 3), [-100, -100]),
        ShapeError, "the mean over no counted sample (2 given)",
    ),
    "loss: whole numbers": (
        lambda: ag.cross_entropy(zeros(2, 3, dtype=int), [0, 1]), DTypeError, "int64",
    ),
    "loss: shapes": (
        lambda: ag.mse_loss(zeros(2, 3), zeros(3)), ShapeError, "input 2×3, target 3",
    ),
    # products
    "matmul": (
        lambda: zeros(2, 3) @ zeros(2, 3),
        ShapeError, "matmul: 2×3 times 2×3: the inner lengths 3 and 2 differ",
    ),
    "matmul of a scalar": (lambda: zeros(2, 3) @ zeros(), ShapeError, "with *"),
    "matmul of a list": (lambda: zeros(2, 3) @ [1.0, 2.0, 3.0], DTypeError, "not list"),
    "linear": (
        lambda: ag.linear(zeros(4, 3), zeros(5, 2)),
        ShapeError, "linear: input 4×3 ends in 3, weights 5×2 take 2",
    ),
    "linear: bias": (
        lambda: ag.linear(zeros(4, 3), zeros(5, 3), zeros(4)), ShapeError, "bias 4 for 5 outputs",
    ),
    "einsum: lengths": (
        lambda: ag.einsum("ij,jk->ik", zeros(2, 3), zeros(4, 5)),
        ShapeError, "einsum: index j is 3 and 4 long",
    ),
    "einsum: rank": (
        lambda: ag.einsum("ijk->i", zeros(2, 3)),
        ShapeError, "term ijk needs one index for each of the 2 axes of 2×3",
    ),
    "einsum: diagonal": (
        lambda: ag.einsum("ii->i", zeros(2, 3)), ShapeError, "index i is 2 and 3 long",
    ),
    "einsum: operands": (
        lambda: ag.einsum("ij,jk->ik", zeros(2, 3)), ShapeError, "2 terms for 1 operands",
    ),
    "einsum: output": (lambda: ag.einsum("ij->ik", zeros(2, 3)), ShapeError, "output ik of ij"),
    "einsum: ellipsis": (
        lambda: ag.einsum("...i->i", zeros(2, 3)), ShapeError, "output i lacks the ellipsis",
    ),
    "einsum: no axes for an ellipsis": (
        lambda: ag.einsum("ij...->i", zeros(2)), ShapeError, "no axes are left for the ellipsis",
    ),
    # shapes
    "reshape": (
        lambda: zeros(2, 3).reshape(4, 2), ShapeError, "reshape: 2×3 has 6 entries, 4×2 does not",
    ),
    "reshape with −1": (lambda: zeros(2, 3).reshape(4, -1), ShapeError, "2×3 has 6 entries"),
    "concatenate": (
        lambda: ag.concatenate([zeros(2, 3), zeros(3, 3)], axis=1),
        ShapeError, "concatenate along axis 1: 3×3 does not fit 2×3",
    ),
    "concatenate: nothing": (lambda: ag.concatenate([]), ShapeError, "at least one"),
    "concatenate: numbers": (lambda: ag.concatenate([1.0, 2.0]), DTypeError, "not float"),
    "stack": (lambda: ag.stack([zeros(2), zeros(3)]), ShapeError, "[(2,), (3,)]"),
    "split": (
        lambda: ag.split(zeros(7), 3), ShapeError, "7 entries along axis 0 do not divide into 3",
    ),
    "transpose": (lambda: zeros(2, 3).transpose(0, 0), ShapeError, "(0, 0) are not an order of 2"),
    "squeeze": (lambda: zeros(2, 1).squeeze(0), ShapeError, "axis 0 of 2×1 is not 1"),
    "broadcast_to": (
        lambda: ag.broadcast_to(zeros(2, 3), (2, 4)), ShapeError, "2×3 does not broadcast to 2×4",
    ),
    "pad": (lambda: ag.pad(zeros(2, 3), ((1, 1),)), ShapeError, "2×3 needs 2 pairs of widths"),
    "axis": (lambda: zeros(2, 3).sum(axis=2), ShapeError, "sum: axis 2 of a tensor with 2 axes"),
    "axis twice": (lambda: zeros(2, 3).sum(axis=(0, -2)), ShapeError, "names an axis twice"),
    "mean of nothing": (lambda: zeros(0, 3).mean(axis=0), ShapeError, "mean of nothing: 0×3"),
    "max of nothing": (lambda: zeros(0).max(), ShapeError, "max of nothing: 0"),
    "var": (
        lambda: zeros(3, 1).var(axis=1, ddof=1), ShapeError, "n − ddof = 1 − 1 = 0 is not positive",
    ),
    "reduction of a list": (lambda: ag.sum([zeros(), zeros()]), DTypeError, "not a list"),
    # broadcasting
    "addition": (
        lambda: zeros(2, 3) + zeros(2, 4),
        ShapeError, "add: 2×3 and 2×4 do not broadcast: axis −1 is 3 and 4 long",
    ),
    "addition to an array": (
        lambda: np.zeros((2, 3)) + zeros(2), ShapeError, "add: 2×3 and 2 do not broadcast",
    ),
    "maximum": (lambda: ag.maximum(zeros(3, 1), zeros(2, 4)), ShapeError, "axis −2 is 3 and 2"),
    "comparison": (lambda: zeros(3) < zeros(2), ShapeError, "less: 3 and 2 do not broadcast"),
    "where": (
        lambda: ag.where(np.ones(2, bool), zeros(3), 0.0), ShapeError, "where: 2 and 3 and scalar",
    ),
    # indexing
    "set": (
        lambda: zeros(2, 3).at[0].set([1.0, 2.0]),
        ShapeError, "a value of 2 does not broadcast to the 3 entries at the index of 2×3",
    ),
    "add at": (lambda: zeros(2, 3).at[0].add(zeros(2)), ShapeError, "a value of 2 does not"),
    "index": (lambda: zeros(2, 3)[2], IndexError, "index 2 is out of bounds"),
    "too many indices": (lambda: zeros(2, 3)[0, 0, 0], IndexError, "too many indices"),
    # types and devices
    "text": (lambda: ag.tensor(["a"]), DTypeError, "a tensor holds numbers"),
    "gradient of whole numbers": (
        lambda: ag.tensor([1], requires_grad=True), DTypeError, "this one is int64",
    ),
    "unknown dtype or device": (lambda: zeros(2).to("tpu"), DTypeError, '"cpu", "cuda" and'),
    "unknown device": (lambda: ag.tensor([1.0], device="tpu"), DeviceError, '"tpu" is not known'),
    "clip": (lambda: ag.clip(zeros(2), 1, 0), ValueError, "low = 1 is above high = 0"),
    "several values as one": (lambda: float(zeros(2)), ShapeError, "this tensor has 2"),
}  # fmt: skip


@pytest.mark.parametrize("call, kind, message", CASES.values(), ids=CASES)
def test_the_error_says_what_does_not_fit(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


def test_a_gpu_without_its_library_is_named():
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises((DeviceError, MissingDependencyError), match="pip install"):
            ag.tensor([1.0], device="cuda")
    else:
        pytest.skip("CuPy is installed here")
