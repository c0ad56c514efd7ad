"""PostgreSQL with pgvector: one engine for rows and vectors, where PostgreSQL is there already."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg_pool import ConnectionPool, PoolTimeout

from cipherlens.server.config import DatabaseUrl, IvfSettings
from cipherlens.server.errors import StartupError, VectorsUnavailable
from cipherlens.server.storage.postgres_state import told
from cipherlens.server.vectors.pgvector_table import SCHEMA, PgvectorTable, stated
from cipherlens.server.vectors.store import Shape

_OLDEST = (0, 8)  # the first whose scans of an index go on until they have what is asked
_CONNECTIONS = 16
_PATIENCE_S = 5
_CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "application_name": "cipherlens vectors",
    "connect_timeout": _PATIENCE_S,
    "keepalives_idle": 10,
    "tcp_user_timeout": 25_000,
}
_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
_MAY_MAKE = """
SELECT CASE WHEN to_regnamespace(%(schema)s) IS NULL
    THEN has_database_privilege(current_database(), 'CREATE')
    ELSE has_schema_privilege(%(schema)s, 'CREATE') END
"""
_SETTINGS = "SET hnsw.iterative_scan = strict_order; SET ivfflat.iterative_scan = relaxed_order"


class PgvectorStore:
    """Tables in a schema of its own, in the database of the rows or in another one."""

    kind = "pgvector"

    def __init__(self, url: DatabaseUrl, ivf: IvfSettings) -> None:
        """Connect later, with the first question."""
        # What becomes of connections is told by the link, once.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self.place = f"pgvector in the database {url}"
        self._ivf = ivf
        self._address, self._password = url.revealed(), url.password
        self._pool = ConnectionPool(
            self._address,
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=_PATIENCE_S,
            kwargs=_CONNECTION,
            configure=_configure,
            reconnect_timeout=0,
            open=False,
        )

    def check(self) -> str:
        """Return its version. Raises VectorsUnavailable, StartupError."""
        try:
            with psycopg.connect(self._address, **_CONNECTION) as connection:
                row = connection.execute(_VERSION).fetchone()
                may_make = connection.execute(_MAY_MAKE, {"schema": SCHEMA}).fetchone()
        except psycopg.Error as error:
            raise self._unavailable(error) from error
        if row is None:
            raise StartupError(
                f"{self.place} is not there: its operator must CREATE EXTENSION vector"
            )
        version = str(row[0])
        if tuple(map(int, version.split(".")[:2])) < _OLDEST:
            raise StartupError(f"{self.place} is {version}, the oldest that serves is 0.8")
        if may_make == (False,):
            raise StartupError(f"{self.place}: the role may not CREATE tables in {SCHEMA}")
        self._pool.open()
        self._pool.check()  # those that were cut off go
        return version

    def table(self, shape: Shape) -> "PgvectorTable":
        """Return a table."""
        return PgvectorTable(self.asking, self._ivf, shape)

    def names(self, prefix: str) -> list[str]:
        """Return the names of all tables that begin so."""
        statement = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        with self.asking() as connection:
            found = connection.execute(statement, [SCHEMA]).fetchall()
        return [name for (name,) in found if name.startswith(prefix)]

    def drop(self, name: str) -> None:
        """Remove a table."""
        with self.asking() as connection:
            connection.execute(stated("DROP TABLE IF EXISTS {}", name))

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def asking(self) -> "Iterator[psycopg.Connection[Any]]":
        """Lend a connection. Raises VectorsUnavailable for whatever PostgreSQL refuses."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise VectorsUnavailable("the engine of the vectors does not answer") from error
        except psycopg.Error as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: psycopg.Error) -> VectorsUnavailable:
        """Return what to tell callers, who learn nothing of the place; the log has it."""
        reason = error.diag.message_primary or "there is no connection to it"
        return VectorsUnavailable(
            f"the engine of the vectors is not available: {reason}", told(error, self._password)
        )


def _configure(connection: "psycopg.Connection[Any]") -> None:
    """Prepare a connection. Raises psycopg.Error where there is no pgvector."""
    if connection.execute("SELECT to_regtype('vector')").fetchone() != (None,):
        register_vector(connection)
        connection.execute(_SETTINGS)
