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

from .attack import Attack, Result
from .bounds import BoundedModel, bounded
from .criteria import Confidence, Criterion, Misclassification, Targeted
from .first_order import BIM, FGSM, L2PGD, FirstOrder, LinfPGD
from .measure import Minimal, minimal, robust_accuracy
from .norms import L2, Linf

__all__ = [
    "Attack",
    "BIM",
    "BoundedModel",
    "Confidence",
    "Criterion",
    "FGSM",
    "FirstOrder",
    "L2",
    "L2PGD",
    "Linf",
    "LinfPGD",
    "Minimal",
    "Misclassification",
    "Result",
    "Targeted",
    "bounded",
    "minimal",
    "robust_accuracy",
]
