"""The life of a data folder: written to, its server killed at random, and looked at again."""

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from cipherlens.client import Client
from tests.server.durability.aim import STARTS, Aim, targets
from tests.server.durability.caller import PATIENT, Caller
from tests.server.durability.checking import check_collections, check_taken_over
from tests.server.durability.facts import Stored, served, stored_in
from tests.server.durability.ledger import difference
from tests.server.durability.power import Mains
from tests.server.durability.process import ServerProcess
from tests.server.durability.snapshots import OPERATION as SNAPSHOT
from tests.server.durability.snapshots import SnapshotTaker

DISK = "disk"
"""The folder that stands for one, in the place of a life."""

_DATABASE = "cipherlens.sqlite3"
_VERSION_2 = """
DROP TABLE purge_marks;
DROP INDEX tombstones;
ALTER TABLE items DROP COLUMN tokens;
ALTER TABLE items DROP COLUMN sealed_tags;
DROP TABLE alembic_version;
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (2);
"""


class Life:
    """One folder's life. All that is random in it follows from a seed, but for the time.

    Attributes:
        aimed: how often the server was killed and started again to look, by what it was to be in.
        killed: the kills by what was under way then, be it more than one thing.
        came_about: calls among these that were done all the same, by what they were.
    """

    def __init__(
        self,
        place: Path,
        seed: int,
        callers: Sequence[Caller],
        transport: str,
        power: Mains | None = None,
    ) -> None:
        """Take a place for all files, who works on it, and the server's transport.

        power: of the disk, the folder `place / DISK`; else it stays on.
        """
        self._folder, self._log = place / DISK / "data", place / "server.log"
        self._seed, self._transport, self._power = seed, transport, power or Mains()
        self._callers = callers
        self._taker = SnapshotTaker(self._folder, place, callers)
        self.aimed: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.came_about: Counter[str] = Counter()

    def run(self, rounds: int) -> None:
        """Kill the server so many times. Raises AssertionError for what is not as it must be."""
        with ExitStack() as ending, self._with_log():
            server = self._server(ending)
            with Client(server.target(), deadlines=PATIENT) as client:
                for each in self._callers:
                    each.prepare(client)
            for number in range(rounds):
                rng = random.Random(f"{self._seed}/{number}")
                target = rng.choice(self._targets())
                try:
                    server = self._round(server, target, rng, ending)
                except BaseException as error:
                    error.add_note(f"seed {self._seed}, round {number}: {target}")
                    raise
                self.aimed[target] += 1
            server.stop()
            server = self._server(ending)
            self._check(server, is_patient=any(each.is_costly for each in self._callers))
            server.stop()

    @contextmanager
    def _with_log(self) -> Iterator[None]:
        """Add the end of the server's log to what goes wrong in the block."""
        try:
            yield
        except BaseException as error:
            error.add_note(f"the server's log ends:\n{self._log.read_text()[-16384:]}")
            raise

    def _round(
        self, server: ServerProcess, target: str, rng: random.Random, ending: ExitStack
    ) -> ServerProcess:
        """Kill a server, look at what another one finds, and return that."""
        aim = Aim(target, self._callers, rng)
        needed = [each for each in self._callers if aim.operation in each.operations]
        self._kill_at_work(server, aim, needed, rng)
        self._look_at_disk(target)
        if target in STARTS:
            self._strike_at_start(server, target, rng, ending)
        if not server.is_running:
            server = self._server(ending)
        is_patient = rng.random() < 0.5 and any(each.is_costly for each in needed)
        self._check(server, is_patient=is_patient)
        return server

    @property
    def _has_snapshots(self) -> bool:
        """Whether the folder is copied while it is served."""
        return self._power.is_kept

    def _targets(self) -> list[str]:
        """Return all that it can be struck in."""
        return targets(self._callers, with_snapshots=self._has_snapshots)

    def _stored(self) -> Stored:
        """Return what the database has, without its server."""
        return stored_in(self._folder)

    def _environment(self) -> Mapping[str, str] | None:
        """Return the environment of a server; None for our own."""
        return self._power.environment()

    def _strike(self, server: ServerProcess, rng: random.Random) -> None:
        """Do at this moment what nothing must be lost by."""
        server.kill()

    def _server(self, ending: ExitStack) -> ServerProcess:
        """Return a server that begins; it is killed if a test ends before."""
        environment = self._environment()
        server = ServerProcess(self._folder, self._log, self._transport, environment)
        ending.callback(server.kill)
        return server

    def _kill_at_work(
        self, server: ServerProcess, aim: Aim, needed: list[Caller], rng: random.Random
    ) -> None:
        works = self._works(server, aim, needed, rng)
        threads = [threading.Thread(target=each) for each in works]
        for thread in threads:
            thread.start()
        try:
            aim.wait()
        finally:
            self._strike(server, rng)
            self.killed[SNAPSHOT] += self._taker.end(rng)
            for thread in threads:
                thread.join()
            for each in (*self._callers, self._taker):
                if each.failure is not None:
                    raise each.failure
        self._power.cut(rng)

    def _works(
        self, server: ServerProcess, aim: Aim, needed: list[Caller], rng: random.Random
    ) -> list[Callable[[], None]]:
        """Return the work of those who do what is aimed at, and of two others."""
        others = [each for each in self._callers if each not in needed and not each.is_costly]
        works: list[Callable[[], None]] = [
            partial(each.work, server.target(), random.Random(rng.random()), aim)
            for each in [*needed, *rng.sample(others, min(2, len(others)))]
        ]
        if aim.operation == SNAPSHOT or (self._has_snapshots and rng.random() < 0.1):
            works.append(partial(self._taker.work, aim.note))
        return works

    def _look_at_disk(self, target: str) -> None:
        """Note what the kill has left to do; give the folder what shall be found at the start."""
        stored = self._stored()
        self.killed.update(takeover=int(stored.is_filled), sweeping=int(stored.has_left_over))
        if target == "migration":
            _make_older(self._folder / _DATABASE)

    def _strike_at_start(
        self, _server: ServerProcess, target: str, rng: random.Random, ending: ExitStack
    ) -> None:
        """Kill one that begins."""
        starting = self._server(ending)
        time.sleep(rng.uniform(0, STARTS[target]))
        starting.kill()
        self._power.cut(rng)
        self.killed[target] += 1

    def _check(self, server: ServerProcess, *, is_patient: bool) -> None:
        """Look at everything; if patient, also once all models have taken over."""
        with Client(server.target(), deadlines=PATIENT) as client:
            facts = served(client)
            stored = self._stored().facts
            assert stored == facts, f"the database has others: {difference(facts, stored)}"
            self._taker.check()
            for each in self._callers:
                under_way = each.ledger.under_way
                came_about = each.ledger.settle(each.part_of(facts))
                if under_way is not None:
                    self.killed[under_way.operation] += 1
                    self.came_about[under_way.operation] += came_about
                each.check(client)
            strays = [fact for fact in facts if not self._is_known(fact)]
            assert not strays, f"nobody has made {strays[:5]}"
            check_collections(client, facts, with_models=is_patient)
            if is_patient:
                check_taken_over(client, facts)

    def _is_known(self, fact: tuple[str, ...]) -> bool:
        return any(each.owns(fact) or each.leaves(fact) for each in self._callers)


def _make_older(database: Path) -> None:
    """Make the tables those that version 2 has, as if an older program had been here."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {_VERSION_2} COMMIT;")
