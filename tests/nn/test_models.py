"""Networks of the literature: exact parameter counts, layers and shapes."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.models import resnet18, vgg_like


def weighted(model):
    return [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def test_vgg_like():
    model = vgg_like(rng=0)
    # 3·3·(3·64 + 64·64 + 64·128 + 128² + 128·256 + 256²) + 2(64 + 128 + 256) in convolutions
    convolutions = 9 * (192 + 4096 + 8192 + 16384 + 32768 + 65536) + 2 * (64 + 128 + 256)
    assert sum(p.size for p in model.features.parameters()) == convolutions == 1_145_408
    assert sum(p.size for p in model.parameters()) == convolutions + 4097 * 256 + 257 * 10
    assert len(weighted(model)) == 8
    assert model(ag.tensor(np.zeros((2, 3, 32, 32), np.float32))).shape == (2, 10)


def test_resnet18():
    model = resnet18(rng=0)
    assert sum(p.size for p in model.parameters()) == 11_689_512
    shortcuts = [m.downsample for m in model.modules() if getattr(m, "downsample", None)]
    assert len(weighted(model)) - len(shortcuts) == 18 and len(shortcuts) == 3
    assert sum(p.size for p in resnet18(10, rng=0).parameters()) == 11_689_512 - 513 * 990
    assert {"layer2.0.downsample.1.running_var", "bn1.num_batches_tracked"} < {*model.state_dict()}


@pytest.mark.parametrize("side, last", [(64, 2), (224, 7)])
def test_resnet18_ends_in_maps_a_32nd_of_the_image(side, last):
    model = resnet18(3, rng=0).eval()
    x = model.maxpool(ag.relu(model.bn1(model.conv1(ag.tensor(np.zeros((1, 3, side, side), "f"))))))
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = stage(x)
    assert x.shape == (1, 512, last, last)
