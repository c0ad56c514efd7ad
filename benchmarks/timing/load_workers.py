"""Searches of two workers behind one port beside those of one process, on each transport.

Both have the same rows in memory, in as many processes; the system gives each connection to one of
them. The load generator takes its part of the machine's cores, so on a machine of two this shows
what a second process costs or brings where there is no core for it; what it brings where there is
one, it cannot show. Processor time is that of all processes of a server.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness.ratios import at_least, digits
from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.arrangement import EIGHT, FOUR_BY_EIGHT
from benchmarks.load.contender import (
    Contender,
    Driven,
    Measured,
    cpu_us_of,
    grpc_contender,
    of_both_kinds,
    rate_of,
)
from benchmarks.load.served import store
from benchmarks.load.workload import TITLES, Workload

PLACE = 3.57

ROWS = 10_000
ARRANGEMENTS = (EIGHT, FOUR_BY_EIGHT)
ROUNDS = {"quick": 3, "full": 9}
SECONDS = 1.0
ASKED = 0.9

TRANSPORTS = ("native", "grpcio")
ONE, TWO = "1 process", "2 workers"
_WORKERS = {ONE: "1", TWO: "2"}


def run(profile: str) -> dict[str, Any]:
    """Return searches a second of each way on each transport, and the ratios."""
    measured = of_both_kinds(
        _contenders, ROWS, ARRANGEMENTS, rounds=ROUNDS[profile], seconds=SECONDS
    )
    return {
        **workload.facts(
            "searches a second, with the server's processor time for each",
            ROWS,
            ROUNDS[profile],
            SECONDS,
        ),
        **tables(measured),
    }


def tables(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Return a table for each kind, and the ratios of each transport under each arrangement."""
    return {
        "results": {
            f"{TITLES[kind]}, {name}": _row(each)
            for kind, contenders in measured.items()
            for name, each in contenders.items()
        },
        "ratios": {
            f"{TITLES[kind]}, {transport}, {arrangement}: {TWO} / {ONE}": at_least(
                rate_of(driven), rate_of(contenders[f"{transport}, {ONE}"][arrangement]), ASKED
            )
            for kind, contenders in measured.items()
            for transport in TRANSPORTS
            for arrangement, driven in contenders[f"{transport}, {TWO}"].items()
        },
    }


def _contenders(asked: Workload, folder: Path, stack: ExitStack) -> Mapping[str, Contender]:
    contenders = {}
    for transport in TRANSPORTS:
        for way, workers in _WORKERS.items():
            data = folder / f"{transport}-{workers}"
            arguments = ("--transport", transport, "--workers", workers)
            server = stack.enter_context(running(data, *arguments))
            store(server.address, asked)
            contenders[f"{transport}, {way}"] = grpc_contender(
                address=server.address,
                pid=server.pid,
                workload=asked,
                folder=folder / "bodies" / data.name,
            )
    return contenders


def _row(by_arrangement: Mapping[str, list[Driven]]) -> dict[str, Any]:
    rates = {name: round(rate_of(driven)) for name, driven in by_arrangement.items()}
    cpu_us = cpu_us_of(by_arrangement[FOUR_BY_EIGHT.name])
    return {**rates, "server CPU us, 4 x 8": digits(cpu_us)}
