"""Renew the pictures of the gallery: run its code, and the demo, and keep what the page shows."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from autograd_cnn.cli import main

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"


def renew() -> None:
    """Run everything in a folder of its own, then copy what the page names."""
    page = (HERE / "gallery.md").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            names: dict = {"__name__": "gallery"}
            for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S):
                exec(compile(block, "gallery.md", "exec"), names)
            main(["demo", "--out", "."])
            PICTURES.mkdir(exist_ok=True)
            for name in re.findall(r"\(pictures/([^)]+)\)", page):
                shutil.copy(name, PICTURES / name)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    renew()
