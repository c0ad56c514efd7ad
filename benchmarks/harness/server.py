"""A real server in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

_READY = re.compile(r"listening on (\S+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A server that listens: where, and the number of its process."""

    address: str
    pid: int


@contextmanager
def serving(data_dir: Path, *arguments: str) -> Iterator[str]:
    """Run `cipherlens serve` on a free port of loopback, give its address, stop it at the end."""
    with running(data_dir, *arguments) as server:
        yield server.address


@contextmanager
def running(
    data_dir: Path,
    *arguments: str,
    command: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Running]:
    """Run `cipherlens serve` on a free port of loopback and stop it at the end.

    `command` is another program with its command line, `environment` adds to this process's, `log`
    takes its standard error. A `--listen` among the arguments is taken in place of the free port.
    """
    program = command or [str(Path(sys.executable).with_name("cipherlens"))]
    with (
        log.open("wb") if log else nullcontext() as errors,
        subprocess.Popen(
            [*program, "serve", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        ) as process,
    ):
        try:
            yield Running(address=_address(process), pid=process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := _READY.search(line):
            return found[1]
    raise RuntimeError(f"the server ended with exit code {process.wait()} before it was ready")
