"""The table: every ONNX operator that this library has, as a function of arrays and attributes.

Inputs come in ONNX's order, None where one is left out; attributes by ONNX's names. An operator
with several outputs gives a tuple, of which a node may name only the first.
"""

from onnx_elementwise import ACTIVATIONS, ARITHMETIC, COMPARISONS
from onnx_indexing import INDEXING
from onnx_layers import LAYERS, LOSSES
from onnx_reductions import REDUCTIONS
from onnx_resize import RESIZING
from onnx_shapes import SHAPES
from onnx_windows import WINDOWS

OPERATORS = {
    **ARITHMETIC,
    **ACTIVATIONS,
    **COMPARISONS,
    **WINDOWS,
    **LAYERS,
    **LOSSES,
    **REDUCTIONS,
    **SHAPES,
    **INDEXING,
    **RESIZING,
}
