"""Looking inside a network: which pixels its answer depends on, and what its layers have learned.

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
    cam,
    grad_cam,
    grad_cam_plus_plus,
    guided_grad_cam,
    layer_cam,
    score_cam,
)
from .bias import BiasReport, ClassBias, bias_report
from .display import coloured, difference, grid, overlay, picture, pixels, save_png, show
from .dream import deep_dream, dream_zoom, invert
from .faithfulness import Curve, deletion, infidelity, insertion, pointing_game, sensitivity
from .features import confusion_matrix, embed, features, filters, segment
from .fragility import Fragility, fragility
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
    redirected_relu,
    saliency,
)
from .images import total_variation
from .landscape import Landscape, loss_landscape
from .layers import Layers, activation, last_maps
from .lime import LIME, LocalModel, lime, superpixels
from .method import Method
from .occlusion import Occlusion, StrongestMap, occlusion, strongest_feature_map
from .pages import patches_page, show_confusion, show_embedding, tiles
from .patches import Patch, projections, receptive_field, top_patches
from .path import IntegratedGradients, integrated_gradients
from .randomisation import Cascade, cascading_randomisation, spearman
from .record import Recording, record
from .relevance import LRP, alpha_beta_rules, epsilon_rules, lrp
from .rise import RISE, rise
from .smooth import SmoothGrad, VarGrad, smooth_grad, var_grad
from .synthesis import Synthesis, class_model, maximise
from .target import Unit

__all__ = [
    "ActivationMap",
    "BiasReport",
    "CAM",
    "Cascade",
    "ClassBias",
    "Curve",
    "Deconvnet",
    "Fragility",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientMethod",
    "GuidedBackprop",
    "GuidedGradCAM",
    "InputXGradient",
    "IntegratedGradients",
    "LIME",
    "LRP",
    "Landscape",
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
    "bias_report",
    "cam",
    "cascading_randomisation",
    "class_model",
    "coloured",
    "confusion_matrix",
    "deconvnet",
    "deep_dream",
    "deletion",
    "difference",
    "dream_zoom",
    "embed",
    "epsilon_rules",
    "features",
    "filters",
    "fragility",
    "grad_cam",
    "grad_cam_plus_plus",
    "grid",
    "guided_backprop",
    "guided_grad_cam",
    "infidelity",
    "input_x_gradient",
    "insertion",
    "integrated_gradients",
    "invert",
    "last_maps",
    "layer_cam",
    "lime",
    "loss_landscape",
    "lrp",
    "maximise",
    "occlusion",
    "overlay",
    "patches_page",
    "picture",
    "pixels",
    "pointing_game",
    "projections",
    "receptive_field",
    "record",
    "redirected_relu",
    "rise",
    "saliency",
    "save_png",
    "score_cam",
    "segment",
    "sensitivity",
    "show",
    "show_confusion",
    "show_embedding",
    "smooth_grad",
    "spearman",
    "strongest_feature_map",
    "superpixels",
    "tiles",
    "top_patches",
    "total_variation",
    "var_grad",
]
