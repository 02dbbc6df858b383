"""Every ONNX node case of an operator in the table, and the function bodies of those cases."""

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="ONNX is not installed: pip install onnx==1.23.2")

from onnx.backend.test.runner import Runner  # noqa: E402
from onnx_backend import LibraryBackend  # noqa: E402
from onnx_cases import bodies, cases, others  # noqa: E402
from onnx_expected import EXPECTED  # noqa: E402
from onnx_operators import OPERATORS  # noqa: E402

TITLES = {"test_case": "ONNX node cases", "test_function_body": "ONNX function bodies"}
PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"


def parameters(some):
    return [pytest.param(case, id=case.name, marks=marks(case.name)) for case in some]


def marks(name):
    if name not in EXPECTED:
        return []
    return [pytest.mark.xfail(reason=EXPECTED[name], raises=AssertionError)]


def agrees(case):
    """ONNX's own comparison: shape, dtype and entries to a relative 1e-3."""
    program = LibraryBackend.prepare(case.model)
    for inputs, outputs in case.data_sets:
        found = program.run(inputs)
        Runner.assert_similar_outputs(outputs, found, case.rtol, case.atol)


@pytest.mark.parametrize("case", parameters(cases()))
def test_case(case):
    agrees(case)


@pytest.mark.parametrize("case", parameters(bodies()))
def test_function_body(case):
    agrees(case)


def test_expected_failures_are_cases():
    known = {case.name for case in (*cases(), *bodies())}
    assert known >= EXPECTED.keys()


def test_every_operator_has_a_case():
    assert {case.model.graph.node[0].op_type for case in cases()} == OPERATORS.keys()


def test_the_page_lists_the_same_failures_and_counts():
    page = PAGE.read_text("utf-8")
    rows = dict.fromkeys(EXPECTED.values())
    for reason in rows:
        names = sorted(n.removeprefix("test_") for n, why in EXPECTED.items() if why == reason)
        assert f"| {reason} | {len(names)} | {', '.join(f'`{n}`' for n in names)} |" in page
    for title, some in (("ONNX node cases", cases()), ("ONNX function bodies", bodies())):
        failing = sum(case.name in EXPECTED for case in some)
        passing = len(some) - failing
        assert f"{title}: {passing} of {len(some)} pass, {failing} expected failures" in page
    assert f"every case of {len(OPERATORS)} operators" in page
    assert f"**Not in the table**, {len(others())} cases" in page
