"""Searches under load beside our own before we had a transport of our choice, in the same run.

The commit that the issue of speed was written at, or the one that BEFORE names, is laid out in a
temporary folder and served with the libraries of today; both servers hold the same rows and take
turns in each round.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.places import ROOT
from benchmarks.harness.progress import say
from benchmarks.harness.ratios import at_least, digits
from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.arrangement import ALONE, EIGHT, FOUR_BY_EIGHT
from benchmarks.load.contender import (
    Contender,
    Measured,
    cpu_us_of,
    grpc_contender,
    in_turn,
    rate_of,
)
from benchmarks.load.served import store
from benchmarks.load.workload import CODES, VECTORS, Workload

PLACE = 3.2

COMMIT = "017d16d"
ARRANGEMENTS = (ALONE, EIGHT, FOUR_BY_EIGHT)
ASKED = {
    CODES: {EIGHT.name: 6, FOUR_BY_EIGHT.name: 9},
    VECTORS: {EIGHT.name: 6, FOUR_BY_EIGHT.name: 7},
}
ROWS = 10_000
ROUNDS = {"quick": 3, "full": 9}
SECONDS = 1.0
NOW = "now"

_PARTS = (
    "base",
    "crypto",
    "model",
    "server",
    "client",
    "proto/cipherlens/v1",
    "proto/cipherlens/wire",
)
_PROGRAM = "from cipherlens.client.cli import main; main()"


def run(profile: str) -> dict[str, Any]:
    """Return searches a second of both, and the ratios."""
    commit = os.environ.get("BEFORE", COMMIT)
    measured = {}
    for make in (workload.codes, workload.vectors):
        asked = make(ROWS)
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            contenders = _contenders(asked, commit, Path(name), stack)
            recalls = {name: each.recall for name, each in contenders.items()}
            measured[asked.kind] = in_turn(
                contenders, ARRANGEMENTS, rounds=ROUNDS[profile], seconds=SECONDS
            )
        say(f"recall: {recalls}")
    return {
        **workload.facts("searches a second", ROWS, ROUNDS[profile], SECONDS),
        **tables(measured, commit),
    }


def tables(measured: dict[str, Measured], commit: str) -> dict[str, Any]:
    """Return the table and the ratios."""
    return {
        "results": {
            f"{workload.TITLES[kind]}, {name}": {
                arrangement: round(rate_of(driven))
                for arrangement, driven in by_arrangement.items()
            }
            | {"CPU us, 4 x 8": digits(cpu_us_of(by_arrangement[FOUR_BY_EIGHT.name]))}
            for kind, contenders in measured.items()
            for name, by_arrangement in contenders.items()
        },
        "ratios": {
            f"{workload.TITLES[kind]}: {arrangement}, now / {commit}": at_least(
                rate_of(contenders[NOW][arrangement]),
                rate_of(contenders[commit][arrangement]),
                asked,
            )
            for kind, contenders in measured.items()
            for arrangement, asked in ASKED[kind].items()
        },
    }


def _contenders(
    asked: Workload, commit: str, folder: Path, stack: ExitStack
) -> dict[str, Contender]:
    say(f"{workload.TITLES[asked.kind]}: starting servers")
    servers = {
        NOW: stack.enter_context(running(folder / "now")),
        commit: stack.enter_context(_running_before(commit, folder)),
    }
    contenders: dict[str, Contender] = {}
    for name, each in servers.items():
        store(each.address, asked)
        contenders[name] = grpc_contender(
            address=each.address, pid=each.pid, workload=asked, folder=folder / "bodies" / name
        )
    return contenders


def _running_before(commit: str, folder: Path) -> Any:
    """Run the server of a commit."""
    view = _view(commit, folder)
    return running(
        folder / "before",
        command=[sys.executable, "-c", _PROGRAM],
        environment={"PYTHONPATH": str(view)},
    )


def _view(commit: str, folder: Path) -> Path:
    """Lay a commit out as an import namespace and return where. Raises NotHereError."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise NotHereError(f"commit {commit} is not here: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tree:
        tree.extractall(folder / "tree", filter="data")
    view = folder / "view" / "cipherlens"
    view.mkdir(parents=True)
    for part in map(Path, _PARTS):
        if (folder / "tree" / part).exists():  # some came later
            (view / part.name).symlink_to(folder / "tree" / part)
    return view.parent
