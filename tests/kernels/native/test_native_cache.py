"""Compiled code on disk: found again, never trusted, never in the way."""

import os

import pytest

llvmlite = pytest.importorskip(
    "llvmlite", reason='needs llvmlite: pip install "autograd-cnn[fast]"'
)

from autograd_cnn.kernels.native import compiler, machine, objects  # noqa: E402
from autograd_cnn.kernels.native.rows import gather  # noqa: E402

HERE = machine.MACHINES[machine.runnable()[0]]


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """A function that gets one kernel's address afresh and tells how often LLVM had to work."""
    monkeypatch.setenv("AUTOGRAD_CNN_CACHE", str(tmp_path / "kernels"))
    emitted = []
    emit = compiler._emit
    monkeypatch.setattr(compiler, "_emit", lambda *args: emitted.append(1) or emit(*args))

    def again():
        assert compiler._compile(HERE, gather, (HERE.name, "gather", 1)) > 0
        return len(emitted)

    return again


def entry():
    (found,) = objects.folder().iterdir()
    return found


def test_code_is_compiled_once_and_then_found(compiled):
    assert [compiled(), compiled(), compiled()] == [1, 1, 1]
    assert len(entry().name) == 64  # a SHA-256; no temporary file is left


@pytest.mark.parametrize("damage", ["a byte", "cut", "empty", "other"])
def test_a_damaged_entry_is_rebuilt(compiled, damage):
    compiled()
    whole = entry().read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    broken = {"a byte": flipped, "cut": whole[:-9], "empty": b"", "other": b"x" * len(whole)}
    entry().write_bytes(broken[damage])
    assert compiled() == 2
    assert entry().read_bytes() == whole
    assert compiled() == 2


def test_code_for_another_processor_compiler_or_source_has_another_name(monkeypatch):
    text = "define void @f() { ret void }"
    names = {compiler._fingerprint(HERE, text), compiler._fingerprint(HERE, text + " ")}
    names.add(compiler._fingerprint(machine.MACHINES["plain"], text))
    monkeypatch.setattr(llvmlite, "__version__", "99.0")
    names.add(compiler._fingerprint(HERE, text))
    monkeypatch.setattr(compiler, "_processor", lambda machine: ("another", "+wings"))
    names.add(compiler._fingerprint(HERE, text))
    assert len(names) == 4 + (HERE.name != "plain")


def test_without_a_writable_folder_code_is_compiled_each_time(compiled, tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.write_text("no folder")
    monkeypatch.setenv("AUTOGRAD_CNN_CACHE", str(blocked))
    assert [compiled(), compiled()] == [1, 2]


def test_a_failed_write_leaves_nothing(compiled, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    assert compiled() == 1
    assert list(objects.folder().iterdir()) == []
