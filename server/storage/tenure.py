"""Who holds a PostgreSQL database: one server, on the connection that it writes by.

A session holds an advisory lock until it ends, so what is written by another one is never this
server's: when the connection is lost, so is the right to write, at the same moment. Where the lock
is taken again, a row tells whether another server has had it meanwhile; then all that this one has
in memory is out of date, and it writes no more.
"""

from uuid import uuid4

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from cipherlens.server.errors import StartupError, StorageUnavailable

_LOCK = int.from_bytes(b"cipherln", "big") >> 1
"""Its number among the database's advisory locks, of 63 bits."""

_ENDING_MS = 5000
_PATIENCE_MS = 3000

_MAKE = """
CREATE TABLE IF NOT EXISTS tenure (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), database text NOT NULL, holder text NOT NULL
);
ALTER TABLE tenure ADD COLUMN IF NOT EXISTS address text NOT NULL DEFAULT ''
"""
_BEGIN = """
INSERT INTO tenure (database, holder, address) VALUES (%s, %s, %s)
ON CONFLICT (one) DO UPDATE SET holder = EXCLUDED.holder, address = EXCLUDED.address
RETURNING database
"""
_DATABASE = "SELECT database FROM tenure"
_ADDRESS = "SELECT address FROM tenure"
_HOLDER = "SELECT holder FROM tenure"
_WAIT = "SELECT set_config('lock_timeout', %s, true)"
_TAKE = "SELECT pg_advisory_lock(%s)"
_TIMELINE = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)"
_HELD = """
FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND (classid::bigint << 32) + objid::bigint = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_IS_HELD = "SELECT count(*) > 0" + _HELD
_END = "SELECT pg_terminate_backend(pid, %s)" + _HELD + " AND pid = %s"


class Tenure:
    """A server's hold on a database, over all connections that it writes by, one after the other.

    database: the id of the database, made with it; empty until it is held.
    is_lost: whether another server has held it since.
    """

    def __init__(self, place: str, address: str = "") -> None:
        """Take the name of the database for people; nothing is held yet.

        address: where this server takes calls of those that follow it; empty if it takes none.
        """
        self._place = place
        self._address = address
        self.is_lost = False
        self._holder = str(uuid4())
        self._session: int | None = None  # the process of the last one, in PostgreSQL
        self._timeline = ""  # another one: a standby, which may lack the latest, has taken over
        self.database = ""

    def take(self, connection: "Connection[tuple[object, ...]]") -> None:
        """Hold the database by this connection, with all that it holds for others undone.

        Raises StartupError if another server holds it as this one begins; StorageUnavailable if
        another one does, or has done so, since.
        """
        is_first = self._session is None
        if not self._locked(connection):
            raise self._held_by_another(is_first=is_first)
        connection.commit()  # what is read from here on, the last holder has left
        timeline = timeline_of(connection)
        if is_first:
            connection.execute(_MAKE)
            values = (str(uuid4()), self._holder, self._address)
            (self.database,) = _row(connection, _BEGIN, values)
            self._timeline = timeline
        elif self._found(connection) != self._holder or timeline != self._timeline:
            raise self._held_by_another(is_first=False)
        connection.commit()
        self._session = connection.info.backend_pid

    @property
    def is_held(self) -> bool:
        """Whether this server holds it, as far as it knows."""
        return self._session is not None and not self.is_lost

    def _locked(self, connection: "Connection[tuple[object, ...]]") -> bool:
        """Take the lock, and wait a little for the end of a session whose server is gone.

        One of this server, which has not noticed its end, is ended.
        """
        if self._session is not None and self._found(connection) == self._holder:
            connection.execute(_END, (_ENDING_MS, _LOCK, self._session))
        try:
            connection.execute(_WAIT, (f"{_PATIENCE_MS}ms",))
            connection.execute(_TAKE, (_LOCK,))
        except LockNotAvailable:
            return False
        return True

    def _found(self, connection: "Connection[tuple[object, ...]]") -> str:
        row = connection.execute(_HOLDER).fetchone()
        return str(row[0]) if row else ""

    def _held_by_another(self, *, is_first: bool) -> Exception:
        if is_first:
            return StartupError(f"another server is running on {self._place}")
        self.is_lost = True
        return StorageUnavailable(
            "another server has taken the database over, or a standby has; this one writes no more "
            "until it is started again"
        )


def is_held(connection: "Connection[tuple[object, ...]]") -> bool:
    """Return whether a server holds the database."""
    return bool(_row(connection, _IS_HELD, (_LOCK,))[0])


def database_of(connection: "Connection[tuple[object, ...]]") -> str:
    """Return the id of a database that a server has held."""
    return _row(connection, _DATABASE)[0]


def timeline_of(connection: "Connection[tuple[object, ...]]") -> str:
    """Return the timeline: another one is that of a standby that has taken over."""
    return _row(connection, _TIMELINE)[0]


def address_of_holder(connection: "Connection[tuple[object, ...]]") -> str:
    """Return where the server that held it last takes calls of those that follow it."""
    return _row(connection, _ADDRESS)[0]


def _row(
    connection: "Connection[tuple[object, ...]]", statement: str, values: tuple[object, ...] = ()
) -> "tuple[str, ...]":
    row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return tuple(row)  # type: ignore[arg-type]
