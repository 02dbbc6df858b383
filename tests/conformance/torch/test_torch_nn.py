"""Layers, state dictionaries and whole networks against PyTorch, with its own weights loaded."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.models import BasicBlock, LeNet5, resnet20

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")

IMAGE = (2, 6, 7, 8)
LAYERS = [
    ("Linear", (5, 3), {}, (4, 5)),
    ("Linear", (5, 3, False), {}, (2, 4, 5)),
    ("Conv1d", (6, 4, 3), {"stride": 2, "padding": 1}, (2, 6, 9)),
    ("Conv2d", (6, 4, (3, 2)), {"padding": (2, 1), "dilation": 2, "groups": 2}, IMAGE),
    ("Conv2d", (6, 4, 3), {"padding": "same", "bias": False}, IMAGE),
    ("Conv3d", (2, 3, 2), {"stride": (1, 2, 1)}, (1, 2, 4, 5, 4)),
    ("ConvTranspose1d", (6, 4, 3), {"stride": 2, "output_padding": 1}, (2, 6, 5)),
    ("ConvTranspose2d", (6, 4, 3, 2, 1, 1, 2), {}, IMAGE),
    ("ConvTranspose3d", (2, 3, 2), {"stride": 2}, (1, 2, 3, 2, 3)),
    ("BatchNorm1d", (6,), {}, (5, 6)),
    ("BatchNorm1d", (6,), {"affine": False}, (5, 6, 4)),
    ("BatchNorm2d", (6,), {"momentum": 0.3, "eps": 1e-3}, IMAGE),
    ("BatchNorm2d", (6,), {"momentum": None}, IMAGE),
    ("BatchNorm2d", (6,), {"track_running_stats": False}, IMAGE),
    ("BatchNorm3d", (2,), {}, (2, 2, 3, 2, 3)),
    ("LayerNorm", ((7, 8),), {}, IMAGE),
    ("LayerNorm", (8,), {"bias": False}, IMAGE),
    ("GroupNorm", (3, 6), {}, IMAGE),
    ("LocalResponseNorm", (3,), {"alpha": 0.5, "k": 2.0}, IMAGE),
    ("LocalResponseNorm", (4,), {"alpha": 0.5}, IMAGE),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1}, (2, 3, 9)),
    ("MaxPool2d", (3, 2, 1), {"dilation": 2}, IMAGE),
    ("MaxPool2d", (2,), {"ceil_mode": True}, IMAGE),
    ("MaxPool3d", (2,), {}, (1, 2, 4, 4, 5)),
    ("AvgPool1d", (3,), {"padding": 1}, (2, 3, 9)),
    ("AvgPool2d", (3, 2, 1), {"count_include_pad": False}, IMAGE),
    ("AvgPool3d", (2,), {}, (1, 2, 4, 4, 5)),
    ("AdaptiveAvgPool2d", ((3, 4),), {}, IMAGE),
    ("ReLU", (True,), {}, IMAGE),
    ("LeakyReLU", (0.2,), {}, IMAGE),
    ("ELU", (0.7,), {}, IMAGE),
    ("SELU", (), {}, IMAGE),
    ("GELU", (), {}, IMAGE),
    ("Sigmoid", (), {}, IMAGE),
    ("Tanh", (), {}, IMAGE),
    ("Softplus", (2.0,), {}, IMAGE),
    ("Softmax", (1,), {}, IMAGE),
    ("LogSoftmax", (1,), {}, IMAGE),
    ("Flatten", (), {}, IMAGE),
    ("Flatten", (0, 2), {}, IMAGE),
    ("Identity", (), {}, IMAGE),
    ("InstanceNorm1d", (3,), {"affine": True}, (2, 3, 5)),
    ("InstanceNorm2d", (6,), {"eps": 1e-3}, IMAGE),
    ("InstanceNorm3d", (2,), {"affine": True}, (2, 2, 3, 2, 3)),
    ("RMSNorm", (8,), {}, IMAGE),
    ("RMSNorm", ((7, 8), 1e-3, False), {}, IMAGE),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveAvgPool3d", ((2, 1, 2),), {}, (1, 2, 4, 4, 5)),
    ("AdaptiveMaxPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveMaxPool2d", ((3, 4),), {}, IMAGE),
    ("AdaptiveMaxPool3d", (2,), {}, (1, 2, 4, 4, 5)),
    ("LPPool1d", (2, 3), {"stride": 2}, (2, 3, 9)),
    ("LPPool2d", (4, 2), {}, IMAGE),
    ("LPPool3d", (2, 2), {}, (1, 2, 4, 4, 5)),
    ("Hardswish", (), {}, IMAGE),
    ("Hardtanh", (-0.5, 2.0), {}, IMAGE),
    ("LogSigmoid", (), {}, IMAGE),
    ("Mish", (), {}, IMAGE),
    ("PReLU", (), {}, IMAGE),
    ("PReLU", (6,), {"init": 0.1}, IMAGE),
    ("ReLU6", (), {}, IMAGE),
    ("SiLU", (), {}, IMAGE),
    ("Unfold", (3,), {"stride": 2, "padding": 1}, IMAGE),
    ("Fold", ((5, 4), 2), {}, (2, 8, 12)),
    ("Upsample", (), {"scale_factor": 2.0, "mode": "bilinear"}, IMAGE),
    ("Upsample", ((3, 9),), {"mode": "bilinear", "align_corners": True}, IMAGE),
    *((f"{kind}Pad{ndim}d", (tuple(range(2, 2 + 2 * ndim))[::-1],), {}, (1, 2, 9, 9, 9)[: ndim + 2])
      for kind in ("Zero", "Reflection", "Replication", "Circular") for ndim in (1, 2, 3)),
    ("ConstantPad1d", (1, 2.5), {}, (2, 3, 7)),
    ("ConstantPad2d", ((0, 1, 2, 3), 2.5), {}, IMAGE),
    ("ConstantPad3d", (2, -1.0), {}, (1, 1, 2, 2, 2)),
    ("Conv1d", (3, 2, 3), {"padding": 2, "padding_mode": "reflect"}, (2, 3, 7)),
    ("Conv2d", (6, 4, 3), {"padding": "same", "padding_mode": "circular", "dilation": 2}, IMAGE),
    ("Conv2d", (6, 4, 2, 2), {"padding": (1, 2), "padding_mode": "replicate"}, IMAGE),
    ("Conv3d", (2, 3, 2), {"padding": 1, "padding_mode": "circular"}, (1, 2, 3, 2, 4)),
]  # fmt: skip
ELSEWHERE = {
    "Dropout": "its mask is random: tests/conformance/torch/test_torch_elementwise.py",
    "Dropout2d": "its mask is random: tests/conformance/torch/test_torch_elementwise.py",
    "Module": "the base of all layers",
    "ModuleList": "a container",
    "Parameter": "a tensor",
    "Sequential": "a container: test_a_sequence_prints_as_in_pytorch",
    "init": "no layer",
}
"""What has a namesake in PyTorch and is not compared as a layer, and why."""
REPR = [case for case in LAYERS if case[0] not in ("Softplus", "ReLU")]
named = lambda case: f"{case[0]}-{case[1]}-{case[2]}"


def pair(name, args, options):
    """Our layer and PyTorch's, in double precision, with PyTorch's weights."""
    theirs = getattr(torch.nn, name)(*args, **options).double()
    ours = getattr(nn, name)(*args, **options).to("float64")
    with torch.no_grad():
        for parameter in theirs.parameters():  # batch norm starts at 1 and 0: too tame
            parameter.add_(torch.randn_like(parameter) * 0.1)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def assert_close(ours, theirs, tolerance=1e-11):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    scale = max(1.0, np.abs(theirs).max(initial=0.0))
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("case", LAYERS, ids=named)
@pytest.mark.parametrize("training", [True, False])
def test_a_layer_agrees_with_its_namesake(case, training):
    name, args, options, shape = case
    torch.manual_seed(0)
    ours, theirs = pair(name, args, options)
    ours.train(training), theirs.train(training)
    rng = np.random.default_rng(1)
    for _ in range(2):  # twice: running statistics move
        x = rng.standard_normal(shape)
        mine = ag.tensor(x, requires_grad=True)
        other = torch.from_numpy(x).requires_grad_()
        # PyTorch may write into the input of ReLU(inplace=True)
        y, wanted = ours(mine), theirs(other.clone())
        assert_close(y, wanted)
        cotangent = rng.standard_normal(y.shape)
        y.backward(cotangent)
        wanted.backward(torch.from_numpy(cotangent))
        assert_close(mine.grad, other.grad)
    for parameter, wanted in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(parameter.grad, wanted.grad)
    for key, value in theirs.state_dict().items():
        assert_close(ours.state_dict()[key], value)


@pytest.mark.parametrize("case", REPR, ids=named)
def test_a_layer_prints_as_its_namesake(case):
    name, args, options, _ = case
    assert repr(getattr(nn, name)(*args, **options)) == repr(
        getattr(torch.nn, name)(*args, **options)
    )


def test_a_sequence_prints_as_in_pytorch():
    build = lambda library: library.Sequential(
        library.Sequential(library.Conv2d(1, 2, 3), library.Tanh()), library.Linear(2, 2)
    )
    assert repr(build(nn)) == repr(build(torch.nn))


LOSS_CASES = [
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "weight": [0.5, 1.0, 2.0]}, "labels"),
    ("CrossEntropyLoss", {"ignore_index": 1, "reduction": "sum"}, "labels"),
    ("NLLLoss", {"weight": [0.5, 1.0, 2.0]}, "labels"),
    ("MSELoss", {"reduction": "none"}, "numbers"),
    ("BCEWithLogitsLoss", {}, "fractions"),
    ("HuberLoss", {"delta": 0.5}, "numbers"),
    ("SmoothL1Loss", {"beta": 0.5, "reduction": "sum"}, "numbers"),
    ("KLDivLoss", {"reduction": "batchmean"}, "fractions"),
    ("MultiMarginLoss", {"p": 2, "weight": [0.5, 1.0, 2.0]}, "labels"),
]
LOSSES = {case[0] for case in LOSS_CASES}


@pytest.mark.parametrize("name, options, target", LOSS_CASES)
def test_a_loss_agrees_with_its_namesake(name, options, target):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3))
    y = {"labels": np.array([0, 1, 2, 1, 0]), "numbers": rng.standard_normal((5, 3)),
         "fractions": rng.random((5, 3))}[target]  # fmt: skip
    lifted = {k: torch.tensor(v).double() if k == "weight" else v for k, v in options.items()}
    mine, other = ag.tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**lifted)
    value, wanted = ours(mine, y), theirs(other, torch.from_numpy(y))
    assert_close(value, wanted)
    value.sum().backward(), wanted.sum().backward()
    assert_close(mine.grad, other.grad)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_unpooling_layers_agree_with_their_namesakes(ndim):
    x = np.random.default_rng(0).standard_normal((2, 3, *(7, 6, 4)[:ndim]))
    results = []
    for library, tensor in ((nn, ag.tensor(x)), (torch.nn, torch.from_numpy(x))):
        y, places = getattr(library, f"MaxPool{ndim}d")(2, return_indices=True)(tensor)
        layer = getattr(library, f"MaxUnpool{ndim}d")(2)
        results.append((layer, layer(y, places, output_size=x.shape)))
    (ours, found), (theirs, wanted) = results
    assert_close(found, wanted)
    assert repr(ours) == repr(theirs)


def test_every_layer_with_a_namesake_is_compared():
    shared = {name for name in nn.__all__ if hasattr(torch.nn, name)}
    losses = {name for name in shared if name.endswith("Loss")}
    assert losses <= set(LOSSES)
    unpooling = {f"MaxUnpool{ndim}d" for ndim in (1, 2, 3)}
    assert shared - losses - unpooling - {case[0] for case in LAYERS} == set(ELSEWHERE)


class TorchLeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1 = torch.nn.Linear(400, 120)
        self.fc2 = torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, 10)

    def forward(self, x):
        x = torch.nn.functional.avg_pool2d(self.conv1(x).tanh(), 2)
        x = torch.nn.functional.avg_pool2d(self.conv2(x).tanh(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).tanh()).tanh())


class TorchBlock(torch.nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)
        self.extra, self.stride = channels - inputs, stride

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        x = x[:, :, :: self.stride, :: self.stride]
        return (y + torch.nn.functional.pad(x, (0, 0, 0, 0, 0, self.extra))).relu()


class TorchResNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        stage = lambda inputs, channels, stride: torch.nn.Sequential(
            TorchBlock(inputs, channels, stride),
            TorchBlock(channels, channels, 1),
            TorchBlock(channels, channels, 1),
        )
        self.conv1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.fc = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize(
    "ours, theirs, shape",
    [(LeNet5, TorchLeNet, (3, 1, 28, 28)), (resnet20, TorchResNet, (2, 3, 32, 32))],
    ids=["LeNet-5", "ResNet-20"],
)
def test_a_network_with_pytorchs_weights_gives_pytorchs_logits_and_gradients(ours, theirs, shape):
    torch.manual_seed(0)
    ours, theirs = ours(), theirs()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.double(), ours.to("float64")
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal(shape)
    labels = np.arange(len(x))
    y, wanted = ours(ag.tensor(x)), theirs(torch.from_numpy(x))
    assert_close(y, wanted, 1e-10)
    ag.cross_entropy(y, labels).backward()
    torch.nn.functional.cross_entropy(wanted, torch.from_numpy(labels)).backward()
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(parameter.grad, other.grad, 1e-9)
    ours.eval(), theirs.eval()
    assert_close(ours(ag.tensor(x)), theirs(torch.from_numpy(x)), 1e-10)


def test_a_block_with_a_given_shortcut_has_torchvisions_names():
    shortcut = nn.Sequential(nn.Conv2d(4, 8, 1, 2, bias=False), nn.BatchNorm2d(8))
    names = [name for name, _ in BasicBlock(4, 8, 2, shortcut).named_parameters()]
    assert names == [
        "conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias",
        "downsample.0.weight", "downsample.1.weight", "downsample.1.bias",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name, args",
    [("Linear", (300, 200)), ("Conv2d", (64, 50, 3)), ("ConvTranspose2d", (40, 60, 3))],
)
def test_layers_start_with_pytorchs_distribution(name, args):
    """Uniform: two samples from one uniform law have the same range and variance."""
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args, rng=0), getattr(torch.nn, name)(*args)
    a, b = ours.weight.numpy(), theirs.weight.detach().numpy()
    assert abs(a).max() == pytest.approx(abs(b).max(), rel=1e-3)
    assert a.var() == pytest.approx(b.var(), rel=0.03)
    bound = abs(b).max() * 1.001
    assert 0.8 * bound < abs(ours.bias.numpy()).max() <= bound
    assert 0.8 * bound < abs(theirs.bias.detach().numpy()).max() <= bound
