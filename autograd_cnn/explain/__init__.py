"""Looking inside a network: which pixels its answer depends on.

A method is made once for a model and asked for many inputs (`Method(model).attribute(x, target)`),
or used in one call (`saliency(model, x, target)`). The methods that differ only in their backward
rules can share one recorded forward pass: `record(model, x).gradient("guided")`.

>>> import autograd_cnn as ag
>>> model = lambda x: x @ ag.tensor([[1.0, 0.0], [2.0, 3.0]])
>>> ag.explain.saliency(model, ag.tensor([[1.0, 1.0]]), target=1).numpy().tolist()
[[0.0, 3.0]]
"""

from .gradient import (
    Deconvnet,
    GradientMethod,
    GuidedBackprop,
    InputXGradient,
    Saliency,
    deconvnet,
    guided_backprop,
    input_x_gradient,
    saliency,
)
from .method import Method
from .path import IntegratedGradients, integrated_gradients
from .record import Recording, record
from .smooth import SmoothGrad, smooth_grad

__all__ = [
    "Deconvnet",
    "GradientMethod",
    "GuidedBackprop",
    "InputXGradient",
    "IntegratedGradients",
    "Method",
    "Recording",
    "Saliency",
    "SmoothGrad",
    "deconvnet",
    "guided_backprop",
    "input_x_gradient",
    "integrated_gradients",
    "record",
    "saliency",
    "smooth_grad",
]
