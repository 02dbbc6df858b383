"""Losses as modules; the formulas are those of the operations of the same name."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensor import Tensor, tensor
from .module import Module


class _Loss(Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f'{type(self).__name__}: reduction "{reduction}" is not "mean", "sum" or "none"'
            )
        self.reduction = reduction


class NLLLoss(_Loss):
    """−log p at the right class of log-probabilities N×C; see `ag.nll_loss`."""

    weight: Tensor | None

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        if weight is not None and not isinstance(weight, Tensor):
            weight = tensor(weight)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, log_probabilities: Any, labels: Any) -> Any:
        return ops.nll_loss(
            log_probabilities, labels, self.weight, self.ignore_index, self.reduction
        )


class CrossEntropyLoss(NLLLoss):
    """−ln softmax(logits) at the right class; see `ag.cross_entropy`.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> round(float(nn.CrossEntropyLoss()(ag.tensor([[0.0, 0.0]]), [1])), 4)
    0.6931
    """

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Any, labels: Any) -> Any:
        return ops.cross_entropy(
            logits, labels, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class MSELoss(_Loss):
    """The mean, sum or each of (x − y)²; see `ag.mse_loss`."""

    def forward(self, x: Any, y: Any) -> Any:
        return ops.mse_loss(x, y, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of logits; see `ag.binary_cross_entropy_with_logits`."""

    def forward(self, x: Any, y: Any) -> Any:
        return ops.binary_cross_entropy_with_logits(x, y, self.reduction)


class HuberLoss(_Loss):
    """½d² where |d| ≤ delta, linear beyond; see `ag.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, x: Any, y: Any) -> Any:
        return ops.huber_loss(x, y, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """½d²/beta where |d| < beta, |d| − ½beta beyond; see `ag.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, x: Any, y: Any) -> Any:
        return ops.smooth_l1_loss(x, y, self.reduction, self.beta)


class KLDivLoss(Module):
    """The divergence of a target from a prediction given as logarithms; see `ag.kl_div`."""

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__()
        self.reduction, self.log_target = reduction, log_target

    def forward(self, x: Any, y: Any) -> Any:
        return ops.kl_div(x, y, self.reduction, self.log_target)


class HingeLoss(_Loss):
    """max(0, 1 − y·x) for targets of −1 and 1; see `ag.hinge_loss`."""

    def forward(self, x: Any, y: Any) -> Any:
        return ops.hinge_loss(x, y, self.reduction)


class MultiMarginLoss(_Loss):
    """The hinge of several classes; see `ag.multi_margin_loss`."""

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.p, self.margin = p, margin
        if weight is not None and not isinstance(weight, Tensor):
            weight = tensor(weight)
        self.register_buffer("weight", weight)

    def forward(self, x: Any, labels: Any) -> Any:
        return ops.multi_margin_loss(x, labels, self.p, self.margin, self.weight, self.reduction)
