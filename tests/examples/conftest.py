"""What examples in other languages are run against, and with."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import target

__all__ = ["target"]  # the server that clients are tested with

ROOT = Path(__file__).parents[2]
JAVASCRIPT = ROOT / "examples" / "javascript"

Run = Callable[..., str]


@pytest.fixture(scope="session")
def node() -> Run:
    """A function that runs Node in the folder of the JavaScript example, and returns its output."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("this needs node in PATH (Debian: nodejs)")
    if not (JAVASCRIPT / "node_modules").is_dir():
        pytest.skip("this needs the packages of examples/javascript: make test-languages")

    def run(*words: str, typed: str = "") -> str:
        done = subprocess.run(
            [program, *words],
            cwd=JAVASCRIPT,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
