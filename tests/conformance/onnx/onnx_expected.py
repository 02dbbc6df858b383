"""Cases that are expected to fail, each with its reason; and what is left out of gradient checks.

They run and give other numbers; none raises an error. A function body, "_expanded", is a case of
its own; all of those pass.
"""

_MASK = "the random mask is ours; ONNX's is that of numpy.random.RandomState"

EXPECTED = {
    "test_training_dropout": _MASK,
    "test_training_dropout_default": _MASK,
    "test_training_dropout_default_mask": _MASK,
    "test_training_dropout_mask": _MASK,
}

_NOTHING = "log 0 = −∞ whatever is varied: there is nothing to vary"
NOT_CHECKED = {
    "test_reduce_log_sum_empty_set": _NOTHING,
    "test_reduce_log_sum_exp_empty_set": _NOTHING,
}
"""Cases that pass but whose gradient is not checked."""

JUMPS = {
    "test_l2normalization_axis_0": "x/‖x‖ jumps at the vector 0 of this case: no one-sided slopes",
}
"""Cases whose point is on a jump: law 11 has nothing to compare with there."""

_SATURATED = "at entries where it saturates, 1 − tanh² or p·(1 − p) cancels to 1e-9 of its size"

FIRST_ORDER = {
    "test_mish": _SATURATED,
    "test_pow": "0⁰ is among the entries: its second derivative is infinite",
    "test_reduce_log_sum_exp_do_not_keepdims_example": _SATURATED,
    "test_reduce_log_sum_exp_keepdims_example": _SATURATED,
    "test_reduce_log_sum_exp_negative_axes_keepdims_example": _SATURATED,
}
"""Cases checked to the first derivative only."""

LARGE = 10_000
"""Cases with more entries than this are checked to the first derivative only, for time."""
