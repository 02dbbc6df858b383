"""Pictures for a lecture, from your own numbers: each function returns a matplotlib Figure.

Nothing in them is drawn by hand: every number comes from the tape, so the pictures are right for
other inputs, too. They are light, print well, and their letters are large enough for slides.
"""

from .teaching_backward import (
    derivative_chain,
    max_pool_backward,
    relu_rules,
    softmax_cross_entropy,
)
from .teaching_convolution import convolution_matrix, convolution_window
from .teaching_distributions import batch_norm_histograms
from .teaching_receptive import receptive_field_1d, receptive_field_2d

__all__ = [
    "batch_norm_histograms", "convolution_matrix", "convolution_window", "derivative_chain",
    "max_pool_backward", "receptive_field_1d", "receptive_field_2d", "relu_rules",
    "softmax_cross_entropy",
]  # fmt: skip
