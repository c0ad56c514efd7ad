"""Searches where tokens are asked for, beside the same where everybody is let in.

Each transport serves the same rows twice, once with a token in every call; all take turns in each
round. A call with a token is longer by its header, and a refused one would not count: h2load knows
the length of the right answer.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness.ratios import at_least, digits
from benchmarks.harness.server import running, serving
from benchmarks.load import workload
from benchmarks.load.arrangement import ALONE, EIGHT, FOUR_BY_EIGHT
from benchmarks.load.contender import (
    Contender,
    Driven,
    Measured,
    cpu_us_of,
    grpc_contender,
    in_turn,
    rate_of,
)
from benchmarks.load.served import store
from benchmarks.load.workload import TITLES, Workload

PLACE = 3.55

ROWS = 10_000
ARRANGEMENTS = (ALONE, EIGHT, FOUR_BY_EIGHT)
ROUNDS = {"quick": 5, "full": 9}
SECONDS = 1.0
ASKED = 0.9

TRANSPORTS = ("native", "grpcio")


def run(profile: str) -> dict[str, Any]:
    """Return searches a second either way on each transport, and the ratios."""
    measured: dict[str, Measured] = {}
    for make in (workload.codes, workload.vectors):
        asked = make(ROWS)
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            contenders = _contenders(asked, Path(name), stack)
            measured[asked.kind] = in_turn(
                contenders, ARRANGEMENTS, rounds=ROUNDS[profile], seconds=SECONDS
            )
    return {
        "unit": "searches a second",
        "data": workload.DATA,
        "seed": workload.SEED,
        "rows": ROWS,
        "rounds": ROUNDS[profile],
        "seconds": SECONDS,
        **tables(measured),
    }


def tables(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Return a table for each kind, and the ratio of each transport under each arrangement."""
    ratios = {}
    for kind, contenders in measured.items():
        for transport in TRANSPORTS:
            shown, free = contenders[_name(transport, True)], contenders[_name(transport, False)]
            for arrangement in shown:
                ratios[f"{TITLES[kind]}, {transport}, {arrangement}: tokens / none"] = at_least(
                    rate_of(shown[arrangement]), rate_of(free[arrangement]), ASKED
                )
    return {
        "results": {
            f"{TITLES[kind]}, {name}": _row(each)
            for kind, contenders in measured.items()
            for name, each in contenders.items()
        },
        "ratios": ratios,
    }


def _contenders(asked: Workload, folder: Path, stack: ExitStack) -> Mapping[str, Contender]:
    contenders = {}
    for transport in TRANSPORTS:
        for asks in (False, True):
            name = _name(transport, asks)
            data = folder / name
            with serving(data) as address:
                store(address, asked)
            token = _token(data, asked.kind) if asks else ""
            server = stack.enter_context(running(data, "--transport", transport))
            contenders[name] = grpc_contender(
                address=server.address,
                pid=server.pid,
                workload=asked,
                folder=folder / "bodies" / name,
                token=token,
            )
    return contenders


def _token(data_dir: Path, collection: str) -> str:
    """Make a token for a server's next start."""
    program = str(Path(sys.executable).with_name("cipherlens"))
    words = ["token", "new", "load", "--data-dir", str(data_dir), "--allow", f"search:{collection}"]
    made = subprocess.run([program, *words, "--json"], capture_output=True, text=True, check=True)
    token: str = json.loads(made.stdout)["token"]
    return token


def _name(transport: str, asks_for_tokens: bool) -> str:
    return f"{transport}, {'tokens' if asks_for_tokens else 'no tokens'}"


def _row(by_arrangement: Mapping[str, list[Driven]]) -> dict[str, Any]:
    rates = {name: round(rate_of(driven)) for name, driven in by_arrangement.items()}
    cpu_us = cpu_us_of(by_arrangement[FOUR_BY_EIGHT.name])
    return {**rates, "server CPU us, 4 x 8": digits(cpu_us)}
