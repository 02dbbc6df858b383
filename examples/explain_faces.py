"""Face or not: a network with global average pooling, and class activation maps on photographs."""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import explain, nn, optim
from autograd_cnn.explain.display import figure

SIZE = 25


def standardised(images):
    """Each image with mean 0 and variance 1: brightness and contrast say nothing."""
    mean, std = (f(images, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    return (images - mean) / (std + 0.05)


def patches_without_faces(names, count, rng):
    """Random patches of photographs, at random scales."""
    found = []
    for name in names:
        for scale in (48, 80, 128):
            image = ag.data.photograph(name, (scale, scale)).mean(axis=0)
            for i, j in rng.integers(0, scale - SIZE + 1, (count, 2)):
                found.append(image[i : i + SIZE, j : j + SIZE])
    return np.stack(found)[:, None]


rng = np.random.default_rng(0)
train, test = ag.data.faces()
others = patches_without_faces(("coffee", "rocket", "brick", "grass"), 50, rng)
faces = train.x[train.y == 1]
faces = np.concatenate([faces, faces[..., ::-1]] * 3)
moved = np.pad(faces, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
faces = np.stack([one[:, i : i + SIZE, j : j + SIZE] for one, (i, j) in
                  zip(moved, rng.integers(0, 5, (len(faces), 2)), strict=True)])  # fmt: skip
x = np.concatenate([faces, train.x[train.y == 0], others]).astype(np.float32)
y = np.repeat([1, 0], [len(faces), len(x) - len(faces)])
x = standardised(x)
x *= rng.uniform(0.5, 1.5, (len(x), 1, 1, 1)).astype(np.float32)  # any contrast
x += rng.normal(0, 0.5, (len(x), 1, 1, 1)).astype(np.float32)  # and any brightness

model = nn.Sequential(
    conv1=nn.Conv2d(1, 12, 5, padding=2, rng=1),
    norm1=nn.BatchNorm2d(12),
    relu1=nn.ReLU(),
    pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(12, 24, 3, padding=1, rng=2),
    norm2=nn.BatchNorm2d(24),
    relu2=nn.ReLU(),
    pool2=nn.MaxPool2d(2),
    conv3=nn.Conv2d(24, 32, 5, padding=2, rng=3),
    relu3=nn.ReLU(),
    gap=nn.GlobalAvgPool(),
    linear=nn.Linear(32, 2, rng=4),
)
optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
ag.train.fit(model, (x, y), epochs=10, batch_size=32, optimizer=optimizer, progress=False)
accuracy = ag.train.evaluate(model, standardised(test.x), test.y).accuracy
print(f"held-out patches recognised: {accuracy:.0%}")

# the network takes images of any size; in a collage of held-out patches the answer is known
chosen = rng.permutation(len(test.x))[:15]
patches = standardised(test.x[chosen])[:, 0]
collage = patches.reshape(3, 5, SIZE, SIZE).swapaxes(1, 2).reshape(3 * SIZE, 5 * SIZE)
is_face = np.kron(test.y[chosen].reshape(3, 5), np.ones((SIZE, SIZE)))
photograph = ag.data.photograph("astronaut", (120, 120))[:, :70, 12:]
astronaut = standardised(photograph.mean(axis=0, dtype=np.float32)[None, None])

cam = explain.CAM(model, "relu3", relu=True)
of_collage = cam.attribute(collage[None, None], 1).numpy()[0, 0]
of_astronaut = cam.attribute(astronaut, 1).numpy()[0, 0]
inside = of_collage[is_face == 1].sum() / of_collage.sum()
print(f"mass of the map on faces: {inside:.0%}, where they are {is_face.mean():.0%} of the collage")

page = figure(7.2, 4.2)
axes = page.subplots(2, 2, width_ratios=(5 / 3, 1.55))
explain.picture(collage, "held-out patches, faces among them", axes[0, 0])
explain.show(of_collage, collage, "CAM: what speaks for “face”", axes[1, 0])
explain.picture(photograph, "a photograph", axes[0, 1])
explain.show(of_astronaut, astronaut, "CAM", axes[1, 1])
page.savefig("faces.png")
