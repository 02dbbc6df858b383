"""Three textures: filters, feature maps, classes as images, and a dream on a photograph."""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import explain, nn, optim
from autograd_cnn.explain.display import figure


def standardised(images):
    """Each patch with mean 0 and variance 1: brightness and contrast say nothing."""
    mean, std = (f(images, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    return (images - mean) / (std + 0.05)


train, test = (ag.data.Split(standardised(x), y) for x, y in ag.data.textures(32, 200))
model = nn.Sequential(
    conv1=nn.Conv2d(1, 16, 5, padding=2, rng=1),
    relu1=nn.ReLU(),
    pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(16, 24, 5, padding=2, rng=2),
    relu2=nn.ReLU(),
    pool2=nn.MaxPool2d(2),
    conv3=nn.Conv2d(24, 32, 3, padding=1, rng=3),
    relu3=nn.ReLU(),
    gap=nn.GlobalAvgPool(),
    linear=nn.Linear(32, 3, rng=4),
)
optimizer = optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.3)
ag.train.fit(model, train, epochs=8, batch_size=30, optimizer=optimizer, progress=False)
names = ("brick", "grass", "gravel")
print(f"held-out halves recognised: {ag.train.evaluate(model, *test).accuracy:.0%}")

with ag.no_grad():
    predictions = model(ag.tensor(test.x)).numpy().argmax(axis=1)
classes = explain.class_model(
    model, np.repeat([0, 1, 2], 3), (9, 1, 32, 32), start="noise", l2=3e-3, steps=80, jitter=2.0,
    parametrisation="fourier",
).images  # fmt: skip
page = figure(7.2, 4.9)
axes = page.subplots(2, 3)
for ax, content, title in (
    (axes[0, 0], explain.tiles(test.x[[0, 1, 2, 50, 51, 52, 100, 101, 102]], 3), "test patches"),
    (axes[0, 1], explain.tiles(explain.filters(model, "conv1")[:, 0], 4), "16 filters, 5×5"),
    (axes[0, 2], explain.tiles(explain.activation(model, test.x[:1], "relu1").numpy()[0], 4),
     "their maps of the first brick"),
    (axes[1, 0], explain.tiles(classes, 3), "what each class looks like"),
):  # fmt: skip
    ax.imshow(content, interpolation="nearest")
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
explain.show_confusion(explain.confusion_matrix(test.y, predictions, 3), names, axes[1, 1])
points = explain.embed(model, test.x, "relu3", pooled=True)
explain.show_embedding(points, test.y, names, axes[1, 2]).set_title("PCA of relu3", fontsize=9)
page.savefig("textures.png")

photograph = ag.data.photograph("cat", (120, 180)).mean(axis=0)[None, None]
standard = (photograph - photograph.mean()) / photograph.std()
page = figure(7.2, 1.9)
axes = page.subplots(1, 3)
explain.picture(standard[0], "photograph", axes[0])
for ax, layer, title in (
    (axes[1], "relu2", "dream of relu2"),
    (axes[2], explain.Unit("linear", 0), "dream of bricks"),
):
    dream = explain.deep_dream(
        model, standard, layer, octaves=4, steps=8, step_size=0.04, bounds=(-2.5, 2.5)
    )
    explain.picture(dream.numpy()[0], title, ax)
page.savefig("deep_dream.png")
