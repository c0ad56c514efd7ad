"""The seam for databases: all that differs from one to another."""

from typing import Protocol

from sqlalchemy.engine import Connection, Engine

from cipherlens.server.errors import ServerError
from cipherlens.server.locks import CallLock


class Dialect(Protocol):
    """A database of some make, held by this process until it is closed.

    Attributes:
        place: where it is, for people.
        reader: gives connections for transactions that only read.
        writer: gives those on which a commit is durable.
        writing: held around every transaction that writes, by one after the other where the
            database has one writer.
    """

    @property
    def place(self) -> str: ...

    @property
    def reader(self) -> Engine: ...

    @property
    def writer(self) -> Engine: ...

    @property
    def writing(self) -> CallLock: ...

    def failure(self, error: BaseException) -> ServerError | None:
        """Return what an error of the driver means, None if it is a mistake of ours."""
        ...

    def make_room(self) -> bool:
        """Give up room that was kept for deletions on a full disk; return whether there was any.

        `tidy` takes it again once there is as much.
        """
        ...

    def tidy(self) -> bool:
        """Give back to the system a part of what is free; return whether there is more.

        The caller holds `writing`.
        """
        ...

    def sizes(self) -> dict[str, int]:
        """Return the bytes of its files by what they are, as far as they are this server's."""
        ...

    def last_number(self, connection: Connection, table: str) -> int:
        """Return the highest number that a row of a table was ever given, 0 if there was none."""
        ...

    def number_after(self, connection: Connection, table: str, number: int) -> None:
        """Give the rows of a table numbers above this one from now on."""
        ...

    def close(self) -> None:
        """Close all connections and give back what is held."""
        ...
