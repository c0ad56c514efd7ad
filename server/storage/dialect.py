"""The seam for databases: all that differs from one to another."""

import threading
from typing import Protocol

from sqlalchemy.engine import Connection, Engine

from cipherlens.server.errors import ServerError
from cipherlens.server.locks import CallLock


class Dialect(Protocol):
    """A database of some make, until it is closed.

    One process leads it, and may write; others follow: they only read, and take its place when it
    ends.

    Attributes:
        place: where it is, for people.
        reader: gives connections for transactions that only read.
        writer: gives those on which a commit is durable.
        writing: held around every transaction that writes, by one after the other where the
            database has one writer.
        leads: whether this process may write, and no other.
        is_lost: whether it has led and another process has done so since.
        holds_models: whether models are in it, as servers of several machines may share it.
        owns_folder: whether the data folder is this process's, and what is kept there its to write.
    """

    @property
    def place(self) -> str: ...

    @property
    def reader(self) -> Engine: ...

    @property
    def writer(self) -> Engine: ...

    @property
    def writing(self) -> CallLock: ...

    @property
    def leads(self) -> bool: ...

    @property
    def is_lost(self) -> bool: ...

    @property
    def owns_folder(self) -> bool: ...

    @property
    def holds_models(self) -> bool: ...

    def try_to_lead(self) -> bool:
        """Lead unless another process does; return whether this one does now.

        Raises what the driver raises.
        """
        ...

    def notice_loss(self) -> None:
        """Look whether this process still leads: afterwards `is_lost` says so.

        The caller holds `writing`. Raises what the driver raises.
        """
        ...

    def leader(self) -> str:
        """Return where the process that leads takes calls of the others, empty if it takes none."""
        ...

    def era(self) -> str:
        """Return what is another text once the database may lack something that it had."""
        ...

    def wait_for_change(self, ended: threading.Event, at_most_s: float) -> None:
        """Return when another process has changed the database, or soon after the event.

        Also after so many seconds. For one thread.
        """
        ...

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
