import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import explain, nn
from autograd_cnn.errors import ShapeError


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def pooled():
    """Global average pooling and a linear layer."""
    model = nn.Sequential(
        conv=nn.Conv2d(2, 5, 3, rng=1),
        relu=nn.ReLU(),
        pool=nn.GlobalAvgPool(),
        linear=nn.Linear(5, 3, rng=2),
    )
    return model.to("float64").eval()


def test_the_mean_of_cam_and_the_bias_are_the_logit():
    model, x = pooled(), draw(4, 2, 7, 8)
    with ag.no_grad():
        logits = model(ag.tensor(x)).numpy()
    for c in range(3):
        cam = explain.CAM(model, "relu", upsample=False).attribute(x, c).numpy()
        assert cam.shape == (4, 1, 5, 6)
        bias = model.linear.bias.numpy()[c]
        np.testing.assert_allclose(cam.mean((1, 2, 3)) + bias, logits[:, c], rtol=1e-12)


def test_grad_cam_times_the_number_of_positions_is_cam():
    model, x = pooled(), draw(4, 2, 7, 8)
    cam = explain.CAM(model, "relu").attribute(x, [0, 1, 2, 0])
    grad_cam = explain.GradCAM(model, "relu", relu=False).attribute(x, [0, 1, 2, 0])
    assert grad_cam.shape == (4, 1, 7, 8)
    np.testing.assert_allclose(grad_cam.numpy() * 5 * 6, cam.numpy(), rtol=1e-12, atol=1e-15)


def test_relu_keeps_what_speaks_for_the_class():
    model, x = pooled(), draw(2, 2, 7, 7)
    signed = explain.GradCAM(model, "relu", relu=False, upsample=False).attribute(x, 0).numpy()
    kept = explain.GradCAM(model, "relu", upsample=False).attribute(x, 0).numpy()
    assert signed.min() < 0 and np.array_equal(kept, np.maximum(signed, 0))


def test_layer_cam_is_grad_cam_where_the_gradient_is_even_and_positive():
    model, x = pooled(), draw(2, 2, 7, 7)
    model.linear.weight.assign(np.abs(model.linear.weight.numpy()))
    np.testing.assert_allclose(
        explain.LayerCAM(model, "relu").attribute(x, 1).numpy(),
        explain.GradCAM(model, "relu").attribute(x, 1).numpy(),
        rtol=1e-12,
    )


def test_grad_cam_plus_plus_by_hand():
    # g = (3, 1) over the two places of one channel, A = (2, 4): Σ A = 6
    # α = g²/(2g² + 6g³) = 9/180, 1/8; weight = 3·9/180 + 1/8 = 0.275
    model = nn.Sequential(relu=nn.ReLU(), flat=nn.Flatten(), linear=nn.Linear(2, 1, bias=False))
    model.linear.weight.assign(np.array([[3.0, 1.0]], np.float32))
    model.to("float64").eval()
    x = np.array([[[[2.0, 4.0]]]])
    found = explain.GradCAMPlusPlus(model, "relu").attribute(x, 0).numpy().ravel()
    np.testing.assert_allclose(found, [0.55, 1.1], rtol=1e-12)


def test_a_dead_layer_gives_a_map_of_zeros():
    model, x = pooled(), draw(1, 2, 7, 7)
    model.conv.bias.assign(np.full(5, -100.0))
    for method in (explain.GradCAM, explain.GradCAMPlusPlus, explain.LayerCAM, explain.ScoreCAM):
        assert not np.any(method(model, "relu").attribute(x, 0).numpy()), method.__name__


def test_score_cam_weighs_channels_by_what_they_let_through():
    # channel 0 covers what makes the score, channel 1 the rest of the image
    model = nn.Sequential(
        conv=nn.Conv2d(1, 2, 1, rng=0),
        relu=nn.ReLU(),
        flat=nn.Flatten(),
        linear=nn.Linear(32, 1, bias=False, rng=0),
    )
    model.conv.weight.assign(np.array([1.0, -1.0]).reshape(2, 1, 1, 1))
    model.conv.bias.assign(np.zeros(2))
    weight = np.zeros((2, 4, 4))
    weight[0] = 5.0
    model.linear.weight.assign(weight.reshape(1, 32))
    model.to("float64").eval()
    x = np.full((1, 1, 4, 4), -1.0)
    x[..., :2] = 1.0
    found = explain.ScoreCAM(model, "relu", upsample=False).attribute(x, 0).numpy()[0, 0]
    e = np.exp(5.0 * 8)  # the score with channel 0's mask; 0 with channel 1's
    np.testing.assert_allclose(found[:, :2], e / (e + 1), rtol=1e-12)
    np.testing.assert_allclose(found[:, 2:], 1 / (e + 1), rtol=1e-9)


def test_guided_grad_cam_is_the_product_in_the_inputs_shape():
    model, x = pooled(), draw(2, 2, 7, 7)
    guided = explain.guided_backprop(model, x, 2).numpy()
    cam = explain.grad_cam(model, x, "relu", 2).numpy()
    found = explain.guided_grad_cam(model, x, "relu", 2).numpy()
    assert found.shape == x.shape and np.array_equal(found, guided * cam)


def test_cam_refuses_a_network_of_another_shape():
    x = draw(1, 2, 7, 7)
    flat = nn.Sequential(
        conv=nn.Conv2d(2, 5, 3), flat=nn.Flatten(), linear=nn.Linear(125, 3)
    ).to("float64").eval()  # fmt: skip
    with pytest.raises(ValueError, match=r"5 pooled channels.*125 features; use GradCAM"):
        explain.CAM(flat, "conv").attribute(x)
    with pytest.raises(ValueError, match=r"global average pooling.*use GradCAM"):
        explain.CAM(pooled(), "conv").attribute(x)  # a ReLU is between
    with pytest.raises(ShapeError, match="'pool' gives 1×5"):
        explain.GradCAM(pooled(), "pool").attribute(x)
