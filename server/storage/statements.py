"""Statements compiled once and given to the driver, for what is written and read most."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement


class Statement:
    """A statement, and the names of its parameters in the order in which rows give them.

    SQLAlchemy's own way makes a dictionary of each row and converts each value, which takes as
    long as SQLite takes to write it. What goes in here, and what comes out, is as the driver has
    it; so are the errors.
    """

    def __init__(self, statement: ClauseElement, parameters: Sequence[str]) -> None:
        self._statement = statement
        self._parameters = tuple(parameters)

    def run(self, connection: Connection, row: Sequence[Any]) -> Any:
        """Run it with one row of parameters and return the driver's cursor."""
        cursor = connection.connection.cursor()
        cursor.execute(_text(self, connection.dialect), row)
        return cursor

    def text(self, dialect: Dialect) -> str:
        """Return what the driver gets. Raises TypeError if the parameters stand otherwise."""
        compiled: Any = self._statement.compile(dialect=dialect)
        if tuple(compiled.positiontup or ()) != self._parameters:
            raise TypeError(f"parameters must stand as {self._parameters} in {compiled}")
        return str(compiled)


class Insertion:
    """Rows put into a table, given in the order of its columns.

    As many with one statement as sizes allow: a driver takes Python's lock anew for each, which
    costs little alone, and milliseconds where other threads are at work.
    """

    def __init__(self, table: Table, *, rows_at_once: int = 512) -> None:
        """Take the table and how many rows a statement has at most; each is copied for it."""
        columns = table.columns.keys()
        self._one = Statement(insert(table), columns)
        self._sizes = [size for size in (512, 64, 8, 1) if size <= rows_at_once]

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Put the rows in, if there are any."""
        cursor = connection.connection.cursor()
        start = 0
        for size in self._sizes:
            groups = range(start, len(rows) - size + 1, size)
            if groups:
                joined = [tuple(chain.from_iterable(rows[at : at + size])) for at in groups]
                cursor.executemany(_repeated(self._one, size, connection.dialect), joined)
                start = groups[-1] + size


class AlreadyThere(Exception):
    """A row has the key of another."""


@contextmanager
def attempt(connection: Connection) -> Iterator[None]:
    """Undo what the block has written, and raise AlreadyThere, where a row's key was taken.

    After any other failure nothing is undone: a database that is full may have given up the
    whole transaction.
    """
    cursor = connection.connection.cursor()
    cursor.execute("SAVEPOINT attempt")
    try:
        yield
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        cursor.execute("ROLLBACK TO SAVEPOINT attempt")
        raise AlreadyThere from error
    cursor.execute("RELEASE SAVEPOINT attempt")


@lru_cache(maxsize=64)
def _text(statement: Statement, dialect: Dialect) -> str:
    return statement.text(dialect)


@lru_cache(maxsize=64)
def _repeated(insertion: Statement, size: int, dialect: Dialect) -> str:
    """Return an insertion of one row as one of as many."""
    head, row = insertion.text(dialect).split(" VALUES ")
    return f"{head} VALUES {', '.join([row] * size)}"
