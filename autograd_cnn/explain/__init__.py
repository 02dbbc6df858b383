"""Looking inside a network: which pixels its answer depends on.

A method is made once for a model and asked for many inputs (`Method(model).attribute(x, target)`),
or used in one call (`saliency(model, x, target)`). The methods that differ only in their backward
rules can share one recorded forward pass: `record(model, x).gradient("guided")`.

>>> import autograd_cnn as ag
>>> model = lambda x: x @ ag.tensor([[1.0, 0.0], [2.0, 3.0]])
>>> ag.explain.saliency(model, ag.tensor([[1.0, 1.0]]), target=1).numpy().tolist()
[[0.0, 3.0]]
"""

from .activation_map import (
    CAM,
    ActivationMap,
    GradCAM,
    GradCAMPlusPlus,
    GuidedGradCAM,
    LayerCAM,
    ScoreCAM,
    grad_cam,
    guided_grad_cam,
)
from .display import coloured, difference, grid, overlay, save_png, show
from .dream import deep_dream, dream_zoom, invert
from .features import confusion_matrix, embed, features, filters, segment
from .gradient import (
    Deconvnet,
    GradientMethod,
    GuidedBackprop,
    InputXGradient,
    RedirectedReLU,
    Saliency,
    deconvnet,
    guided_backprop,
    input_x_gradient,
    saliency,
)
from .images import total_variation
from .layers import Layers, activation
from .lime import LIME, LocalModel, lime, superpixels
from .method import Method
from .occlusion import Occlusion, StrongestMap, occlusion, strongest_feature_map
from .patches import Patch, projections, receptive_field, top_patches
from .path import IntegratedGradients, integrated_gradients
from .record import Recording, record
from .relevance import LRP, alpha_beta_rules, epsilon_rules, lrp
from .rise import RISE, rise
from .smooth import SmoothGrad, VarGrad, smooth_grad, var_grad
from .synthesis import Synthesis, class_model, maximise
from .target import Unit

__all__ = [
    "ActivationMap",
    "CAM",
    "Deconvnet",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientMethod",
    "GuidedBackprop",
    "GuidedGradCAM",
    "InputXGradient",
    "IntegratedGradients",
    "LIME",
    "LRP",
    "LayerCAM",
    "Layers",
    "LocalModel",
    "Method",
    "Occlusion",
    "Patch",
    "RISE",
    "Recording",
    "RedirectedReLU",
    "Saliency",
    "ScoreCAM",
    "SmoothGrad",
    "StrongestMap",
    "Synthesis",
    "Unit",
    "VarGrad",
    "activation",
    "alpha_beta_rules",
    "class_model",
    "coloured",
    "confusion_matrix",
    "deconvnet",
    "deep_dream",
    "difference",
    "dream_zoom",
    "embed",
    "epsilon_rules",
    "features",
    "filters",
    "grad_cam",
    "grid",
    "guided_backprop",
    "guided_grad_cam",
    "input_x_gradient",
    "integrated_gradients",
    "invert",
    "lime",
    "lrp",
    "maximise",
    "occlusion",
    "overlay",
    "projections",
    "receptive_field",
    "record",
    "rise",
    "saliency",
    "save_png",
    "segment",
    "show",
    "smooth_grad",
    "strongest_feature_map",
    "superpixels",
    "top_patches",
    "total_variation",
    "var_grad",
]
