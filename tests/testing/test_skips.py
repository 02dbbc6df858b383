"""What cannot be compared is counted and explained, and a law of skips alone has not held."""

import json

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.testing import Report, Table, check, check_table

X = np.array([0.75, -1.25, 2.0])


def primitive(function, **rules):
    return ag.custom_primitive("mine", function, **rules)


def on_a_grid(x):
    """sin, on multiples of 1/64 alone: it has no differences, and it cannot be complex."""
    if x.dtype.kind == "c":
        raise TypeError("real numbers only")
    return np.where(x * 64 == np.rint(x * 64), np.sin(x), np.nan).astype(x.dtype)


def test_a_law_whose_every_comparison_was_skipped_has_not_held():
    report = check(primitive(on_a_grid, x=lambda g, x: g * ag.cos(x)), X, order=1, laws=[2, 3, 4])
    law = report.law(4)
    assert (law.held, law.open, report.open) == (False, True, [4])
    assert law.skipped == {"the differences are too noisy for their own estimate": 4}
    assert str(report).splitlines()[0].startswith("mine: 1 laws hold")
    assert "?         nothing could be concluded; 4 skipped: the differences" in str(report)


def test_a_law_that_held_says_what_it_skipped():
    law = check(lambda x: ag.exp(x), X, laws=[12]).law(12)
    assert law.held and not law.open
    assert law.skipped["whole numbers do not stay whole: there is no exact answer"] > 0
    assert "skipped: whole numbers do not stay whole" in str(law)


@pytest.mark.parametrize(
    "function, law, reason",
    [
        (lambda x: ag.inv(ag.outer(x, x) + 1e-3 * np.eye(3)), 12, "inv makes fractions"),
        (lambda x: ag.exp(1e4 + 0.0 * x) * 0.0 + x, 7, "too large for float16"),
        (lambda x: ag.sin(ag.astype(x, np.float32)), 12, "computed in lower precision"),
        (lambda x: ag.relu(x - 0.75 * (1.0 - 1e-5)), 7, "changes the piece taken"),
    ],
)
def test_reasons(function, law, reason):
    skipped = check(function, X, laws=[law], order=1).law(law).skipped
    assert any(reason in text for text in skipped), skipped


def test_an_argument_that_whole_numbers_are_not():
    def only_halves(x):
        if (x == np.rint(x)).any():
            raise ValueError("not these")
        return x * 2.0

    report = check(primitive(only_halves, x=lambda g: g * 2.0), X[:2], laws=[1, 3], order=1)
    assert report.open == [1]
    assert report.law(1).skipped == {
        "whole numbers are no arguments of it: ValueError: not these": 2
    }


def test_an_open_law_is_marked_in_the_table_which_is_then_not_ok():
    table, report = Table(), Report("mine")
    report.skip(3, "no reason", 2)
    assert table.ok
    table.add(report)
    assert not table.ok
    assert "?" in str(table).splitlines()[1] and "2 skipped, 0 broken, 1 open" in str(table)
    assert "3 complex step: 2 skipped: no reason (mine)" in table.skips()
    assert "3 complex step: 2 skipped: no reason (mine)" in table.why_not()


def test_no_law_is_open_and_every_skip_has_a_reason():
    table = check_table(["exp", "inv", "max", "batch_norm"], draws=1)
    assert table.ok and all(report.open == [] for report in table.reports.values())
    assert table.skips().count(" skipped: ") == len(table.skips().splitlines()) > 3


def test_reports_add_their_skips_up():
    one, other = Report("mine"), Report("mine")
    one.skip(7, "a", 2)
    other.skip(7, "a")
    other.skip(7, "b")
    one.absorb(other)
    assert one.law(7).skipped == {"a": 3, "b": 1}


def test_a_report_goes_through_json():
    report = check(lambda x: ag.relu(x - 0.75), X)
    again = Report.from_dict(json.loads(json.dumps(report.to_dict())))
    assert str(again) == str(report) and again == report
