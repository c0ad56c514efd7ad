"""What examples in other languages are run against, and with."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real cloud server in this process."""
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import ServerConfig

    config = ServerConfig(
        data_dir=tmp_path_factory.mktemp("data"), listen="127.0.0.1:0", device="cpu"
    )
    server = CipherLensServer(config)
    yield f"127.0.0.1:{server.start()}"
    server.stop(1)
