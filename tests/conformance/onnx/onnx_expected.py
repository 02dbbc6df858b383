"""Cases that are expected to fail, each with its reason; and what is left out of gradient checks.

`REFUSED` raise an error, `DIFFERENT` run and give other numbers. A name ends before "_expanded":
the function body of a case is expected to fare as the case, unless listed by itself.
"""

_NO_SEQUENCES = "a sequence or an optional value is no tensor"
_NOTHING = "the extremum or logsumexp of nothing raises ShapeError, as NumPy's extrema do; ONNX: ±∞"
_SCATTER = "entries at an index are set or added to; repeated products and extrema are no operation"
_ANTIALIAS = "interpolate reads, it does not average: it has no antialiasing"
_EXCLUDE = "interpolate repeats the border entry: it has no exclude_outside"
_CROP = "interpolate resizes the whole image: it has no region of interest"
_SYMMETRIC = "interpolate has half pixels and aligned corners, not half_pixel_symmetric"
_ASYMMETRIC = "cubic interpolate has half pixels and aligned corners, not asymmetric coordinates"
_ONE_PIXEL = "pytorch_half_pixel reads entry 0 for an output of length 1; interpolate its middle"
_WHOLE_DIVISION = "divide is the true quotient, a fraction for whole numbers too; ONNX truncates"
_BFLOAT16 = "NumPy has no bfloat16 of its own: ml_dtypes' times a Python number is float32"

REFUSED = {
    "test_clip_min_greater_than_max": "clip raises ValueError for bounds that exclude each other",
    "test_einsum_batch_diagonal": "einsum takes no ellipsis and no index twice in one operand",
    "test_identity_opt": _NO_SEQUENCES,
    "test_identity_sequence": _NO_SEQUENCES,
    "test_reduce_log_sum_exp_empty_set": _NOTHING,
    "test_reduce_max_empty_set": _NOTHING,
    "test_reduce_max_empty_set_bool": _NOTHING,
    "test_reduce_min_empty_set": _NOTHING,
    "test_resize_downsample_scales_cubic_A_n0p5_exclude_outside": _EXCLUDE,
    "test_resize_downsample_scales_cubic_antialias": _ANTIALIAS,
    "test_resize_downsample_scales_linear_antialias": _ANTIALIAS,
    "test_resize_downsample_scales_linear_half_pixel_symmetric": _SYMMETRIC,
    "test_resize_downsample_sizes_cubic_antialias": _ANTIALIAS,
    "test_resize_downsample_sizes_linear_antialias": _ANTIALIAS,
    "test_resize_downsample_sizes_linear_pytorch_half_pixel": _ONE_PIXEL,
    "test_resize_tf_crop_and_resize": _CROP,
    "test_resize_tf_crop_and_resize_axes_2_3": _CROP,
    "test_resize_tf_crop_and_resize_axes_3_2": _CROP,
    "test_resize_tf_crop_and_resize_extrapolation_value": _CROP,
    "test_resize_upsample_scales_cubic_A_n0p5_exclude_outside": _EXCLUDE,
    "test_resize_upsample_scales_cubic_asymmetric": _ASYMMETRIC,
    "test_resize_upsample_scales_linear_half_pixel_symmetric": _SYMMETRIC,
    "test_scatter_elements_with_reduction_max": _SCATTER,
    "test_scatter_elements_with_reduction_min": _SCATTER,
    "test_scatter_elements_with_reduction_mul": _SCATTER,
    "test_scatternd_max": _SCATTER,
    "test_scatternd_max_with_element_indices": _SCATTER,
    "test_scatternd_min": _SCATTER,
    "test_scatternd_min_with_element_indices": _SCATTER,
    "test_scatternd_multiply": _SCATTER,
}
REFUSED |= {
    f"test_center_crop_pad_{kind}_expanded": f"the body halves sizes with Div: {_WHOLE_DIVISION}"
    for kind in (
        "crop",
        "crop_and_pad",
        "crop_axes_chw",
        "crop_axes_hwc",
        "crop_negative_axes_hwc",
        "pad",
    )
}
REFUSED["test_celu_bfloat16_expanded"] = "astype goes to NumPy's own number formats, not bfloat16"

_MASK = "the random mask is ours; ONNX's is that of numpy.random.RandomState"
_LAST_PLACE = "two units in the last place of float16, 1e-3 each: the tolerance is one of them"
_CORNERS = "a fractional size 4·0.6 = 2.4: ONNX aligns the corner 2.4, PyTorch and we the entry 2"

DIFFERENT = {
    "test_celu_bfloat16": _BFLOAT16,
    "test_resize_downsample_scales_cubic_align_corners": _CORNERS,
    "test_resize_downsample_scales_linear_align_corners": _CORNERS,
    "test_swiglu_float16": _LAST_PLACE,
    "test_swiglu_float16_expanded": _LAST_PLACE,
    "test_training_dropout": _MASK,
    "test_training_dropout_default": _MASK,
    "test_training_dropout_default_mask": _MASK,
    "test_training_dropout_mask": _MASK,
}
DIFFERENT |= {
    f"test_div_{kind}": _WHOLE_DIVISION
    for kind in ("int8", "int16", "int32_trunc", "uint8", "uint16", "uint32", "uint64")
}

NOT_CHECKED = {
    "test_reduce_log_sum_empty_set": "log 0 = −∞ whatever is varied: there is nothing to vary",
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
