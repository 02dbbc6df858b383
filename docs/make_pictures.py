"""Renew the pictures of the gallery: run its code, and keep what the page shows.

    python docs/make_pictures.py [NAME …]

With names only these are renewed; the demo is run where one of its pictures is among them.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib

from autograd_cnn.cli import main

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"


def renew(names: list[str]) -> None:
    """Run everything in a folder of its own, then copy what was named, or all that is shown."""
    page = (HERE / "gallery.md").read_text("utf-8")
    shown = re.findall(r"\(pictures/([^)]+)\)", page)
    unknown = set(names) - set(shown)
    if unknown:
        sys.exit(f"the gallery shows no {', '.join(sorted(unknown))}")
    wanted = names or shown
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # the same bytes each time
    matplotlib.rcParams["svg.hashsalt"] = "gallery"
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            space: dict = {"__name__": "gallery"}
            for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S):
                exec(compile(block, "gallery.md", "exec"), space)
            if "viewer.png" in wanted:
                photograph(Path("network.html"), Path("viewer.png"))
            if not all(Path(name).exists() for name in wanted):
                main(["demo", "--out", "."])
            PICTURES.mkdir(exist_ok=True)
            for name in wanted:
                shutil.copy(name, PICTURES / name)
        finally:
            os.chdir(before)


def photograph(page: Path, picture: Path) -> None:
    """The page in Chromium: one card opened, and the backward pass has come to its operation."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": 1280, "height": 800})
        window.goto(page.resolve().as_uri())
        window.click('[aria-label*="conv2d"][aria-label*="in block.conv"]')
        window.locator("input[type=range]").fill("23")
        window.wait_for_timeout(1500)
        window.screenshot(path=str(picture))
        browser.close()


if __name__ == "__main__":
    renew(sys.argv[1:])
