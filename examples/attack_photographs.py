"""From temple to flower: the least change of a photograph's patch that a CNN takes for the other.

Two photographs give patches of 32×32 pixels; the left three quarters train, the right quarter
tests. Each patch is then moved, as little as possible, to the other class. Writes a picture.
"""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import attacks, nn
from autograd_cnn.errors import require

NAMES, SIZE, STEP = ("temple", "flower"), 32, 16
SURE = 0.9


def patches(image, first, last):
    """Patches N×3×32×32 of the columns from `first` to `last`, parts of the width."""
    height, width = image.shape[:2]
    corners = [
        (i, j)
        for i in range(0, height - SIZE + 1, STEP)
        for j in range(int(first * width), int(last * width) - SIZE + 1, STEP)
    ]
    cut = np.stack([image[i : i + SIZE, j : j + SIZE] for i, j in corners])
    return (np.moveaxis(cut, -1, 1) / 255.0).astype(np.float32)


def photographs(first, last):
    images = require("sklearn.datasets", "demo").load_sample_images().images
    parts = [patches(image, first, last) for image in images]
    return np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts])


net = nn.Sequential(
    nn.Conv2d(3, 16, 5, stride=2, padding=2, rng=0), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1, rng=1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Flatten(), nn.Linear(2048, 2, rng=2),
)  # fmt: skip
ag.train.fit(net, photographs(0.0, 0.75), epochs=2, batch_size=64, progress=False)
x, labels = photographs(0.75, 1.0)
print(f"held-out patches read rightly: {100 * ag.train.evaluate(net, x, labels).accuracy:.1f} %")

# of each photograph the three patches with the most contrast among those read rightly
right = net(ag.tensor(x)).numpy().argmax(axis=1) == labels
contrast = np.where(right, x.std(axis=(1, 2, 3)), 0.0)
chosen = np.concatenate([np.argsort(-contrast * (labels == k))[:3] for k in (0, 1)])
criterion = attacks.Targeted(1 - labels[chosen]) & attacks.Confidence(SURE)
found = attacks.minimal(net, x[chosen], criterion, attacks.BIM(steps=20, step_size=0.15))
for label, distance in zip(labels[chosen], found.distance, strict=True):
    way = f"{NAMES[label]} → {NAMES[1 - label]}"
    print(f"{way}, {SURE:.0%} sure: no value changes by more than {distance:.4f}")
attacks.panel(net, x[chosen], found.images, NAMES).savefig("temple_and_flower.png")
