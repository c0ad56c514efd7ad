"""Writes on a full disk: what may use the room kept for them, and what may be given back."""

from collections.abc import Callable
from typing import TypeVar

from cipherlens.server.errors import StorageFull
from cipherlens.server.storage import Database

_Result = TypeVar("_Result")


class Room:
    """Does writes; where the disk is full, has given back what can be."""

    def __init__(self, database: Database, sweep: Callable[[], None]) -> None:
        """`sweep` begins to remove what is left over."""
        self._database = database
        self._sweep = sweep

    def tidying(self, work: Callable[[], _Result]) -> _Result:
        """Return what a write does. Raises StorageFull, with the sweeping begun."""
        try:
            return work()
        except StorageFull:
            self._sweep()
            raise

    def making(self, work: Callable[[], _Result]) -> _Result:
        """Return what a deletion does, tried again in the room kept for it if the disk is full."""
        try:
            return work()
        except StorageFull:
            if not self._database.make_room():
                raise
        return self.tidying(work)
