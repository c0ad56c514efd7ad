"""The example in Java, of Debian's packages."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.languages

EXAMPLE = Path(__file__).parents[2] / "examples" / "java" / "run"
NEEDED = ("javac", "protoc", "grpc_java_plugin")


def test_a_client_creates_indexes_searches_and_reads_why_it_is_refused(target):
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"this needs {', '.join(missing)}: see {EXAMPLE}")
    done = subprocess.run([EXAMPLE, target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "hits: green, red",
        "refused: INVALID_ARGUMENT, INVALID_FIELD, k",
        "refused: ALREADY_EXISTS, ALREADY_EXISTS",
    ]
