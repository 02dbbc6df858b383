"""Counts, bytes, memory, time and what a watch sees, against numbers known from elsewhere."""

import gc
import math
import tracemalloc

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.graphs import Watch, live_bytes, peak_bytes


def image(*shape):
    return np.zeros(shape, np.float32)


def test_the_first_layer_of_alexnet():
    conv = nn.Conv2d(3, 96, 11, stride=4, rng=0)
    node = ag.graph(conv, image(1, 3, 227, 227)).nodes[-1]
    assert node.shape == (1, 96, 55, 55) and math.prod(node.shape) == 290_400
    assert sum(p.count for p in node.parameters) == 34_944
    assert node.multiplications == 290_400 * 363
    # with weights of their own at every position: 290,400 · (363 + 1) parameters
    assert 290_400 * 364 == node.multiplications + 290_400


class Inception(nn.Module):
    """1×1, 3×3 and 5×5 on 28×28×256; with `narrow` channels in between, and a pooled branch."""

    def __init__(self, narrow=None):
        super().__init__()
        channels = narrow or 256
        self.one = nn.Conv2d(256, 128, 1, bias=False, rng=0)
        self.three = nn.Conv2d(channels, 192, 3, padding=1, bias=False, rng=0)
        self.five = nn.Conv2d(channels, 96, 5, padding=2, bias=False, rng=0)
        if narrow:
            self.before = nn.ModuleList(
                [nn.Conv2d(256, narrow, 1, bias=False, rng=0) for _ in range(3)]
            )

    def forward(self, x):
        three = five = x
        branches = [self.one(x)]
        if hasattr(self, "before"):
            three, five, pooled = (layer(y) for layer, y in zip(
                self.before, (x, x, ag.max_pool2d(x, 3, 1, 1)), strict=True))  # fmt: skip
            branches.append(pooled)
        return ag.concatenate([*branches, self.three(three), self.five(five)], 1)


@pytest.mark.parametrize(("narrow", "count"), [(None, 854_196_224), (64, 271_351_808)])
def test_multiplications_of_inception(narrow, count):
    g = ag.graph(Inception(narrow), image(1, 256, 28, 28))
    assert g.multiplications == count
    assert g.nodes[-1].receptive_field.size == (5, 5)


def test_what_is_kept_counts_once_and_where_it_is_kept_first():
    x = ag.tensor(image(4, 10), requires_grad=True)
    weights = [ag.tensor(image(*shape), requires_grad=True) for shape in ((10, 100), (1, 3))]
    h = ag.relu(x @ weights[0])
    g = ag.graph(ag.reshape(h, (400, 1)) @ weights[1])
    kept = {node.name: node.kept_bytes for node in g.nodes if not node.is_input}
    # the product keeps its inputs (they live anyway); relu its answer, which the reshaped one is
    assert g.kept_bytes == kept["relu"] == 4 * 100 * 4
    assert [n.name for n in g.nodes if n.output_kept and not n.is_input] == ["relu"]


def mlp():
    random = np.random.default_rng(0)
    weights = [random.standard_normal((256, 256)).astype(np.float32) * 0.1 for _ in range(6)]
    parameters = [ag.tensor(w, requires_grad=True) for w in weights]
    x = ag.tensor(random.standard_normal((2000, 256)).astype(np.float32))

    def run(x=x):
        for w in parameters:
            x = x @ w
            x = ag.exp(x)
            x = ag.tanh(x)
        return x

    return run


def measured_bytes(run):
    """(alive afterwards, most alive at once) of what `run` allocates."""
    gc.collect()
    tracemalloc.start()
    try:
        result = run()
        return (*tracemalloc.get_traced_memory(), result)[:2]
    finally:
        tracemalloc.stop()


def test_peaks_are_those_of_a_memory_profiler():
    run = mlp()
    run()
    g = ag.graph(run())
    alive, most = measured_bytes(run)
    assert live_bytes(g, taped=True)[-1] == pytest.approx(alive, rel=0.01)
    assert peak_bytes(g, taped=True) == pytest.approx(most, rel=0.01)
    with ag.no_grad():
        most = measured_bytes(run)[1]
    assert peak_bytes(g) == pytest.approx(most, rel=0.01)


def test_a_watch_sees_time_statistics_and_the_first_nan():
    x = ag.tensor([1.0, 0.0, -1.0], requires_grad=True, name="x")
    with Watch() as watch, np.errstate(all="ignore"):
        y = ag.sum(ag.exp(ag.log(ag.abs(x))) * ag.log(x - 1.0))
    g = ag.graph(y, watch=watch)
    first = g.first_nonfinite()
    assert first.name == "log" and first.statistics.nonfinite == 1  # log 0; log(x − 1) comes later
    assert (g.nodes[0].statistics.minimum, g.nodes[0].statistics.zeros) == (-1.0, 1)
    assert g.nodes[0].statistics.mean == 0.0
    assert g.nodes[0].statistics.std == pytest.approx((2 / 3) ** 0.5)
    assert all(node.seconds >= 0.0 for node in g.nodes if not node.is_input)
    assert ag.graph(y).first_nonfinite() is None  # nobody watched


def test_a_bad_parameter_is_found():
    layer = nn.Linear(2, 2, rng=0)
    layer.bias.assign(np.array([0.0, np.nan], np.float32))
    g = ag.graph(layer, np.ones((1, 2), np.float32), watch=True)
    assert [p.nonfinite for p in g.nodes[-1].parameters] == [0, 1]
    assert g.first_nonfinite().name == "linear"


def test_time_is_that_of_the_operation():
    small, large = np.ones((2, 2), np.float32), np.ones((900, 900), np.float32)
    x = ag.tensor(small, requires_grad=True), ag.tensor(large, requires_grad=True)
    with Watch() as watch:
        y = ag.sum(x[0] @ x[0]) + ag.sum(x[1] @ x[1])
    times = [n.seconds for n in ag.graph(y, watch=watch).nodes if n.name == "matmul"]
    assert times[1] > 3 * times[0]


def test_maps_are_pictures_of_the_first_image(tmp_path):
    matplotlib = pytest.importorskip("matplotlib.image")
    x = np.zeros((2, 3, 40, 30))
    x[0, 1, :20] = 1.0
    x[0, 2] = np.nan
    g = ag.graph(lambda x: ag.relu(x), x, watch=Watch(maps=6))
    assert len(g.nodes[1].maps) == 3
    for name, data in zip("abc", g.nodes[1].maps, strict=True):
        (tmp_path / f"{name}.png").write_bytes(data)
    dark, half, bad = (matplotlib.imread(tmp_path / f"{name}.png") for name in "abc")
    assert half.shape == (20, 15)
    assert (half[:10] == 1).all() and (half[10:] == 0).all()
    assert (dark == 0).all() and (bad == 0).all()


def test_rows_of_a_summary_add_up(network):
    loss = network.loss()
    g = ag.graph(loss)
    summary = g.summary()
    tops = [row for row in summary.rows if row.depth == 0]
    assert [(r.name, r.kind) for r in tops] == [
        ("stem", "Sequential"), ("block", "Residual"), ("head", "Head"), ("", "cross_entropy"),
    ]  # fmt: skip
    assert sum(row.parameters for row in tops) == summary.parameters == g.parameter_count
    assert sum(row.multiplications for row in tops) == summary.multiplications
    assert sum(row.kept_bytes for row in tops) == summary.kept_bytes
    assert len(g.summary(depth=1).rows) == 4
    lines = str(summary).splitlines()
    assert len({len(line) for line in lines[:3]}) == 1
    assert "├─ Conv2d: conv" in str(summary) and "Parameters: 906" in str(summary)


def test_a_summary_in_rich(network):
    rich = pytest.importorskip("rich.console")
    console = rich.Console(width=140, file=None, record=True, quiet=True)
    loss = network.loss()
    console.quiet = False
    with console.capture() as capture:
        console.print(ag.graph(loss).summary())
    assert "Conv2d: conv" in capture.get() and "906" in capture.get()


def test_fixed_statistics_are_counted_apart():
    """The small digits network with batch norm: 36,314 entries, running statistics counted."""

    def block(i, o):
        return [nn.Conv2d(i, o, 3, padding=1, rng=0), nn.BatchNorm2d(o), nn.ReLU()]

    net = nn.Sequential(
        *block(1, 8), *block(8, 8), nn.MaxPool2d(2), *block(8, 16), *block(16, 16),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(784, 40, rng=0), nn.BatchNorm1d(40), nn.ReLU(),
        nn.Linear(40, 10, rng=0),
    ).eval()  # fmt: skip
    summary = ag.graph(net, image(1, 1, 28, 28)).summary()
    assert summary.parameters + summary.fixed == 36_314
    assert summary.fixed == 2 * (8 + 8 + 16 + 16 + 40)


def test_wrong_use_of_a_watch():
    with pytest.raises(ValueError, match="at least 0"):
        Watch(maps=-1)
    x = ag.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="pass the Watch"):
        ag.graph(ag.exp(x), watch=True)
