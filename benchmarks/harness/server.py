"""A real server in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_READY = re.compile(r"listening on (\S+)")


@contextmanager
def serving(data_dir: Path, *arguments: str) -> Iterator[str]:
    """Run `cipherlens serve` on a free port of loopback, give its address, stop it at the end."""
    command = [str(Path(sys.executable).with_name("cipherlens")), "serve"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(data_dir), "--listen", "127.0.0.1:0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield _address(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := _READY.search(line):
            return found[1]
    raise RuntimeError(f"the server ended with exit code {process.wait()} before it was ready")
