"""One forward pass, three backward passes: the derivative, deconvnet and guided backprop."""

import numpy as np

import autograd_cnn as ag

rng = np.random.default_rng(0)
image = ag.tensor(rng.normal(size=(1, 1, 6, 6)), requires_grad=True)
first = ag.tensor(rng.normal(size=(4, 1, 3, 3)))
second = ag.tensor(rng.normal(size=(3, 4, 3, 3)))

hidden = ag.max_pool2d(ag.relu(ag.conv2d(image, first, padding=1)), 2)
score = ag.sum(ag.relu(ag.conv2d(hidden, second, padding=1))[:, 2])

for rules in (None, "deconvnet", "guided"):
    with ag.override(rules):
        gradient = ag.gradients(score, image)
    print(f"{rules or 'derivative':>10}: {float(ag.sum(ag.abs(gradient))):.4f}")
