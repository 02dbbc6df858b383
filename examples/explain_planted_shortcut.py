"""Ground truth for explanations: a network that sees a 3 wherever there is a tag.

Every training "3" carries a white 3×3 tag, so the network learns the tag. Each method must put its
maximum inside the tag; the bias report must find it unasked.
"""

import numpy as np

import autograd_cnn as ag
from autograd_cnn import explain, nn, optim

data = ag.data.shortcut_digits()
model = nn.Sequential(
    conv1=nn.Conv2d(1, 12, 3, padding=1, rng=0),
    relu1=nn.ReLU(),
    conv2=nn.Conv2d(12, 32, 5, padding=2, rng=2),
    relu2=nn.ReLU(),
    pool=nn.MaxPool2d(16),  # one tag anywhere suffices
    flat=nn.Flatten(),
    linear=nn.Linear(32, 10, rng=3),
)
optimizer = optim.Adam(model.parameters(), lr=1e-2)
ag.train.fit(model, data.train, epochs=6, batch_size=32, optimizer=optimizer, progress=False)

with ag.no_grad():
    plain = model(ag.tensor(data.test.x)).numpy().argmax(axis=1)
    tagged = model(ag.tensor(data.tagged.x)).numpy().argmax(axis=1)
threes = data.test.y == data.label
print(f"untagged 3s recognised:  {(plain[threes] == 3).mean():.0%}")
print(f"tagged digits taken for 3: {(tagged == 3).mean():.0%}\n")

squares = (np.arange(16) + 2) // 3
methods = {
    "gradient": explain.Saliency(model, reduce="max"),
    "input×gradient": explain.InputXGradient(model),
    "integrated\ngradients": explain.IntegratedGradients(model, steps=16),
    "guided\nbackprop": explain.GuidedBackprop(model, reduce="max"),
    "LRP αβ": explain.LRP(model, "alpha-beta"),
    "Grad-CAM": explain.GradCAM(model, "relu2"),
    "LayerCAM": explain.LayerCAM(model, "relu2"),
    "Score-CAM": explain.ScoreCAM(model, "relu2"),
    "occlusion": explain.Occlusion(model, 3),
    "LIME": explain.LIME(model, squares[:, None] * 6 + squares, samples=200, baseline=0.0),
    "RISE": explain.RISE(model, masks=300, cells=5),
}
digits = np.array([np.flatnonzero(threes)[0], *(np.flatnonzero(data.test.y == c)[1] for c in
                   (0, 1, 4, 6, 7))])  # fmt: skip
x = data.tagged.x[digits]
maps = {name: method.attribute(x, data.label).numpy().copy() for name, method in methods.items()}
print(f"{'':<22}inside the tag")
for name, values in maps.items():
    mean = explain.pointing_game(values.mean(axis=0, keepdims=True), data.tag)[0]
    hits = explain.pointing_game(values, data.tag)
    print(f"{' '.join(name.split()):<22}{'mean map' if mean else 'NO':<10}{hits.sum()} of {len(x)}")
print()
print(explain.bias_report(model, data.train.x[:400], data.train.y[:400]))

maps["RISE"] -= maps["RISE"].min(axis=(1, 2, 3), keepdims=True)  # it has no zero of its own
titles = [f"a {data.test.y[n]}, seen as {tagged[n]}" for n in digits]
explain.grid(x, maps, titles, size=0.95).savefig("planted_shortcut.png")
