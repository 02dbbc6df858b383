"""Fooling a network: the smallest changes of an image that change the answer.

An attack is made once and called for a model, images, what counts as fooled, and how far it may
go: `raw, clipped, is_adv = Attack(...)(model, x, labels, epsilons=...)`. Epsilons are in the units
of the image.

>>> import autograd_cnn as ag
>>> model = lambda x: x @ ag.tensor([[1.0, -1.0], [0.0, 0.0]])  # class 0 where x[0] > 0.5 ...
>>> shifted = ag.attacks.bounded(model, mean=0.5)               # ... once 0.5 is taken off
>>> x = ag.tensor([[0.6, 0.5]])
>>> ag.attacks.FGSM()(shifted, x, [0], epsilons=[0.05, 0.15]).is_adv.tolist()
[[False], [True]]
"""

from .apgd import APGD
from .attack import Attack, MinimalAttack, Result
from .auto import AutoAttack, MaskedGradientWarning, masked_gradients
from .bounds import BoundedModel, bounded
from .constant_search import EAD, CarliniWagnerL2
from .corruptions import CORRUPTIONS, corrupt, corruption_errors, mean_corruption_error
from .criteria import Confidence, Criterion, Misclassification, Targeted
from .decision import Boundary, HopSkipJump
from .deepfool import DeepFool
from .defences import (
    adversarial_training,
    shifts_and_noise,
    smoothed_cross_entropy,
    trades,
    train_with,
)
from .explanation import Moved, SaliencyAttack
from .first_order import BIM, FGM, FGSM, L1PGD, L2PGD, MIFGSM, FirstOrder, LinfPGD
from .fmn import FMN
from .fooling_image import FoolingImage, fooling_images
from .jsma import JSMA
from .lbfgs import LBFGS
from .measure import Minimal, minimal, robust_accuracy
from .metrics import (
    Counted,
    Curve,
    Distances,
    change_norms,
    distances,
    queries_used,
    robustness_curve,
    success_by_class,
    transfer_matrix,
)
from .norms import L0, L1, L2, Linf
from .one_pixel import OnePixel
from .pictures import curve_picture, image_grid, panel
from .square import Square
from .universal import Universal

__all__ = [
    "APGD",
    "Attack",
    "AutoAttack",
    "BIM",
    "Boundary",
    "BoundedModel",
    "CORRUPTIONS",
    "CarliniWagnerL2",
    "Confidence",
    "Counted",
    "Criterion",
    "Curve",
    "DeepFool",
    "Distances",
    "EAD",
    "FGM",
    "FGSM",
    "FMN",
    "FirstOrder",
    "FoolingImage",
    "HopSkipJump",
    "JSMA",
    "L0",
    "L1",
    "L1PGD",
    "L2",
    "L2PGD",
    "LBFGS",
    "Linf",
    "LinfPGD",
    "MIFGSM",
    "MaskedGradientWarning",
    "Minimal",
    "MinimalAttack",
    "Misclassification",
    "Moved",
    "OnePixel",
    "Result",
    "SaliencyAttack",
    "Square",
    "Targeted",
    "Universal",
    "adversarial_training",
    "bounded",
    "change_norms",
    "corrupt",
    "corruption_errors",
    "curve_picture",
    "distances",
    "fooling_images",
    "image_grid",
    "masked_gradients",
    "mean_corruption_error",
    "minimal",
    "panel",
    "queries_used",
    "robust_accuracy",
    "robustness_curve",
    "shifts_and_noise",
    "smoothed_cross_entropy",
    "success_by_class",
    "trades",
    "train_with",
    "transfer_matrix",
]
