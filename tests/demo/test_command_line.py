import os
import subprocess
import sys

import pytest

from autograd_cnn import cli
from autograd_cnn.demo.folder import Folder
from autograd_cnn.demo.page import page, paragraph, table


def test_a_folder_that_cannot_be_written_to_is_said_before_any_work(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert cli.main(["demo", "--out", str(tmp_path / "file")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("autograd-cnn demo: ")
    assert "file" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_said_before_any_work(device, tmp_path, capsys):
    assert cli.main(["demo", "--device", device, "--out", str(tmp_path / "out")]) == 2
    assert f'"{device[:4].removesuffix(":")}' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_said_with_its_remedy(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 2
    assert 'pip install "autograd-cnn[plot]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--seed", "-1"], ["--epochs", "many"]])
def test_numbers_out_of_range_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["demo", *arguments])
    assert stopped.value.code == 2
    assert "is not a whole number ≥" in capsys.readouterr().err


def test_env_says_what_a_report_needs(capsys):
    assert cli.main(["env"]) == 0
    printed = capsys.readouterr().out
    for name in ("autograd_cnn", "Python", "NumPy", "BLAS", "OPENBLAS_CORETYPE", "CuPy"):
        assert name in printed


def test_the_command_starts_without_optional_packages():
    # as on a machine with NumPy alone: nothing else is imported before it is needed
    code = (
        "import sys\n"
        "from autograd_cnn import cli\n"
        "cli.main(['env'])\n"
        "heavy = {'matplotlib', 'sklearn', 'rich', 'pygraphviz', 'torch', 'cupy'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "imported: []"


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    folder.write("numbers.txt", "old")

    def fail(*paths):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write("numbers.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.txt"]
    assert (tmp_path / "numbers.txt").read_text() == "old"


def test_text_is_escaped_in_the_page():
    text = page("<a>", [paragraph("1 < 2 and `x & y`"), table(["<b>"], [["<i>"]], [])])
    assert "<title>&lt;a&gt;</title>" in text
    assert "1 &lt; 2 and <code>x &amp; y</code>" in text
    assert "<i>" not in text
    assert "&lt;b&gt;" in text
