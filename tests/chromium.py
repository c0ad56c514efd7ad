"""A real Chromium, for tests of what a browser does."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def launched(*options: str) -> Iterator["Browser"]:
    """Give a running browser, or skip the test and say what is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="this needs playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"this needs one of {', '.join(NAMES)} in PATH")
    sandbox = os.geteuid() != 0  # Chromium refuses to run as root with its sandbox
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, chromium_sandbox=sandbox, args=options
        )
        yield browser
        browser.close()
