"""LeNet-5."""

from __future__ import annotations

from typing import Any

from .. import nn, ops
from ..nn.init import generator


class LeNet5(nn.Module):
    """LeNet-5 (LeCun et al. 1998): tanh and average pooling, on N×C×28×28 images.

    As is usual today the second convolution sees all channels, the pooling has no weights, and the
    output is linear: logits for cross-entropy. 61,706 parameters for one channel and ten classes.

    >>> import numpy as np, autograd_cnn as ag
    >>> model = ag.models.LeNet5(rng=0)
    >>> model(ag.tensor(np.zeros((2, 1, 28, 28), np.float32))).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, *, rng: Any = None) -> None:
        super().__init__()
        rng = generator(rng)
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=2, rng=rng)
        self.pool1 = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5, rng=rng)
        self.pool2 = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120, rng=rng)
        self.fc2 = nn.Linear(120, 84, rng=rng)
        self.fc3 = nn.Linear(84, num_classes, rng=rng)

    def forward(self, x: Any) -> Any:
        x = self.pool1(ops.tanh(self.conv1(x)))
        x = self.pool2(ops.tanh(self.conv2(x)))
        x = ops.flatten(x, 1)
        x = ops.tanh(self.fc1(x))
        x = ops.tanh(self.fc2(x))
        return self.fc3(x)
