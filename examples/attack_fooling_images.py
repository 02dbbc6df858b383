"""Ten images of nothing, and a CNN is more than 99.99 % sure of each digit; three pictures."""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import attacks, optim

train, test = ag.data.digits(seed=0)
shifted = np.concatenate([np.roll(train.x, shift, 3) for shift in (-1, 0, 1)])
net = ag.models.DigitsNet(rng=0)
optimizer = optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-2)
data = shifted, np.tile(train.y, 3)
ag.train.fit(net, data, epochs=6, batch_size=64, optimizer=optimizer, progress=False)
print(f"held-out digits read rightly: {100 * ag.train.evaluate(net, *test).accuracy:.1f} %")

for encoding in ("gradient", "direct", "cppn"):
    found = attacks.fooling_images(net, (1, 8, 8), 10, encoding)
    sure = ag.softmax(net(found.raw), 1).numpy()[np.arange(10), np.arange(10)]
    count, least = found.is_adv.sum(), 100 * sure.min()
    print(f"{encoding:>8}: {count} of 10 digits, least confidence {least:.4f} %")
    attacks.image_grid(net, found.raw).savefig(f"fooling_{encoding}.png")
