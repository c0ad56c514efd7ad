"""One database behind SQLAlchemy: opened, checked and locked to one process."""

import errno
import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from cipherlens.server.errors import (
    DataDamaged,
    ServerError,
    StartupError,
    Stopping,
    StorageFull,
    StorageUnavailable,
)
from cipherlens.server.storage import schema

_FILE = "cipherlens.sqlite3"
_BUSY_TIMEOUT_S = 10.0


class FolderLock:
    """The data folder, held by this process: a second server on it would fork the truth."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "LOCK").open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise StartupError(f"another server is running on the data folder {folder}") from error

    def release(self) -> None:
        """Give the folder back. The file stays: removing it would race with the next holder."""
        self._file.close()


class Database:
    """The tables of `schema`, with writers one at a time.

    `write()` and `read()` give a connection inside a transaction; leaving `write()` without an
    error commits and syncs to disk.
    """

    def __init__(self, folder: Path) -> None:
        """Open the database in a folder, made if absent. Raises StartupError."""
        self._lock = _locked(folder)
        # Guards _closed and the one writer that SQLite allows: writers queue here, not in a busy
        # loop there.
        self._writing = threading.Lock()
        self._closed = False
        self._engine = _sqlite_engine(folder / _FILE)
        try:
            self._check_schema()
        except BaseException as error:
            self.close()
            if isinstance(error, (ServerError, DBAPIError, sqlite3.Error)):
                raise StartupError(f"the database in {folder} cannot be used: {error}") from error
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are all on disk when the block has ended, or none are.

        Raises StorageFull or StorageUnavailable if the database does not take them, DataDamaged
        if its file is not sound, and Stopping once it is closed.
        """
        with self._writing, _domain_errors(), self._connected() as connection:
            connection.execution_options(cipherlens_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database. Raises as `write` does."""
        with _domain_errors(), self._connected() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let the writer finish, close all connections and give the folder back."""
        with self._writing:
            self._closed = True
            self._engine.dispose()
        self._lock.release()

    def _connected(self) -> Connection:
        # A late writer must not come after the next holder of the folder.
        if self._closed:
            raise Stopping("the server is shutting down")
        return self._engine.connect()

    def _check_schema(self) -> None:
        with self.write() as connection:
            if not inspect(connection).has_table(schema.schema_version.name):
                schema.metadata.create_all(connection)
                connection.execute(
                    insert(schema.schema_version).values(version=schema.SCHEMA_VERSION)
                )
                return
            found = connection.execute(select(schema.schema_version.c.version)).scalar_one()
        if found != schema.SCHEMA_VERSION:
            raise StartupError(
                f"the data folder has schema version {found}, "
                f"this program reads {schema.SCHEMA_VERSION}"
            )


def _locked(folder: Path) -> FolderLock:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / _FILE).touch(mode=0o600)  # before SQLite makes it readable for others
        return FolderLock(folder)
    except FileExistsError as error:
        raise StartupError(f"the data folder {folder} is a file") from error
    except OSError as error:
        reason = error.strerror or error
        raise StartupError(f"the data folder {folder} cannot be used: {reason}") from error


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=-1,  # the call threads are the bound
        connect_args={
            "check_same_thread": False,
            "timeout": _BUSY_TIMEOUT_S,
            "isolation_level": None,  # we begin transactions ourselves, see _begin
        },
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Set and assert what durability rests on, for every connection."""
    # Damaged text must come out, to be named; a checksum tells it from sound text.
    connection.text_factory = _text
    for pragma, wanted in (
        ("journal_mode=WAL", "wal"),
        ("synchronous=FULL", 2),
        ("foreign_keys=ON", 1),
    ):
        connection.execute(f"PRAGMA {pragma}")
        found = connection.execute(f"PRAGMA {pragma.split('=')[0]}").fetchone()[0]
        if found != wanted:
            raise StartupError(f"the database does not take PRAGMA {pragma}: it says {found!r}")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("cipherlens_begin", "BEGIN"))


@contextmanager
def _domain_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if (known := _domain_error(error.orig)) is None:
            raise
        raise known from error
    except sqlite3.Error as error:  # of a connection being opened
        if (known := _domain_error(error)) is None:
            raise
        raise known from error


def _domain_error(error: BaseException | None) -> ServerError | None:
    """Return what a driver's error means, None if it is a mistake of ours."""
    # The lowest byte is the kind of failure, what stands above says more.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("the disk is full; nothing was changed")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DataDamaged(f"the database file is damaged: {error}")
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return StorageUnavailable(f"the database is not available: {error}")
    return None


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn a failure to write a file into StorageFull or StorageUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull("the disk is full; nothing was changed") from error
        raise StorageUnavailable(f"the data folder cannot be written: {error.strerror}") from error
