"""A load process from this side."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.places import ROOT


class Loader:
    """A process that measures as it is told.

    Attributes:
        ways: the names of what it measures.
        facts: what it says of itself.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Take a process that has been started, and wait until it is ready."""
        self._process = process
        self.ways: list[str]
        self.facts: Any
        self.ways, self.facts = self._answer()

    def measure(self, way: str, seconds: float) -> Any:
        """Return what one way gives in so many seconds."""
        assert self._process.stdin is not None
        print(json.dumps([way, seconds]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a load process ended with exit code {self._process.wait()}")
        return json.loads(line)


@contextmanager
def loading(python: str | Path, module: str, *arguments: str | Path) -> Iterator[Loader]:
    """Run a module that measures as it is told, under this Python, and end it at the end."""
    process = subprocess.Popen(
        [python, "-W", "ignore", "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Loader(process)
    finally:
        process.communicate()
