"""Fast CPU kernels on NumPy and BLAS."""

from __future__ import annotations

import numpy as np

from . import numpy_conv
from .base import Kernels


class NumpyKernels(Kernels):
    """NumPy kernels."""

    name = "numpy"

    def conv(self, x, w, b, *, spec):
        return numpy_conv.correlate(x, w, b, spec, spec.output_size(x.shape[2:], w.shape[2:]))
    def conv_input_grad(self, y, w, *, spec, size):
        return numpy_conv.input_grad(y, w, spec, size)
    def conv_weight_grad(self, x, y, *, spec, size):
        return numpy_conv.weight_grad(x, y, spec, size)
