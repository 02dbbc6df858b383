"""The page of Zeiler and Fergus: what excites the channels of a layer, and why.

Top patches of the data set, their projections by the deconvnet, synthetic images beside them; and
the strongest feature map under occlusion.
"""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import explain, nn, optim
from autograd_cnn.explain.display import figure


def standardised(images):
    """Each image with mean 0 and variance 1: brightness and contrast say nothing."""
    mean, std = (f(images, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    return (images - mean) / (std + 0.05)


train, test = (ag.data.Split(standardised(x), y) for x, y in ag.data.faces())
model = nn.Sequential(
    conv1=nn.Conv2d(1, 16, 5, padding=2, rng=1),
    relu1=nn.ReLU(),
    pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(16, 24, 5, rng=2),
    relu2=nn.ReLU(),
    pool2=nn.MaxPool2d(2),
    flat=nn.Flatten(),
    linear=nn.Linear(24 * 4 * 4, 2, rng=3),
)
optimizer = optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
ag.train.fit(model, train, epochs=12, batch_size=32, optimizer=optimizer, progress=False)

images = np.concatenate([train.x, test.x])
labels = np.concatenate([train.y, test.y])
# the channels that faces excite most, compared with everything else
strength = explain.features(model, images, "relu2").max(axis=(2, 3))
apart = strength[labels == 1].mean(axis=0) - strength[labels == 0].mean(axis=0)
channels = np.argsort(-apart)[:4].tolist()
for channel, patches in explain.top_patches(model, images, "relu2", 3, channels).items():
    first = patches[0]
    print(f"channel {channel:>2}: {first.activation:5.2f} in image {first.image}, "
          f"rows {first.rows.start}–{first.rows.stop - 1}, "
          f"columns {first.columns.start}–{first.columns.stop - 1}")  # fmt: skip
page = explain.patches_page(model, images, "relu2", channels, total_variation_weight=0.01)
page.savefig("zeiler_fergus.png")

faces = test.x[test.y == 1][:2]
found = explain.strongest_feature_map(model, faces, "relu2", size=5, baseline="mean")
probability = explain.Occlusion(model, 5, baseline="mean", form="probability").map(faces, 1)
page = figure(7.2, 3.6)
axes = page.subplots(2, 4)
for row, face in enumerate(faces):
    explain.picture(face, "image", axes[row, 0])
    for ax, values, title in (
        (axes[row, 1], found.occlusion.numpy()[row, 0], f"channel {found.channels[row]}, covered"),
        (axes[row, 3], probability.numpy()[row, 0], "probability, covered"),
    ):
        shown = ax.imshow(values, cmap="viridis")
        bar = page.colorbar(shown, ax=ax, shrink=0.8)
        bar.outline.set_visible(False)
        bar.formatter.set_useOffset(False)
        bar.ax.tick_params(labelsize=7, length=2)
        ax.set_title(title, fontsize=8)
        ax.set_axis_off()
    explain.show(found.projection.numpy()[row], None, "its projection", axes[row, 2])
page.savefig("occlusion.png")
