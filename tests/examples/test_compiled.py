"""The examples in Go and Java, of Debian's packages."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.languages, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("language", "needed"),
    [
        ("go", ("go", "protoc", "protoc-gen-go-grpc")),
        ("java", ("javac", "protoc", "grpc_java_plugin")),
    ],
)
def test_a_client_creates_indexes_searches_and_reads_why_it_is_refused(target, language, needed):
    example = EXAMPLES / language / "run"
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        pytest.skip(f"this needs {', '.join(missing)}: see {example}")
    done = subprocess.run([example, target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "hits: green, red",
        "refused: INVALID_ARGUMENT, INVALID_FIELD, k",
        "refused: ALREADY_EXISTS, ALREADY_EXISTS",
    ]
