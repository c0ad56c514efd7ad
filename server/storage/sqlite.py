"""SQLite: one file in the data folder, held by one process, durable at every commit."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import QueuePool

from cipherlens.server.errors import (
    DataDamaged,
    ServerError,
    StartupError,
    StorageFull,
    StorageUnavailable,
)
from cipherlens.server.locks import CallLock
from cipherlens.server.storage.folder import SQLITE_FILE, HeldFolder, unusable
from cipherlens.server.storage.reserve import Reserve

_RESERVE = "RESERVE"
_BUSY_TIMEOUT_S = 10.0
_BETWEEN_LOOKS_S = 0.01
# Of 4 KiB in the write-ahead log before they are copied back, four times SQLite's own number: a
# page that many commits change is copied once for all of them.
_LOG_PAGES = 4096
_LARGEST_LOG_BYTES = 64 * 2**20
_PAGES_AT_ONCE = 1024
_PAGES_WHERE_TIGHT = 256
_INCREMENTAL = 2  # in SQLite's words
_SET_AUTO_VACUUM = "PRAGMA auto_vacuum=INCREMENTAL"

_LAST_NUMBER = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
_FORGET_NUMBER = text("DELETE FROM sqlite_sequence WHERE name = :table")
_KEEP_NUMBER = text("INSERT INTO sqlite_sequence VALUES (:table, :number)")


class SqliteDialect:
    """The `Dialect` of SQLite in WAL mode; who holds the folder leads."""

    def __init__(self, folder: Path, follow_at: str | None = None) -> None:
        """Take the folder, made if absent, or follow the one that has it.

        follow_at: where this process takes calls of the others; None for one that never follows.

        Raises StartupError.
        """
        self.place = f"the database in {folder}"
        self.is_lost = False
        self.holds_models = False
        self._follow_at = follow_at
        self._held = _held(folder, follow=follow_at is not None)
        self._file = folder / SQLITE_FILE
        self._watch: sqlite3.Connection | None = None
        self._seen: int | None = None  # the version of the data that was seen last
        # SQLite allows one writer: the others queue here, not in a busy loop there.
        self.writing = CallLock("the database")
        self._log = folder / f"{SQLITE_FILE}-wal"
        self._reserve = Reserve(folder / _RESERVE)
        # The call threads are the bound.
        if self.leads:
            self._held.say(follow_at or "")
        self.reader = _engine(
            self._file, "BEGIN", only_reads=not self.leads, pool_size=8, max_overflow=-1
        )
        # One connection: what another has written makes the pages that it knows worthless. The lock
        # is taken before the transaction: two that begin by reading could not both write.
        self.writer = _engine(self._file, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)

    @property
    def leads(self) -> bool:
        """Whether this process may write, and no other."""
        return self._held.is_held

    owns_folder = leads

    def try_to_lead(self) -> bool:
        """Lead unless another process does; return whether this one does now."""
        if not self.leads and self._held.try_to_hold():
            self._held.say(self._follow_at or "")
        return self.leads

    def notice_loss(self) -> None:
        """Do nothing: the folder is held until this process ends."""

    def leader(self) -> str:
        """Return where the process that leads takes calls of the others, empty if it takes none."""
        return self._held.said()

    def era(self) -> str:
        """Return always the same: a file that is open is not replaced."""
        return ""

    def wait_for_change(self, ended: threading.Event, at_most_s: float) -> None:
        """Return when another process has changed the database, or soon after the event.

        SQLite tells nobody of a commit. To look for one takes some microseconds.
        """
        if self._watch is None:
            address = f"{self._file.absolute().as_uri()}?mode=ro"
            self._watch = sqlite3.connect(address, uri=True, check_same_thread=False)
        until = time.monotonic() + at_most_s
        while True:
            (version,) = self._watch.execute("PRAGMA data_version").fetchone()
            if version != self._seen or time.monotonic() >= until or ended.wait(_BETWEEN_LOOKS_S):
                self._seen = version
                return

    def failure(self, error: BaseException) -> ServerError | None:
        """Return what an error of the driver means, None if it is a mistake of ours."""
        code = _kind(error)
        if code == sqlite3.SQLITE_FULL:
            return StorageFull("the disk is full; nothing was changed")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return DataDamaged(f"the database file is damaged: {error}")
        if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
            return StorageUnavailable(f"the database is not available: {error}")
        return None

    def make_room(self) -> bool:
        """Give up the reserve for a deletion on a full disk; return whether there was one."""
        return self._reserve.spend()

    def tidy(self) -> bool:
        """Cut some free pages off the file, and the log if it has grown; tell if there is more.

        Readers that never leave a gap let the log grow: a checkpoint that waits for them ends that.
        Where the disk is full, small pieces and a log that is cut each time find room for the next.
        """
        with closing(self.writer.raw_connection()) as connection:
            cursor = connection.cursor()
            free = self._cut(cursor)
            if self._log_bytes() > (_LARGEST_LOG_BYTES if self._reserve.is_there else 0):
                with _unless_full():  # as long as the file is longer on its way than it will be
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if not free:
            self._reserve.restore()
        return free

    def _cut(self, cursor: Any) -> bool:
        """Cut free pages off the file; return whether there are more."""
        if cursor.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
            return False  # made by an older version: its pages are used again
        pages = _PAGES_AT_ONCE if self._reserve.is_there else _PAGES_WHERE_TIGHT
        before = _free_pages(cursor)
        with _unless_full():
            # As a script, which goes on to its end: a statement alone would cut a single page.
            cursor.executescript(f"PRAGMA incremental_vacuum({pages})")
        after = _free_pages(cursor)
        if before and after == before:  # nothing is said of it where the log finds no room
            return self._reserve.spend()
        return after > 0

    def sizes(self) -> dict[str, int]:
        """Return the bytes of the database and of its write-ahead log."""
        return {"database": self._file.stat().st_size, "wal": self._log_bytes()}

    def last_number(self, connection: Connection, table: str) -> int:
        """Return the highest number that a row of a table was ever given, 0 if there was none."""
        return int(connection.scalar(_LAST_NUMBER, {"table": table}) or 0)

    def number_after(self, connection: Connection, table: str, number: int) -> None:
        """Give the rows of a table numbers above this one from now on."""
        connection.execute(_FORGET_NUMBER, {"table": table})
        connection.execute(_KEEP_NUMBER, {"table": table, "number": number})

    def _log_bytes(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def close(self) -> None:
        """Close all connections and give the folder back."""
        if self._watch is not None:
            self._watch.close()
        self.reader.dispose()
        self.writer.dispose()
        self._held.release()


def _free_pages(cursor: Any) -> int:
    count: int = cursor.execute("PRAGMA freelist_count").fetchone()[0]
    return count


def _kind(error: BaseException) -> int:
    """Return the kind of failure: the lowest byte, what stands above says more."""
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code


def _is_full(error: BaseException) -> bool:
    return _kind(error) == sqlite3.SQLITE_FULL


@contextmanager
def _unless_full() -> Iterator[None]:
    """Give up what the block does where the disk is full."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not _is_full(error):
            raise


def _held(folder: Path, *, follow: bool) -> HeldFolder:
    held = HeldFolder(folder, follow=follow)
    try:
        held.check_has_rows()
        if held.is_held:
            (folder / SQLITE_FILE).touch(mode=0o600)  # before SQLite makes it readable for others
    except OSError as error:
        held.release()
        raise unusable(folder, error) from error
    except BaseException:
        held.release()
        raise
    return held


def _engine(path: Path, begin: str, *, only_reads: bool = False, **pool: int) -> Engine:
    address = URL.create("sqlite+pysqlite", database=str(path))
    if only_reads:
        address = address.set(
            database=path.absolute().as_uri(), query={"mode": "ro", "uri": "true"}
        )
    engine = create_engine(
        address,
        poolclass=QueuePool,
        **pool,
        pool_use_lifo=True,  # the last one knows most pages
        connect_args={
            "check_same_thread": False,
            "timeout": _BUSY_TIMEOUT_S,
            "isolation_level": None,  # we begin transactions ourselves
        },
    )
    if not only_reads:  # where there are no tables yet
        event.listen(engine, "connect", lambda each, _: each.execute(_SET_AUTO_VACUUM))
    event.listen(engine, "connect", _configure)
    # SQLAlchemy's way takes as long as all the rest.
    event.listen(engine, "begin", lambda each: each.connection.cursor().execute(begin))
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Set and assert what durability rests on, for every connection."""
    # Damaged text must come out, to be named; a checksum tells it from sound text.
    connection.text_factory = _text
    for pragma, wanted in (
        ("journal_mode=WAL", "wal"),
        ("synchronous=FULL", 2),
        ("foreign_keys=ON", 1),
        # Where a system's default is ON, a deletion would write all that it frees once more, as
        # zeros: on a full disk there is no room for that. It is ciphertext.
        ("secure_delete=FAST", 2),
        (f"wal_autocheckpoint={_LOG_PAGES}", _LOG_PAGES),
        (f"journal_size_limit={_LARGEST_LOG_BYTES}", _LARGEST_LOG_BYTES),
    ):
        connection.execute(f"PRAGMA {pragma}")
        found = connection.execute(f"PRAGMA {pragma.split('=')[0]}").fetchone()[0]
        if found != wanted:
            raise StartupError(f"the database does not take PRAGMA {pragma}: it says {found!r}")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
