"""The folder that the demo writes to: every file appears whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..atomic import write_atomically


class Folder:
    """A folder that can be written to, made if it is not there.

    Raises OSError, before any work, where it cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.write(".probe", b"")
        (self.path / ".probe").unlink()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file in one step: a crash half-way leaves the old one."""
        write_atomically(self.path / name, content)

    def write_json(self, name: str, value: Any) -> None:
        """Numbers as they are, so that they can be compared with those of another run."""
        self.write(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
