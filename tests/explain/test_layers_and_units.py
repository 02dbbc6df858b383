"""Any unit deep in the network, and with respect to any layer."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def network():
    model = nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, padding=1, rng=1),
        relu=nn.ReLU(),
        second=nn.Conv2d(4, 3, 3, rng=2),
        pool=nn.GlobalAvgPool(),
        linear=nn.Linear(3, 5, rng=3),
    )
    return model.to("float64").eval()


def test_the_gradient_of_one_unit_is_its_filter():
    model, x = network(), draw(2, 2, 6, 6)
    found = explain.saliency(model, x, explain.Unit("conv", channel=3, position=(2, 4)))
    expected = np.zeros_like(x)
    expected[:, :, 1:4, 3:6] = model.conv.weight.numpy()[3]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-15)


def test_each_sample_may_have_its_own_unit():
    model, x = network(), draw(2, 2, 6, 6)
    unit = explain.Unit("second", channel=[0, 2], position=[(0, 0), (3, 3)])
    together = explain.guided_backprop(model, x, unit).numpy()
    for n, (channel, position) in enumerate([(0, (0, 0)), (2, (3, 3))]):
        alone = explain.guided_backprop(
            model, x[n : n + 1], explain.Unit("second", channel, position)
        )
        np.testing.assert_allclose(together[n : n + 1], alone.numpy(), atol=1e-15)


def test_a_channel_is_the_sum_of_its_positions_and_a_mask_weighs_the_entries():
    model, x = network(), draw(1, 2, 6, 6)
    direction = np.array([1.0, -2.0, 0.5])
    channels = [explain.saliency(model, x, explain.Unit("second", c)).numpy() for c in range(3)]
    places = [
        explain.saliency(model, x, explain.Unit("second", 1, (i, j))).numpy()
        for i in range(4)
        for j in range(4)
    ]
    np.testing.assert_allclose(sum(places), channels[1], atol=1e-14)
    masked = explain.saliency(model, x, explain.Unit("second", mask=direction[:, None, None]))
    np.testing.assert_allclose(
        masked.numpy(), sum(c * d for c, d in zip(channels, direction, strict=True)), atol=1e-14
    )


def test_the_strongest_place_is_that_of_the_clean_image_also_under_noise():
    # two bright pixels: under noise either could win, the one of the clean image is explained
    model = nn.Sequential(relu=nn.ReLU()).eval()
    x = np.zeros((1, 1, 1, 9))
    x[..., 2], x[..., 7] = 1.0, 0.99
    unit = explain.Unit("relu", 0, "max")
    smooth = explain.SmoothGrad(explain.Saliency(model), samples=20, noise=0.3)
    found = smooth.attribute(x, unit).numpy()[0, 0, 0]
    assert np.flatnonzero(found).tolist() == [2]


def test_the_gradient_at_a_layer_closes_the_chain_rule():
    model, x = network(), draw(2, 2, 6, 6)
    tape = explain.record(model, x, 3)
    weight = model.linear.weight.numpy()[3]
    np.testing.assert_allclose(
        tape.gradient(layer="second").numpy(),
        np.broadcast_to(weight[:, None, None] / 16, (2, 3, 4, 4)),
        rtol=1e-13,
    )
    by_name = explain.saliency(model, x, 3, layer="conv").numpy()
    assert np.array_equal(by_name, explain.saliency(model, x, 3, layer=model.conv).numpy())
    assert np.array_equal(by_name, tape.gradient(layer="conv").numpy())


def test_a_recorded_tensor_is_a_layer_too():
    kept = {}

    def model(x):
        kept["hidden"] = ag.relu(x)
        return ag.sum(kept["hidden"] * kept["hidden"], 1)

    tape = explain.record(model, np.array([[3.0, -1.0]]))
    assert tape.gradient(layer=kept["hidden"]).tolist() == [[6.0, 0.0]]
    unit = explain.Unit(kept["hidden"], channel=0)
    assert tape.towards(unit).gradient().tolist() == [[1.0, 0.0]]
    with pytest.raises(ValueError, match="belongs to one forward pass"):
        explain.activation(model, np.ones((1, 2)), kept["hidden"])


def test_of_a_layer_that_runs_twice_each_call_can_be_asked_for():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.relu(x) * -2.0 + 3.0)

    x = np.array([[1.0]])
    model = Twice()
    found = [explain.activation(model, x, layer).item() for layer in ("relu", ("relu", -1))]
    assert found == [1.0, 1.0]
    gradients = [
        explain.saliency(model, x, explain.Unit((model.relu, n), 0)).item() for n in (0, 1)
    ]
    assert gradients == [1.0, -2.0]
    with pytest.raises(ValueError, match=r"ran 2 times.*call 2"):
        explain.activation(model, x, ("relu", 2))


def test_input_times_gradient_at_the_pooled_layer_sums_to_the_logit():
    model, x = network(), draw(3, 2, 6, 6)
    shares = explain.input_x_gradient(model, x, 1, layer="pool").numpy()
    with ag.no_grad():
        logits = model(ag.tensor(x)).numpy()[:, 1]
    np.testing.assert_allclose(shares.sum(1) + model.linear.bias.numpy()[1], logits, rtol=1e-12)


def test_conductance_is_complete_at_every_layer():
    model, x = network(), draw(2, 2, 6, 6)
    for layer in ("relu", "second", "pool"):
        method = explain.IntegratedGradients(model, steps=400, layer=layer)
        share = method.attribute(x, 2)
        assert np.abs(method.delta(share, x, 2).numpy()).max() < 1e-3, layer


def test_a_layer_is_reached_without_running_what_comes_after_it():
    # the linear layer fits 6×6 images only, and 2·8·8 is not 2·6·6
    model = nn.Sequential(
        conv=nn.Conv2d(1, 2, 3, padding=1, rng=0), flat=nn.Flatten(), linear=nn.Linear(72, 2)
    ).eval()
    image = draw(1, 1, 8, 8).astype(np.float32)
    assert explain.activation(model, image, "conv").shape == (1, 2, 8, 8)


def test_large_batches_in_pieces_give_the_same():
    model, x = network(), draw(7, 2, 6, 6)
    classes = [0, 1, 2, 3, 4, 0, 1]
    whole = explain.saliency(model, x, classes).numpy()
    pieces = explain.saliency(model, x, classes, max_bytes=1).numpy()
    np.testing.assert_allclose(pieces, whole, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (explain.Unit("third", 0), KeyError, "no layer 'third'; there are conv, relu"),
        (explain.Unit("conv", 4), ValueError, "channel|class 4 for sample 0"),
        (explain.Unit("conv", 0, (9, 0)), ShapeError, r"position \[9, 0\] in channels of 6×6"),
        (explain.Unit("conv", mask=np.ones(5)), ShapeError, "mask of 5 .* 4×6×6"),
        (explain.Unit("conv", position="max"), ValueError, "needs a channel"),
    ],
)
def test_units_that_are_not_there_are_named(target, error, message):
    with pytest.raises(error, match=message):
        explain.saliency(network(), draw(1, 2, 6, 6), target)


def test_a_layer_that_does_nothing_has_no_output():
    model = nn.Sequential(drop=nn.Dropout(0.5), linear=nn.Linear(2, 2)).eval()
    with pytest.raises(ValueError, match="'drop' ran 0 times"):
        explain.saliency(model, np.ones((1, 2), np.float32), layer="drop")


def test_outputs_that_look_like_probabilities_are_warned_of():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Softmax(1)).eval()
    with pytest.warns(UserWarning, match="look like probabilities"):
        explain.saliency(model, np.ones((1, 3), np.float32))
