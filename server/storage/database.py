"""The tables of one database, in transactions: no connection leaves this package."""

import errno
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from cipherlens.server.call import Call
from cipherlens.server.errors import (
    DeadlineExpired,
    NotLeading,
    OutcomeUnknown,
    ServerError,
    StartupError,
    Stopping,
    StorageFull,
    StorageUnavailable,
)
from cipherlens.server.locks import ANY_CALL
from cipherlens.server.storage import version
from cipherlens.server.storage.collections import Collections
from cipherlens.server.storage.dialect import Dialect
from cipherlens.server.storage.items import Items
from cipherlens.server.storage.model_pieces import ModelPieces
from cipherlens.server.storage.models import Models
from cipherlens.server.storage.removal import Removal
from cipherlens.server.turns import SharedTurns

_Result = TypeVar("_Result")


class Transaction:
    """What can be read and changed within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.collections = Collections(connection)
        self.items = Items(connection)
        self.models = Models(connection)
        self.model_pieces = ModelPieces(connection)
        self.removal = Removal(connection)


class Database:
    """The tables of `schema` in a database of any dialect; closing it closes the dialect.

    `write()` and `read()` give a transaction; leaving `write()` without an error commits and syncs
    to disk.

    takes_writes: whether this process leads, and is told of all that was written before it did.
    """

    def __init__(self, dialect: Dialect) -> None:
        """Make the tables if there are none and this process leads. Raises StartupError."""
        self._dialect = dialect
        self._closed = False  # set under the dialect's `writing`
        self.takes_writes = dialect.leads
        # Whether a commit was cut off; what reads must first know that it has come to an end.
        self._is_unsettled = False
        self._when_unknown: Callable[[], None] = lambda: None
        self._turns: SharedTurns[Callable[[Transaction], Any], Any] = SharedTurns(
            dialect.writing, self._write_all
        )
        try:
            self._check_schema()
        except BaseException as error:
            self.close()
            if isinstance(error, ServerError | DBAPIError):
                raise StartupError(f"{self._dialect.place} cannot be used: {error}") from error
            raise

    @contextmanager
    def write(self, call: Call = ANY_CALL) -> Iterator[Transaction]:
        """Give a transaction whose changes are all on disk when the block has ended, or none are.

        Raises StorageFull or StorageUnavailable if the database does not take them, DataDamaged
        if its file is not sound, OutcomeUnknown if it was lost at the commit, Stopping once it is
        closed, DeadlineExpired or CallCancelled where the call can wait no longer for others that
        write, and NotLeading where another process does.
        """
        self._check_takes_writes()
        with self._writing(call) as connection:
            yield Transaction(connection)

    def write_together(self, work: Callable[[Transaction], _Result], call: Call) -> _Result:
        """Do work in one transaction with what else waits to write; return its result once on disk.

        What one work raises gives up the changes of all. Raises as `write` does.
        """
        result: _Result = self._turns.take(work, call)
        return result

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give a transaction that sees one state of the database. Raises as `write` does."""
        with self._reading() as connection:
            yield Transaction(connection)

    @property
    def is_lost(self) -> bool:
        """Whether this process has led and another one has done so since."""
        return self._dialect.is_lost

    @property
    def holds_models(self) -> bool:
        """Whether models are in the database, and files of them no more than a cache."""
        return self._dialect.holds_models

    @property
    def owns_folder(self) -> bool:
        """Whether the data folder is this process's to write."""
        return self._dialect.owns_folder

    def try_to_lead(self) -> bool:
        """Lead unless another process does, and return whether this one does now.

        It takes no writes yet: what memory holds of the database must be made what that has first.
        Raises as `read` does, and StartupError where its tables are of another version.
        """
        with self._domain_errors():
            leads = self._dialect.try_to_lead()
        if leads and not self.takes_writes:
            self._check_schema()
        return leads

    def notice_loss(self) -> None:
        """Look whether this process still leads, unless it writes at this moment.

        Raises as `read` does.
        """
        with (
            suppress(DeadlineExpired),
            self._dialect.writing.held(Call.within(0.0)),
            self._domain_errors(),
        ):
            if self._closed or self._dialect.is_lost:
                return
            try:
                self._dialect.notice_loss()
            except StorageUnavailable:
                if not self._dialect.is_lost:
                    raise

    def leader(self) -> str:
        """Return where the process that leads takes calls of the others, empty if it takes none.

        Raises as `read` does.
        """
        with self._domain_errors():
            return self._dialect.leader()

    def era(self) -> str:
        """Return what is another text once the database may lack something that it had.

        Raises as `read` does.
        """
        with self._domain_errors():
            return self._dialect.era()

    def wait_for_change(self, ended: threading.Event, at_most_s: float) -> None:
        """Return when another process has changed the database, after so many seconds at most.

        Or soon after the event. For one thread. Raises as `read` does.
        """
        with self._domain_errors():
            self._dialect.wait_for_change(ended, at_most_s)

    def when_unknown(self, told: Callable[[], None]) -> None:
        """Have a function called whenever it is not known whether a change was kept."""
        self._when_unknown = told

    def close(self) -> None:
        """Let the writer finish and close the dialect."""
        with self._dialect.writing:
            self._closed = True
        self._dialect.close()

    def _write_all(self, works: Sequence[Callable[[Transaction], Any]], _call: Call) -> list[Any]:
        self._check_takes_writes()
        with self._changing() as connection:
            transaction = Transaction(connection)
            return [work(transaction) for work in works]

    @contextmanager
    def _writing(self, call: Call = ANY_CALL) -> Iterator[Connection]:
        with self._dialect.writing.held(call), self._changing() as connection:
            yield connection

    def _check_takes_writes(self) -> None:
        if not self.takes_writes:
            raise NotLeading

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that writes, to who holds the dialect's `writing`."""
        is_at_commit = False
        with self._domain_errors():
            try:
                with self._connected(self._dialect.writer) as connection, connection.begin():
                    # Whoever writes anew has waited for the end of all that went before.
                    self._is_unsettled = False
                    yield connection
                    is_at_commit = True
            except DBAPIError as error:
                if not (is_at_commit and error.connection_invalidated):
                    raise
                self._is_unsettled = True
                self._when_unknown()
                raise OutcomeUnknown from error

    def _settle(self) -> None:
        """Return when it cannot change any more whether a commit that was cut off has been kept."""
        if self._is_unsettled:
            with self._writing():
                pass

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._settle()
        with (
            self._domain_errors(),
            self._connected(self._dialect.reader) as connection,
            connection.begin(),
        ):
            yield connection

    def _connected(self, engine: Engine) -> Connection:
        # A late writer must not come after the next holder of the folder.
        if self._closed:
            raise Stopping("the server is shutting down")
        return engine.connect()

    @contextmanager
    def _domain_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # A connection that cannot even be opened raises the driver's own error.
            driver_error = error.orig if isinstance(error, DBAPIError) else error
            known = self._dialect.failure(driver_error) if driver_error is not None else None
            if known is None:
                raise
            raise known from error

    def make_room(self) -> bool:
        """Give up room that is kept for deletions on a full disk; return whether there was any."""
        return self._dialect.make_room()

    def sizes(self) -> dict[str, int]:
        """Return the bytes of the database's files by what they are."""
        return self._dialect.sizes()

    def tidy(self) -> bool:
        """Give back to the system a part of what deleted rows have left, and bound the log.

        Returns whether there is more.
        """
        with self._dialect.writing, self._domain_errors():
            return not self._closed and self._dialect.tidy()

    def _check_schema(self) -> None:
        if self._dialect.leads:
            with self._writing() as connection:
                version.bring_up(connection)
                if self.holds_models:
                    ModelPieces(connection).make()
        else:
            with self._reading() as connection:
                version.check(connection)


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn a failure to write a file into StorageFull or StorageUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull("the disk is full; nothing was changed") from error
        raise StorageUnavailable(f"the data folder cannot be written: {error.strerror}") from error
