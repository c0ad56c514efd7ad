"""Searches with all that an operator switches on, beside the same with nobody looking.

On each transport one server lets everybody in and has no metrics, no request ids and no log of
calls; one asks for tokens; one asks for tokens, is scraped once a second, takes the request id that
each call brings, and writes as many lines of its calls as it may, in JSON. All take turns in each
round. Limits and admission have no switch and are in all of them. A refused call would not count:
h2load knows the length of the right answer.
"""

import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.ratios import at_least, digits
from benchmarks.harness.server import Running, running, serving
from benchmarks.load import unobserved, workload
from benchmarks.load.arrangement import ALONE, EIGHT, FOUR_BY_EIGHT
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

PLACE = 3.55

ROWS = 10_000
ARRANGEMENTS = (ALONE, EIGHT, FOUR_BY_EIGHT)
ROUNDS = {"quick": 3, "full": 9}
SECONDS = 0.8
ASKED = 0.9

TRANSPORTS = ("native", "grpcio")
OFF, TOKENS, ALL = "nothing", "tokens", "tokens, metrics, ids, log"
WATCHED = ("--metrics-listen", "0", "--log-format", "json", "--log-access-share", "1")


def run(profile: str) -> dict[str, Any]:
    """Return searches a second of each way on each transport, and the ratios."""
    measured = of_both_kinds(
        _contenders, ROWS, ARRANGEMENTS, rounds=ROUNDS[profile], seconds=SECONDS
    )
    return {
        **workload.facts("searches a second", ROWS, ROUNDS[profile], SECONDS),
        **tables(measured),
    }


def tables(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Return a table for each kind, and the ratios of each transport under each arrangement."""
    ratios = {
        f"{TITLES[kind]}, {transport}, {arrangement}: {way} / {OFF}": at_least(
            rate_of(driven), rate_of(contenders[f"{transport}, {OFF}"][arrangement]), ASKED
        )
        for kind, contenders in measured.items()
        for transport in TRANSPORTS
        for way in (TOKENS, ALL)
        for arrangement, driven in contenders[f"{transport}, {way}"].items()
    }
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
        for way in (OFF, TOKENS, ALL):
            name = f"{transport}, {way}"
            data = folder / name.replace(", ", "-")
            with serving(data) as address:
                store(address, asked)
            token = "" if way == OFF else _token(data, asked.kind)
            server = stack.enter_context(_served(data, transport, way))
            contenders[name] = grpc_contender(
                address=server.address,
                pid=server.pid,
                workload=asked,
                folder=folder / "bodies" / data.name,
                metadata=_metadata(token, way),
            )
    return contenders


@contextmanager
def _served(data_dir: Path, transport: str, way: str) -> Iterator[Running]:
    """Run a server with what a way has."""
    arguments = ("--transport", transport)
    if way != ALL:
        with running(data_dir, *arguments, command=unobserved.command()) as server:
            yield server
        return
    log = data_dir.with_suffix(".log")
    with running(data_dir, *arguments, *WATCHED, log=log) as server, _scraped(_metrics(log)):
        yield server


def _metrics(log: Path) -> str:
    """Return where a server answers scrapes, by what it has logged."""
    (port,) = re.findall(r"by HTTP on port (\d+)", log.read_text())
    return f"http://127.0.0.1:{port}/metrics"


@contextmanager
def _scraped(url: str) -> Iterator[None]:
    """Ask for the metrics once a second, far oftener than a Prometheus does."""
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(1):
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http
                answer.read()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _metadata(token: str, way: str) -> Mapping[str, str]:
    """Return what each call brings along."""
    bearing = {"authorization": f"Bearer {token}"} if token else {}
    return bearing | ({"x-request-id": "load/0123456789abcdef"} if way == ALL else {})


def _token(data_dir: Path, collection: str) -> str:
    """Make a token for a server's next start."""
    program = str(Path(sys.executable).with_name("cipherlens"))
    words = ["token", "new", "load", "--data-dir", str(data_dir), "--allow", f"search:{collection}"]
    made = subprocess.run([program, *words, "--json"], capture_output=True, text=True, check=True)
    token: str = json.loads(made.stdout)["token"]
    return token


def _row(by_arrangement: Mapping[str, list[Driven]]) -> dict[str, Any]:
    rates = {name: round(rate_of(driven)) for name, driven in by_arrangement.items()}
    cpu_us = cpu_us_of(by_arrangement[FOUR_BY_EIGHT.name])
    return {**rates, "server CPU us, 4 x 8": digits(cpu_us)}
