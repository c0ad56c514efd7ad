"""What was dropped, replaced or deleted long ago, removed from the database a little at a time."""

import time
from contextlib import suppress

from cipherlens.server.engine.background import Background, Errand
from cipherlens.server.engine.registry import Registry
from cipherlens.server.errors import NotFound, StorageFull
from cipherlens.server.storage import Database
from cipherlens.server.storage.records import Collection

# Rows of one transaction: other writes wait for some milliseconds.
_ROWS_PER_PIECE = 512
_PAUSE_S = 3600.0


class Sweeper(Errand):
    """Goes on until nothing is left, then looks every hour."""

    name = "sweeping"

    def __init__(
        self,
        database: Database,
        registry: Registry,
        background: Background,
        *,
        keep_tombstones_s: float,
    ) -> None:
        """Take for how long a deletion is remembered, against late requests of before it."""
        super().__init__(background)
        self._database = database
        self._registry = registry
        self._keep_s = keep_tombstones_s

    def _do(self) -> None:
        """Remove one piece, or give back what is free; when all is done, come back later."""
        if self._progressed():
            self.wants_work = True
        else:
            self._background.consider_in(self, _PAUSE_S)

    def _progressed(self) -> bool:
        """Remove or give back a piece; return whether there may be more."""
        try:
            return self._removed() or self._database.tidy()
        except StorageFull:  # removing takes room, too
            if self._database.make_room() or self._database.tidy():
                return True
            raise

    def _removed(self) -> bool:
        """Remove some rows of the first that has any to remove; return whether there was one.

        It is looked for without keeping anybody from writing.
        """
        before_us = int((time.time() - self._keep_s) * 1e6)
        with self._database.read() as transaction:
            is_dropped = transaction.removal.is_any_dropped()
        if is_dropped:
            with self._database.write() as transaction:
                transaction.removal.dropped(_ROWS_PER_PIECE)
            return True
        for live in self._registry.listed():
            with suppress(NotFound):
                if self._removed_of(live.collection, before_us):
                    return True
        return False

    def _removed_of(self, collection: Collection, before_us: int) -> bool:
        with self._database.read() as transaction:
            state = transaction.collections.state(collection)
            if not transaction.removal.is_wanted(state, before_us):
                return False
        with self._database.write() as transaction:
            state, removal = transaction.collections.state(collection), transaction.removal
            removal.note_deletions(state)
            if not removal.replaced(state, _ROWS_PER_PIECE):
                removal.tombstones(state, before_us=before_us, at_most=_ROWS_PER_PIECE)
        return True
