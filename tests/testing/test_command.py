"""`autograd-cnn check`, and the table that it prints."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import cli
from autograd_cnn.testing import check_table, command


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "mine_to_check.py").write_text(
        "import autograd_cnn as ag\n"
        "cube = ag.custom_primitive('cube', lambda x: x**3, x=lambda g, x: g * 3.0 * x**2)\n"
        "wrong = ag.custom_primitive('cube', lambda x: x**3, x=lambda g, x: g * 3.01 * x**2)\n"
        "def blend(x, y):\n    return ag.tanh(x) @ y\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_function_with_shapes(module, capsys):
    assert command(["mine_to_check:blend", "--shape", "2,3", "--shape", "3,2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("blend:") and "complex step" in text and "14  programs" in text


def test_a_broken_law_is_exit_status_1(module, capsys):
    assert command(["mine_to_check:cube", "--shape", "2,3"]) == 0
    assert command(["mine_to_check:wrong", "--shape", "2,3"]) == 1
    assert "law 3 (complex step) is broken by cube" in capsys.readouterr().out


def test_a_primitive_of_the_library_needs_no_shape(capsys):
    assert cli.main(["check", "autograd_cnn.ops.conv:_conv", "--laws", "1,10"]) == 0
    assert "exact adjoint" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv, words",
    [
        ([], "MODULE:FUNCTION, --all or --mutations"),
        (["math"], "is not FILE.py:NAME or MODULE:NAME"),
        (["no_such_module:f", "--shape", "2"], "no_such_module"),
        (["autograd_cnn:no_such_function", "--shape", "2"], "no_such_function"),
        (["autograd_cnn:tanh"], "needs a --shape"),
        (["autograd_cnn:tanh", "--shape", "2", "--laws", "15"], "15"),
    ],
)
def test_misuse_is_exit_status_2(argv, words, capsys):
    assert command(argv) == 2
    assert words in capsys.readouterr().err


def test_the_table_of_some_operations():
    table = check_table(["exp", "conv", "argmax"], draws=1)
    text = str(table)
    assert table.ok and "every law holds" in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:4]}
    assert rows["conv"][0] == "0" and rows["exp"][0] == "–"  # law 1 is exact, or does not apply
    assert all(len(cells) == 14 for cells in rows.values())
    assert "no floating-point output (argmax)" in table.why_not()


def test_a_broken_law_is_marked_and_does_not_stop_the_table(monkeypatch):
    exp = ag.TABLE["exp"]
    wrong = ag.custom_primitive("other", np.exp, x=lambda g, ans: g * ans * 1.001)
    monkeypatch.setattr(exp, "rules", wrong.rules)
    monkeypatch.setattr(exp, "plans", {})
    table = check_table(["exp", "sin"], draws=1, laws=[2, 3, 8])
    assert not table.ok and [error.law for error in table.errors] == [3]
    assert "✗" in str(table) and "1 broken" in str(table)
    assert table.errors[0].example.inputs["x"].size == 1
    assert table.reports["sin"].law(3).comparisons


def test_all_and_mutations_set_the_exit_status(monkeypatch, capsys):
    monkeypatch.setattr("autograd_cnn.testing.records.load", lambda: None)
    from autograd_cnn.testing import records

    few = {name: records.RECORDS[name] for name in ("exp", "flip")}
    monkeypatch.setattr(records, "RECORDS", few)
    monkeypatch.setattr(records, "COMPOSITES", {})
    assert command(["--all", "--draws", "1"]) == 0
    assert "2 operations" in capsys.readouterr().out
    monkeypatch.setattr("autograd_cnn.testing.mutation.TABLE", {n: ag.TABLE[n] for n in few})
    assert command(["--mutations"]) == 0
    assert "(100.0%)" in capsys.readouterr().out
    monkeypatch.setattr(
        "autograd_cnn.testing.record_check.check_sample", lambda *args, **kwargs: None
    )
    assert command(["--mutations"]) == 1
