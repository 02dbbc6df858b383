"""The benchmark's networks: the same weights give the same logits and gradients in PyTorch."""

from dataclasses import replace

import numpy as np
import pytest

import autograd_cnn as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
cases = pytest.importorskip("benchmarks.cnn_cases", reason="run from the repository's folder")

SMALL = {
    "lenet": (3, 1, 28, 28), "resnet20": (4, 3, 16, 16), "vgg": (2, 3, 32, 32),
    "resnet18": (2, 3, 64, 64),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_a_network_in_double_precision(name):
    from benchmarks.cnn_cases import _pytorch

    case = replace(cases.CASES[name], shape=SMALL[name])
    theirs, images, labels = _pytorch(case, "contiguous_format")
    loss = torch.nn.functional.cross_entropy(theirs.double()(images.double()), labels)
    loss.backward()
    ours = case.build(rng=0).to(np.float64)
    own = ag.cross_entropy(ours(ag.tensor(images.numpy().astype(float))), labels.numpy())
    own.backward()
    assert float(own) == pytest.approx(loss.item(), rel=1e-12)
    for (path, p), (other, q) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        scale = np.abs(q.grad.numpy()).max() + 1e-12
        assert path == other and np.abs(p.grad.numpy() - q.grad.numpy()).max() <= 1e-9 * scale, path
