"""ONNX's node cases, which the onnx package makes itself, sorted by what is asked of them here."""

import warnings
from functools import cache

import numpy as np
from onnx.backend.test.case.node import collect_testcases
from onnx_backend import LibraryBackend, Program, is_floating
from onnx_elementwise import COMPARISONS

HELD = {
    "Clip": (1, 2),
    "Dropout": (1,),
    "NegativeLogLikelihoodLoss": (2,),
    "OneHot": (0, 1),
    "Pad": (2,),
    "Resize": (1, 2),
    "SoftmaxCrossEntropyLoss": (2,),
    "Upsample": (1,),
}
"""Floating-point inputs that are arguments of an operation, not operands: by their place."""

WITHOUT_DERIVATIVE = {*COMPARISONS, "ArgMax", "ArgMin", "Hardmax", "Shape", "Sign", "Size"}
"""Operators whose result is piecewise constant."""


def cases():
    """The cases of operators that the table holds."""
    return [case for case in _everything() if _is_plain(case) and _is_known(case)]


def bodies():
    """Those cases again, each operator replaced by the body of the function that defines it."""
    names = {case.name for case in cases()}
    return [case for case in _everything() if case.name.split("_expanded")[0] in names
            and not _is_plain(case)]  # fmt: skip


def others():
    """The cases of operators that the table does not hold."""
    return [case for case in _everything() if _is_plain(case) and not _is_known(case)]


def differentiable(case):
    """The function of the varied inputs and their values in float64; None where there are none."""
    node = case.model.graph.node[0]
    if node.op_type in WITHOUT_DERIVATIVE:
        return None
    (inputs, outputs), *_ = case.data_sets
    program = Program(case.model)
    held = {node.input[k] for k in HELD.get(node.op_type, ()) if k < len(node.input)}
    varied = [
        k
        for k, (name, x) in enumerate(zip(program.names, inputs, strict=True))
        if is_floating(x) and name not in held
    ]
    if not varied or not any(map(is_floating, outputs)):
        return None

    def function(*values):
        arguments = list(inputs)
        for k, value in zip(varied, values, strict=True):
            arguments[k] = value
        return program(*arguments)

    return function, [np.asarray(inputs[k], np.float64) for k in varied]


@cache
def _everything():
    with warnings.catch_warnings():
        # making the expected outputs divides by zero on purpose, inside the package
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"onnx\.backend\.test")
        return list(collect_testcases(None))


def _is_plain(case):
    return "_expanded" not in case.name


def _is_known(case):
    return LibraryBackend.is_compatible(case.model)
