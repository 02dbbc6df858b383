"""A small network in the manner of VGG, for 32×32 images."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..nn.init import generator, he_normal

_CHANNELS = (64, 64, 128, 128, 256, 256)


class VGGLike(nn.Module):
    """Pairs of 3×3 convolutions, each pair followed by max pooling, then two linear layers.

    After Simonyan and Zisserman (2015), cut to 64, 64, M, 128, 128, M, 256, 256, M for N×C×32×32.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3, *, rng: Any = None) -> None:
        super().__init__()
        rng = generator(rng)
        layers: list[nn.Module] = []
        for place, channels in enumerate(_CHANNELS):
            conv = nn.Conv2d(in_channels, channels, 3, padding=1, rng=rng)
            he_normal(conv.weight, rng)
            layers += [conv, nn.ReLU()]
            if place % 2:
                layers.append(nn.MaxPool2d(2))
            in_channels = channels
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(256 * 4 * 4, 256, rng=rng),
            nn.ReLU(),
            nn.Linear(256, num_classes, rng=rng),
        )

    def forward(self, x: Any) -> Any:
        return self.classifier(self.features(x))


def vgg_like(num_classes: int = 10, in_channels: int = 3, *, rng: Any = None) -> VGGLike:
    """The network of six convolutions: 2,196,810 parameters for three channels and ten classes.

    >>> import autograd_cnn as ag
    >>> sum(p.size for p in ag.models.vgg_like(rng=0).parameters())
    2196810
    """
    return VGGLike(num_classes, in_channels, rng=rng)
