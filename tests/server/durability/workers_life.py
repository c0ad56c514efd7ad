"""The life of a data folder that several workers serve: some are killed, the others go on."""

import os
import random
import re
import select
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from tests.server.durability.aim import STARTS
from tests.server.durability.facts import Stored, stored_beside
from tests.server.durability.life import Life
from tests.server.durability.postgres_life import PostgresLife
from tests.server.durability.process import ServerProcess

WORKERS = 3

_STRIKES = {"one worker": 6, "two workers": 2, "all workers": 1, "all processes": 1}
_PATIENCE_S = 240.0  # a worker with models takes a while to start on a busy machine
_PAUSE_S = 0.05
_LOOKS = 3  # with nothing under way, one after the other
_PORT = re.compile(r"by HTTP on port (\d+)")
_SAMPLE = re.compile(r"^cipherlens_(leads|calls_under_way)\S* (\S+)$", re.MULTILINE)


class Page(NamedTuple):
    """What a worker says of itself: how many calls it works on, and whether it leads."""

    port: str
    under_way: int
    leads: bool


class WorkersProcess(ServerProcess):
    """A process that starts workers; what it logs, and they, goes to the end of a file."""

    def pids(self) -> list[int]:
        """Return those of the workers there are."""
        number = self._process.pid
        try:
            return list(
                map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())
            )
        except OSError:
            return []

    def pages(self) -> list[Page]:
        """Return what each worker says that answers."""
        found = (_page(port) for port in dict.fromkeys(_PORT.findall(self._log.read_text())))
        return [each for each in found if each is not None]

    def kill(self) -> None:
        """End all processes at this moment, those first that would start others."""
        below = self.pids()
        super().kill()
        for each in below:
            end(each)


def end(worker: int) -> None:
    """Kill a worker, if it has not ended by itself, and return once it is gone."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(worker)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            assert select.select([descriptor], [], [], _PATIENCE_S)[0]
        finally:
            os.close(descriptor)


def _page(port: str) -> Page | None:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
            samples = _SAMPLE.findall(response.read().decode())
    except (URLError, OSError):
        return None
    counts = {name: sum(float(n) for each, n in samples if each == name) for name, _ in samples}
    return Page(port, int(counts["calls_under_way"]), bool(counts.get("leads")))


class WorkersLife(Life):
    """One whose workers are killed, and replaced by the process that started them."""

    _led_by = ""

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **(super()._environment() or {}), "WORKERS": str(WORKERS)}

    def _targets(self) -> list[str]:
        return [each for each in super()._targets() if each != "migration"]

    def _server(self, ending: ExitStack) -> ServerProcess:
        server = WorkersProcess(self._folder, self._log, self._transport, self._environment())
        ending.callback(server.kill)
        return server

    def _stored(self) -> Stored:
        return stored_beside(self._folder)

    def _strike(self, server: ServerProcess, rng: random.Random) -> None:
        assert isinstance(server, WorkersProcess)
        (struck,) = rng.choices(list(_STRIKES), list(_STRIKES.values()))
        self.killed[struck] += 1
        if struck == "all processes":
            server.kill()
        else:
            _kill(server, {"one worker": 1, "two workers": 2}.get(struck, WORKERS), rng)
        for each in self._callers:
            each.end()

    def _strike_at_start(
        self, server: ServerProcess, target: str, rng: random.Random, ending: ExitStack
    ) -> None:
        """Kill one more, where one takes the place of another."""
        if not server.is_running:
            super()._strike_at_start(server, target, rng, ending)
            return
        assert isinstance(server, WorkersProcess)
        time.sleep(rng.uniform(0, STARTS[target]))
        _kill(server, 1, rng)
        self.killed[target] += 1

    def _look_at_disk(self, target: str) -> None:
        """Leave the folder alone: others go on in it."""

    def _check(self, server: ServerProcess, *, is_patient: bool) -> None:
        """Look at everything, once what was under way as one was killed has come to its end."""
        assert isinstance(server, WorkersProcess)
        server.target()
        leading = _leading(server)
        self.killed["who leads"] += self._led_by not in ("", leading)
        self._led_by = leading
        super()._check(server, is_patient=is_patient)


class PostgresWorkersLife(WorkersLife, PostgresLife):
    """The same with rows in PostgreSQL."""

    def _stored(self) -> Stored:
        return PostgresLife._stored(self)


def _kill(server: WorkersProcess, count: int, rng: random.Random) -> None:
    there = server.pids()
    for each in rng.sample(there, min(count, len(there))):
        end(each)


def _leading(server: WorkersProcess) -> str:
    """Return the port of the one that leads, once all answer, and none works on a call."""
    ends_at, looks = time.monotonic() + _PATIENCE_S, 0
    while looks < _LOOKS:
        pages = server.pages()
        leading = [each.port for each in pages if each.leads]
        is_quiet = len(pages) == WORKERS and not any(each.under_way for each in pages)
        looks = looks + 1 if is_quiet and len(leading) == 1 else 0
        assert time.monotonic() < ends_at, f"the workers do not come to rest: {pages}"
        time.sleep(_PAUSE_S)
    return leading[0]
