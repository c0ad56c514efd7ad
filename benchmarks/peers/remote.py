"""A peer from this side: a worker in the peer's environment that answers what is asked."""

import ast
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.places import ROOT
from benchmarks.peers.environment import interpreter


class PeerError(Exception):
    """A peer could not do what it was asked for; the text is its own."""


class Remote:
    """Asks a worker; see `benchmarks.peers.worker` for what there is to ask."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        """Speak to this worker."""
        self._name = name
        self._process = process

    def ask(self, what: str, **arguments: Any) -> Any:
        """Return the worker's answer. Raises PeerError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"ask": what, **arguments}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{self._name} ended with exit code {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self._name}: {answer['error']}")
        return answer["value"]


@contextmanager
def peer_at_work(name: str, limit_s: float = 600) -> Iterator[Remote]:
    """Run the worker of the peer in `benchmarks/peers/NAME.py`; it stops its peer at the end.

    After the limit it is stopped, and what is asked raises PeerError.

    Raises NotHereError if it cannot be installed or does not start.
    """
    python = interpreter(name, _said(name, "REQUIREMENTS"))
    command = [str(python), "-m", "benchmarks.peers.worker"]
    process = subprocess.Popen(
        [*command, f"benchmarks.peers.{name}", _said(name, "PEER")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )
    remote = Remote(name, process)
    limit = threading.Timer(limit_s, process.terminate)
    limit.start()
    try:
        yield remote
        remote.ask("close")
    finally:
        process.communicate()
        limit.cancel()


def client_of(name: str) -> str:
    """Return what a peer's file says of its client."""
    return str(_said(name, "CLIENT"))


def title_of(name: str) -> str:
    """Return a peer's name in words."""
    return str(_said(name, "TITLE"))


def _said(name: str, constant: str) -> Any:
    """Return a constant of the peer's file, which cannot be imported here."""
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text())
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == constant:
            return ast.literal_eval(statement.value)
    raise NotHereError(f"benchmarks/peers/{name}.py does not say {constant}")
