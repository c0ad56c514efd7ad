"""PostgreSQL: a database of its own, held by one server, durable at every commit."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool

from cipherlens.server.config import DatabaseUrl
from cipherlens.server.errors import (
    DataDamaged,
    ServerError,
    StartupError,
    StorageFull,
    StorageUnavailable,
)
from cipherlens.server.locks import CallLock
from cipherlens.server.storage.folder import HeldFolder
from cipherlens.server.storage.postgres_state import check_durable, told
from cipherlens.server.storage.tenure import (
    Tenure,
    address_of_holder,
    database_of,
    is_held,
    timeline_of,
)

_log = logging.getLogger(__name__)

# Who hears nothing of the other end for half a minute takes the connection for lost.
_CONNECTION: dict[str, Any] = {
    "application_name": "cipherlens",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_NOTICED_SOON = (
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
)
_READERS = 8
_MORE_READERS = 24
_LONGEST_WAIT_S = 10.0
_LONGEST_SLEEP_S = 0.2
_CHANNEL = "cipherlens"

_Result = TypeVar("_Result")

_LAST_NUMBER = text("SELECT pg_sequence_last_value(CAST(:sequence AS regclass))")
_KEEP_NUMBER = text("SELECT setval(CAST(:sequence AS regclass), :number)")

_FULL = {"53100"}  # disk_full
_DAMAGED = {"XX001", "XX002"}  # data_corrupted, index_corrupted
_READ_ONLY = {"25006"}  # a primary that has become a standby


class PostgresDialect:
    """The `Dialect` of PostgreSQL, by psycopg; who has the `Tenure` leads."""

    def __init__(self, folder: Path, url: DatabaseUrl, follow_at: str | None = None) -> None:
        """Take the folder, made if absent, and the database that it belongs to, or follow.

        follow_at: where this process takes calls of the others; None for one that never follows.

        Raises StartupError.
        """
        self.place = f"the database {url}"
        self.holds_models = True
        self._password = url.password
        self.writing = CallLock("the database")
        self._url = url
        self._tenure = Tenure(self.place, follow_at or "")
        self._watch: psycopg.Connection[Any] | None = None
        self.reader = _engine(url, pool_size=_READERS, max_overflow=_MORE_READERS)
        event.listen(self.reader, "connect", _only_reads)
        # The one connection that holds the database: what is written by it, this server may write.
        self.writer = _engine(url, pool_size=1, max_overflow=0)
        event.listen(self.writer, "connect", self._holds)
        event.listen(self.writer, "commit", _check_whole)
        if follow_at is not None:
            event.listen(self.writer, "commit", _tell_others)
        self._held = HeldFolder(folder, follow=follow_at is not None)
        try:
            self._held.check_has_no_rows()
            self._connect_first(follow=follow_at is not None)
            self._held.belong_to(self._read(database_of))
        except BaseException:
            self.close()
            raise

    @property
    def leads(self) -> bool:
        """Whether this process may write, and no other, as far as it knows."""
        return self._tenure.is_held

    @property
    def is_lost(self) -> bool:
        """Whether it has led and another process, or a standby, has done so since."""
        return self._tenure.is_lost

    @property
    def owns_folder(self) -> bool:
        """Whether the data folder is this process's: several on one machine may share it."""
        return self._held.is_held

    def try_to_lead(self) -> bool:
        """Lead unless another process does, and take the folder unless another has it."""
        self._held.try_to_hold()
        if not self.leads and not self.is_lost and not self._read(is_held):
            with suppress(StartupError):  # another one has been quicker
                self.writer.connect().close()
        return self.leads

    def notice_loss(self) -> None:
        """Look whether this process still leads, by the connection that it writes by.

        One that was cut off is made anew, and takes the tenure again if nobody else has had it.
        """
        for is_last in (False, True):
            try:
                with self.writer.connect() as connection:
                    connection.exec_driver_sql("SELECT")
                return
            except DBAPIError as error:
                if is_last or not error.connection_invalidated:
                    raise

    def leader(self) -> str:
        """Return where the process that leads takes calls of the others, empty if it takes none."""
        return self._read(address_of_holder)

    def era(self) -> str:
        """Return the timeline: another one is that of a standby, which may lack the latest."""
        return self._read(timeline_of)

    def wait_for_change(self, ended: threading.Event, at_most_s: float) -> None:
        """Return when another process has changed the database, or soon after the event."""
        until = time.monotonic() + at_most_s
        try:
            if self._watch is None:
                self._watch = psycopg.connect(self._url.revealed(), autocommit=True, **_CONNECTION)
                self._watch.execute(f"LISTEN {_CHANNEL}")
                return  # what was told before is not known
            while time.monotonic() < until and not ended.is_set():
                for _ in self._watch.notifies(timeout=_LONGEST_SLEEP_S, stop_after=1):
                    return
        except psycopg.Error:
            self._stop_watching()
            raise

    def _read(self, asked: "Callable[[psycopg.Connection[Any]], _Result]") -> _Result:
        with self.reader.connect() as connection:
            driver: Any = connection.connection.driver_connection
            return asked(driver)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def failure(self, error: BaseException) -> ServerError | None:
        """Return what an error of the driver means, None if it is a mistake of ours."""
        if isinstance(error, NoConnection):
            return StorageUnavailable("all connections to the database are in use")
        if not isinstance(error, psycopg.Error):
            return None
        if error.sqlstate in _FULL:
            return StorageFull("the disk of the database is full; nothing was changed")
        if error.sqlstate in _DAMAGED:
            return DataDamaged(f"the database is damaged: {error.diag.message_primary}")
        if isinstance(error, psycopg.OperationalError) or error.sqlstate in _READ_ONLY:
            _log.warning("%s is not available: %s", self.place, told(error, self._password))
            # Callers are not told where it is and as whom it is asked, as the driver's words do.
            reason = error.diag.message_primary or "there is no connection to it"
            return StorageUnavailable(f"the database is not available: {reason}")
        return None

    def make_room(self) -> bool:
        """Return that no room is kept here: what PostgreSQL's disk has is its operator's."""
        return False

    def tidy(self) -> bool:
        """Return that there is nothing to do: PostgreSQL cleans up by itself."""
        return False

    def sizes(self) -> dict[str, int]:
        """Return nothing: its files are not this server's."""
        return {}

    def last_number(self, connection: Connection, table: str) -> int:
        """Return the highest number that a row of a table was ever given, 0 if there was none."""
        return int(connection.scalar(_LAST_NUMBER, {"sequence": f"{table}_id_seq"}) or 0)

    def number_after(self, connection: Connection, table: str, number: int) -> None:
        """Give the rows of a table numbers above this one from now on."""
        if number:
            connection.execute(_KEEP_NUMBER, {"sequence": f"{table}_id_seq", "number": number})

    def close(self) -> None:
        """Close all connections and give database and folder back."""
        self._stop_watching()
        self.reader.dispose()
        self.writer.dispose()
        self._held.release()

    def _connect_first(self, *, follow: bool) -> None:
        try:
            if not follow or not self._read(is_held):
                self.writer.connect().close()
        except DBAPIError as error:
            reason = told(error.orig, self._password)
            raise StartupError(f"{self.place} cannot be used: {reason}") from None

    def _holds(self, connection: "psycopg.Connection[Any]", _record: object) -> None:
        """Make a connection the one that holds the database, or close it."""
        try:
            check_durable(connection, self.place)
            connection.execute(_NOTICED_SOON)
            self._tenure.take(connection)
        except (StartupError, StorageUnavailable) as error:
            connection.close()
            if not self._tenure.database:
                raise
            _log.error("%s: %s", self.place, error)
            raise StorageUnavailable(str(error)) from error
        except BaseException:
            connection.close()
            raise


def _engine(url: DatabaseUrl, **pool: int) -> Engine:
    address = make_url(url.revealed()).set(drivername="postgresql+psycopg")
    defaults = {name: each for name, each in _CONNECTION.items() if name not in address.query}
    return create_engine(
        address,
        poolclass=QueuePool,
        **pool,
        pool_use_lifo=True,
        pool_timeout=_LONGEST_WAIT_S,
        paramstyle="format",  # by place, as the statements that go to the driver itself have them
        isolation_level="REPEATABLE READ",  # a transaction sees one state
        use_native_hstore=False,
        hide_parameters=True,
        connect_args=defaults,
    )


def _only_reads(connection: "psycopg.Connection[Any]", _record: object) -> None:
    connection.read_only = True


def _tell_others(connection: Connection) -> None:
    """Tell who follows of the change, once it is committed."""
    connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")


def _check_whole(connection: Connection) -> None:
    """Raise RuntimeError where a statement has failed and nobody has minded.

    PostgreSQL has given up the transaction then, and would answer a commit without an error.
    """
    driver: Any = connection.connection.driver_connection
    if driver.info.transaction_status is TransactionStatus.INERROR:
        raise RuntimeError("a transaction that has failed was to be committed")
