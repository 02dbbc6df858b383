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

# CAM needs global average pooling: the same features with such a head
features = explain.features(model, data.train.x, "relu2", pooled=True)
head = nn.Linear(32, 10, rng=0)
optimizer = optim.Adam(head.parameters(), lr=0.1)
ag.train.fit(head, (features, data.train.y), epochs=20, optimizer=optimizer, progress=False)
pooled = nn.Sequential(
    conv1=model.conv1, relu1=model.relu1, conv2=model.conv2, relu2=model.relu2,
    pool=nn.GlobalAvgPool(), linear=head,
).eval()  # fmt: skip

squares = (np.arange(16) + 2) // 3
product = explain.InputXGradient(model)
methods = {
    "gradient": explain.Saliency(model, reduce="max"),
    "input×gradient": product,
    "SmoothGrad": explain.SmoothGrad(explain.Saliency(model, reduce="max"), samples=10),
    "VarGrad of input×gradient": explain.VarGrad(product, samples=15),
    "integrated gradients": explain.IntegratedGradients(model, steps=16),
    "deconvnet": explain.Deconvnet(model, reduce="max"),
    "guided backprop": explain.GuidedBackprop(model, reduce="max"),
    "redirected ReLU": explain.RedirectedReLU(model, reduce="max"),
    "LRP ε": explain.LRP(model),
    "LRP αβ": explain.LRP(model, "alpha-beta"),
    "CAM": explain.CAM(pooled, "relu2"),
    "Grad-CAM": explain.GradCAM(model, "relu2"),
    "Grad-CAM++": explain.GradCAMPlusPlus(model, "relu1"),
    "LayerCAM": explain.LayerCAM(model, "relu2"),
    "Score-CAM": explain.ScoreCAM(model, "relu2"),
    "Guided Grad-CAM": explain.GuidedGradCAM(model, "relu2"),
    "occlusion": explain.Occlusion(model, 3),
    "LIME": explain.LIME(model, squares[:, None] * 6 + squares, samples=200, baseline=0.0),
    "RISE": explain.RISE(model, masks=300, cells=5),
}
digits = np.array([np.flatnonzero(threes)[0], *(np.flatnonzero(data.test.y == c)[1] for c in
                   (0, 1, 4, 6, 7))])  # fmt: skip
x = data.tagged.x[digits]
maps = {name: method.attribute(x, data.label).numpy().copy() for name, method in methods.items()}
print(f"{'':<27}maximum inside the tag")
for name, values in maps.items():
    mean = explain.pointing_game(values.mean(axis=0, keepdims=True), data.tag)[0]
    hits = explain.pointing_game(values, data.tag)
    print(f"{name:<27}{'of the mean map' if mean else 'NO':<17}{hits.sum()} of {len(x)}")
print()
print(explain.bias_report(model, data.train.x[:400], data.train.y[:400]))

maps["RISE"] -= maps["RISE"].min(axis=(1, 2, 3), keepdims=True)  # it has no zero of its own
titles = [f"a {data.test.y[n]}, seen as {tagged[n]}" for n in digits]
drawn = ("gradient", "input×gradient", "integrated gradients", "guided backprop", "LRP αβ", "CAM",
         "Grad-CAM", "Score-CAM", "occlusion", "LIME", "RISE")  # fmt: skip
rows = {name.replace(" ", "\n"): maps[name] for name in drawn}
explain.grid(x, rows, titles, size=0.95).savefig("planted_shortcut.png")
