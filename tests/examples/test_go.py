"""The example in Go, of Debian's packages."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.languages, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "go" / "run"
NEEDED = ("go", "protoc", "protoc-gen-go-grpc")


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
