"""The laws of differentiation, on the function that each differentiable ONNX case is."""

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="ONNX is not installed: pip install onnx==1.23.2")

from onnx_cases import cases, differentiable  # noqa: E402
from onnx_expected import FIRST_ORDER, JUMPS, LARGE, NOT_CHECKED  # noqa: E402

import autograd_cnn as ag  # noqa: E402

TITLES = {"test_laws": "laws on ONNX node cases"}
LAWS = (1, 2, 3, 4, 5, 6, 8, 9, 11)
"""All but law 7, on single and half precision: these are checks in double precision."""

CHECKED = [
    case for case in cases() if case.name not in NOT_CHECKED and differentiable(case) is not None
]


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.name)
def test_laws(case):
    function, values = differentiable(case)
    entries = sum(value.size for value in values)
    report = ag.testing.check(
        function,
        *values,
        order=1 if entries > LARGE or case.name in FIRST_ORDER else 2,
        laws=LAWS[:-1] if case.name in JUMPS else LAWS,
    )
    compared = {number for number, law in report.laws.items() if law.comparisons}
    assert {2, 6, 8} <= compared or not entries
    assert compared & {1, 3, 4} or not entries


def test_exceptions_are_checked_cases():
    names = {case.name for case in CHECKED}
    assert names >= {*FIRST_ORDER, *JUMPS}


def test_the_page_gives_the_same_count():
    page = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text("utf-8")
    assert f"laws on ONNX node cases: {len(CHECKED)} of {len(CHECKED)} pass" in page
    assert f"{len(CHECKED)} of the cases are differentiable functions" in page
