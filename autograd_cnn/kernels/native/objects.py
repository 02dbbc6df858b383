"""Compiled code on disk: written atomically, checked when read, rebuilt when damaged.

An entry is the SHA-256 of the code followed by the code; nothing is unpickled. Its name says what
the code depends on, so a stale entry is never found.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

_DIGEST_BYTES = 32


def folder() -> Path:
    """Where compiled kernels are kept: $AUTOGRAD_CNN_CACHE, or the user's cache folder."""
    chosen = os.environ.get("AUTOGRAD_CNN_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "autograd_cnn" / "kernels"


def recall(fingerprint: str) -> bytes | None:
    """The code kept under `fingerprint`; None where there is none or it is damaged."""
    try:
        entry = (folder() / fingerprint).read_bytes()
    except (OSError, RuntimeError):
        return None
    digest, code = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def remember(fingerprint: str, code: bytes) -> None:
    """Keep `code`; where that cannot be, it is compiled again next time."""
    temporary = None
    try:
        place = folder()
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=place)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(temporary, place / fingerprint)
    except (OSError, RuntimeError):
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
