"""DigitsNet: a small CNN for 8×8 handwritten digits."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..nn import init


class DigitsNet(nn.Module):
    """Two convolutions, the second dilated, and one linear layer: 1×8×8 images to 10 logits.

    conv 3×3 → batch norm → ReLU → max-pool 2 → dilated conv 3×3 → batch norm → ReLU → layer norm
    → dropout → linear. At dilation 2 the second kernel spans 5 of the 4×4 map, so that every
    unit before the classifier sees almost the whole digit with 9 weights a channel.

    Input N×1×8×8 within 0 … 1, output N×10. About 11,000 parameters.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn.models import DigitsNet
    >>> DigitsNet(rng=0).eval()(ag.tensor([[[[0.5] * 8] * 8]])).shape
    (1, 10)
    """

    def __init__(self, p: float = 0.4, rng: Any = None) -> None:
        super().__init__()
        rng = init.generator(rng)
        self.stem = nn.Sequential(
            conv=nn.Conv2d(1, 16, 3, padding=1, rng=rng),
            norm=nn.BatchNorm2d(16),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
        )
        self.dilated = nn.Sequential(
            conv=nn.Conv2d(16, 32, 3, padding=2, dilation=2, rng=rng),
            norm=nn.BatchNorm2d(32),
            relu=nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            flatten=nn.Flatten(),
            norm=nn.LayerNorm(32 * 4 * 4),
            dropout=nn.Dropout(p),
            linear=nn.Linear(32 * 4 * 4, 10, rng=rng),
        )

    def forward(self, x: Any) -> Any:
        return self.classifier(self.dilated(self.stem(x)))
