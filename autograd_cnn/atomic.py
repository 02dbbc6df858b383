"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write a file in one step: a crash half-way leaves the old one, or none.

    Raises OSError where the folder cannot be written to.
    """
    target = Path(path)
    # in the same folder, so that replacing is one rename
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
