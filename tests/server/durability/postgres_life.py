"""The life of a data folder whose rows are in PostgreSQL: either side is struck."""

import os
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cipherlens.client import CipherLensError
from cipherlens.server.config import DatabaseUrl
from tests.postgres_server import PostgresServer
from tests.server.durability.caller import Caller
from tests.server.durability.facts import Stored
from tests.server.durability.life import Life
from tests.server.durability.process import ServerProcess

_STRIKES = ("server", "postgresql", "sessions")
_LONGEST_DOWN_S = 0.3
_PATIENCE_S = 60.0
_PAUSE_S = 0.2


class PostgresLife(Life):
    """One that goes on with the same server where PostgreSQL was killed, or its sessions ended."""

    def __init__(
        self,
        place: Path,
        seed: int,
        callers: Sequence[Caller],
        transport: str,
        postgres: PostgresServer,
    ) -> None:
        """Take PostgreSQL, in which it gets a database."""
        super().__init__(place, seed, callers, transport)
        self._postgres = postgres
        self._url: DatabaseUrl = postgres.new_database()

    @property
    def _has_snapshots(self) -> bool:
        return False

    def _targets(self) -> list[str]:
        return [each for each in super()._targets() if each != "migration"]

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "DATABASE": self._url.revealed()}

    def _stored(self) -> Stored:
        with self._postgres.connect(self._url) as connection:
            return Stored(lambda query: connection.execute(query.encode()).fetchall())

    def _strike(self, server: ServerProcess, rng: random.Random) -> None:
        struck = rng.choice(_STRIKES)
        self.killed[struck] += 1
        if struck == "server":
            server.kill()
        elif struck == "postgresql":
            self._postgres.kill()
            time.sleep(rng.uniform(0, _LONGEST_DOWN_S))
            self._postgres.start()
        else:
            for _ in range(rng.randint(1, 3)):
                self._postgres.end_sessions(self._url)
        for each in self._callers:
            each.end()

    def _check(self, server: ServerProcess, *, is_patient: bool) -> None:
        """Look at everything, at a server that may have to find its way back first."""
        ends_at = time.monotonic() + _PATIENCE_S
        while True:
            try:
                super()._check(server, is_patient=is_patient)
            except (AssertionError, CipherLensError):
                if not server.is_running or time.monotonic() > ends_at:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return
