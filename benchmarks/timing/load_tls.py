"""Searches through TLS: ours behind nginx, and a bare servicer on grpcio with TLS of its own.

The native transport has no TLS, so nginx stands in front of it, configured as docs/tls.md says.
Beside it stands FAISS behind a bare servicer, which is quicker than our own listener with TLS, on
grpcio, would be. Both hold the same codes and take turns in each round.
"""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

from benchmarks.harness.ratios import at_least, digits
from benchmarks.harness.server import running
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
from benchmarks.load.served import bare, store
from benchmarks.load.tls import certificate, nginx
from benchmarks.load.workload import CODES, TITLES, Workload

PLACE = 3.5

ROWS = 10_000
ARRANGEMENTS = (ALONE, EIGHT, FOUR_BY_EIGHT)
ROUNDS = {"quick": 3, "full": 9}
SECONDS = 1.0
ASKED = 2.5

BEHIND, OPEN, BARE = "CipherLens behind nginx, TLS", "CipherLens, no TLS", "bare grpcio, TLS"


def run(profile: str) -> dict[str, Any]:
    """Return searches a second either way, and the ratio."""
    asked = workload.codes(ROWS)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        contenders = _contenders(asked, Path(name), stack)
        measured = in_turn(contenders, ARRANGEMENTS, rounds=ROUNDS[profile], seconds=SECONDS)
    return {
        **workload.facts(
            "searches a second",
            ROWS,
            ROUNDS[profile],
            SECONDS,
            data=f"{TITLES[CODES]}; {workload.DATA}",
        ),
        **tables(measured),
    }


def tables(measured: Measured) -> dict[str, Any]:
    """Return the table and the ratio."""
    busy = FOUR_BY_EIGHT.name
    return {
        "results": {name: _row(each) for name, each in measured.items()},
        "ratios": {
            f"{TITLES[CODES]}, {busy}: {BEHIND} / {BARE}": at_least(
                rate_of(measured[BEHIND][busy]), rate_of(measured[BARE][busy]), ASKED
            )
        },
    }


def _contenders(asked: Workload, folder: Path, stack: ExitStack) -> Mapping[str, Contender]:
    trusted = grpc.ssl_channel_credentials(certificate(folder))
    ours = stack.enter_context(running(folder / "data", "--listen", f"unix:{folder}/socket"))
    store(ours.address, asked)
    plain = stack.enter_context(running(folder / "plain"))
    store(plain.address, asked)
    proxy = stack.enter_context(nginx(folder))
    other = stack.enter_context(bare("grpcio", asked, folder, "--tls", str(folder)))
    bodies = folder / "bodies"
    return {
        # What nginx spends is its own; what our server spends beside it is not in the figure.
        BEHIND: grpc_contender(
            address=proxy.address,
            pid=proxy.pid,
            workload=asked,
            folder=bodies / "behind",
            credentials=trusted,
        ),
        OPEN: grpc_contender(
            address=plain.address, pid=plain.pid, workload=asked, folder=bodies / "open"
        ),
        BARE: grpc_contender(
            address=other.address,
            pid=other.pid,
            workload=asked,
            folder=bodies / "bare",
            credentials=trusted,
        ),
    }


def _row(by_arrangement: Mapping[str, list[Driven]]) -> dict[str, Any]:
    rates = {name: round(rate_of(driven)) for name, driven in by_arrangement.items()}
    cpu_us = cpu_us_of(by_arrangement[FOUR_BY_EIGHT.name])
    return {**rates, "CPU us of what listens, 4 x 8": digits(cpu_us)}
